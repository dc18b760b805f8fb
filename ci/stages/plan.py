"""`slipway plan`: says what will run and why, and makes room for a new delivery."""

import argparse
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from ..config import Project
from ..errors import ConfigError
from ..gates import configured
from ..records import Plan, canonical, digest_file, digest_of, parse, read_if_there, write
from ..settings import FILE
from ..tools import dvc, engines, git, ledger, pipeline
from ..tools.dvc import access
from ..tools.dvc.places import Patience
from ..tools.dvc.survey import HERE, Survey
from ..tools.engines import choice
from ..typed import plain
from . import Done, estimate, say

PIPELINE = ("ml", "dvc.yaml", "params.yaml")
IMAGES = ("docker", "requirements")
PATIENCE = Patience(10.0, first_s=1.2)  # with the DVC remote, of 3 s that a plan may take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the record")
    shown.add_argument("--label", action="store_true", help="print none, cpu or gpu alone")
    shown.add_argument("--todo", action="store_true", help="print deliver or nothing alone")
    parser.add_argument(
        "--retrain",
        metavar="true|false",
        help="train whatever stands; without it as the plan of the same delivery says",
    )
    parser.add_argument("--cause", default="", metavar="TEXT", help="why, with --retrain true")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Writes `plan.json`; a delivery of something else is first moved aside, whole."""
    asked = _asked(args)
    for kind, tables in project.config.gates.items():  # a mistake here is told before any work
        configured(kind, tables)
    dvc.pointer(project.root / project.config.data.pointer)
    access.ensure(project)
    with ThreadPoolExecutor(1) as beside:  # git and the ledger, while DVC is imported and asks
        inputs = inputs_of(project)
        subject = digest_of(canonical(inputs))
        moved = _make_room(project, subject)
        retrain, cause = asked or _standing(project)
        looking = beside.submit(_look, project, subject, retrain)
        why = f"asked for: {cause}" if cause else "asked for"
        survey = pipeline.survey(project, {"train": why} if retrain else {}, PATIENCE)
        commit, book, history, live = looking.result()
    stale = survey.stale
    took = estimate.minutes(book, history, trains="train" in stale)
    drafted = Plan(
        subject=subject,
        commit=commit,
        inputs=inputs,
        stale=stale,
        reused=tuple(name for name in survey.steps if name not in stale),
        train_on=_train_on(project, stale, live),
        ledger=history.marks(project.config.environments),
        delivered=live,
        retrain=retrain,
        cause=cause,
        restored=_restored(survey),
        missing=_missing(project, survey),
        remote=survey.silent,
        minutes=took[0],
        as_release=took[1],
    )
    record = write(project.delivery, "plan", drafted)
    if args.label:
        print(record.train_on)
    elif args.todo:
        print("nothing" if record.delivered else "deliver")
    elif args.json:
        print(canonical(plain(record)).decode(), end="")
    else:
        _show(drafted, moved)  # the same facts, in the order of the pipeline
    return Done(f"train on {record.train_on}", record.subject)


def _asked(args: argparse.Namespace) -> tuple[bool, str] | None:
    """Whether training is asked for, and why; None: the command line does not say."""
    if args.retrain not in (None, "", "true", "false"):
        where = f"slipway plan --retrain {args.retrain}"
        raise ConfigError(f"'{args.retrain}' is neither true nor false", where, "use one of them")
    wanted = args.retrain == "true"
    return None if args.retrain is None else (wanted, " ".join(args.cause.split()) * wanted)


def _standing(project: Project) -> tuple[bool, str]:
    """What an earlier call asked for, about the same delivery, until that is released."""
    standing = read_if_there(project.delivery, "plan", Plan)
    released = (project.delivery / "release.json").exists()
    return (standing.retrain, standing.cause) if standing and not released else (False, "")


Look = tuple[str, ledger.Ledger, ledger.History, dict[str, str] | None]


def _look(project: Project, subject: str, retrain: bool) -> Look:
    """The commit, the ledger as it is now, and what of this is live already."""
    commit, book = git.commit(project.root), ledger.open_ledger(project)
    history = ledger.read(book)
    live = None if retrain else _delivered(project, history, subject)
    return commit, book, history, live


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


def _train_on(
    project: Project, stale: dict[str, str], live: dict[str, str] | None
) -> Literal["none", "cpu", "gpu"]:
    """Where training has to run: nowhere if the model is live, here, or can be restored."""
    return project.config.model.train_on if "train" in stale and not live else "none"


def _restored(survey: Survey) -> dict[str, str]:
    """DVC stage → where its outs come from, for what is not in the workspace."""
    steps = {name: step for name, step in survey.steps.items() if not step.reason}
    how = {name: " (made by another run)" if step.record else "" for name, step in steps.items()}
    away = {name: step for name, step in steps.items() if step.origin != HERE or step.record}
    return {name: step.origin + how[name] for name, step in away.items()}


def _missing(project: Project, survey: Survey) -> dict[str, str]:
    """Path of the data → why it cannot be had, as far as that can be told without a download."""
    source = project.config.data.source
    may = f"; {source.package} {source.version} may have it" if source else ""
    return {path: f"{why}{may}" for path, why in survey.data.lost.items()}


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
        say(f"  runs      {name}: {reason}")
    for name, origin in plan.restored.items():
        say(f"  restored  {name}: from {origin}")
    kept = [name for name in plan.reused if name not in plan.restored]
    if kept:
        say(f"  reused    {', '.join(kept)}")
    for path, why in plan.missing.items():
        say(f"  missing   {path} ({plan.inputs['data']}) {why}")
    if plan.remote:
        say(f"  unknown   {plan.remote}")
    if plan.delivered:
        say(f"nothing to deliver: {plan.delivered['version']} is live")
    say(f"train on {plan.train_on}{_duration(plan)}")


def _duration(plan: Plan) -> str:
    if plan.minutes is None or plan.delivered:
        return ""
    about = f"{plan.minutes:.0f} min" if plan.minutes >= 1 else "1 min"
    return f", about {about}, as {plan.as_release} took"
