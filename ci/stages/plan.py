"""`slipway plan`: says what will run and why, and makes room for a new delivery."""

import argparse
import shutil
from pathlib import Path
from typing import Literal

from ..config import Project
from ..gates import configured
from ..records import Plan, canonical, digest_file, digest_of, parse, read_if_there, write
from ..settings import FILE
from ..tools import dvc, engines, git, ledger, pipeline
from ..tools.engines import choice
from ..typed import plain
from . import Done, say

PIPELINE = ("ml", "dvc.yaml", "params.yaml")
IMAGES = ("docker", "requirements")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the record")
    shown.add_argument("--label", action="store_true", help="print none, cpu or gpu alone")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Writes `plan.json`; a delivery of something else is first moved aside, whole."""
    for kind, tables in project.config.gates.items():  # a mistake here is told before any work
        configured(kind, tables)
    inputs = inputs_of(project)
    subject = digest_of(canonical(inputs))
    moved = _make_room(project, subject)
    stale = pipeline.stale(project.root)
    history = ledger.read(ledger.open_ledger(project))
    record = write(
        project.delivery,
        "plan",
        Plan(
            subject=subject,
            commit=git.commit(project.root),
            inputs=inputs,
            stale=stale,
            reused=tuple(name for name in pipeline.DVC_STAGES if name not in stale),
            train_on=_train_on(project, stale),
            ledger=history.marks(project.config.environments),
            delivered=None if stale else _delivered(project, history, subject),
        ),
    )
    if args.label:
        print(record.train_on)
    elif args.json:
        print(canonical(plain(record)).decode(), end="")
    else:
        _show(record, moved)
    return Done(f"train on {record.train_on}", record.subject)


def inputs_of(project: Project) -> dict[str, str]:
    """What decides a delivery, each with its digest or its kind; the commit is not among it."""
    root = project.root
    return {
        "data": dvc.pointer_md5(root / project.config.data.pointer),
        "pipeline": git.tree_digest(root, PIPELINE),
        "settings": digest_file(root / FILE),
        "code": git.tree_digest(root, project.config.tests.subject),
        "images": git.tree_digest(root, IMAGES),
        "artefact": choice.kind(project),
    }


def _make_room(project: Project, subject: str) -> Path | None:
    """Moves `delivery/` aside where it is about something else; gives its new place."""
    standing = read_if_there(project.delivery, "plan", Plan)
    if standing is None or standing.subject == subject:
        return None
    place = project.scratch / "deliveries" / standing.subject.removeprefix("sha256:")[:16]
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    project.delivery.rename(place)
    return place


def _train_on(project: Project, stale: dict[str, str]) -> Literal["none", "cpu", "gpu"]:
    """Where training has to run: `none` if the model is here, or can be restored."""
    upstream = pipeline.DVC_STAGES[: pipeline.DVC_STAGES.index("train") + 1]
    if any(name in stale for name in upstream):
        return project.config.model.train_on
    kept = dvc.can_be_had(project, project.config.model.candidate)
    return "none" if kept else project.config.model.train_on


def _delivered(project: Project, history: ledger.History, subject: str) -> dict[str, str] | None:
    """Version, digest and address where production already runs what this plan delivers."""
    event = history.last(ledger.PRODUCTION)
    if event is None or ledger.PRODUCTION not in project.config.environments:
        return None
    closed = [release for release in history.releases() if release.digest == event.digest]
    if not closed:  # live, but its delivery has not been closed
        return None
    records = ledger.records_of(ledger.open_ledger(project), closed[-1])
    content = records.get("plan.json")
    if content is None or parse(content, Plan, "the ledger's plan.json").subject != subject:
        return None
    live = engines.engine_of(project, ledger.PRODUCTION).live()
    if live is None or not live.healthy or live.instance.digest != event.digest:
        return None
    return {"version": event.version, "digest": event.digest, "url": live.url}


def _show(plan: Plan, moved: Path | None) -> None:
    if moved:
        say(f"the earlier delivery is kept in {moved}")
    for name, reason in plan.stale.items():
        say(f"  runs    {name}: {reason}")
    if plan.reused:
        say(f"  reused  {', '.join(plan.reused)}")
    say(f"train on {plan.train_on}")
