"""How an artefact goes live: intent, start, checks, switch, watch, assignment; or all undone.

The ledger's last assignment is the truth. What a crash leaves between intent and assignment is
undone by the next command that holds the environment's lease.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..config import Project
from ..errors import EvidenceError, ToolError
from ..settings import Environment
from ..tools import engines, service
from ..tools import ledger as book
from ..tools.engines import Live, choice
from ..tools.interrupts import Interrupts
from ..tools.ledger.events import Event, History
from . import canary, places, say
from .places import Place, Right, only, serves, serving


@dataclass(frozen=True)
class Put:
    """What a promotion came to."""

    assignment: Event
    live: Live
    state: Literal["live", "live again", "already live"]


Done = Callable[[Put], None]  # writes what the assignment came to


@contextlib.contextmanager
def at(project: Project, name: str, *, wait_s: float | None = None) -> Iterator[Place]:
    """An environment that nobody else changes, and what a crash left in it undone.

    Raises:
        ToolError: another command changes it, here (by its lease) or elsewhere (by its intent).
    """
    settings = project.environment(name)
    _refuse_branch(project, name, settings)
    engine = engines.engine_of(project, name)
    with engine.lease(settings.lease_s if wait_s is None else wait_s), Interrupts() as signals:
        place = Place(project, name, settings, engine, book.open_ledger(project), signals)
        _settle(place)
        yield place


def _refuse_branch(project: Project, name: str, settings: Environment) -> None:
    """A build of another branch, or of a pull request, changes nothing; a person's shell may."""
    other = settings.branch and project.branch and project.branch != settings.branch
    if project.change or other:
        raise EvidenceError(
            f"{name} is changed by builds of '{settings.branch or 'a branch'}' alone, "
            f"this one builds '{project.change or project.branch}'",
            f"delivery.toml [environments.{name}] branch",
            "start it on that branch",
        )


def promote(
    place: Place, goal: Event, records: Mapping[str, bytes], right: Right, done: Done
) -> Put:
    """Makes an artefact live, or leaves everything as it was.

    Args:
        goal: the assignment or rollback to come.
        right: asked again whenever the ledger is written.
        done: writes the record, once the assignment stands.

    Raises:
        ToolError: it did not go live; what was live before is live again.
        EvidenceError: the artefact is not in the store as it was.
    """
    history = book.read(place.ledger)
    right(history)
    last, live = history.last(place.name), place.engine.live()
    if last and last.digest == goal.digest:
        put = _agree(place, last, live)
        done(put)
        return put
    artefact = places.artefact_of(place, goal)
    with contextlib.ExitStack() as undo:
        with place.signals.held():
            intent = places.intend(place, goal, records, right)
            undo.push(lambda _, error, __: places.undo(place, intent, live, error))
        choice.keep(place.project, place.name, place.engine.name)
        instance = canary.candidate(live, goal)
        if instance:
            service.check(instance.url, artefact)
        switch_ms = place.engine.switch(instance or places.started(place, goal, artefact))
        now = serving(place)
        service.watch(now.url, digest=goal.digest, seconds=place.settings.watch_s)
        with place.signals.held():
            ended = replace(goal, previous=intent.previous, closes=intent.id, switch_ms=switch_ms)
            put = Put(places.fulfil(place, ended, intent, records), now, "live")
            undo.pop_all()
            done(put)
            if live:
                place.engine.retire(live.instance, place.settings.drain_s)
    return put


def _refuse_unknown(place: Place, history: History, live: Live | None) -> None:
    """What another ledger put here is not touched: a rehearsal must not end the real service."""
    if live is None:
        return
    intent, strange = history.open_intent(place.name), []
    known = _assigned(place, history) | ({intent.digest} if intent else set())
    if live.healthy and live.instance.digest not in known:
        strange.append(live.instance)
    begun = {event.digest for event in history.events if event.environment == place.name}
    if live.canary and live.canary.instance.digest not in begun:
        strange.append(live.canary.instance)
    if strange:
        raise EvidenceError(
            f"{place.name} serves {strange[0].version}, which this ledger does not know",
            f"{live.url}, ledger {place.ledger.copy.address}",
            f"use the ledger that put it there, or end it: slipway stop {place.name}",
        )


def _ours(place: Place, intent: Event, live: Live | None, history: History) -> bool:
    """Whether an intent is about the engine seen from here: two homes can share a Docker host."""
    stands = live is not None and live.instance.digest == intent.digest
    unfinished = stands and intent.digest not in _assigned(place, history)
    return unfinished or intent.holder == place.ledger.holder


def _assigned(place: Place, history: History) -> set[str]:
    return {event.digest for event in history.assignments(place.name)}


def _agree(place: Place, last: Event, live: Live | None) -> Put:
    """What the ledger assigns already, served again where it is not."""
    if live and serves(live, last):
        place.engine.switch(live.instance)  # its address may be another one by now
        return Put(last, serving(place), "already live")
    return Put(last, places.bring_back(place, last), "live again")


def _settle(place: Place) -> None:
    """Undoes what a crash left open, ends what has no traffic, and a canary that is over.

    Raises:
        EvidenceError: another ledger put something here.
        ToolError: another machine changes it.
    """
    history = book.read(place.ledger)
    intent = history.open_intent(place.name)
    if intent and intent.holder != place.ledger.holder and intent.until > book.moment():
        raise ToolError(
            f"{place.name} is being changed: {intent.version} by {intent.by} since {intent.at}",
            f"intent {intent.id[:12]} in {place.ledger.copy.address}",
            f"wait for it; after {intent.until} it counts as abandoned",
        )
    with place.signals.held():
        last, live = history.last(place.name), place.engine.live()
        _refuse_unknown(place, history, live)
        if intent and _ours(place, intent, live, history):
            if last and not serves(live, last):
                live = places.bring_back(place, last)
            elif live and last is None and live.instance.digest == intent.digest:
                place.engine.stop()
        kept = (live.instance, live.canary.instance if live.canary else None) if live else ()
        place.engine.clean(keep=only(*kept))
        if intent:
            places.undone(place, intent, "left open by a crash")
            say(f"{place.name}: a promotion of {intent.version} had been left open; undone")
    canary.settle(place)


def refuse_changed(place: Place, before: History, now: History) -> None:
    """Stops where another assignment was made since this command read the ledger.

    Raises:
        ToolError: it was.
    """
    last = now.last(place.name)
    if last and last != before.last(place.name):
        raise ToolError(
            f"{place.name} moved: {last.version} by {last.by} since {last.at}",
            f"{last.id[:12]} in {place.ledger.copy.address}",
            "look at what is live now: slipway status",
        )
