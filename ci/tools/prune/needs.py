"""Which artefacts and models are needed, by what the ledger says and the engines do."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from ..engines import Live
from ..ledger.events import Event, History
from . import Made


def needed(history: History, releases: int) -> dict[str, str]:
    """Digest → why it is needed: artefacts, and the models that they hold or were judged against.

    Args:
        releases: of each environment: how many different artefacts stay, the live one among them.
    """
    found: dict[str, str] = {}
    for event, why in _events(history, releases):
        found.setdefault(event.digest, why)
        if event.model:
            found.setdefault(event.model, f"the model of {event.version}, {why}")
        if event.champion:
            against = f"{event.version} was judged against it"
            found.setdefault(event.champion["model"], against)
    return found


def served(lives: Mapping[str, Live | None]) -> dict[str, str]:
    """Digest → why it is needed, for what the engines of some environments serve now."""
    found = {}
    for name, live in lives.items():
        if live:
            found[live.instance.digest] = f"serves in {name}"
        if live and live.canary:
            found[live.canary.instance.digest] = f"serves in {name} as a canary"
    return found


def registered(history: History) -> dict[str, Made]:
    """Digest → what the ledger knows of each artefact that it has registered."""
    latest: dict[str, float] = {}
    for event in history.events:
        if event.digest and event.at:
            latest[event.digest] = datetime.fromisoformat(event.at).timestamp()
    return {
        event.digest: Made(event.digest, event.artefact, event.version, "", latest[event.digest])
        for event in history.events
        if event.kind == "register"
    }


def _events(history: History, releases: int) -> Iterator[tuple[Event, str]]:
    """Each event whose artefact stays, and why; the strongest reason first."""
    names = list(dict.fromkeys(e.environment for e in history.events if e.environment))
    windows = {name: _window(history.assignments(name), releases) for name in names}
    for name, window in windows.items():
        yield from ((event, f"live in {name}") for event in window[:1])
    for name in names:
        canary, intent = history.open_canary(name), history.open_intent(name)
        if canary:
            yield canary, f"canary in {name}"
        if intent:
            yield intent, f"on its way to {name}"
    for name, window in windows.items():
        yield from ((event, f"rollback window of {name}") for event in window[1:])
        earlier = history.earlier(name)
        if earlier:
            yield earlier, f"what a rollback of {name} brings back"


def _window(assignments: Iterable[Event], releases: int) -> list[Event]:
    """The last assignments with so many different artefacts, the latest first."""
    latest: dict[str, Event] = {}
    for event in reversed(list(assignments)):
        latest.setdefault(event.digest, event)
        if len(latest) == releases:
            break
    return list(latest.values())
