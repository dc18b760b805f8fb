"""What was loosened since the last release, in a suite or a gate, and who accepted it until when.

A verdict is repeatable, so it never asks what day it is: it says until when an acceptance holds,
and `slipway gate`, which is never cached, compares that with the day on which it runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ...records import Finding
from ...typed import Mismatch
from . import asked
from .loosened import Change, changes
from .parsed import Suite, suite

GATE = "suites"
UNTIL = "accepted until"
NO_RELEASE = "reference"  # where nothing was released


def _day(text: Any) -> date | None:
    """The day that a text names; None if none, or in another form."""
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return None
    return day if day.isoformat() == text else None


@dataclass(frozen=True)
class Accepted:
    """One loosened expectation, or one gate less, that somebody answers for."""

    suite: str  # the suite's name; delivery.toml for a gate that is not asked any more
    expectation: str  # the expectation's place, as the finding names it; the gate's name
    reason: str  # why
    by: str  # who
    until: str  # the last day on which it holds, YYYY-MM-DD
    on: str = ""  # the day on which it was accepted, YYYY-MM-DD
    change: str = ""  # the change as the finding says it; empty: whatever was loosened there

    def __post_init__(self) -> None:
        for key in ("suite", "expectation", "reason", "by"):
            if not getattr(self, key).strip():
                raise Mismatch(f"accepted.{key}", "it is empty")
        for key in ("until", *(["on"] if self.on else [])):
            if _day(getattr(self, key)) is None:
                wrong = f"'{getattr(self, key)}' is no day: write YYYY-MM-DD"
                raise Mismatch(f"accepted.{key}", wrong)

    @property
    def place(self) -> str:
        """Where the finding is that it answers for."""
        return f"{self.suite} {self.expectation}"

    def covers(self, name: str, change: Change) -> bool:
        """Whether it is this change of this suite that it accepts."""
        named = (self.suite, self.expectation) == (name, change.place)
        return named and self.change in ("", change.what)


@dataclass(frozen=True)
class Settings:
    """What may be less strict than it was."""

    accepted: tuple[Accepted, ...] = ()  # loosened expectations that are known and wanted

    def __post_init__(self) -> None:
        places = [(a.place, a.change) for a in self.accepted]
        if twice := next((p for p in places if places.count(p) > 1), None):
            raise Mismatch("accepted", f"'{twice[0]}' is accepted twice: keep one")


@dataclass(frozen=True)
class Released:
    """What was asked in the last release.

    Attributes:
        suites: suite → its expectations, each as a suite's file has it.
        gates: gate → its settings; None where the release did not keep them.
    """

    version: str
    suites: Mapping[str, Sequence[Mapping[str, Any]]]
    gates: asked.Tables | None


def judge(
    subject: str,
    before: Released | None,
    suites: Mapping[str, Suite],
    gates: asked.Tables,
    settings: Settings,
) -> Iterator[Finding]:
    """What stayed as it was in the last release, each change, and acceptances that nobody needs.

    Args:
        before: None where nothing was released.
        suites, gates: what is asked now.
    """
    if before is None:
        reason = "no release to compare with: at_least alone guards the suites"
        yield Finding(GATE, "skip", sorted(suites), None, reason, NO_RELEASE)
        return
    used: set[Accepted] = set()
    for name, found in _changes(before, suites, gates):
        for change in found:
            by = next((a for a in settings.accepted if a.covers(name, change)), None)
            used |= {by} if by and change.loosened else set()
            yield _change(subject, before.version, name, change, by)
        if not found and name in {*before.suites, *suites}:
            yield _unchanged(name, before.version, len(before.suites.get(name, ())))
    yield from _asked(before, gates)
    for acceptance in settings.accepted:
        if acceptance not in used:
            yield _idle(acceptance)


def _changes(
    before: Released, suites: Mapping[str, Suite], gates: asked.Tables
) -> Iterator[tuple[str, list[Change]]]:
    """Suite → what is not as it was in it; the file of the gates → those that are not asked."""
    for name in sorted({*before.suites, *suites}):
        yield name, changes(suite(name, before.suites.get(name, ())), suites.get(name))
    yield asked.FILE, asked.removed(before.gates or {}, gates)


def _asked(before: Released, gates: asked.Tables) -> Iterator[Finding]:
    """One finding a gate that is asked otherwise, or one that none is."""
    expected = f"as in {before.version}"
    if before.gates is None:
        reason = f"{before.version} did not keep how its gates were asked"
        yield Finding(GATE, "skip", sorted(gates), None, reason, asked.FILE)
        return
    changed = list(asked.changed(before.gates, gates))
    for name, what, way in changed:
        where, warns = f"{asked.FILE} {name}", way == "otherwise"
        said = f"{'asked otherwise' if warns else 'stricter'} than in {before.version}"
        yield Finding(GATE, "warn" if warns else "pass", what, expected, f"{said}: {what}", where)
    if not changed:
        message = f"the gates that are asked are asked {expected}"
        yield Finding(GATE, "pass", f"{len(gates)} gates", expected, message, asked.FILE)


def _unchanged(name: str, version: str, count: int) -> Finding:
    message = f"the suite {name} is as it was in {version}"
    expected = f"nothing loosened since {version}"
    return Finding(GATE, "pass", f"{count} expectations", expected, message, name)


def _change(subject: str, version: str, name: str, change: Change, by: Accepted | None) -> Finding:
    where, expected = f"{name} {change.place}", f"as strict as in {version}"
    if not change.loosened:
        message = f"stricter than in {version}: {change.what}"
        return Finding(GATE, "pass", change.what, expected, message, where, change.column)
    if by is None:
        message = (
            f"less strict than in {version}: {change.what}; put it back, or accept it under "
            f"[[gates.{subject}.suites.accepted]] with suite, expectation, reason, by and until"
        )
        return Finding(GATE, "block", change.what, expected, message, where, change.column)
    measured = {"change": change.what, "by": by.by, "reason": by.reason, UNTIL: by.until}
    measured |= {"on": by.on} if by.on else {}
    when = f" on {by.on}" if by.on else ""
    message = f"less strict than in {version}, accepted by {by.by}{when} until {by.until}: "
    message += by.reason
    return Finding(GATE, "warn", measured, expected, message, where, change.column)


def _idle(acceptance: Accepted) -> Finding:
    """A standing permission that nobody needs would cover the next thing to be loosened."""
    where = f"accepted {acceptance.place}" + (acceptance.change and f": {acceptance.change}")
    message = "it accepts nothing that is looser than in the last release: remove it"
    return Finding(GATE, "warn", f"accepted by {acceptance.by}", "needed", message, where)


def on_the_day(findings: Sequence[Finding], settings: Settings, today: date) -> tuple[Finding, ...]:
    """The findings on a day: what was accepted until an earlier one blocks.

    An acceptance that is over counts as needed unless a finding says that it is not, or that
    nothing was released.
    """
    said = {finding.where: finding for finding in findings if finding.gate == GATE}
    over = [a for a in settings.accepted if (_day(a.until) or date.min) < today]
    needed = [a for a in over if _idle(a).where not in said]
    if NO_RELEASE in said or not needed:
        return tuple(findings)
    ended = {a.place: _ended(a, said.get(a.place), today) for a in needed}
    others = [f for f in findings if f.gate != GATE or f.where not in ended]
    return (*others, *ended.values())


def _ended(acceptance: Accepted, finding: Finding | None, today: date) -> Finding:
    """What blocks from the day after the last one on which it was accepted."""
    over = f"it is {today.isoformat()}, so that is over"
    if finding is not None:
        return replace(finding, outcome="block", message=f"{finding.message} ({over})")
    message = f"accepted by {acceptance.by} until {acceptance.until}: {over}"
    return Finding(GATE, "block", UNTIL, acceptance.until, message, acceptance.place)
