"""A canary: production with a part of the traffic on the candidate, until somebody decides."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..config import Project
from ..errors import ToolError
from ..records import Deployment, read
from ..settings import CANARY
from ..tools import ledger as book
from ..tools import service
from ..tools.engines import Canary, Instance, Live, choice
from ..tools.ledger.events import Event, History
from . import places, say
from .places import Place, Right

# what the steps about a canary answer where there was none
NOTHING: Literal["nothing to stand beside"] = "nothing to stand beside"
POLL_S = 0.05
HEALTH_S = 5.0


@dataclass(frozen=True)
class Tried:
    """What an attempt at a canary came to."""

    event: Event  # percent 0 where there was nothing to stand beside
    live: Live | None
    state: Literal["live", "moved", "already live", "nothing to stand beside"]


def absent(project: Project) -> bool:
    """Whether this delivery had nothing that a canary could stand beside: no traffic was split.

    Raises:
        EvidenceError: there is no `canary.json`, or it was altered.
    """
    return read(project.delivery, CANARY, Deployment).percent == 0


def stand(
    place: Place,
    goal: Event,
    records: Mapping[str, bytes],
    right: Right,
    done: Callable[[Tried], None],
) -> Tried:
    """Gives an artefact a part of the traffic, or leaves everything as it was.

    Args:
        goal: the canary to come, with its percent.
        right: asked again whenever the ledger is written.
        done: writes the record, once the ledger has the canary.

    Raises:
        ToolError: it does not stand; what is live has all the traffic.
        EvidenceError: the artefact is not in the store as it was, or of another kind.
    """
    history = book.read(place.ledger)
    right(history)
    last, live = history.last(place.name), place.engine.live()
    if not goal.percent or last is None or last.digest == goal.digest:
        return _told(Tried(replace(goal, percent=0), live, NOTHING), done)
    artefact = places.artefact_of(place, goal)
    if live is None or not places.serves(live, last):
        with place.signals.held():
            live = places.bring_back(place, last)
    opened, beside = history.open_canary(place.name), _same(live.canary, goal)
    if opened and beside and beside.percent == goal.percent == opened.percent:
        return _told(Tried(opened, live, "already live"), done)
    with contextlib.ExitStack() as undo:
        with place.signals.held():
            intent = places.intend(place, goal, records, right)
            undo.push(lambda _, error, __: places.undo(place, intent, live, error))
        choice.keep(place.project, place.name, place.engine.name)
        if beside:
            service.check(beside.instance.url, artefact)
        instance = beside.instance if beside else places.started(place, goal, artefact)
        switch_ms = place.engine.split(instance, goal.percent)
        _watch(place, live, instance)
        with place.signals.held():
            written = replace(
                goal,
                previous=intent.previous,
                closes=intent.id,
                switch_ms=switch_ms,
                holder=place.ledger.holder,
                until=book.until(place.settings.canary_h * 3600),
            )
            event = places.fulfil(place, written, intent, records)
            undo.pop_all()
            tried = Tried(event, places.serving(place), "moved" if beside else "live")
            done(tried)
    return tried


def _told(tried: Tried, done: Callable[[Tried], None]) -> Tried:
    done(tried)
    return tried


def _same(canary: Canary | None, goal: Event) -> Canary | None:
    """The canary that runs, if it is this very artefact."""
    return canary if canary and canary.instance.digest == goal.digest else None


def candidate(live: Live | None, goal: Event) -> Instance | None:
    """The instance that a full deployment takes over: the canary of the same artefact."""
    beside = _same(live.canary, goal) if live else None
    return beside.instance if beside else None


def refuse_other(place: Place, history: History, digest: str) -> None:
    """Stops where another delivery's canary has a part of the traffic.

    Raises:
        ToolError: it has.
    """
    canary = history.open_canary(place.name)
    if canary and canary.digest != digest:
        raise ToolError(
            f"{place.name} has a canary: {canary.version}, {canary.percent} %, "
            f"by {canary.by} since {canary.at}",
            f"{canary.id[:12]} in {place.ledger.copy.address}",
            f"decide on it, or take it back: slipway rollback {place.name}; "
            f"after {canary.until} it counts as forgotten",
        )


def healthy(canary: Canary) -> bool:
    """Whether a canary's own instance answers, as what it should be."""
    answer = service.ready(canary.instance.url, timeout_s=HEALTH_S)
    return (answer.status, answer.digest) == (200, canary.instance.digest)


def take_back(place: Place, canary: Event, reason: str, by: str = "") -> tuple[Event, float]:
    """Gives all traffic to what is live and ends a canary; the ledger's event, milliseconds."""
    with place.signals.held():
        switch_ms = _leave(place)
        return places.undone(place, canary, reason, by), switch_ms


def settle(place: Place) -> None:
    """Takes back a canary that is forgotten or dead, and one that the ledger does not know."""
    canary, live = book.read(place.ledger).open_canary(place.name), place.engine.live()
    beside = live.canary if live else None
    with place.signals.held():
        reason = why_over(canary, beside, holder=place.ledger.holder)
        if beside and (reason or canary is None or beside.instance.digest != canary.digest):
            _leave(place)
        elif beside and canary and beside.percent != canary.percent:
            place.engine.split(beside.instance, canary.percent)  # the ledger's word counts
        if canary and reason:
            places.undone(place, canary, reason)
            say(f"{place.name}: the canary {canary.version} was taken back: {reason}")


def why_over(canary: Event | None, beside: Canary | None, *, holder: str) -> str:
    """Why a canary of the ledger has to go; empty: it stands, or there is none.

    Args:
        beside: the canary that the engine has.
        holder: who asks; whether another machine's engine has it cannot be seen from here.
    """
    if canary is None:
        return ""
    if canary.until <= book.moment():
        return f"nobody decided on it until {canary.until}"
    if beside is None or beside.instance.digest != canary.digest:
        return "it runs no more" if canary.holder == holder else ""
    return "" if healthy(beside) else "it does not answer"


def _leave(place: Place) -> float:
    """Ends a split in favour of what is live; what is not well is served anew."""
    live = place.engine.live()
    if live is None or live.canary is None:
        return 0.0
    last = book.read(place.ledger).last(place.name)
    try:
        switch_ms = place.engine.switch(live.instance)
    except ToolError:
        if last is None:
            raise
        places.bring_back(place, last)
        return 0.0
    place.engine.retire(live.canary.instance, place.settings.drain_s)
    return switch_ms


def _watch(place: Place, live: Live, instance: Instance) -> None:
    """Asks the address and both sides of it for a while, each at least once.

    Raises:
        ToolError: one of them did not answer well.
    """
    champion, challenger = live.instance, instance
    asked = (
        (live.url, (champion.digest, challenger.digest)),
        (champion.url, (champion.digest,)),
        (challenger.url, (challenger.digest,)),
    )
    until = time.monotonic() + place.settings.watch_s
    while True:
        for url, wanted in asked:
            answer = service.ready(url)
            if answer.status != 200 or answer.digest not in wanted:
                said = answer.status or answer.error
                raise ToolError(
                    f"while watched it says {said} as {answer.digest or 'nobody'}",
                    url,
                    "read the logs of the environment",
                )
        if time.monotonic() >= until:
            return
        time.sleep(POLL_S)
