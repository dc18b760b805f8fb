"""`slipway rollback`: puts an earlier release back, without a failed request.

Where a canary has a part of the traffic, that is what goes first; without `--to` nothing else does.
"""

import argparse
from dataclasses import replace
from typing import Any

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..records import Rollback, read_if_there, write
from ..tools import git, ledger
from ..tools.engines import Live
from ..tools.ledger import Event, History, events
from . import Done, canary, places, promotion, say
from .places import Place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument(
        "--to",
        metavar="VERSION",
        default="",
        help="default: what was live before this version; a canary is taken back alone",
    )
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why, for the ledger")
    parser.add_argument("--by", metavar="WHO", default="", help="who; default: this user")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Promotes an earlier assignment of the environment again."""
    reason = args.reason.strip()
    if not reason:
        raise ConfigError("a rollback needs a reason", "--reason", "say why in a few words")
    with promotion.at(project, args.environment) as place:
        opened = ledger.read(place.ledger).open_canary(place.name)
        if opened:
            done = _canary_back(place, opened, reason, args.by)
            if not args.to:
                return done
        history = ledger.read(place.ledger)
        target = _target(place, history, args.to)
        goal = replace(
            target,
            kind="rollback",
            commit=git.commit(project.root),
            by=args.by or places.who(project),
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
            done=lambda put: _record(place, put.assignment, put.live),
        )
    say(f"{place.name}: {put.assignment.version} is {put.state} at {put.live.url}")
    return Done(f"{put.assignment.version} {put.state}", put.assignment.digest)


def _canary_back(place: Place, opened: Event, reason: str, by: str) -> Done:
    """Gives all traffic to what is live; the record names the canary as what was before."""
    event, switch_ms = canary.take_back(place, opened, reason, by)
    live = place.engine.live()
    last = ledger.read(place.ledger).last(place.name)
    if live and last:
        _record(
            place,
            replace(last, **_undoing(event), previous=places.facts(opened), switch_ms=switch_ms),
            live,
        )
    stays = last.version if last else "nothing"
    say(
        f"{place.name}: the canary {opened.version} ({opened.percent} %) was taken back; "
        f"{stays} has all requests"
    )
    return Done(f"canary {opened.version} taken back", opened.digest)


def _undoing(event: Event) -> dict[str, Any]:
    names = ("kind", "reason", "by", "percent", "id")
    return {name: getattr(event, name) for name in names}


def _target(place: Place, history: History, wanted: str) -> Event:
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


def _record(place: Place, event: Event, live: Live) -> None:
    """Writes what serves now, and what was before, in whole or as a canary."""
    if event.kind not in ("rollback", "undo"):  # it is live by its own delivery: nothing to tell
        return
    project = place.project
    standing = read_if_there(project.delivery, "rollback", Rollback)
    if standing and standing.subject != event.digest:
        (project.delivery / "rollback.json").unlink()  # the ledger keeps the earlier one
    write(
        project.delivery,
        "rollback",
        Rollback(
            subject=event.digest,
            commit=git.commit(project.root),
            environment=place.name,
            version=event.version,
            previous=event.previous,
            reason=event.reason,
            by=event.by,
            url=live.url,
            ledger=event.id,
            switch_ms=event.switch_ms,
            percent=event.percent if event.kind == "undo" else 100,
        ),
    )
