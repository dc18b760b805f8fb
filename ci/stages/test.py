"""`slipway test`: runs one layer of tests and judges pytest's own results."""

import argparse
import sys
import time
from dataclasses import replace

from ..config import Project
from ..gates import Gate, asked, judge, settings_digest
from ..gates.tests import TestsEvidence
from ..records import Verdict, digest_file, read_if_there, write_atomically
from ..report import junit, terminal
from ..settings import Layer
from ..tools import git, process
from . import Done, gate, say, warn
from .subjects import Subject

LAYERS = ("unit", "integration", "e2e")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("layer", choices=LAYERS)


def run(project: Project, args: argparse.Namespace) -> Done:
    """Runs the layer, unless it passed already on the same tree under the same settings."""
    name = f"tests-{args.layer}"
    of = git.tree_digest(project.root, project.config.tests.subject)
    gates = asked("tests", project.config.gates)
    standing = read_if_there(project.delivery, name, Verdict)
    if standing and _still_good(standing, of, gates):
        say(f"{args.layer} tests passed already on this tree")
        return Done(standing.outcome, standing.of)
    layer: Layer = getattr(project.config.tests, args.layer)
    verdict = _run_layer(project, args.layer, layer, gates, of)
    terminal.show(verdict, color=project.color)
    return Done(verdict.outcome, verdict.of, 3 if verdict.outcome == "block" else 0)


def _still_good(standing: Verdict, of: str, gates: list[Gate]) -> bool:
    same = (standing.of, standing.settings_digest) == (of, settings_digest(gates))
    return same and standing.outcome in ("pass", "warn")


def _run_layer(project: Project, name: str, layer: Layer, gates: list[Gate], of: str) -> Verdict:
    started = time.monotonic()
    results = project.scratch / f"pytest-{name}.xml"
    results.parent.mkdir(exist_ok=True)
    results.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={results}", *layer.paths]
    command += ["-n", str(layer.workers), "--dist", "loadfile"] if layer.workers > 1 else []
    command += _coverage(project) if name == "unit" else []
    done = process.watch(command, cwd=project.root, timeout_s=layer.timeout_s, line=warn)
    (project.root / ".coverage").unlink(missing_ok=True)
    evidence = TestsEvidence(name, results, done.code, layer.allow_skips)
    files = {results.name: digest_file(results)} if results.exists() else {}
    verdict = judge(kind="tests", of=of, gates=gates, evidence=evidence, files=files)
    verdict = replace(verdict, seconds=time.monotonic() - started)
    record = gate.record(project, Subject("tests", of, f"tests-{name}", evidence, files), verdict)
    if results.exists():  # every test beside the verdict's findings
        merged = junit.merge(junit.render(record, f"tests.{name}"), results.read_bytes())
        write_atomically(project.delivery / f"tests-{name}.xml", merged)
    return record


def _coverage(project: Project) -> list[str]:
    """What makes pytest-cov leave `delivery/coverage.xml`, in Cobertura's form."""
    measured = [f"--cov={path}" for path in project.config.tests.coverage]
    report = f"--cov-report=xml:{project.delivery / 'coverage.xml'}"
    return [*measured, report, "--cov-report=term:skip-covered"] if measured else []
