"""One case of a drill: a sick artefact on its way live by the real promotion, under load."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from ..errors import SlipwayError
from ..records import DrillCase
from ..report import words
from ..tools import ledger as book
from ..tools import load, sick
from ..tools.artefacts import Artefact
from ..tools.engines import Engine, Instance, Live
from ..tools.interrupts import Interrupted
from ..tools.ledger import Event
from ..tools.service import Answer
from ..tools.sick import Case
from . import measured, places, promotion, status
from .places import Place

VERSION = "drill"  # what a sick instance calls itself
ENOUGH = 10  # answers of a sick instance, until it is hurt
PATIENCE_S = 10.0  # for so many
AFTER_S = 0.3  # of load once all is undone
MARGIN_S = 60.0  # of load, beside what a promotion may take: nothing is sent for ever
Noticed = Literal["before traffic", "in traffic", "never"]


@dataclass
class Requests:
    """What came of the load so far, told by its workers."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, answer: Answer) -> None:
        """Takes an answer."""
        with self._changed:
            self.answers.append(answer)
            self._changed.notify_all()

    def count(self, digest: str) -> int:
        """How many good answers one artefact gave."""
        return sum(a.status == 200 and a.digest == digest for a in self.answers)

    def wait_for(self, digest: str, many: int) -> None:
        """Returns once an artefact gave so many good answers, or it takes too long."""
        with self._changed:
            self._changed.wait_for(lambda: self.count(digest) >= many, PATIENCE_S)


@dataclass
class Witness:
    """An engine that does as it is told, notes what it did, and hurts the sick instance.

    Attributes:
        digest: of the sick artefact.
        case: what it suffers from.
    """

    engine: Engine
    requests: Requests
    digest: str
    case: Case
    hurt_at: float = 0.0  # monotonic; so is the next
    back_at: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def switch(self, to: Instance) -> float:
        """As the engine does; a sick instance is hurt once it has answered some requests."""
        switch_ms = self.engine.switch(to)
        if to.digest != self.digest:
            self.back_at = time.monotonic()
            return switch_ms
        self.requests.wait_for(self.digest, ENOUGH)
        self.hurt_at = time.monotonic()
        if self.case in ("turns-sick", "dies"):
            self.engine.hurt(to, mortally=self.case == "dies")
        return switch_ms


@dataclass(frozen=True)
class Seen:
    """What a promotion of a sick artefact came to, as the fields of `DrillCase`."""

    noticed: Noticed
    said: str
    seconds: float
    restored: bool
    agrees: bool
    left: tuple[str, ...]
    kept: tuple[str, ...]


def run(place: Place, live: Live, last: Event, artefact: Artefact, case: Case) -> DrillCase:
    """Lets the real promotion meet a sick artefact, and looks at what it left.

    Args:
        last: the assignment that is live.
        artefact: what it assigns.

    Raises:
        Interrupted: somebody asked this process to end; what was live is live.
        ToolError: the sick artefact cannot be made, or the ledger does not answer.
    """
    with (
        _load(place, live, artefact) as requests,
        sick.made_of(place.project, artefact, place.name, case) as ill,
    ):
        witness = Witness(place.engine, requests, ill.digest, case)
        began = time.monotonic()
        noticed, said = _promote(place, witness, last, ill)
        seconds = time.monotonic() - began
        restored, agrees = _look(place, live, last)
        left = place.engine.clean(keep=places.only(live.instance))
        time.sleep(AFTER_S)
    seen = Seen(noticed, said, round(seconds, 2), restored, agrees, tuple(left), tuple(ill.kept))
    return _case(witness, seen)


@contextlib.contextmanager
def _load(place: Place, live: Live, artefact: Artefact) -> Iterator[Requests]:
    """Steady requests to the environment's address while the block runs."""
    requests, over = Requests(live.url), threading.Event()
    per_s, settings = place.settings.load_per_s, place.settings
    longest_s = settings.ready_s + settings.watch_s + settings.drain_s + MARGIN_S
    bodies = [json.dumps(sample["request"]).encode() for sample in artefact.samples]
    planned = load.plan(live.url, bodies, [""] * round(per_s * longest_s), per_s=per_s)
    options = {"over": over, "seen": requests.note}
    sender = threading.Thread(
        target=load.send, args=(live.url, planned), kwargs=options, daemon=True
    )
    sender.start()
    try:
        requests.wait_for(live.instance.digest, 1)
        yield requests
    finally:
        over.set()
        sender.join()


def _promote(place: Place, witness: Witness, last: Event, ill: sick.Sick) -> tuple[Noticed, str]:
    """When the promotion saw that it is sick, and what it said."""
    goal = replace(
        last,
        kind="drill",
        version=VERSION,
        digest=ill.digest,
        model=ill.model,
        reason=f"drill: {witness.case}",
        by=places.who(place.project),
        approved_by="",
        at="",
        closes="",
        number=0,
        id="",
    )
    watched = replace(place, engine=cast(Engine, witness))
    try:
        promotion.promote(watched, goal, {}, right=lambda _: None, done=lambda _: None)
    except places.Undone as error:
        cause = error.__cause__
        if isinstance(cause, Interrupted):
            raise cause from error
        said = words.tidy(cause.what if isinstance(cause, SlipwayError) else error.what)
        if isinstance(cause, places.Unnoticed):
            return "never", said
        return "in traffic" if witness.hurt_at else "before traffic", said
    return "never", "it went live"


def _look(place: Place, before: Live, last: Event) -> tuple[bool, bool]:
    """Whether the very instance serves that did before, and whether the ledger agrees."""
    history, now = book.read(place.ledger), place.engine.live()
    restored = now is not None and now.healthy and now.instance.id == before.instance.id
    open_ = history.open_intent(place.name), history.open_canary(place.name)
    standing = status.standing_of(place.name, now, history.last(place.name), *open_)
    agrees = standing.agrees and open_ == (None, None) and history.last(place.name) == last
    return restored, agrees


def _case(witness: Witness, seen: Seen) -> DrillCase:
    answers = witness.requests.answers
    failed = [answer for answer in answers if answer.status != 200]
    back = witness.back_at or time.monotonic()
    return DrillCase(
        name=witness.case,
        sick_s=round(back - witness.hurt_at, 3) if witness.hurt_at else 0.0,
        sent=len(answers),
        failed=len(failed),
        answered=witness.requests.count(witness.digest),
        errors=measured.phrases([a.error or f"status {a.status}" for a in failed]),
        **vars(seen),
    )
