"""`slipway history`: what was live when, since when, why, by whom."""

import argparse
import json
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta

from ..config import Project
from ..errors import ConfigError
from ..report import terminal
from ..tools import ledger
from ..tools.ledger import Event, History
from . import Done, say

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Stay:
    """One version in one environment, from its assignment or as a canary to what ended that.

    A drill that it came through is a row of its own, which begins and ends at once.
    """

    environment: str
    version: str
    since: str
    until: str  # empty: still
    kind: str
    by: str
    approved_by: str
    reason: str
    digest: str
    model: str
    commit: str
    released: bool
    ledger: str
    percent: int = 100  # of the requests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV", nargs="?")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument(
        "--at",
        metavar="DATE",
        help="what was live then: 2026-11-17, 2026-11-17T09:30, today, yesterday, tuesday",
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Prints each environment's assignments, the latest first."""
    names = [args.environment] if args.environment else list(project.config.environments)
    for name in names:
        project.environment(name)
    span = span_of(args.at, datetime.now().astimezone()) if args.at else None
    stays = stays_of(ledger.read(ledger.open_ledger(project)), names)
    if span:
        stays = [stay for stay in stays if stay.kind != "drill" and overlaps(stay, *span)]
    if args.json:
        print(json.dumps([asdict(stay) for stay in stays], indent=1, sort_keys=True))
    elif stays:
        say(terminal.table([_row(stay) for stay in stays], HEADER))
    else:
        say("nothing was live" if args.at else "nothing was deployed yet")
    return Done(f"{len(stays)} assignments")


HEADER = ("environment", "version", "since", "until", "how", "by", "approved by", "why")


def stays_of(history: History, environments: list[str]) -> list[Stay]:
    """Every stay in some environments, the latest first in each; canaries and drills among them."""
    released = {event.digest for event in history.releases()}
    stays: list[Stay] = []
    for name in environments:
        done = history.assignments(name)
        ends = [*(event.at for event in done[1:]), ""][: len(done)]
        told = list(zip(done, ends, strict=True))
        told += [(event, end.at if end else "") for event, end in history.canaries(name)]
        told += [(event, event.at) for event in history.drills(name)]
        order = {id(event): place for place, event in enumerate(history.events)}
        told.sort(key=lambda row: order[id(row[0])], reverse=True)
        stays += [_stay(event, end, event.digest in released) for event, end in told]
    return stays


def _stay(event: Event, end: str, released: bool) -> Stay:
    return Stay(
        environment=event.environment,
        version=event.version,
        since=event.at,
        until=end,
        kind=event.kind,
        by=event.by,
        approved_by=event.approved_by,
        reason=event.reason,
        digest=event.digest,
        model=event.model,
        commit=event.commit,
        released=released,
        ledger=event.id,
        percent=event.percent if event.kind == "canary" else 100,
    )


def span_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """The moment or the whole day that a text names, in local time unless it says otherwise.

    Raises:
        ConfigError: it names neither.
    """
    word = text.strip().lower().removeprefix("last ")
    try:
        if word in DAYS:
            back = (now.weekday() - DAYS.index(word)) % 7 or 7
            return _day(now.date() - timedelta(days=back))
        if word in ("today", "yesterday"):
            return _day(now.date() - timedelta(days=word == "yesterday"))
        if len(word) == len("2026-11-17"):
            return _day(date.fromisoformat(word))
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(
            f"'{text}' is no date", f"--at {text}", "write it as 2026-11-17 or 2026-11-17T09:30"
        ) from error
    moment = moment if moment.tzinfo else moment.astimezone()
    return moment, moment


def _day(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time.min).astimezone()
    return start, start + timedelta(days=1) - timedelta(microseconds=1)


def overlaps(stay: Stay, start: datetime, end: datetime) -> bool:
    """Whether a version was live at some moment between two."""
    begins = datetime.fromisoformat(stay.since)
    ends = datetime.fromisoformat(stay.until) if stay.until else None
    return begins <= end and (ends is None or ends > start)


def _row(stay: Stay) -> tuple[str, ...]:
    until = local(stay.until) if stay.until else "now"
    who = (stay.by, stay.approved_by or "–")
    how = f"{stay.kind} {stay.percent} %" if stay.percent < 100 else stay.kind
    return (stay.environment, stay.version, local(stay.since), until, how, *who, stay.reason)


def local(text: str) -> str:
    """A moment of the ledger in local time, for people."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
