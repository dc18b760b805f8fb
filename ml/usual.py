"""What is usual, and sums: exact and the same on every engine, whatever order it works in."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

CENTS = 100


def most_frequent(lines: ir.Table, key: str, value: str) -> ir.Table:
    """For each key its most frequent value; ties go to the value that sorts first."""
    known = lines.filter(lines[value].notnull())
    counts = known.group_by([key, value]).aggregate(rows=known.count())
    best_first = [counts["rows"].desc(), counts[value]]
    place = ibis.row_number().over(group_by=key, order_by=best_first)
    ranked = counts.mutate(place=place)
    return ranked.filter(ranked["place"] == 0).select(key, value)


def median(lines: ir.Table, keys: Sequence[str], value: str) -> ir.Table:
    """For each key, or of all lines, the median: the mean of the two values in the middle."""
    known = lines.filter(lines[value].notnull()).select(*keys, value)
    counts = known.group_by([*keys, value]).aggregate(rows=known.count())
    own = ibis.window(group_by=list(keys), order_by=value, preceding=None, following=0)
    everything = ibis.window(group_by=list(keys))
    rows = counts["rows"]
    placed = counts.mutate(until=rows.sum().over(own), all=rows.sum().over(everything))
    twice, everyone = placed["until"] * 2, placed["all"]
    lower = placed[value].min(where=twice >= everyone)
    upper = placed[value].min(where=twice > everyone)
    grouped = placed.group_by(list(keys)) if keys else placed
    return grouped.aggregate(**{value: (lower + upper) / 2})


def cents(money: ir.NumericValue) -> ir.NumericValue:
    """An amount of money, rounded to cents."""
    return (money * CENTS).round() / CENTS


def total(money: ir.NumericColumn) -> ir.NumericScalar:
    """The exact sum of amounts that are rounded to cents."""
    return (money * CENTS).round().cast("int64").sum().cast("float64") / CENTS


def with_usual(lines: ir.Table, usual: ir.Table, key: str) -> ir.Table:
    """The lines, each beside what is usual for its key, or null."""
    return lines.left_join(usual, key).drop(f"{key}_right")
