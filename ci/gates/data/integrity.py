"""Do the lines fit together: no more new ids than usual, and one value where there can be but one?

A month's id that no other month has is unknown to the rest. What share of its lines is usual is
told by the other months.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...records import Finding
from ..offending import Offending
from . import DataEvidence, _limits

GATE = "integrity"
# columns that are made here; their names are no user's
YEAR, MONTH, MONTHS, LINES, VALUES = (
    f"its {name}" for name in ("year", "month", "months", "lines", "values")
)


@dataclass(frozen=True)
class Dependency:
    """A column whose value decides another's."""

    key: str  # e.g. the product
    value: str  # e.g. its class: one for each product
    max_share: float = 0.0  # ceiling: share of keys with several values

    def __post_init__(self) -> None:
        _limits.refuse_no_share(f"{GATE}.dependencies", max_share=self.max_share)


@dataclass(frozen=True)
class Settings:
    """How lines belong together."""

    dependencies: tuple[Dependency, ...] = ()  # which column decides which
    # column of ids → ceiling: by how much the share of a month's lines with ids that no other
    # month has may be above the other months' own
    max_more_unknown: dict[str, float] = field(default_factory=dict)
    max_unknown: float = 0.5  # ceiling of that share in any month
    group: tuple[str, ...] = ()  # columns that lines of one group share, as day and customer
    max_group_change: float = 0.3  # ceiling: by what part a month's lines a group may be off

    def __post_init__(self) -> None:
        _limits.refuse_negative(GATE, max_group_change=self.max_group_change)
        named = {f"max_more_unknown.{name}": v for name, v in self.max_more_unknown.items()}
        _limits.refuse_no_share(GATE, max_unknown=self.max_unknown, **named)

    def check(self, columns: Mapping[str, str]) -> None:
        """Refuses columns that are not declared."""
        _limits.refuse_unknown(f"{GATE}.max_more_unknown", self.max_more_unknown, columns)
        _limits.refuse_unknown(f"{GATE}.group", self.group, columns)
        for one in self.dependencies:
            _limits.refuse_unknown(f"{GATE}.dependencies", (one.key, one.value), columns)


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding a dependency, one a column of ids, one on the size of groups."""
    for dependency in settings.dependencies:
        yield _dependency(evidence.reading.table, dependency)
    for name, more in settings.max_more_unknown.items():
        yield _unknown(evidence, name, more, settings.max_unknown)
    if settings.group:
        yield _groups(evidence, settings)
    if not (settings.dependencies or settings.max_more_unknown or settings.group):
        yield Finding(GATE, "skip", None, "a question", "nothing is asked", "settings")


def _dependency(table: Any, asked: Dependency) -> Finding | Offending:
    where = f"{asked.value} of {asked.key}"
    if absent := [name for name in (asked.key, asked.value) if name not in table.columns]:
        return _limits.absent(GATE, where, absent)
    pairs = table.select(asked.key, asked.value).drop_null().distinct()
    keys = pairs.group_by(asked.key).aggregate(**{VALUES: pairs.count()})
    several = keys.filter(keys[VALUES] > 1)
    (found,) = (
        keys.aggregate(keys=keys.count(), several=(keys[VALUES] > 1).sum().fill_null(0))
        .to_pyarrow()
        .to_pylist()
    )
    count, wrong = found["keys"], found["several"]
    message = f"{wrong:,} of {count:,} different {asked.key} have several {asked.value}"
    share = wrong / count if count else math.nan
    ceiling = (None, asked.max_share)
    finding = _limits.within(GATE, where, share, ceiling, message, column=asked.value)
    return Offending(finding, pairs.semi_join(several, asked.key))


def _unknown(evidence: DataEvidence, name: str, more: float, ceiling: float) -> Finding | Offending:
    table, day = evidence.reading.table, evidence.days.column
    where = f"unknown {name}"
    if absent := [column for column in (day, name) if column not in table.columns]:
        return _limits.absent(GATE, where, absent)
    if evidence.days.problem:
        return Finding(GATE, "block", None, "two months", evidence.days.problem, where, name)
    months = evidence.days.months
    if len(months) < 2:
        message = "there is no other month that could know its ids"
        return Finding(GATE, "skip", None, "two months", message, where, name)
    alone = _alone(table, day, name)
    lines = {f"{row[YEAR]:04d}-{row[MONTH]:02d}": row[LINES] for row in _lines_by_month(alone)}
    known = {month: found.rows - found.empty[name] for month, found in months.items()}
    if without := [month for month, count in known.items() if not count > 0]:
        message = f"no line of {without[0]} has a {name}"
        return Finding(GATE, "block", 0, "ids", message, where, name)
    shares = {month: lines.get(month, 0) / count for month, count in known.items()}
    above = {month: share - _usual(shares, month) for month, share in shares.items()}
    worst = max(above, key=above.__getitem__)
    usual = shares[worst] - above[worst]
    message = f"{shares[worst]:.2%} of the lines of {worst} have a {name} that no other month has, "
    message += f"{usual:.2%} is usual"
    limits = (None, round(min(usual + more, ceiling), 6))
    finding = _limits.within(GATE, where, shares[worst], limits, message, column=name)
    strange = alone.filter((alone[YEAR] == int(worst[:4])) & (alone[MONTH] == int(worst[5:])))
    return Offending(finding, table.semi_join(strange, name))


def _groups(evidence: DataEvidence, settings: Settings) -> Finding:
    """Whether groups are as large in each month as in the others: lines a basket, say."""
    table, day = evidence.reading.table, evidence.days.column
    where = f"lines a {' and '.join(settings.group)}"
    if absent := [name for name in (day, *settings.group) if name not in table.columns]:
        return _limits.absent(GATE, where, absent)
    sizes = _sizes(table, day, settings.group)
    if len(sizes) < 2:
        return Finding(GATE, "skip", None, "two months", "there is no other month", where)
    changes = {month: abs(size / _usual(sizes, month) - 1) for month, size in sizes.items()}
    worst = max(changes, key=changes.__getitem__)
    message = f"{worst} has {sizes[worst]:.2f} {where}, {_usual(sizes, worst):.2f} are usual"
    limits = (None, settings.max_group_change)
    return _limits.within(GATE, where, changes[worst], limits, message)


def _sizes(table: Any, day: str, group: tuple[str, ...]) -> dict[str, float]:
    """Month → lines a group."""
    known = table.filter(table[day].notnull())
    month = {"year": known[day].year(), "month": known[day].month()}
    groups = known.group_by(**month, **{f"key {n}": known[name] for n, name in enumerate(group)})
    lines = groups.aggregate(lines=known.count())
    counts = lines.group_by(["year", "month"]).aggregate(
        groups=lines.count(), lines=lines.lines.sum()
    )
    rows = sorted(counts.to_pyarrow().to_pylist(), key=lambda row: (row["year"], row["month"]))
    return {f"{row['year']:04d}-{row['month']:02d}": row["lines"] / row["groups"] for row in rows}


def _alone(table: Any, day: str, name: str) -> Any:
    """The ids that a single month has, with it and their lines there."""
    known = table.filter(table[day].notnull() & table[name].notnull())
    by_month = known.group_by(
        [known[name], known[day].year().name(YEAR), known[day].month().name(MONTH)]
    ).aggregate(**{LINES: known.count()})
    sums = {MONTHS: by_month.count(), LINES: by_month[LINES].sum()}
    firsts = {part: by_month[part].min() for part in (YEAR, MONTH)}
    ids = by_month.group_by(name).aggregate(**sums, **firsts)
    return ids.filter(ids[MONTHS] == 1)


def _lines_by_month(alone: Any) -> Iterator[dict[str, int]]:
    grouped = alone.group_by([YEAR, MONTH]).aggregate(**{LINES: alone[LINES].sum()})
    yield from grouped.to_pyarrow().to_pylist()


def _usual(shares: Mapping[str, float], month: str) -> float:
    return statistics.median(share for other, share in shares.items() if other != month)
