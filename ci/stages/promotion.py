"""How an artefact goes live: intent, start, checks, switch, watch, assignment; or all undone.

The ledger's last assignment is the truth. What a crash leaves between intent and assignment is
undone by the next command that holds the environment's lease.
"""

import contextlib
import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..config import Project
from ..errors import EvidenceError, SlipwayError, ToolError
from ..settings import Environment
from ..tools import artefacts, engines, service
from ..tools import ledger as book
from ..tools.artefacts import Artefact
from ..tools.engines import Engine, Instance, Live, choice
from ..tools.interrupts import Interrupts
from ..tools.ledger.events import Event, History
from . import say, warn

MARGIN_S = 120.0  # beside start, watch and drain, until an intent counts as abandoned
Right = Callable[[History], None]  # raises where the reason for a promotion is gone


@dataclass(frozen=True)
class Place:
    """One environment, its engine and the ledger, for the length of one command."""

    project: Project
    name: str
    settings: Environment
    engine: Engine
    ledger: book.Ledger
    signals: Interrupts


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
        _refuse_unknown(place, book.read(place.ledger), engine.live())
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
    artefact = _open(place, goal)
    with contextlib.ExitStack() as undo:
        with place.signals.held():
            intent = _intend(place, goal, records, right)
            undo.push(lambda _, error, __: _undo(place, intent, live, error))
        choice.keep(place.project, place.name, place.engine.name)
        switch_ms = _start_and_switch(place, goal, artefact)
        now = _serving(place)
        service.watch(now.url, digest=goal.digest, seconds=place.settings.watch_s)
        with place.signals.held():
            ended = replace(goal, previous=intent.previous, closes=intent.id, switch_ms=switch_ms)
            put = Put(_assign(place, ended, intent, records), now, "live")
            undo.pop_all()
            done(put)
            if live:
                place.engine.retire(live.instance, place.settings.drain_s)
    return put


def _refuse_unknown(place: Place, history: History, live: Live | None) -> None:
    """What another ledger put here is not replaced: a rehearsal must not end the real service."""
    known = {event.digest for event in history.assignments(place.name)}
    if live and live.healthy and live.instance.digest not in known:
        raise EvidenceError(
            f"{place.name} serves {live.instance.version}, which this ledger does not know",
            f"{live.url}, ledger {place.ledger.copy.address}",
            f"use the ledger that put it there, or end it: slipway stop {place.name}",
        )


def _agree(place: Place, last: Event, live: Live | None) -> Put:
    """What the ledger assigns already, served again where it is not."""
    if live and serves(live, last):
        place.engine.switch(live.instance)  # its address may be another one by now
        return Put(last, _serving(place), "already live")
    return Put(last, _bring_back(place, last), "live again")


def _open(place: Place, event: Event) -> Artefact:
    return artefacts.open_artefact(
        place.project, event.artefact, event.digest, model=event.model, environment=place.name
    )


def _start_and_switch(place: Place, goal: Event, artefact: Artefact) -> float:
    choice.refuse_kind(place.project, place.name, artefact.kind)
    instance = place.engine.start(artefact, version=goal.version)
    service.check(instance.url, artefact)
    return place.engine.switch(instance)


def serves(live: Live | None, assignment: Event) -> bool:
    """Whether an engine serves what the ledger assigns."""
    return live is not None and live.healthy and live.instance.digest == assignment.digest


def facts(event: Event) -> dict[str, str]:
    """An assignment as the next one names it."""
    return {"version": event.version, "digest": event.digest}


def who() -> str:
    """The name of this process's user."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _settle(place: Place) -> None:
    """Undoes a promotion that a crash left open, and ends what runs beside the live instance."""
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
        if intent and intent.holder == place.ledger.holder:
            if last and not serves(live, last):
                live = _bring_back(place, last)
            elif live and last is None and live.instance.digest == intent.digest:
                place.engine.stop()
        place.engine.clean(keep=_is(live))
        if intent:
            _close(place, intent, "left open by a crash")
            say(f"{place.name}: a promotion of {intent.version} had been left open; undone")


def _bring_back(place: Place, assignment: Event) -> Live:
    """Serves again what the ledger assigns, from the store."""
    artefact = _open(place, assignment)
    before = place.engine.live()
    try:
        _start_and_switch(place, assignment, artefact)
    except SlipwayError:
        place.engine.clean(keep=_is(place.engine.live()))
        raise
    if before:
        place.engine.retire(before.instance, place.settings.drain_s)
    return _serving(place)


def _intend(place: Place, goal: Event, records: Mapping[str, bytes], right: Right) -> Event:
    def draft(history: History) -> book.Draft:
        right(history)
        other = history.open_intent(place.name)
        if other:
            raise ToolError(
                f"{place.name} is being changed: {other.version} by {other.by}",
                f"intent {other.id[:12]} in {place.ledger.copy.address}",
                "wait for it, then run 'slipway plan' again",
            )
        last = history.last(place.name)
        return book.Draft(
            replace(
                goal,
                kind="intent",
                previous=facts(last) if last else None,
                holder=place.ledger.holder,
                until=book.until(_longest(place.settings)),
            ),
            records,
        )

    return book.append(place.ledger, draft)


def _assign(place: Place, goal: Event, intent: Event, records: Mapping[str, bytes]) -> Event:
    def draft(history: History) -> book.Draft:
        standing = history.open_intent(place.name)
        if standing is None or standing.id != intent.id:
            raise ToolError(
                f"{place.name} moved: this promotion was taken for dead and undone",
                f"intent {intent.id[:12]} in {place.ledger.copy.address}",
                "run 'slipway plan' again and look at what is live now",
            )
        return book.Draft(goal, records)

    return book.append(place.ledger, draft)


def _undo(place: Place, intent: Event, before: Live | None, error: BaseException | None) -> bool:
    """Puts back what was live, closes the intent, and raises the cause as ours."""
    if error is None:
        return False
    with place.signals.held(forget=True):
        cause = error.what if isinstance(error, SlipwayError) else f"a bug: {error!r}"
        kept = f"{before.instance.version} serves on" if before else "nothing is live"
        try:
            _put_back(place, before)
            _close(place, intent, cause)
        except SlipwayError as second:
            kept = "the next command undoes it"
            warn(f"slipway: not undone yet: {second}")
    if not isinstance(error, SlipwayError):
        return False
    raise ToolError(
        f"{intent.version} did not go live in {place.name}, {kept}: {cause}",
        error.where,
        error.todo,
    ) from error


def _put_back(place: Place, before: Live | None) -> None:
    live = place.engine.live()
    if before is None:
        place.engine.stop()
        return
    if live is None or live.instance.id != before.instance.id:
        place.engine.switch(before.instance)
    place.engine.clean(keep=_is(before))


def _close(place: Place, intent: Event, reason: str) -> None:
    undo = replace(intent, kind="undo", closes=intent.id, reason=reason, by=who())
    event = replace(undo, holder="", until="", at="")

    def draft(history: History) -> book.Draft | Event:
        standing = history.open_intent(place.name)
        mine = standing is not None and standing.id == intent.id
        return book.Draft(event) if mine else intent  # else somebody closed it for us

    book.append(place.ledger, draft)


def _serving(place: Place) -> Live:
    live = place.engine.live()
    if live is None:
        raise ToolError(
            f"{place.name} serves nothing after the switch", place.engine.name, "look at its log"
        )
    return live


def _is(live: Live | None) -> Callable[[Instance], bool]:
    return lambda instance: live is not None and instance.id == live.instance.id


def _longest(settings: Environment) -> float:
    return settings.ready_s + settings.watch_s + settings.drain_s + MARGIN_S


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
