"""Is all of it there: enough lines each month and day, no day lost, every column filled as usual?

How many lines a month or a day should have is told by its weekdays in the other months, and in the
champion's data where there is a champion. An unusual day warns: shops do close.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from ...records import Finding, Outcome
from .. import columns as filled
from ..offending import Offending
from ..profiles import MOST_DAYS
from . import DataEvidence, _empty, _limits, _volume
from ._days import Days, holes, runs, said

GATE = "completeness"


@dataclass(frozen=True)
class Settings:
    """How much there has to be: floors and ceilings, themselves allowed."""

    min_rows: int  # floor: lines in all
    min_rows_per_month: int  # floor: lines in a calendar month
    max_rows_per_month: int  # ceiling: lines in a calendar month
    min_rows_per_day: int  # floor: lines on the emptiest day
    max_rows_per_day: int  # ceiling: lines on the fullest day
    first_day: str = ""  # the day that history begins with, as 2000-11-01; empty: any
    max_missing_days: int = 0  # ceiling: days without a line between the first one and the last
    keeps_history: bool = True  # no day that the champion's data had may be lost, the oldest either
    min_month_ratio: float = 0.65  # floor: a month's lines over what its weekdays usually have
    max_month_ratio: float = 1.45  # ceiling of the same
    max_day_deviation: float = 5.0  # robust standard deviations; a day beyond them warns
    max_nulls: dict[str, float] = field(default_factory=dict)  # column → ceiling: share; others: 0
    max_more_nulls: float = 0.01  # ceiling: a month's share above the champion's, or other months'
    max_nulls_per_day: dict[str, float] = field(default_factory=dict)  # column → ceiling: share
    min_rows_for_shares: int = 1_000  # a day with fewer lines has no share of its own
    month_in_name: bool = True  # 2000-11.csv holds lines of November 2000 only

    def __post_init__(self) -> None:
        _limits.refuse_no_day(GATE, first_day=self.first_day)
        for key in ("max_nulls", "max_nulls_per_day"):
            shares = {f"{key}.{name}": share for name, share in getattr(self, key).items()}
            _limits.refuse_no_share(GATE, **shares)
        _limits.refuse_no_share(GATE, max_more_nulls=self.max_more_nulls)
        numbers = {k: v for k, v in vars(self).items() if type(v) in (int, float)}
        _limits.refuse_negative(GATE, **numbers)
        for of in ("rows_per_month", "rows_per_day", "month_ratio"):
            limits = (getattr(self, f"min_{of}"), getattr(self, f"max_{of}"))
            _limits.refuse_odd_range(f"{GATE}.min_{of}", limits)

    def check(self, columns: Mapping[str, str]) -> None:
        """Refuses columns that are not declared."""
        for key in ("max_nulls", "max_nulls_per_day"):
            _limits.refuse_unknown(f"{GATE}.{key}", getattr(self, key), columns)


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding a question; one or more a column, a month."""
    days, table = evidence.days, evidence.reading.table
    yield _within("rows", days.whole.rows, (settings.min_rows, None), "lines in all")
    yield from filled.judge(GATE, filled.filled(table), tuple(evidence.columns))
    for name in evidence.columns:
        yield from _nulls(evidence, settings, name)
    message = days.problem or f"{len(days.found):,} days have lines"
    limits = (1, MOST_DAYS)
    yield _limits.within(GATE, "days", len(days.found), limits, message, column=days.column)
    if not days.problem:
        yield from _months(evidence, settings)
        yield from _days(days, settings)
        yield from _history(evidence, settings)
    if settings.month_in_name:
        for file in evidence.reading.files:
            if not file.problem:
                yield _month_of(file.name, file.first, file.last)


def _nulls(evidence: DataEvidence, settings: Settings, name: str) -> Iterator[Finding | Offending]:
    ceiling = settings.max_nulls.get(name, 0.0)
    limits = _empty.Limits(
        whole=ceiling,
        more=settings.max_more_nulls,
        day=settings.max_nulls_per_day.get(name, math.nan),
        min_rows=settings.min_rows_for_shares,
    )
    return _empty.judge(GATE, evidence, name, limits)


def _months(evidence: DataEvidence, settings: Settings) -> Iterator[Finding]:
    days = evidence.days
    limits = (settings.min_rows_per_month, settings.max_rows_per_month)
    for month, found in days.months.items():
        yield _within(f"month {month}", found.rows, limits, f"lines in {month}")
    usual = (settings.min_month_ratio, settings.max_month_ratio)
    for month, ratio in _volume.month_ratios(days.rows, _past(evidence)).items():
        where = f"usual month {month}"
        if math.isnan(ratio):
            message = "there is no other month to tell by what is usual"
            yield Finding(GATE, "skip", None, _limits.between(usual), message, where, days.column)
        else:
            message = f"{month} has {ratio:.2f} times the lines that its weekdays usually have"
            yield _limits.within(GATE, where, ratio, usual, message, column=days.column)


def _days(days: Days, settings: Settings) -> Iterator[Finding]:
    rows = days.rows
    least, most = min(rows, key=rows.__getitem__), max(rows, key=rows.__getitem__)
    limits = (settings.min_rows_per_day, settings.max_rows_per_day)
    yield _within("emptiest day", rows[least], limits, f"lines on {least}, the emptiest day")
    yield _within("fullest day", rows[most], limits, f"lines on {most}, the fullest day")
    spans = holes(rows)
    missing = sum((last - first).days + 1 for first, last in spans)
    message = f"days without a line from {min(rows)} to {max(rows)}"
    message += f": {said(spans)}" if spans else ""
    yield _within("missing days", missing, (0, settings.max_missing_days), message)
    if settings.first_day:
        good = str(min(rows)) == settings.first_day
        message = f"the first line is of {min(rows)}"
        expected, outcome = settings.first_day, _passes(good)
        yield Finding(GATE, outcome, str(min(rows)), expected, message, "first day", days.column)


def _history(evidence: DataEvidence, settings: Settings) -> Iterator[Finding | Offending]:
    """What the days before say about each day, and which of the champion's days are lost."""
    days = evidence.days
    far = _volume.deviations(days.rows, _past(evidence))
    expected = f"at most {settings.max_day_deviation:g} robust deviations"
    if not far:
        message = f"fewer than {_volume.LEAST_DAYS} days say nothing about what is usual"
        yield Finding(GATE, "skip", None, expected, message, "usual days", days.column)
    else:
        beyond = [day for day, by in far.items() if not abs(by) <= settings.max_day_deviation]
        known = evidence.champion_days
        strange = [day for day in beyond if known.get(day) != days.rows[day]]
        message = f"{len(strange)} of {len(far)} days have unusually few or many lines"
        message += f": {runs(strange)}" if strange else ""
        if len(strange) < len(beyond):
            message += f"; {len(beyond) - len(strange)} more are as the champion's data had them"
        worst = max((abs(far[day]) for day in (strange or far.keys() - set(beyond))), default=0.0)
        outcome: Outcome = "warn" if strange else "pass"
        finding = Finding(
            GATE, outcome, round(worst, 2), expected, message, "usual days", days.column
        )
        yield Offending(finding, evidence.lines_per_day(strange))
    if evidence.reference:
        lost = [day for day in evidence.champion_days if day not in days.found]
        if not settings.keeps_history:
            lost = [day for day in lost if day > min(days.found)]
        message = f"{len(lost)} days of the champion's data are lost"
        message += f": {runs(lost)}" if lost else ""
        yield _limits.within(GATE, "lost days", len(lost), (0, 0), message, column=days.column)


def _past(evidence: DataEvidence) -> dict[date, int]:
    """Day → lines: those of the champion's data before those of the data itself."""
    return {**evidence.days.rows, **evidence.champion_days}


def _month_of(name: str, first: str, last: str) -> Finding:
    month = name.removesuffix(".csv")
    good = first[:7] == month == last[:7]
    return Finding(
        GATE,
        "pass" if good else "block",
        f"{first or 'no day'} to {last or 'no day'}",
        f"days of {month}",
        f"{name} holds lines of {month} only" if good else f"{name} holds lines of other months",
        f"months in {name}",
    )


def _passes(good: object) -> Outcome:
    return "pass" if good else "block"


def _within(where: str, value: int, limits: tuple[int, int | None], what: str) -> Finding:
    return _limits.within(GATE, where, value, limits, f"{value:,} {what}")
