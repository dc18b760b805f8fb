"""`slipway reproduce`: trains a release again from its commit and data, and compares the model."""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import Project, installer_environment
from ..errors import EvidenceError, SlipwayError
from ..gates import reproduction as gate
from ..gates import worst
from ..gates.reproduction import Made
from ..records import (
    Candidate,
    Plan,
    Reproduction,
    digest_file,
    digest_tree,
    read_if_there,
)
from ..report import progress
from ..settings import FILE, parse
from ..tools import artefacts, dvc, environment, git, ledger, recompute, store, worktrees
from ..tools.interrupts import Interrupts
from ..tools.ledger import Event, events
from . import Done, env, execute, exercises, lineage, plan, repro, say, warn
from .lineage import Evidence

NAME = "reproduction"
TRAIN = "train"
STEPS = 3  # beside the DVC stages


@dataclass(frozen=True)
class Released:
    """A release as the ledger has it."""

    event: Event
    evidence: Evidence
    commit: str  # without `-dirty`


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("release", metavar="RELEASE", nargs="?", help="default: the last one")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Trains in a worktree of the release's commit; the user's checkout stays as it is."""
    read_if_there(project.delivery, NAME, Reproduction)  # one that was altered is told at once
    released = _released(project, args.release or "")
    event, seconds = released.event, dict[str, float]()
    say(f"{event.version}: {event.model}, of {released.commit[:12]} and {event.dataset}")
    folder = project.scratch / "reproductions"
    with Interrupts(), worktrees.of(project.root, folder, released.commit) as worktree:
        found = _again(project, worktree, event, seconds)
    before = _before(project, released, same=found.model == event.model)
    record = _record(project, released, before, found, seconds)
    exercises.show(project, NAME, record, sum(record.seconds.values()))
    took = ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items())
    same = found.model == event.model
    say(f"{event.version} is {'reproduced' if same else 'not reproduced'} ({took})")
    return Done("reproduced" if same else "differs", event.model, 0 if same else 3)


def _released(project: Project, wanted: str) -> Released:
    """The release to reproduce.

    Raises:
        EvidenceError: there is none, its records were altered, or what it was made of was never
            committed.
    """
    version = "v{}.{}.{}".format(*events.parse_version(wanted)) if wanted else ""
    book = ledger.open_ledger(project)
    event = lineage.release_event(ledger.read(book), version)
    evidence = lineage.records_of(book, event)
    commit, _, dirty = event.commit.partition("-")
    planned = evidence.get("plan")
    if dirty and not (isinstance(planned, Plan) and planned.commit == commit):
        raise EvidenceError(
            f"{event.version} was made of files that differ from its commit {commit[:12]}",
            f"{event.id[:12]} in {book.copy.address}",
            "commit before you deliver: what was never committed cannot be had again",
        )
    return Released(event, evidence, commit)


def _again(project: Project, worktree: Path, event: Event, seconds: dict[str, float]) -> Made:
    """The model that comes of a worktree, and what decided it."""
    then = _as_it_was(project, worktree, event)
    wanted = recompute.stages(worktree, TRAIN)
    with progress.steps(len(wanted) + STEPS) as step:
        step(f"data {event.dataset}")
        with _timed(seconds, "data"):
            execute(["data", "pull"], then)  # by its digest
        pipeline = git.tree_digest(worktree, plan.PIPELINE)
        step(f"environment of {env.REQUIREMENTS}")
        with _timed(seconds, "environment"):
            programs = _environment(project, worktree)
        recompute.prepare(worktree)
        for name in wanted:
            step(f"{name}, anew")
            seconds[name] = recompute.run(worktree, programs, name, _relay)
        step("comparing")
        return _made(then, event, pipeline)


@dataclass
class _timed:
    """Notes how long its block took."""

    into: dict[str, float]
    name: str
    _began: float = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.into[self.name] = round(time.monotonic() - self._began, 1)


def _as_it_was(project: Project, worktree: Path, event: Event) -> Project:
    """The project of a worktree: its settings then, today's DVC remotes.

    Raises:
        EvidenceError: the commit holds no such project, or names other data than the release.
    """
    where = f"{event.version}, commit {event.commit}"
    path = worktree / FILE
    if not path.is_file():
        todo = "reproduce it in the project that it is a release of"
        raise EvidenceError(f"that commit has no {FILE}", where, todo)
    settings = parse(path.read_text("utf-8"), f"{FILE} of {where}")
    remote = recompute.share_settings(project, worktree)
    config = replace(settings, data=replace(settings.data, remote=remote))
    named = dvc.pointer_md5(worktree / config.data.pointer)
    if named != event.dataset:
        raise EvidenceError(
            f"the commit names {named}, the release was made of {event.dataset}",
            where,
            "find out which of the two was altered: slipway verify",
        )
    return replace(project, root=worktree, config=config)


def _environment(project: Project, worktree: Path) -> Path:
    """The `bin` of an environment with the packages of that commit, and no others."""
    requirements = worktree / env.REQUIREMENTS
    if not requirements.is_file():
        raise EvidenceError(
            f"that commit has no {env.REQUIREMENTS}: its packages are not known",
            str(env.REQUIREMENTS),
            "pin them, so that the next release can be reproduced",
        )
    shared = environment.ensure(requirements, project.cache, installer_environment())
    return environment.attach(worktree, shared) / "bin"


def _relay(line: str) -> None:
    if not repro.NOISE.search(line):
        warn(line)


def _made(then: Project, event: Event, pipeline: str) -> Made:
    """What the worktree holds now.

    Raises:
        EvidenceError: training left no model.
    """
    files = store.tree_files(then.candidate)
    if not files:
        raise EvidenceError(
            "training left no model", then.config.model.candidate, "see its output above"
        )
    return Made(
        model=digest_tree(then.candidate),
        dataset=event.dataset,
        prepared=digest_tree(then.root / then.config.data.prepared),
        pipeline=pipeline,
        hardware=f"{platform.machine()} {platform.system()}, {os.cpu_count()} CPUs",
        files={name: digest_file(path) for name, path in files.items()},
        environment=_parsed(_bytes(then.candidate / "environment.json")),
    )


def _before(project: Project, released: Released, *, same: bool) -> Made:
    """What the release was made of, as far as its records and its model tell.

    Args:
        same: the model came out the same, so that its own files need not be fetched.
    """
    event, evidence = released.event, released.evidence
    candidate, planned = evidence.get("candidate"), evidence.get("plan")
    known = candidate if isinstance(candidate, Candidate) else None
    return Made(
        model=event.model,
        dataset=event.dataset,
        prepared=known.prepared if known else gate.UNKNOWN,
        pipeline=planned.inputs.get("pipeline", "") if isinstance(planned, Plan) else gate.UNKNOWN,
        hardware=known.hardware if known else gate.UNKNOWN,
        files=known.files if known else None,
        environment=None if same else _environment_of(project, event),
    )


def _environment_of(project: Project, event: Event) -> Mapping[str, Any] | None:
    """What `environment.json` of a released model says: in the store, else in its artefact."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _from_store(project, event.model),
        lambda: artefacts.model_file(
            project, event.artefact, event.digest, "environment.json", model=event.model
        ),
    )
    for way in ways:
        try:
            return _parsed(way())
        except SlipwayError:
            continue
    return None


def _from_store(project: Project, model: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="slipway-") as scratch:
        folder = Path(scratch) / "model"
        store.fetch_model(project.home, model, folder)
        return _bytes(folder / "environment.json")


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _parsed(content: bytes) -> Mapping[str, Any] | None:
    try:
        said = json.loads(content)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _record(
    project: Project, released: Released, before: Made, found: Made, seconds: dict[str, float]
) -> Reproduction:
    findings = tuple(gate.judge(before, found))
    record = Reproduction(
        subject=before.model,
        commit=released.commit,
        version=released.event.version,
        dataset=before.dataset,
        found=found.model,
        prepared=found.prepared,
        hardware=found.hardware,
        outcome=worst(findings),
        findings=findings,
        seconds=seconds,
    )
    return exercises.keep(project, NAME, record)
