"""`slipway rollback`: puts an earlier release back, without a failed request."""

import argparse
from dataclasses import replace

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..records import Rollback, read_if_there, write
from ..tools import git, ledger
from ..tools.ledger import Event, History, events
from . import Done, promotion, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument(
        "--to", metavar="VERSION", default="", help="default: what was live before this version"
    )
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why, for the ledger")
    parser.add_argument("--by", metavar="WHO", default="", help="who; default: this user")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Promotes an earlier assignment of the environment again."""
    reason = args.reason.strip()
    if not reason:
        raise ConfigError("a rollback needs a reason", "--reason", "say why in a few words")
    with promotion.at(project, args.environment) as place:
        history = ledger.read(place.ledger)
        target = _target(place, history, args.to)
        goal = replace(
            target,
            kind="rollback",
            commit=git.commit(project.root),
            by=args.by or promotion.who(),
            reason=reason,
            at="",
            closes="",
            number=0,
            id="",
        )
        put = promotion.promote(
            place,
            goal,
            {},
            right=lambda now: promotion.refuse_changed(place, history, now),
            done=lambda put: _record(project, place, put, goal),
        )
    say(f"{place.name}: {put.assignment.version} is {put.state} at {put.live.url}")
    return Done(f"{put.assignment.version} {put.state}", put.assignment.digest)


def _target(place: promotion.Place, history: History, wanted: str) -> Event:
    """The assignment to put back.

    Raises:
        EvidenceError: there is none before, or the version never was in this environment.
    """
    done = history.assignments(place.name)
    where = place.ledger.copy.address
    if wanted:
        version = "v{}.{}.{}".format(*events.parse_version(wanted))
        found = [e for e in done if e.version == version]
        if found:
            return found[-1]
        known = ", ".join(dict.fromkeys(e.version for e in done)) or "none"
        raise EvidenceError(
            f"{version} never was in {place.name}", where, f"name one that was: {known}"
        )
    earlier = history.earlier(place.name)
    if earlier is None:
        raise EvidenceError(
            f"nothing was in {place.name} before", where, "see 'slipway history'; name it with --to"
        )
    return earlier


def _record(project: Project, place: promotion.Place, put: promotion.Put, goal: Event) -> None:
    event = put.assignment
    if event.kind != "rollback":  # the version is live by its own delivery: nothing was put back
        return
    standing = read_if_there(project.delivery, "rollback", Rollback)
    if standing and standing.subject != event.digest:
        (project.delivery / "rollback.json").unlink()  # the ledger keeps the earlier one
    write(
        project.delivery,
        "rollback",
        Rollback(
            subject=event.digest,
            commit=goal.commit,
            environment=place.name,
            version=event.version,
            previous=event.previous,
            reason=event.reason,
            by=event.by,
            url=put.live.url,
            ledger=event.id,
            switch_ms=event.switch_ms,
        ),
    )
