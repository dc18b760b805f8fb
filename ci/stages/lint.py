"""`slipway lint`: runs the linters that `delivery.toml` names, and judges what they find."""

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..config import Project
from ..gates import asked, judge
from ..gates.lint import LintEvidence, Report
from ..records import digest_of, write_atomically
from ..report import terminal
from ..settings import FILE
from ..tools import git, process
from . import Done, gate, say
from .subjects import Subject

TIMEOUT_S = 900.0


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Writes the verdict, and `delivery/lint.sarif` with every result for whoever shows them."""
    started = time.monotonic()
    tools = project.config.lint.tools
    if not tools:
        say(f"nothing to do: {FILE} names no linter under [lint.tools]")
        return Done("no linter")
    reports = {name: _report(project, command) for name, command in tools.items()}
    gates = asked("lint", project.config.gates)
    of = git.tree_digest(project.root, project.config.tests.subject)
    files = {f"{name}.sarif": digest_of(report.sarif) for name, report in reports.items()}
    evidence = LintEvidence(reports)
    verdict = judge(kind="lint", of=of, gates=gates, evidence=evidence, files=files)
    verdict = replace(verdict, seconds=time.monotonic() - started)
    standing = gate.record(project, Subject("lint", of, "lint", evidence, files), verdict)
    write_atomically(project.delivery / "lint.sarif", _together(reports.values()))
    terminal.show(standing, color=project.color)
    return Done(standing.outcome, of, 3 if standing.outcome == "block" else 0)


def _report(project: Project, command: tuple[str, ...]) -> Report:
    """What a linter says of this tree, with paths as git names them."""
    done = process.run(command, cwd=project.root, timeout_s=TIMEOUT_S)
    here = f"{project.root.as_uri()}/".encode()
    said = (done.err.strip().splitlines() or [""])[-1]
    return Report(done.code, done.raw.replace(here, b""), said)


def _together(reports: Iterable[Report]) -> bytes:
    """All runs as one document; a report that is none stands in the verdict alone."""
    runs: list[Any] = []
    for report in reports:
        try:
            runs += json.loads(report.sarif)["runs"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
