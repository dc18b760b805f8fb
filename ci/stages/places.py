"""One environment for the length of a command, and what promotion and canary both do there."""

import contextlib
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from ..config import Project
from ..errors import SlipwayError, ToolError
from ..records import Kind
from ..settings import Environment
from ..tools import artefacts, service
from ..tools import ledger as book
from ..tools.artefacts import Artefact
from ..tools.engines import Engine, Instance, Live, choice
from ..tools.interrupts import Interrupts
from ..tools.ledger.events import Event, History
from . import repositories, warn

MARGIN_S = 120.0  # beside start, watch and drain, until an intent counts as abandoned
Right = Callable[[History], None]  # raises where the reason for a promotion is gone


class Undone(ToolError):
    """A promotion came to nothing and was undone, as far as that went; its cause says why."""


class Unnoticed(ToolError):
    """A drill's sick artefact passed every check and the watch."""


@dataclass(frozen=True)
class Place:
    """One environment, its engine and the ledger."""

    project: Project
    name: str
    settings: Environment
    engine: Engine
    ledger: book.Ledger
    signals: Interrupts


def artefact_of(place: Place, event: Event) -> Artefact:
    """The artefact of an event, brought to where the environment takes it from.

    Raises:
        EvidenceError: it is missing or altered, or of a kind that the environment does not take.
    """
    project = place.project
    choice.refuse_kind(project, place.name, cast(Kind, event.artefact))
    if event.artefact == "image":
        repositories.bring(project, place.name, event.digest)
    return artefacts.open_artefact(
        project, event.artefact, event.digest, model=event.model, environment=place.name
    )


def started(place: Place, event: Event, artefact: Artefact) -> Instance:
    """An instance without traffic that answers as training did.

    Raises:
        ToolError: it does not.
    """
    instance = place.engine.start(artefact, version=event.version)
    service.check(instance.url, artefact)
    return instance


def serves(live: Live | None, assignment: Event) -> bool:
    """Whether an engine serves what the ledger assigns."""
    return live is not None and live.healthy and live.instance.digest == assignment.digest


def serving(place: Place) -> Live:
    """What serves now.

    Raises:
        ToolError: nothing does.
    """
    live = place.engine.live()
    if live is None:
        raise ToolError(
            f"{place.name} serves nothing after the switch", place.engine.name, "look at its log"
        )
    return live


def only(*kept: Instance | None) -> Callable[[Instance], bool]:
    """Whether an instance is one of these: what `clean` has to keep."""
    ids = {instance.id for instance in kept if instance}
    return lambda instance: instance.id in ids


def bring_back(place: Place, assignment: Event) -> Live:
    """Serves again what the ledger assigns, from the store."""
    artefact = artefact_of(place, assignment)
    before = place.engine.live()
    try:
        place.engine.switch(started(place, assignment, artefact))
    except SlipwayError:
        standing = place.engine.live()
        place.engine.clean(keep=only(standing.instance if standing else None))
        raise
    live = serving(place)
    if before:
        place.engine.retire(before.instance, place.settings.drain_s)
        place.engine.clean(keep=only(live.instance))  # a canary that stood beside it
    return live


def facts(event: Event) -> dict[str, str]:
    """An assignment as the next one names it."""
    return {"version": event.version, "digest": event.digest}


def who(project: Project) -> str:
    """The name of this process's user, and the CI server's build where it is one."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"user {os.getuid()}"
    return f"{user} in {project.build}" if project.build else user


def intend(place: Place, goal: Event, records: Mapping[str, bytes], right: Right) -> Event:
    """Tells the ledger that this place is about to change.

    Raises:
        ToolError: somebody else said so before.
    """

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


def fulfil(place: Place, goal: Event, intent: Event, records: Mapping[str, bytes]) -> Event:
    """Tells the ledger that what was intended came true; what a drill puts there never may.

    Raises:
        Unnoticed: it is a drill's.
        ToolError: the intent was taken for dead meanwhile.
    """

    if goal.kind == "drill":
        raise Unnoticed(
            f"nothing was found to be wrong with {goal.version}",
            f"delivery.toml [environments.{place.name}] watch_s",
            "watch longer after the switch; see which check should have seen it",
        )

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


def undone(place: Place, begun: Event, reason: str, by: str = "") -> Event:
    """Tells the ledger that an intent or a canary came to nothing; once is enough."""
    undo = replace(begun, kind="undo", closes=begun.id, reason=reason, by=by or who(place.project))
    event = replace(undo, holder="", until="", at="", id="")

    def draft(history: History) -> book.Draft | Event:
        open_ = (history.open_intent(place.name), history.open_canary(place.name))
        mine = begun.id in [standing.id for standing in open_ if standing]
        return book.Draft(event) if mine else begun  # else somebody closed it for us

    return book.append(place.ledger, draft)


def undo(place: Place, intent: Event, before: Live | None, error: BaseException | None) -> bool:
    """Puts back what was live, closes the intent, and raises the cause as ours.

    A canary does not outlive a promotion that failed: what was live gets all the traffic.

    Raises:
        Undone: the cause is one of our errors.
    """
    if error is None:
        return False
    with place.signals.held(forget=True):
        cause = error.what if isinstance(error, SlipwayError) else f"a bug: {error!r}"
        kept = f"{before.instance.version} serves on" if before else "nothing is live"
        try:
            _put_back(place, before)
            undone(place, intent, cause)
            canary = book.read(place.ledger).open_canary(place.name)
            if canary and before and before.canary:
                undone(place, canary, cause)
        except SlipwayError as second:
            kept = "the next command undoes it"
            warn(f"slipway: not undone yet: {second}")
    if not isinstance(error, SlipwayError):
        return False
    raise Undone(
        f"{intent.version} did not go live in {place.name}, {kept}: {cause}",
        error.where,
        error.todo,
    ) from error


def _put_back(place: Place, before: Live | None) -> None:
    if before is None:
        place.engine.stop()
        choice.forget(place.project, place.name)
        return
    if before.healthy:  # at once: to ask first what stands there takes longer where that is dead
        with contextlib.suppress(ToolError):
            place.engine.switch(before.instance)
    live = place.engine.live()
    if live is None or live.canary or live.instance.id != before.instance.id:
        place.engine.switch(before.instance)
    place.engine.clean(keep=only(before.instance))


def _longest(settings: Environment) -> float:
    return settings.ready_s + settings.watch_s + settings.drain_s + MARGIN_S
