"""What each day of the raw data holds: its lines, and each column's empty cells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

TEXT = " (text)"  # as tools/tables.py names a column that keeps what is not of its kind


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

    @property
    def rows(self) -> Mapping[date, int]:
        """Day → lines."""
        return {day: found.rows for day, found in self.found.items()}

    @property
    def months(self) -> Mapping[str, Day]:
        """Month, as 2000-11 → what its lines come to."""
        names = sorted({month_of(day) for day in self.found})
        return {
            name: total(found for day, found in self.found.items() if month_of(day) == name)
            for name in names
        }

    @property
    def whole(self) -> Day:
        """What all lines come to, those without a day among them."""
        return total([*self.found.values(), self.undated])


def month_of(day: date) -> str:
    """The month of a day, as 2000-11."""
    return f"{day:%Y-%m}"


def total(days: Iterable[Day]) -> Day:
    """Several days as one."""
    every = list(days)
    names = {name for day in every for name in day.empty}
    return Day(
        sum(day.rows for day in every),
        {name: sum(day.empty.get(name, 0) for day in every) for name in sorted(names)},
    )


def date_column(columns: Mapping[str, str]) -> str:
    """The first column that is declared as a date, or nothing."""
    return next((name for name, kind in columns.items() if kind.startswith("date ")), "")


def is_empty(table: Any, name: str) -> Any:
    """Whether a cell held nothing; what is not of its column's kind was something."""
    text = f"{name}{TEXT}"
    return table[text].isnull() if text in table.columns else table[name].isnull()


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
    return Days(name, {day: found[day] for day in sorted(found)}, undated)


def runs(days: Iterable[date]) -> str:
    """Days as text, those that follow each other as one: `2000-12-19 to 2000-12-25`."""
    parts: list[list[date]] = []
    for day in sorted(days):
        if parts and day - parts[-1][-1] == timedelta(days=1):
            parts[-1].append(day)
        else:
            parts.append([day])
    said = [str(p[0]) if len(p) == 1 else f"{p[0]} to {p[-1]}" for p in parts[:10]]
    return ", ".join(said) + (f" and {len(parts) - 10} more" if len(parts) > 10 else "")


def missing(days: Iterable[date]) -> list[date]:
    """The days between the first one and the last that are not there."""
    there = set(days)
    if not there:
        return []
    span = (max(there) - min(there)).days
    every = (min(there) + timedelta(days=n) for n in range(span))
    return [day for day in every if day not in there]

