"""`slipway release`: closes the delivery, in the ledger and as `release.json`."""

import argparse
import tempfile
from pathlib import Path

from ..config import Project
from ..errors import EvidenceError, ToolError
from ..records import (
    BESIDE,
    Approval,
    Candidate,
    Deployment,
    Evaluation,
    Image,
    Record,
    Release,
    digest_file,
    parse,
    read,
    read_if_there,
    write,
    write_atomically,
)
from ..tools import git, ledger
from ..tools.ledger import Event, History
from ..typed import plain
from . import Done, deploy, places, say, tickets

# Not evidence of a release: written after it, or anew by every `slipway plan`.
APART = ("plan", "release", "rollback", *BESIDE)
DIFFERS = ("written_at", "commit")


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Writes the release into the ledger, once, and `release.json` as it stands there."""
    image = read(project.delivery, "image", Image)
    live = read(project.delivery, ledger.PRODUCTION, Deployment)
    verdicts = tickets.require(project, "release", tried=tickets.TRIED in live.evidence)
    for name in (ledger.PRODUCTION, "release"):
        _same(project, name, image)
    record = _record(project, image, live, verdicts["production-verdict"])
    book = ledger.open_ledger(project)
    others = [event for event in ledger.read(book).releases() if event.digest == record.subject]
    kept = next((found for e in reversed(others) if (found := _kept(book, e, record))), None)
    content = kept or _rendered(project, record)
    if kept is None:
        before = {event.id for event in others}
        ledger.append(book, lambda history: _draft(project, history, record, content, before))
    write_atomically(project.delivery / "release.json", content)
    say(f"{record.version} is released: {record.subject}")
    return Done(f"{record.version} released", record.subject)


def _same(project: Project, name: str, image: Image) -> None:
    standing = read_if_there(project.delivery, name, Deployment if name != "release" else Release)
    if standing and standing.subject != image.subject:
        raise EvidenceError(
            f"{name}.json is about {standing.subject}, not about {image.subject}",
            str(project.delivery / f"{name}.json"),
            "run 'slipway plan': it moves the earlier delivery aside",
        )


def _record(project: Project, image: Image, live: Deployment, on: str) -> Release:
    approved = None
    if "approval" in live.evidence:
        approved = read(project.delivery, "approval", Approval)
    evaluation = read(project.delivery, "evaluation", Evaluation)
    return Release(
        subject=image.subject,
        on=on,
        commit=git.commit(project.root),
        version=live.version,
        model=image.model,
        dataset=image.dataset,
        kind=image.kind,
        url=live.url,
        champion=evaluation.champion,
        approved_by=approved.approved_by if approved else "",
        evidence={
            path.stem: digest_file(path)
            for path in sorted(project.delivery.glob("*.json"))
            if path.stem not in APART and not path.name.startswith(".")
        },
        ledger=live.ledger,
    )


def _kept(book: ledger.Ledger, event: Event, record: Release) -> bytes | None:
    """The bytes of this very release, where the ledger has them."""
    content = ledger.records_of(book, event).get("release.json")
    if content is None or _facts(parse(content, Release, "the ledger")) != _facts(record):
        return None
    return content


def _facts(record: Record) -> dict[str, object]:
    return {k: v for k, v in plain(record).items() if k not in DIFFERS}


def _rendered(project: Project, record: Release) -> bytes:
    standing = read_if_there(project.delivery, "release", Release)
    if standing and _facts(standing) == _facts(record):
        return (project.delivery / "release.json").read_bytes()
    project.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.scratch) as folder:
        write(Path(folder), "release", record)
        return (Path(folder) / "release.json").read_bytes()


def _draft(
    project: Project, history: History, record: Release, content: bytes, before: set[str]
) -> ledger.Draft | Event:
    """The event that closes the delivery, or the one with which somebody closed it meanwhile."""
    live, closed = history.last(ledger.PRODUCTION), history.releases()
    known = [e for e in closed if e.digest == record.subject and e.id not in before]
    if known:
        return known[-1]
    if live is None or live.digest != record.subject:
        now = f"{live.version} by {live.by} since {live.at}" if live else "nothing is assigned"
        raise ToolError(
            f"production moved: {now}", record.ledger[:12], "look at what is live: slipway status"
        )
    candidate = read(project.delivery, "candidate", Candidate)
    event = Event(
        kind="release",
        name=project.config.model.name,
        environment=ledger.PRODUCTION,
        version=record.version,
        digest=record.subject,
        artefact=record.kind,
        model=record.model,
        dataset=record.dataset,
        trained_until=candidate.trained_until,
        champion=record.champion,
        previous=live.previous,
        commit=record.commit,
        by=places.who(project),
        approved_by=record.approved_by,
    )
    return ledger.Draft(event, {**deploy.records_of(project), "release.json": content})
