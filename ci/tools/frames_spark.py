"""The tables of `frames`, held by Spark: any size, on this machine or on a cluster.

Files are read here, piece by piece and by the same readers and parsers as without Spark, so that
both engines hold the same rows. Spark gets them as Parquet files in its session's folder.
"""

import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import Project
from . import spark, tables
from .frames import Part, dated, names_of

AT_ONCE = 500_000  # rows in memory, and in a piece that Spark reads by itself
_numbers = itertools.count()


@dataclass
class Seen:
    """What is known of a file once its last piece went by."""

    malformed: dict[str, int]
    rows: int = 0
    days: list[Any] = field(default_factory=list)  # ends of the pieces' days


class Spark:
    """A Spark session, and the files that it reads."""

    def __init__(self, project: Project) -> None:
        import ibis

        self._session = spark.session(project)
        self._engine = engine = ibis.pyspark.connect(self._session)
        engine.to_pyarrow = spark.explained(functools.partial(_to_arrow, engine))
        engine.execute = spark.explained(engine.execute)
        engine._register_in_memory_table = functools.partial(_from_arrow, engine)

    def csv(self, path: Path, columns: Mapping[str, str]) -> Part:
        """As `Engine.csv`; a file with malformed values is read twice, to keep their texts."""
        part = _copied(path, columns, ())
        bad = [name for name, count in part.malformed.items() if count]
        return _copied(path, columns, bad) if bad else part

    def raw(self, parts: Sequence[Part], columns: Mapping[str, str]) -> Any:
        """As `Engine.raw`."""
        held = [part for part in parts if part.names]
        if held:
            return self._read(names_of(held), [part.held for part in held])
        nothing = tables.nothing(columns)
        return self._read(list(columns), [_write(nothing.schema, [nothing])])

    def parquet(self, path: Path) -> Any:
        """As `Engine.parquet`."""
        schema = _known(tables.parquet_schema(path))
        pieces = (piece.cast(schema) for piece in _pieces(tables.stream_parquet(path)))
        return self._read(schema.names, [_write(schema, pieces)])

    def _read(self, names: Sequence[str], paths: Sequence[Path]) -> Any:
        """An ibis table of Parquet files; a column that one of them lacks is null there."""
        view = f"slipway_{next(_numbers)}"
        files = self._session.read.option("mergeSchema", "true").parquet(*map(str, paths))
        quoted = ["`" + name.replace("`", "``") + "`" for name in names]
        files.select(quoted).createOrReplaceTempView(view)
        return self._engine.table(view)


def _to_arrow(
    engine: Any, expression: Any, /, *, params: Any = None, limit: Any = None, **_: Any
) -> Any:
    """What an expression comes to, as Arrow: ibis' own way over pandas takes NaN for null."""
    engine._run_pre_execute_hooks(expression)
    table = expression.as_table()
    with engine._safe_raw_sql(engine.compile(table, params=params, limit=limit)) as query:
        found = query.toArrow()
    return expression.__pyarrow_result__(found.cast(table.schema().to_pyarrow()))


def _from_arrow(engine: Any, op: Any) -> None:
    """Makes rows of this process known to Spark: ibis' own way over pandas takes null for NaN."""
    from ibis.backends.pyspark.datatypes import PySparkSchema

    rows = op.data.to_pyarrow(op.schema)
    known = engine._session.createDataFrame(rows, schema=PySparkSchema.from_ibis(op.schema))
    known.createOrReplaceTempView(op.name)


def _copied(path: Path, columns: Mapping[str, str], keep: Collection[str]) -> Part:
    """A raw file's declared columns as Parquet; beside some, the text as it was written."""
    there = {name: columns[name] for name in columns if name in tables.columns_of(path)}
    seen = Seen({name: 0 for name, kind in there.items() if kind != "text"})
    schema = tables.typed_schema(there, keep)
    copy = _write(schema, _typed(path, there, schema, seen))
    first, last = (min(seen.days), max(seen.days)) if seen.days else (None, None)
    return Part(copy, tuple(schema.names), seen.rows, seen.malformed, first, last)


def _typed(path: Path, columns: Mapping[str, str], schema: Any, seen: Seen) -> Iterator[Any]:
    import pyarrow.compute as pc

    keep = [name for name in columns if name + tables.TEXT in schema.names]
    for piece in _pieces(tables.stream_csv(path)):
        table, malformed = tables.typed(piece, columns, keep=keep)
        seen.rows += piece.num_rows
        for name, count in malformed.items():
            seen.malformed[name] += count
        if day := dated(columns):
            seen.days += [end for end in pc.min_max(table[day]).as_py().values() if end]
        yield table.select(schema.names)


def _pieces(batches: Iterable[Any]) -> Iterator[Any]:
    """The batches as tables of some size each."""
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= AT_ONCE:
            yield pa.Table.from_batches(waiting).unify_dictionaries()
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting).unify_dictionaries()


def _write(schema: Any, pieces: Iterable[Any]) -> Path:
    """A new Parquet file of the session's folder; one without columns is not written."""
    import pyarrow.parquet as pq

    path = spark.folder() / f"{next(_numbers)}.parquet"
    if not schema.names:
        for _ in pieces:  # read all the same: it may be no table
            pass
        return path
    with pq.ParquetWriter(path, schema) as writer:
        for piece in pieces:
            writer.write_table(piece, row_group_size=AT_ONCE)
    return path


def _known(schema: Any) -> Any:
    """The schema with types that Spark reads.

    Raises:
        Unreadable: it has a column that Spark has no type for.
    """
    import pyarrow as pa

    fields = []
    for one in schema:
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        elif pa.types.is_null(kind):
            kind = pa.int32()
        elif pa.types.is_time(kind) or pa.types.is_duration(kind) or pa.types.is_float16(kind):
            raise tables.Unreadable(f"Spark has no type like {kind}")
        fields.append(pa.field(one.name, kind))
    return pa.schema(fields)
