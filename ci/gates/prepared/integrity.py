"""Do the prepared tables agree: every key known on both sides, every sum and count the same?

A relation names the `rows` of one table, the `table` with one row a `key` of theirs, and what its
columns have to equal: `rows` (how many), `sum X`, `min X`, `max X`, `distinct X` (how many
different ones) or `same X` (the one value that all of them have).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...records import Finding, Outcome
from ...typed import Mismatch
from ..offending import Offending
from . import PreparedEvidence

GATE = "integrity"
OF_ROWS, LARGEST = " of rows", " of rows, the largest"
RELATIVE = 1e-9  # sums of floats, in whatever order they were added
Found = Finding | Offending
FUNCTIONS = {"sum": "sum", "min": "min", "max": "max", "distinct": "nunique"}


@dataclass(frozen=True)
class Relation:
    """One table as the summary of another's rows."""

    rows: str  # the table that is summed up
    table: str  # the summary: one row a key
    key: tuple[str, ...]  # columns that both have
    equals: dict[str, str] = field(default_factory=dict)  # column of the summary → how it is made

    def __post_init__(self) -> None:
        for column, how in self.equals.items():
            word, _, of = how.partition(" ")
            if how != "rows" and (word not in (*FUNCTIONS, "same") or not of):
                raise Mismatch(column, f"no way to sum up '{how}': rows, sum X, min X, same X …")


@dataclass(frozen=True)
class Settings:
    """How the tables belong together."""

    relations: tuple[Relation, ...]  # which table sums up which, by which key


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Found]:
    """One finding a table's count, a relation's keys, a column that sums up."""
    tables = evidence.reading.tables
    cleaning = evidence.reading.cleaning
    for name, table in tables.items():
        counted = cleaning.rows.get(name) if cleaning else None
        rows = int(table.count().execute())
        message = f"{name} has {rows} rows, cleaning.json says {counted}"
        yield _finding(f"{name} rows", message, rows, counted, good=counted == rows)
    for relation in settings.relations:
        yield from _relation(relation, tables)


def _relation(relation: Relation, tables: Any) -> Iterator[Found]:
    where = f"{relation.rows} → {relation.table}"
    if missing := _missing(relation, tables):
        yield _finding(where, f"there is no {', no '.join(missing)}", missing, "both", good=False)
        return
    rows, table, key = tables[relation.rows], tables[relation.table], list(relation.key)
    grouped = rows.group_by(key).aggregate(**_summary(rows, relation))
    name = ", ".join(key)
    repeated = table.group_by(key).having(table.count() > 1).aggregate()
    repeats = _count(table) - _count(table.select(key).distinct())
    message = f"{repeats} rows of {relation.table} repeat {name}"
    place = f"{where}: one row a key"
    yield Offending(_finding(place, message, repeats, 0, good=repeats == 0), repeated)
    for left, right, text in (
        (grouped, table, f"{name} of {relation.rows} that {relation.table} does not know"),
        (table, grouped, f"{name} of {relation.table} without {relation.rows}"),
    ):
        unknown = left.anti_join(right, key)
        orphans = _count(unknown)
        found = _finding(f"{where}: {text}", f"{orphans} {text}", orphans, 0, good=orphans == 0)
        yield Offending(found, unknown)
    joined = table.inner_join(grouped, key)
    for column, how in relation.equals.items():
        yield _equal(joined, column, how, where)


def _missing(relation: Relation, tables: Any) -> list[str]:
    """The tables and columns that a relation needs and that are not there."""
    needed = {relation.rows: set(relation.key), relation.table: {*relation.key, *relation.equals}}
    needed[relation.rows] |= {how.partition(" ")[2] for how in relation.equals.values()} - {""}
    missing = [f"table {name}" for name in needed if name not in tables]
    for name, columns in needed.items():
        known = tables[name].columns if name in tables else columns
        missing += [f"column {name}.{column}" for column in sorted(columns - set(known))]
    return missing


def _summary(rows: Any, relation: Relation) -> dict[str, Any]:
    """What the rows of a key come to, under names that no column of the summary has."""
    summary = {}
    for column, how in relation.equals.items():
        word, _, of = how.partition(" ")
        if how == "rows":
            summary[f"{column}{OF_ROWS}"] = rows.count()
        elif word == "same":
            summary[f"{column}{OF_ROWS}"] = rows[of].min()
            summary[f"{column}{LARGEST}"] = rows[of].max()
        else:
            summary[f"{column}{OF_ROWS}"] = getattr(rows[of], FUNCTIONS[word])()
    return summary


def _equal(joined: Any, column: str, how: str, where: str) -> Found:
    same = _same(joined[column], joined[f"{column}{OF_ROWS}"])
    if how.startswith("same "):
        same &= _same(joined[column], joined[f"{column}{LARGEST}"])
    (found,) = joined.aggregate(rows=joined.count(), same=same.sum()).to_pyarrow().to_pylist()
    rows, wrong = found["rows"], found["rows"] - (found["same"] or 0)
    message = f"{wrong} of {rows} rows differ: {column} is not '{how}'"
    good = wrong == 0 and rows > 0
    if good:
        message = f"{column} is '{how}' in every row"
    answer = _finding(f"{where}: {column} = {how}", message, wrong, 0, good=good, column=column)
    return Offending(answer, joined.filter(~same))


def _same(left: Any, right: Any) -> Any:
    """Whether two columns hold the same value; null and NaN agree with nothing."""
    import ibis

    if left.type().is_floating() or right.type().is_floating():
        left, right = left.cast("float64"), right.cast("float64")
        scale = ibis.greatest(left.abs(), right.abs(), 1.0)
        same = ((left - right).abs() <= scale * RELATIVE) & ~left.isnan() & ~right.isnan()
    else:
        same = left == right
    return same.fill_null(False)


def _count(table: Any) -> int:
    return int(table.count().execute())


def _finding(
    where: str, message: str, measured: Any, expected: Any, *, good: bool, column: str = ""
) -> Finding:
    outcome: Outcome = "pass" if good else "block"
    return Finding(GATE, outcome, measured, expected, message, where, column)
