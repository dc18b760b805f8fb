"""How much the columns of a table tell of who occurs in another one: rank AUC and correlation.

Ranks are exact and ties share theirs, so that every engine gives the same. A missing value is a
value, below all others: where it is missing may tell, too.
"""

import math
from dataclasses import dataclass
from typing import Any

OFTEN, THERE = "how often", "whether at all"  # columns that are made here
DIGITS = 9  # sums of ranks are not added in the same order by every engine


@dataclass(frozen=True)
class Telling:
    """How much one column tells.

    Attributes:
        auc: of the column as a score for occurring at all, or against it: 0.5 to 1; NaN where all
            occur, or none.
        correlation: of its ranks with those of how often, without its sign: 0 to 1.
    """

    auc: float
    correlation: float


def telling(table: Any, rows: Any, key: str) -> dict[str, Telling]:
    """Each number and date of `table` → what it tells of the rows of the same key in `rows`.

    Args:
        table, rows: ibis tables with the column `key`.
    """
    columns = [name for name, kind in table.schema().items() if name != key and _ordered(kind)]
    names = [f"column {number}" for number in range(len(columns))]
    times = rows.group_by(key).aggregate(**{OFTEN: rows.count()})
    numbers = {name: _number(table[column]) for name, column in zip(names, columns, strict=True)}
    joined = table.select(table[key], **numbers).left_join(times, key)
    joined = joined.mutate(**{OFTEN: joined[OFTEN].fill_null(0), THERE: joined[OFTEN].notnull()})
    ranked = joined.select(THERE, **{name: _midrank(joined, name) for name in [*names, OFTEN]})
    wanted = {"rows": ranked.count(), "there": ranked[THERE].sum()}
    for name in names:
        wanted[f"sum {name}"] = ranked[name].sum(where=ranked[THERE])
        wanted[f"with {name}"] = ranked[name].corr(ranked[OFTEN], how="pop")
        wanted[f"many {name}"] = ranked[name].max() > ranked[name].min()
    (found,) = ranked.aggregate(**wanted).to_pyarrow().to_pylist()
    return {column: _telling(found, name) for name, column in zip(names, columns, strict=True)}


def _ordered(kind: Any) -> bool:
    return bool(kind.is_numeric() or kind.is_boolean() or kind.is_date() or kind.is_timestamp())


def _number(column: Any) -> Any:
    return column.cast("int64") if column.type().is_boolean() else column


def _midrank(table: Any, name: str) -> Any:
    """The rank of each row's value, from 1; what is equal has the middle of its ranks."""
    import ibis

    below = ibis.rank().over(order_by=table[name].asc(nulls_first=True))
    ties = table.count().over(group_by=table[name])
    return below + (ties + 1) / 2


def _telling(found: dict[str, Any], name: str) -> Telling:
    there = found["there"] or 0
    away = found["rows"] - there
    if not (there > 0 and away > 0):
        return Telling(math.nan, math.nan)
    auc = (found[f"sum {name}"] - there * (there + 1) / 2) / (there * away)
    correlation = found[f"with {name}"] if found[f"many {name}"] else 0.0
    correlation = math.nan if correlation is None else abs(correlation)
    return Telling(round(max(auc, 1 - auc), DIGITS), round(correlation, DIGITS))
