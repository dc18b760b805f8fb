"""Does the data reach to the day it is meant for, not beyond, and go on where the last one ended?

`as_of` is the cut: the day that this version of the data is made for. It moves with `data.dvc`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ...records import Finding, Outcome
from ..offending import Offending
from . import DataEvidence, _limits
from ._days import runs

GATE = "freshness"


@dataclass(frozen=True)
class Settings:
    """How new the data has to be, and how it follows the champion's."""

    as_of: str = ""  # the cut, as 2001-02-28: no line is younger; empty: it is not asked
    max_age_days: int = 0  # ceiling: days from the last line to the cut
    max_gap_days: int = 0  # ceiling: days without a line behind the champion's last day
    max_changed_days: int = 0  # ceiling: days of the champion's data with another number of lines

    def __post_init__(self) -> None:
        _limits.refuse_no_day(GATE, as_of=self.as_of)
        ceilings = {k: v for k, v in vars(self).items() if k != "as_of"}
        _limits.refuse_negative(GATE, **ceilings)


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """Two findings on the cut, three on the champion's data."""
    days = evidence.days
    if not days.found:
        message = "there is no day with a line"
        yield Finding(GATE, "block", None, "a last day", message, "last day", days.column)
        return
    yield from _cut(evidence, settings)
    champion = evidence.champion_days
    if not champion:
        message = "nothing was released yet: there is no data to follow"
        for where in ("newer than the champion's", "gap", "overlap"):
            yield Finding(GATE, "skip", None, "the champion's days", message, where, days.column)
        return
    yield _newer(days.rows, champion, days.column)
    yield _gap(days.rows, champion, settings, days.column)
    yield _overlap(evidence, champion, settings)


def _cut(evidence: DataEvidence, settings: Settings) -> Iterator[Finding | Offending]:
    days = evidence.days
    last = max(days.found)
    if not settings.as_of:
        message = "no cut is set: as_of"
        for where in ("last day", "after the cut"):
            yield Finding(GATE, "skip", str(last), "a cut", message, where, days.column)
        return
    cut = date.fromisoformat(settings.as_of)
    until = max((day for day in days.found if day <= cut), default=None)
    age = (cut - until).days if until else None
    message = f"the last line until {cut} is of {until}" if until else f"no line is until {cut}"
    limits = (0, settings.max_age_days)
    yield _limits.within(GATE, "last day", age, limits, message, column=days.column)
    late = [day for day in days.found if day > cut]
    count = sum(days.rows[day] for day in late)
    message = f"{count:,} lines are younger than {cut}" + (f": {runs(late)}" if late else "")
    finding = _limits.within(GATE, "after the cut", count, (0, 0), message, column=days.column)
    table = evidence.reading.table
    yield Offending(finding, table.filter(table[days.column].date() > cut))


def _newer(own: Mapping[date, int], champion: Mapping[date, int], column: str) -> Finding:
    behind = (max(champion) - max(own)).days
    message = f"the last line is of {max(own)}, the champion's of {max(champion)}"
    where = "newer than the champion's"
    outcome: Outcome = "pass" if behind <= 0 else "block"
    expected = f"{max(champion)} or later"
    return Finding(GATE, outcome, str(max(own)), expected, message, where, column)


def _gap(
    own: Mapping[date, int], champion: Mapping[date, int], settings: Settings, column: str
) -> Finding:
    end = max(champion)
    newer = [day for day in own if day > end]
    gap = (min(newer) - end - timedelta(days=1)).days if newer else 0
    message = f"the champion's data end with {end}, "
    message += f"the next line is of {min(newer)}" if newer else "and no line is newer"
    limits = (0, settings.max_gap_days)
    return _limits.within(GATE, "gap", gap, limits, message, column=column)


def _overlap(
    evidence: DataEvidence, champion: Mapping[date, int], settings: Settings
) -> Finding | Offending:
    days = evidence.days
    both = [day for day in champion if day in days.found]
    if not both:
        message = "no day of the champion's data is in it"
        expected = "days of both"
        return Finding(GATE, "skip", 0, expected, message, "overlap", days.column)
    changed = [day for day in both if days.rows[day] != champion[day]]
    message = f"{len(changed)} of {len(both)} days have another number of lines than the champion's"
    message += f": {runs(changed)}" if changed else ""
    limits = (0, settings.max_changed_days)
    finding = _limits.within(GATE, "overlap", len(changed), limits, message, column=days.column)
    return Offending(finding, evidence.lines_per_day(changed))
