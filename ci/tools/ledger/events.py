"""What the ledger says: events, oldest first, and the questions that they answer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from ...errors import ConfigError

Kind = Literal["register", "intent", "canary", "assign", "undo", "rollback", "release", "drill"]
PRODUCTION = "production"
VERSION = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened, as `event.json` of one commit of the ledger."""

    schema: str = "event/1"
    kind: Kind
    name: str  # of the model, as in the tags
    environment: str = ""
    version: str = ""
    digest: str = ""  # of the artefact
    artefact: str = ""  # its kind
    model: str = ""  # model digest
    dataset: str = ""
    trained_until: str = ""
    champion: dict[str, str] | None = None  # the pointer that the model was judged against
    previous: dict[str, str] | None = None  # version and digest that served before
    commit: str = ""  # of the code
    by: str = ""
    approved_by: str = ""
    reason: str = ""
    at: str = ""
    switch_ms: float = 0.0
    number: int = 0  # of an assignment, counted over all environments
    percent: int = 0  # canary: of the requests
    closes: str = ""  # the intent that ends with it; undo: that intent, or the canary
    holder: str = ""  # intent, canary: whose engine it changes
    until: str = ""  # when others may take an intent's holder for dead, when a canary is over
    nonce: str = ""  # random: two writers in one second never make the same commit
    id: str = field(default="", compare=False)  # the ledger's commit; not in the file


@dataclass(frozen=True)
class History:
    """All events of a ledger, oldest first."""

    events: tuple[Event, ...] = ()

    def assignments(self, environment: str) -> list[Event]:
        """What was put into an environment, oldest first, rollbacks among it."""
        kinds = ("assign", "rollback")
        return [e for e in self.events if e.kind in kinds and e.environment == environment]

    def last(self, environment: str) -> Event | None:
        """The assignment that an environment has now."""
        return next(reversed(self.assignments(environment)), None)

    def marks(self, environments: Iterable[str]) -> dict[str, str]:
        """Environment → the ledger commit of its last assignment, or an empty string."""
        latest = {name: self.last(name) for name in environments}
        return {name: event.id if event else "" for name, event in latest.items()}

    def open_intent(self, environment: str) -> Event | None:
        """The promotion that has begun and not ended, in an environment."""
        closed = {e.closes for e in self.events if e.closes}
        begun = [e for e in self.events if e.kind == "intent" and e.environment == environment]
        return next((e for e in reversed(begun) if e.id not in closed), None)

    def canaries(self, environment: str) -> list[tuple[Event, Event | None]]:
        """Each canary of an environment with what ended it, None: nothing yet; oldest first.

        What ends one is its undoing, another canary, or any assignment: that takes all traffic.
        """
        told: list[tuple[Event, Event | None]] = []
        for event in self.events:
            if event.environment != environment:
                continue
            last = told[-1] if told else None
            if last and last[1] is None and _ends(event, last[0]):
                told[-1] = (last[0], event)
            if event.kind == "canary":
                told.append((event, None))
        return told

    def open_canary(self, environment: str) -> Event | None:
        """The canary that has a part of an environment's traffic now."""
        told = self.canaries(environment)
        return told[-1][0] if told and told[-1][1] is None else None

    def drills(self, environment: str) -> list[Event]:
        """The drills that an environment came through, oldest first; none of them put it ahead."""
        return [e for e in self.events if e.kind == "drill" and e.environment == environment]

    def registered(self, *, digest: str = "", version: str = "") -> Event | None:
        """The registration of an artefact, or of a version."""
        for event in self.events:
            if event.kind == "register" and (event.digest == digest or event.version == version):
                return event
        return None

    def releases(self) -> list[Event]:
        """The closed deliveries, oldest first."""
        return [e for e in self.events if e.kind == "release"]

    def count(self) -> int:
        """How many assignments there were, over all environments."""
        return sum(e.kind in ("assign", "rollback") for e in self.events)

    def earlier(self, environment: str) -> Event | None:
        """The assignment that was live before the present version was first promoted."""
        done = self.assignments(environment)
        if not done:
            return None
        promoted = [i for i, e in enumerate(done) if e.version == done[-1].version]
        first = next((i for i in reversed(promoted) if done[i].kind == "assign"), promoted[0])
        before = [e for e in done[:first] if e.version != done[-1].version]
        return before[-1] if before else None


def _ends(event: Event, canary: Event) -> bool:
    """Whether a later event of the same environment ends a canary."""
    undone = event.kind == "undo" and event.closes == canary.id
    return undone or event.kind in ("canary", "assign", "rollback")


def parse_version(text: str) -> tuple[int, int, int]:
    """Three numbers of a version such as `v1.2.0`.

    Raises:
        ConfigError: it is written otherwise.
    """
    found = VERSION.fullmatch(text)
    if not found:
        raise ConfigError(f"'{text}' is no version", "the version given", "write it as v1.2.0")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def next_version(history: History, wanted: str = "") -> str:
    """The version for a new artefact: minor + 1 over the highest, or the one that is wanted.

    Raises:
        ConfigError: the wanted one is no version, or not above all others.
    """
    known = [parse_version(e.version) for e in history.events if e.kind == "register"]
    highest = max(known, default=None)
    if not wanted:
        major, minor, _ = highest or (1, -1, 0)
        return f"v{major}.{minor + 1}.0"
    chosen = parse_version(wanted)
    if highest is not None and chosen <= highest:
        taken = "v{}.{}.{}".format(*highest)
        raise ConfigError(
            f"version {wanted} is not above {taken}", f"--version {wanted}", "name a higher one"
        )
    return "v{}.{}.{}".format(*chosen)


def tags(event: Event, history: History) -> dict[str, str]:
    """Tag → the ledger commit that it names (empty: the event's own), in GTO's format.

    GTO reads an environment's version off the commit that the assignment's tag is on: that has
    to be the commit where the version was registered.
    """
    if event.kind == "register":
        return {f"{event.name}@{event.version}": ""}
    if event.kind in ("assign", "rollback"):
        registration = history.registered(version=event.version)
        commit = registration.id if registration else ""
        return {f"{event.name}#{event.environment}#{event.number}": commit}
    return {}


def tag_time(history: History, now: datetime) -> int:
    """Seconds since 1970 for a new tag: later than all others, since GTO sorts tags by time."""
    latest = 0
    for event in history.events:
        if event.kind in ("register", "assign", "rollback"):
            latest = max(latest + 1, int(datetime.fromisoformat(event.at).timestamp()))
    return max(latest + 1, int(now.timestamp()))


def moment() -> str:
    """Now, as events and records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def pointer(event: Event) -> dict[str, str]:
    """What `models/champion.json` says of an assignment."""
    return {"model": event.model, "trained_until": event.trained_until, "version": event.version}


def champion_of(history: History, candidate: str) -> dict[str, str] | None:
    """The model to beat: production's; the one it was judged against if that is the candidate.

    Args:
        candidate: the present candidate's model digest.
    """
    live = history.last(PRODUCTION)
    if live is None:
        return None
    return live.champion if live.model == candidate else pointer(live)
