"""What each day of the raw data holds: its lines, and each column's empty cells."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from ..profiles import MOST_DAYS, date_column

TEXT = " (text)"  # as tools/tables.py names a column that keeps what is not of its kind
DAY = timedelta(days=1)
SHOWN = 10  # spans of days in a message


@dataclass(frozen=True)
class Day:
    """What the lines of one day, or of several, come to.

    Attributes:
        empty: column → lines without a value there.
    """

    rows: int
    empty: Mapping[str, int]


@dataclass(frozen=True)
class Days:
    """The raw data by day.

    Attributes:
        column: the date column; empty where none is declared.
        found: day → what it holds, in order of time.
        undated: lines without a day.
    """

    column: str
    found: Mapping[date, Day]
    undated: Day

    @cached_property
    def rows(self) -> Mapping[date, int]:
        """Day → lines."""
        return {day: found.rows for day, found in self.found.items()}

    @cached_property
    def months(self) -> Mapping[str, Day]:
        """Month, as 2000-11 → what its lines come to."""
        days: dict[str, list[Day]] = {}
        for day, found in self.found.items():
            days.setdefault(month_of(day), []).append(found)
        return {month: total(found) for month, found in days.items()}

    @property
    def problem(self) -> str:
        """Why no answer about days or months would mean anything, or nothing."""
        if not self.column:
            return "no date column is declared to count days by"
        if not self.found:
            return "there is no day with a line"
        if len(self.found) > MOST_DAYS:
            return f"{len(self.found):,} days are more than ten years have"
        return ""

    @cached_property
    def whole(self) -> Day:
        """What all lines come to, those without a day among them."""
        return total([*self.found.values(), self.undated])


def month_of(day: date) -> str:
    """The month of a day, as 2000-11."""
    return day.isoformat()[:7]  # strftime writes the year 1 as one digit


def total(days: Iterable[Day]) -> Day:
    """Several days as one."""
    every = list(days)
    names = {name for day in every for name in day.empty}
    return Day(
        sum(day.rows for day in every),
        {name: sum(day.empty.get(name, 0) for day in every) for name in sorted(names)},
    )


def is_empty(table: Any, name: str) -> Any:
    """Whether a cell held nothing; what is not of its column's kind was something."""
    text = f"{name}{TEXT}"
    empty = table[name].isnull()
    return empty & table[text].isnull() if text in table.columns else empty


def read(table: Any, columns: Mapping[str, str]) -> Days:
    """Lines and empty cells by day, in one look at a table."""
    import ibis

    name = date_column(columns)
    day = table[name].date() if name in table.columns else ibis.null("date")
    there = [column for column in columns if column in table.columns]
    empty = {f"empty {n}": is_empty(table, column).sum() for n, column in enumerate(there)}
    grouped = table.group_by(day=day).aggregate(rows=table.count(), **empty)
    found: dict[date | None, Day] = {}
    for row in grouped.to_pyarrow().to_pylist():
        counts = {column: row[f"empty {n}"] for n, column in enumerate(there)}
        lost = {column: row["rows"] for column in columns if column not in there}
        found[row["day"]] = Day(row["rows"], {**counts, **lost})
    undated = found.pop(None, Day(0, dict.fromkeys(columns, 0)))
    dated = {day: found[day] for day in sorted(filter(None, found))}
    return Days(name, dated, undated)


def runs(days: Iterable[date]) -> str:
    """Days as text, those that follow each other as one: `2000-12-19 to 2000-12-25`."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return said(found)


def said(spans: Sequence[tuple[date, date]]) -> str:
    """Spans of days as text, the first few of them."""
    texts = [f"{one}" if one == last else f"{one} to {last}" for one, last in spans[:SHOWN]]
    more = len(spans) - SHOWN
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def holes(days: Iterable[date]) -> list[tuple[date, date]]:
    """The spans, first and last day, between the first day and the last that are not there."""
    there = sorted(days)
    return [
        (one + DAY, other - DAY) for one, other in itertools.pairwise(there) if other - one > DAY
    ]
