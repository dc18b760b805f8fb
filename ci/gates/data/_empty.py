"""Whether a column has no more empty cells than usual: in all, in each month, on each day."""

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...records import Finding
from ..offending import Offending
from . import DataEvidence, _limits
from ._days import Day, is_empty


@dataclass(frozen=True)
class Limits:
    """Ceilings of the share of empty cells.

    Attributes:
        whole: in all lines.
        more: in a month, above the champion's share or that of the other months.
        day: on a day; NaN: it is not asked.
        min_rows: lines of a day that has a share of its own.
    """

    whole: float
    more: float
    day: float
    min_rows: int


def judge(
    gate: str, evidence: DataEvidence, name: str, limits: Limits
) -> Iterator[Finding | Offending]:
    """One finding on all lines; where some may be empty, one on the worst month and day."""
    days, table = evidence.days, evidence.reading.table
    where = f"nulls {name}"
    share, rows = _share(days.whole, name), days.whole.rows
    message = f"{days.whole.empty.get(name, rows):,} of {rows:,} lines have no {name}"
    finding = _limits.within(gate, where, share, (None, limits.whole), message, column=name)
    there = name in table.columns
    yield Offending(finding, table.filter(is_empty(table, name))) if there else finding
    if not limits.whole > 0 or not there or days.problem:
        return
    yield _by_month(gate, evidence, name, limits.more)
    if not math.isnan(limits.day):
        yield _by_day(gate, evidence, name, limits)


def _by_month(gate: str, evidence: DataEvidence, name: str, more: float) -> Finding | Offending:
    where, months = f"nulls {name} by month", evidence.days.months
    shares = {month: _share(found, name) for month, found in months.items()}
    above = {
        month: share - _usual(evidence, name, shares, month) for month, share in shares.items()
    }
    if all(map(math.isnan, above.values())):
        message = "there is no other month to tell by what is usual"
        return Finding(
            gate, "skip", None, f"at most {more:g} above the usual", message, where, name
        )
    worst = max(above, key=above.__getitem__)
    usual = shares[worst] - above[worst]
    message = f"{shares[worst]:.2%} of the lines of {worst} have no {name}, {usual:.2%} is usual"
    finding = _limits.within(
        gate, where, shares[worst], (None, round(usual + more, 6)), message, column=name
    )
    table = evidence.reading.table
    dates = table[evidence.days.column]
    in_month = (dates.year() == int(worst[:4])) & (dates.month() == int(worst[5:]))
    return Offending(finding, table.filter(is_empty(table, name) & in_month))


def _usual(evidence: DataEvidence, name: str, shares: Mapping[str, float], month: str) -> float:
    profile = evidence.reference.profile if evidence.reference else None
    if profile and name in profile.columns:
        return profile.columns[name].nulls
    others = [share for other, share in shares.items() if other != month]
    return statistics.median(others) if others else math.nan


def _by_day(gate: str, evidence: DataEvidence, name: str, limits: Limits) -> Finding | Offending:
    where = f"nulls {name} by day"
    shares = {
        day: _share(found, name)
        for day, found in evidence.days.found.items()
        if found.rows >= limits.min_rows
    }
    if not shares:
        message = f"no day has {limits.min_rows:,} lines"
        return Finding(gate, "skip", None, f"at most {limits.day:g}", message, where, name)
    worst = max(shares, key=shares.__getitem__)
    message = f"{shares[worst]:.2%} of the lines of {worst} have no {name}"
    finding = _limits.within(gate, where, shares[worst], (None, limits.day), message, column=name)
    table = evidence.reading.table
    on_day = table[evidence.days.column].date() == worst
    return Offending(finding, table.filter(is_empty(table, name) & on_day))


def _share(day: Day, name: str) -> Any:
    return day.empty.get(name, day.rows) / day.rows if day.rows else math.nan
