"""Is what the model learns from free of what it is tested on: rows, baskets, and the answer itself?

The tables are split by time: every learning row is before every test row, no basket stands in both,
and none was copied under another date. No column of what is known about a customer or a product
tells who or what is bought in the test window: its rank AUC and rank correlation have a ceiling.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...records import Finding
from ..offending import Offending
from ..telling import Telling, telling
from . import PreparedEvidence

GATE = "leakage"
# columns that are made here; their names are no user's
TIMES, SIZE, OTHER, AGREEING = "times in it", "its lines", "other day", "lines that agree"
Answer = Finding | Offending


@dataclass(frozen=True)
class Features:
    """What is known about those that the answer is about."""

    table: str  # one row a customer, a product …
    key: str  # the column that says which; the test rows have it, too
    max_auc: float = 0.85  # ceiling: how well a column ranks who is in the test rows
    max_correlation: float = 0.65  # ceiling: of a column's ranks with those of how often


@dataclass(frozen=True)
class Settings:
    """What is learned from, what is tested on, and how much one may tell of the other."""

    learn: str = "lines"  # table of the rows that are learned from
    test: str = "test"  # table of the rows that are tested on
    date: str = "date"  # their column of days
    key: tuple[str, ...] = ("customer", "date")  # what makes one basket
    content: tuple[str, ...] = ("product", "amount", "sales_price")  # what makes two the same
    min_lines: int = 3  # smaller baskets are alike by chance
    max_copied: float = 0.001  # ceiling: share of the test baskets that were learned from, too
    disjoint: tuple[str, ...] = ()  # columns without a value in both; for a split by entity
    features: tuple[Features, ...] = ()  # tables whose numbers and dates may not tell the answer


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Answer]:
    """One finding on time, keys and copies, one a column that is to be disjoint, one a feature."""
    tables = evidence.reading.tables
    needed = {*settings.key, settings.date, *settings.disjoint, *(f.key for f in settings.features)}
    if missing := _missing(tables, settings, needed | set(settings.content)):
        message = f"there is no {', no '.join(missing)}"
        yield _finding("tables", missing, "there", message, good=False)
        return
    learn, test = tables[settings.learn], tables[settings.test]
    yield _time(learn, test, settings)
    yield _keys(learn, test, settings)
    yield _copies(learn, test, settings)
    for column in settings.disjoint:
        yield _disjoint(learn, test, column)
    for features in settings.features:
        yield from _features(features, tables.get(features.table), test)


def _missing(tables: Mapping[str, Any], settings: Settings, needed: set[str]) -> list[str]:
    names = (settings.learn, settings.test)
    missing = [f"table {name}" for name in names if name not in tables]
    for name in names:
        known = tables[name].columns if name in tables else needed
        missing += [f"column {name}.{column}" for column in sorted(needed - set(known))]
    return missing


def _time(learn: Any, test: Any, settings: Settings) -> Answer:
    """Whether every learning row is before every test row."""
    (last,) = learn.aggregate(day=learn[settings.date].max()).to_pyarrow().to_pylist()
    (first,) = test.aggregate(day=test[settings.date].min()).to_pyarrow().to_pylist()
    ends = last["day"], first["day"]
    good = None not in ends and ends[0] < ends[1]
    message = f"learning ends {_day(ends[0])}, the test begins {_day(ends[1])}"
    finding = _finding("time", _day(ends[0]), f"before {_day(ends[1])}", message, good=good)
    if good or ends[1] is None:
        return finding
    return Offending(finding, learn.filter(learn[settings.date] >= ends[1]))


def _day(value: Any) -> str:
    return "never" if value is None else value.isoformat()[:10]


def _keys(learn: Any, test: Any, settings: Settings) -> Answer:
    """Whether no basket has rows on both sides."""
    key = list(settings.key)
    known = test.select(key).distinct()
    both = _count(known.semi_join(learn, key))
    text = ", ".join(key)
    message = f"{both} of one {text} stand in {settings.learn} and {settings.test}"
    finding = _finding("keys in both", both, 0, message, good=both == 0)
    return finding if both == 0 else Offending(finding, learn.semi_join(known, key))


def _copies(learn: Any, test: Any, settings: Settings) -> Answer:
    """Whether few test baskets have the very content of one that was learned from."""
    copied, baskets = _copied(learn, test, settings)
    (counts,) = (
        (baskets.aggregate(all=baskets.count()).cross_join(copied.aggregate(copied=copied.count())))
        .to_pyarrow()
        .to_pylist()
    )
    share = counts["copied"] / counts["all"] if counts["all"] else math.nan
    good = share <= settings.max_copied
    message = (
        f"{counts['copied']} of {counts['all']} test baskets of {settings.min_lines} lines "
        "or more have the content of one that is learned from"
    )
    expected = f"at most {settings.max_copied:g}"
    finding = _finding("copied baskets", round(share, 6), expected, message, good=good)
    return finding if good else Offending(finding, test.semi_join(copied, list(settings.key)))


def _copied(learn: Any, test: Any, settings: Settings) -> tuple[Any, Any]:
    """The test baskets with the content of a learning basket of the same entity; all of a size.

    Exact, without any hash: two baskets are the same if as many rows agree as each of them has.
    """
    who = [name for name in settings.key if name != settings.date]
    key, content = [*who, settings.date], list(settings.content)

    def rows(table: Any) -> Any:
        lines = table.group_by([*key, *content]).aggregate(**{TIMES: table.count()})
        size = lines.group_by(key).mutate(**{SIZE: lines.count()})
        return size.filter(size[SIZE] >= settings.min_lines)

    ours, theirs = rows(test), rows(learn).rename({OTHER: settings.date})
    same = ours.join(theirs, [*who, *content, TIMES, SIZE])
    pairs = same.group_by([*key, OTHER, SIZE]).aggregate(**{AGREEING: same.count()})
    copied = pairs.filter(pairs[AGREEING] == pairs[SIZE]).select(key).distinct()
    return copied, ours.select(key).distinct()


def _disjoint(learn: Any, test: Any, column: str) -> Answer:
    known = test.select(column).distinct()
    both = _count(known.semi_join(learn, column))
    message = f"{both} values of {column} are learned from and tested on"
    finding = _finding(f"{column} in both", both, 0, message, good=both == 0, column=column)
    return finding if both == 0 else Offending(finding, learn.semi_join(known, column))


def _features(features: Features, table: Any, test: Any) -> Iterator[Finding]:
    name, key = features.table, features.key
    if table is None or key not in table.columns:
        missing = f"there is no table {name} by {key}"
        yield _finding(f"features of {name}", None, "a table", missing, good=False)
        return
    told = telling(table, test, key)
    if not told:
        message = f"{name} has no number and no date that could tell anything: name another table"
        yield _finding(f"features of {name}", 0, "at least 1 column", message, good=False)
    for column, tells in told.items():
        yield _told(features, column, tells)


def _told(features: Features, column: str, told: Telling) -> Finding:
    name, most, alike = features.table, features.max_auc, features.max_correlation
    good = told.auc <= most and told.correlation <= alike
    message = (
        f"{name}.{column} ranks who is in the test window with AUC {told.auc:.3f}, "
        f"and how often with correlation {told.correlation:.3f}"
    )
    return _finding(
        f"target in {name}.{column}",
        {"auc": round(told.auc, 4), "correlation": round(told.correlation, 4)},
        {"auc": f"at most {most:g}", "correlation": f"at most {alike:g}"},
        message,
        good=good,
        column=column,
    )


def _count(table: Any) -> int:
    return int(table.count().to_pyarrow().as_py())


def _finding(
    where: str, measured: Any, expected: Any, message: str, *, good: bool, column: str = ""
) -> Finding:
    return Finding(GATE, "pass" if good else "block", measured, expected, message, where, column)
