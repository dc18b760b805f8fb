"""`slipway status`: what is live where, and whether the ledger agrees.

It exits 0 whenever it can tell; that engine and ledger disagree is its answer, not a failure.
"""

import argparse
import json
from dataclasses import asdict, dataclass

from ..config import Project
from ..errors import SlipwayError
from ..report import terminal
from ..tools import engines, ledger
from ..tools.engines import Live
from ..tools.ledger import Event, History
from . import Done, canary, history, promotion, say, warn


@dataclass(frozen=True)
class Beside:
    """A canary, as engine and ledger have it."""

    version: str
    digest: str
    percent: int  # of the requests
    since: str
    by: str
    until: str  # then it counts as forgotten
    healthy: bool
    agrees: bool
    why: str  # it does not agree


@dataclass(frozen=True)
class Standing:
    """One environment, as engine and ledger have it."""

    environment: str
    version: str
    digest: str
    since: str
    by: str
    url: str
    healthy: bool
    agrees: bool
    why: str  # it does not agree
    open_intent: str  # of a promotion under way, or of a crash that another machine left
    canary: Beside | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Prints each environment; what a crash left open here is undone first."""
    book = ledger.open_ledger(project)
    said = ledger.read(book)
    left = [name for name in project.config.environments if _left_here(project, book, said, name)]
    for name in left:
        _settle(project, name)
    said = ledger.read(book) if left else said
    standings = [
        standing_of(
            name,
            engines.engine_of(project, name).live(),
            said.last(name),
            said.open_intent(name),
            said.open_canary(name),
        )
        for name in project.config.environments
    ]
    if args.json:
        print(json.dumps([asdict(s) for s in standings], indent=1, sort_keys=True))
    else:
        say(terminal.table([_row(s) for s in standings], HEADER))
        for standing in standings:
            _explain(standing)
            _explain_canary(standing)
    return Done("agrees" if all(s.agrees for s in standings) else "disagrees")


HEADER = ("environment", "version", "digest", "since", "by", "healthy", "ledger", "address")


def standing_of(
    name: str,
    live: Live | None,
    assigned: Event | None,
    intent: Event | None,
    opened: Event | None = None,
) -> Standing:
    """What an environment's engine serves beside what the ledger assigns.

    Args:
        opened: the canary that the ledger has.
    """
    why = _disagreement(live, assigned)
    beside = _beside(live, opened)
    why = why or (beside.why if beside else "")
    served = assigned if assigned and live and live.instance.digest == assigned.digest else None
    return Standing(
        environment=name,
        version=live.instance.version if live else "",
        digest=live.instance.digest if live else "",
        since=served.at if served else "",
        by=(served.approved_by or served.by) if served else "",
        url=live.url if live else "",
        healthy=live.healthy if live else False,
        agrees=not why,
        why=why,
        open_intent=f"{intent.version} by {intent.by} since {intent.at}" if intent else "",
        canary=beside,
    )


def _beside(live: Live | None, opened: Event | None) -> Beside | None:
    """The canary that one of both has; the engine's word on what runs."""
    runs = live.canary if live else None
    if runs is None and opened is None:
        return None
    same = opened if opened and runs and runs.instance.digest == opened.digest else None
    why, healthy = "", bool(runs and canary.healthy(runs))
    if opened and runs is None:
        why = f"the ledger says canary {opened.version}, it does not run here"
    elif runs and same is None:
        word = opened.version if opened else "nothing"
        why = f"canary {runs.instance.version} runs, the ledger says {word}"
    elif runs and same and runs.percent != same.percent:
        why = f"the canary has {runs.percent} %, the ledger says {same.percent} %"
    elif not healthy:
        why = "the canary runs, and does not answer"
    known = same or (opened if runs is None else None)
    return Beside(
        version=runs.instance.version if runs else known.version if known else "",
        digest=runs.instance.digest if runs else known.digest if known else "",
        percent=runs.percent if runs else known.percent if known else 0,
        since=known.at if known else "",
        by=(known.approved_by or known.by) if known else "",
        until=known.until if known else "",
        healthy=healthy,
        agrees=not why,
        why=why,
    )


def _disagreement(live: Live | None, assigned: Event | None) -> str:
    if live is None and assigned is None:
        return ""
    if live is None and assigned:
        return f"the ledger says {assigned.version}, nothing runs here"
    if live and assigned is None:
        return f"{live.instance.version} runs, the ledger says nothing"
    if live and assigned and live.instance.digest != assigned.digest:
        return f"{live.instance.version} runs, the ledger says {assigned.version}"
    return "" if live and live.healthy else "it runs, and does not answer"


def _left_here(project: Project, book: ledger.Ledger, said: History, name: str) -> bool:
    """Whether a crash of this home's left something open, or a canary is over."""
    intent, opened = said.open_intent(name), said.open_canary(name)
    if intent is not None and intent.holder == book.holder:
        return True
    live = engines.engine_of(project, name).live() if opened else None
    runs = live.canary if live else None
    return bool(canary.why_over(opened, runs, holder=book.holder))


def _settle(project: Project, name: str) -> None:
    """Undoes what a crash left, unless somebody is at work there now."""
    try:
        with promotion.at(project, name, wait_s=0.0):
            pass
    except SlipwayError as error:
        warn(f"slipway: {name} was left as it is: {error.what}")


def _row(s: Standing) -> tuple[str, ...]:
    healthy = ("yes" if s.healthy else "no") if s.digest else "–"
    since = history.local(s.since) if s.since else ""
    cells = (s.version, s.digest[:19], since, s.by, healthy, "agrees" if s.agrees else "differs")
    return (s.environment, *(cell or "–" for cell in cells), s.url or "–")


def _explain(s: Standing) -> None:
    if s.why:
        say(f"{s.environment}: {s.why}; 'slipway deploy' or 'slipway rollback' mends it")
    if s.open_intent:
        say(f"{s.environment}: a promotion is open: {s.open_intent}")


def _explain_canary(s: Standing) -> None:
    if s.canary:
        well = "healthy" if s.canary.healthy else "not healthy"
        since = f" since {history.local(s.canary.since)}" if s.canary.since else ""
        say(f"{s.environment}: canary {s.canary.version}, {s.canary.percent} %{since}, {well}")
