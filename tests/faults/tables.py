"""Prepared tables as the catalogue changes them."""

import io
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .fault import Transformation
from .lines import Files

Change = Callable[[pa.Table], pa.Table]
CLEANING = "prepared/cleaning.json"


def path_of(name: str) -> str:
    """Where a prepared table stands in the project."""
    return f"prepared/{name}.parquet"


def read(files: Files, name: str) -> pa.Table:
    """A prepared table."""
    return pq.read_table(io.BytesIO(files[path_of(name)]))


def write(table: pa.Table) -> bytes:
    """The bytes of a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def table(name: str, does: str, change: Change, *, column: str = "") -> Transformation:
    """Another table in the place of one."""

    def act(files: Files, rng: Random) -> Files:
        return {**files, path_of(name): write(change(read(files, name)))}

    return Transformation(does, f"{name}.{column}" if column else name, act)


def column(name: str, of: str, does: str, change: Callable[[Any], Any]) -> Transformation:
    """Other values in a column of a table."""

    def changed(found: pa.Table) -> pa.Table:
        return found.set_column(found.column_names.index(of), of, change(found[of]))

    return table(name, does, changed, column=of)


def first(value: Any) -> Callable[[Any], Any]:
    """Another value in a column's first row."""

    def put_first(found: Any) -> Any:
        return pa.chunked_array([pa.array([value], found.type), *found.slice(1).chunks])

    return put_first


def cleaning(does: str, **changes: Any) -> Transformation:
    """Another report of what was cleaned."""

    def act(files: Files, rng: Random) -> Files:
        report = {**json.loads(files[CLEANING]), **changes}
        return {**files, CLEANING: json.dumps(report).encode()}

    return Transformation(does, CLEANING, act)


def counted(files: Files) -> Files:
    """The files with a cleaning report that counts the rows of the tables as they are now."""
    report = json.loads(files[CLEANING])
    rows = {
        name: read(files, name).num_rows if path_of(name) in files else rows
        for name, rows in report["rows"].items()
    }
    return {**files, CLEANING: json.dumps({**report, "rows": rows}).encode()}
