"""`slipway repro`: `dvc repro`, hardened for CI; what it leaves becomes records."""

import argparse
import contextlib
import json
import os
import platform
import posixpath
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..records import (
    Candidate,
    Dataset,
    Evaluation,
    Plan,
    digest_file,
    digest_tree,
    read_if_there,
    write,
    write_atomically,
)
from ..tools import dvc, git, pipeline, store
from ..tools.dvc import access
from . import Done, data, say, warn

LOCK, PREPARE = "dvc.lock", "prepare"
# What DVC and TensorFlow say at every run and nobody needs: hints at git, objects that are not in
# the remote yet (the stage then runs), start-up notes of libraries.
NOISE = re.compile(
    r"^\s*$|^To (track|enable)|^\s+(git add|dvc config)|^Updating lock file|^Generating lock file"
    r"|^Use `dvc push`|^Unable to pull data|^Pulling data for|^WARNING: (Some of the cache|All log)"
    r"|^WARNING: Process .* in RWLock-file"  # of a build that was killed: DVC goes on without it
    r"|^(name: .*, )?md5: [0-9a-f]+(\.dir)?$|^[IW]0000 |tf\.function retracing"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "targets", nargs="*", metavar="DVC-STAGE", help=f"default: {pipeline.DVC_STAGES[-1]}"
    )
    parser.add_argument("--force", action="store_true", help="run these even if nothing changed")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Brings the pipeline up to date and writes the records of what is new."""
    targets = tuple(args.targets) or pipeline.DVC_STAGES[-1:]
    for target in targets:
        if target not in pipeline.DVC_STAGES:
            known = ", ".join(pipeline.DVC_STAGES)
            raise ConfigError(f"no DVC stage '{target}'", "slipway repro …", f"one of: {known}")
    standing = read_if_there(project.delivery, "plan", Plan)
    asked = {"train"} if standing and standing.retrain else set()
    forced = tuple(t for t in targets if args.force or t in asked)
    done = reproduce(project, targets, forced=forced)
    if done.blocked_by:
        say(f"blocked by '{done.blocked_by}'")
        return Done("block", "", 3)
    say(f"ran: {', '.join(done.ran) or 'nothing'}")
    made = [name for name in done.ran if name not in pipeline.ALWAYS]
    return Done("ran " + ", ".join(made) if made else "up to date", _subject(project))


def reproduce(
    project: Project, targets: tuple[str, ...], *, forced: tuple[str, ...] = ()
) -> pipeline.Reproduced:
    """`dvc repro` of some stages; records are written for what they left."""
    if difference := data.altered(project):
        raise EvidenceError(
            difference,
            str(project.root / project.config.data.path),
            "run 'slipway data pull', which says what can be done",
        )
    _same_folders(project)
    access.ensure(project)
    _adopt_lock(project)
    started = time.monotonic()
    with _same_version(project):
        try:
            done = pipeline.reproduce(project, targets, forced=forced, line=_relay)
        finally:
            _keep_lock(project)
    seconds = time.monotonic() - started
    if not done.blocked_by or "gate model" in done.blocked_by:
        reached = max(pipeline.DVC_STAGES.index(target) for target in targets)
        if reached >= pipeline.DVC_STAGES.index("train"):
            _record_candidate(project, seconds=seconds if "train" in done.ran else None)
        if reached >= pipeline.DVC_STAGES.index("evaluate"):
            _record_evaluation(project)
    return done


def _same_folders(project: Project) -> None:
    """Refuses to judge other folders than those that training learns from.

    A stage may name a folder, or files in it.

    Raises:
        ConfigError: the DVC stage `prepare` does not read the one, or does not leave the other.
    """
    deps, outs = dvc.paths(project.root)
    data = project.config.data
    for key, path, known in (
        ("path", data.path, deps.get(PREPARE)),
        ("prepared", data.prepared, outs.get(PREPARE)),
    ):
        folder = posixpath.normpath(path)
        named = [posixpath.normpath(name) for name in known or ()]
        if known is not None and not any(f"{n}/".startswith(f"{folder}/") for n in named):
            raise ConfigError(
                f"the DVC stage '{PREPARE}' knows no '{path}': it has {', '.join(known)}",
                f"delivery.toml [data] {key}",
                "name the folder that dvc.yaml has",
            )


@contextlib.contextmanager
def _same_version(project: Project) -> Iterator[None]:
    """Puts the `.dvc` file of the data back, and refuses, where DVC named other data in it.

    It does so with data that was altered after we looked, or that a wrong memo of hashes hid.
    """
    path = project.root / project.config.data.pointer
    named, content = dvc.pointer_md5(path), path.read_bytes()
    try:
        yield
    finally:
        other = dvc.pointer_md5(path)
        if other != named:
            write_atomically(path, content)
    if other != named:
        where = str(project.root / project.config.data.path)
        todo = "run 'slipway data pull', which says what can be done"
        raise EvidenceError(f"the data is {other}, {path.name} names {named}", where, todo)


def restore(project: Project, out: str) -> None:
    """Brings an out that another agent left, as far as cache or remote have it; runs nothing."""
    if (project.root / ".dvc").is_dir():
        access.ensure(project)
        _adopt_lock(project)
        dvc.call(project.root, "pull", "--quiet", out)


def _relay(line: str) -> None:
    if not NOISE.search(line):
        warn(line)


def _adopt_lock(project: Project) -> None:
    """Goes on from the `dvc.lock` that another agent left with the records."""
    carried = project.delivery / LOCK
    if carried.exists():
        content = carried.read_bytes()
        own = project.root / LOCK
        if not own.exists() or own.read_bytes() != content:
            write_atomically(own, content)


def _keep_lock(project: Project) -> None:
    lock = project.root / LOCK
    if lock.exists() and project.delivery.is_dir():
        write_atomically(project.delivery / LOCK, lock.read_bytes())


def _record_candidate(project: Project, *, seconds: float | None) -> None:
    """Writes `candidate.json` and keeps the model; `seconds` is None where it was restored."""
    subject = store.put_model(project.home, project.candidate)
    dataset = read_if_there(project.delivery, "dataset", Dataset)
    on = digest_file(project.delivery / "dataset.json") if dataset else None
    prepared = digest_tree(project.root / project.config.data.prepared)
    standing = read_if_there(project.delivery, "candidate", Candidate)
    if standing and (standing.subject, standing.on, standing.prepared) == (subject, on, prepared):
        return
    signature = _json(project.candidate / "signature.json")
    record = Candidate(
        subject=subject,
        on=on,
        commit=git.commit(project.root),
        dataset=dvc.pointer_md5(project.root / project.config.data.pointer),
        prepared=prepared,
        files={
            name: digest_file(path) for name, path in store.tree_files(project.candidate).items()
        },
        trained_until=str(signature.get("trained_until", "")),
        seconds=round(seconds or 0.0, 1),
        hardware=f"{platform.machine()} {platform.system()}, {os.cpu_count()} CPUs",
        source="restored" if seconds is None else "trained",
    )
    write(project.delivery, "candidate", record)


def _record_evaluation(project: Project) -> None:
    path = project.root / "evaluation/evaluation.json"
    found = _json(path)
    record = Evaluation(
        subject=str(found.get("model")),
        on=digest_file(project.delivery / "candidate.json"),
        commit=git.commit(project.root),
        dataset=str(found.get("dataset")),
        champion=_json(project.root / "models/champion.json"),
        candidate_metrics=_numbers(found.get("candidate")),
        champion_metrics=_numbers(found["champion"]) if found.get("champion") else None,
        baselines={name: _numbers(scores) for name, scores in found.get("baselines", {}).items()},
        window={key: str(value) for key, value in found.get("window", {}).items()},
        evidence={"evaluation.json": digest_file(path)},
    )
    write(project.delivery, "evaluation", record)


def _numbers(scores: Any) -> dict[str, float]:
    nan = float("nan")
    return {
        name: float(value) if isinstance(value, int | float) else nan
        for name, value in (scores or {}).items()
        if value is None or isinstance(value, int | float)
    }


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EvidenceError(
            f"{path.name} is missing or malformed: {error}", str(path), "train and evaluate again"
        ) from error


def _subject(project: Project) -> str:
    candidate = read_if_there(project.delivery, "candidate", Candidate)
    return candidate.subject if candidate else ""
