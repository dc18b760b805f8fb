"""Do the prepared tables agree: every key known on both sides, every sum and count the same?

A relation names the `rows` of one table, the `table` with one row a `key` of theirs, and what its
columns have to equal: `rows` (how many), `sum X`, `min X`, `max X`, `distinct X` (how many
different ones) or `same X` (the one value that all of them have).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...records import Finding
from ...typed import Mismatch
from . import PreparedEvidence

GATE = "integrity"
SUFFIX = " of rows"
RELATIVE = 1e-9  # sums of floats, in whatever order they were added
FUNCTIONS = {"sum": "sum", "min": "min", "max": "max", "distinct": "count_distinct"}


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


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a table's count, a relation's keys, a column that sums up."""
    tables = evidence.reading.tables
    cleaning = evidence.reading.cleaning
    for name, table in tables.items():
        counted = cleaning.rows.get(name) if cleaning else None
        good = counted == table.num_rows
        message = f"{name} has {table.num_rows} rows, cleaning.json says {counted}"
        yield _finding(f"{name} rows", message, table.num_rows, counted, good=good)
    for relation in settings.relations:
        yield from _relation(relation, tables)


def _relation(relation: Relation, tables: Any) -> Iterator[Finding]:
    where = f"{relation.rows} → {relation.table}"
    if missing := _missing(relation, tables):
        yield _finding(where, f"there is no {', no '.join(missing)}", missing, "both", good=False)
        return
    rows, table, key = tables[relation.rows], tables[relation.table], list(relation.key)
    grouped = rows.group_by(key).aggregate(_aggregations(relation))
    distinct = table.group_by(key).aggregate([]).num_rows
    name = ", ".join(key)
    unique = distinct == table.num_rows
    repeats = table.num_rows - distinct
    message = f"{repeats} rows of {relation.table} repeat {name}"
    yield _finding(f"{where}: one row a key", message, repeats, 0, good=unique)
    for left, right, text in (
        (grouped, table, f"{name} of {relation.rows} that {relation.table} does not know"),
        (table, grouped, f"{name} of {relation.table} without {relation.rows}"),
    ):
        orphans = left.select(key).join(right.select(key), key, join_type="left anti").num_rows
        yield _finding(f"{where}: {text}", f"{orphans} {text}", orphans, 0, good=orphans == 0)
    joined = table.join(grouped, key, join_type="inner", right_suffix=SUFFIX)
    for column, how in relation.equals.items():
        yield _equal(joined, column, how, where)


def _missing(relation: Relation, tables: Any) -> list[str]:
    """The tables and columns that a relation needs and that are not there."""
    needed = {relation.rows: set(relation.key), relation.table: {*relation.key, *relation.equals}}
    needed[relation.rows] |= {how.partition(" ")[2] for how in relation.equals.values()} - {""}
    missing = [f"table {name}" for name in needed if name not in tables]
    for name, columns in needed.items():
        known = tables[name].column_names if name in tables else columns
        missing += [f"column {name}.{column}" for column in sorted(columns - set(known))]
    return missing


def _aggregations(relation: Relation) -> list[tuple[Any, str]]:
    wanted: set[tuple[Any, str]] = {((), "count_all")}
    for how in relation.equals.values():
        word, _, of = how.partition(" ")
        if word == "same":
            wanted |= {(of, "min"), (of, "max")}
        elif of:
            wanted.add((of, FUNCTIONS[word]))
    return [(list(of) if of == () else of, word) for of, word in sorted(wanted, key=str)]


def _equal(joined: Any, column: str, how: str, where: str) -> Finding:
    word, _, of = how.partition(" ")
    names = {
        "rows": ["count_all"],
        "same": [f"{of}_min", f"{of}_max"],
    }.get(word) or [f"{of}_{FUNCTIONS[word]}"]
    agreeing = min(_agreeing(joined, column, name) for name in names)
    wrong = joined.num_rows - agreeing
    good = wrong == 0 and joined.num_rows > 0
    message = f"{wrong} of {joined.num_rows} rows differ: {column} is not '{how}'"
    if good:
        message = f"{column} is '{how}' in every row"
    return _finding(f"{where}: {column} = {how}", message, wrong, 0, good=good)


def _agreeing(joined: Any, column: str, summed: str) -> int:
    """In how many rows two columns hold the same value; null and NaN agree with nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    left = joined[column]
    right = joined[summed + SUFFIX if summed + SUFFIX in joined.column_names else summed]
    if pa.types.is_floating(left.type) or pa.types.is_floating(right.type):
        left, right = left.cast(pa.float64()), right.cast(pa.float64())
        scale = pc.max_element_wise(pc.abs(left), pc.abs(right), 1.0)
        same = pc.less_equal(pc.abs(pc.subtract(left, right)), pc.multiply(scale, RELATIVE))
    else:
        same = pc.equal(left, right)
    return int(pc.sum(same).as_py() or 0)


def _finding(where: str, message: str, measured: Any, expected: Any, *, good: bool) -> Finding:
    return Finding(GATE, "pass" if good else "block", measured, expected, message, where)
