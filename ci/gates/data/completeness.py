"""Is all of it there: enough lines each month and day, every column filled, no line twice?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...records import Finding
from .. import columns as filled
from . import DataEvidence

GATE = "completeness"


@dataclass(frozen=True)
class Settings:
    """How much there has to be: floors and ceilings, themselves allowed."""

    min_rows: int  # floor: lines in all
    min_rows_per_month: int  # floor: lines in a calendar month
    max_rows_per_month: int  # ceiling: lines in a calendar month
    min_rows_per_day: int  # floor: lines on the emptiest day
    max_rows_per_day: int  # ceiling: lines on the fullest day
    max_missing_days: int = 0  # ceiling: days without a line between the first one and the last
    max_duplicates: float = 0.0  # ceiling: share of lines that repeat another in every column
    month_in_name: bool = True  # 2000-11.csv holds lines of November 2000 only


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a question; one a column, one a month."""
    columns = filled.filled(evidence.reading.table)
    rows = next(iter(columns.values())).rows
    yield _between("rows", rows, settings.min_rows, None, "lines in all")
    yield from filled.judge(GATE, columns, tuple(evidence.columns))
    for name, kind in evidence.columns.items():
        if kind != "text":
            yield _malformed(name, kind, evidence.reading.malformed.get(name))
    yield _duplicates(evidence, settings, rows)
    yield from _dates(evidence, settings)
    if settings.month_in_name:
        for file in evidence.reading.files:
            if not file.problem:
                yield _month_of(file.name, file.first, file.last)


def _malformed(name: str, kind: str, count: int | None) -> Finding:
    good = count == 0
    said = "were not read" if count is None else f"{count} values are none"
    return Finding(
        GATE,
        "pass" if good else "block",
        count,
        0,
        f"every value of {name} is of the kind '{kind}'" if good else f"{name}: {said} ('{kind}')",
        f"values of {name}",
    )


def _duplicates(evidence: DataEvidence, settings: Settings, rows: int) -> Finding:
    repeated = rows - int(evidence.reading.table.distinct().count().execute())
    share = repeated / rows if rows else float("nan")
    good = share <= settings.max_duplicates
    return Finding(
        GATE,
        "pass" if good else "block",
        share,
        f"at most {settings.max_duplicates:g}",
        f"{repeated} of {rows} lines repeat another in every column",
        "duplicates",
    )


def _dates(evidence: DataEvidence, settings: Settings) -> Iterator[Finding]:
    name = next((n for n, kind in evidence.columns.items() if kind.startswith("date ")), "")
    if name not in evidence.reading.table.columns:
        missing = "there is no date column to count days by"
        yield Finding(GATE, "block", None, "a date column", missing, "days")
        return
    days = _rows_per_day(evidence.reading.table, name)
    months: dict[str, int] = {}
    for day, count in days.items():
        month = f"{day:%Y-%m}"
        months[month] = months.get(month, 0) + count
    for month, count in sorted(months.items()):
        low, high = settings.min_rows_per_month, settings.max_rows_per_month
        yield _between(f"month {month}", count, low, high, f"lines in {month}")
    yield from _days(days, settings)


def _rows_per_day(table: Any, name: str) -> dict[Any, int]:
    dated = table.filter(table[name].notnull())
    days = dated.group_by(day=dated[name].date()).aggregate(rows=dated.count())
    return {found["day"]: found["rows"] for found in days.to_pyarrow().to_pylist()}


def _days(days: dict[Any, int], settings: Settings) -> Iterator[Finding]:
    if not days:
        yield Finding(GATE, "block", 0, "at least 1", "there is no day with a line", "days")
        return
    least, most = min(days, key=days.__getitem__), max(days, key=days.__getitem__)
    low, high = settings.min_rows_per_day, settings.max_rows_per_day
    yield _between("emptiest day", days[least], low, high, f"lines on {least}, the emptiest day")
    yield _between("fullest day", days[most], low, high, f"lines on {most}, the fullest day")
    missing = (max(days) - min(days)).days + 1 - len(days)
    yield _between(
        "missing days",
        missing,
        0,
        settings.max_missing_days,
        f"days without a line from {min(days)} to {max(days)}",
    )


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


def _between(where: str, value: int, low: int, high: int | None, what: str) -> Finding:
    good = value >= low and (high is None or value <= high)
    expected = f"at least {low}" if high is None else f"{low} to {high}"
    return Finding(GATE, "pass" if good else "block", value, expected, f"{value} {what}", where)
