"""Tables from files: raw CSV as declared, and Parquet; what cannot be read says why.

A declared column holds `text`, `integer`, `number` or `date FORMAT` (as `strptime` has it).
An empty cell is null; a value that is not of its column's kind is null too, and counted.
"""

import csv
import functools
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ConfigError

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MAX_HEADER = 65_536  # bytes
SAFE = re.compile(  # what may be shown of Arrow's messages: the rest quotes somebody's line
    r"(Row #\d+: )?Expected \d+ columns, got \d+|straddling object|Empty CSV file|invalid UTF8"
)
TEXT = " (text)"  # behind the name of a column that is kept as it was written
Parser = Callable[[str], Any]


class Unreadable(ValueError):
    """A file that is no table; the message holds none of its values."""


def header(path: Path) -> list[str]:
    """The names in a CSV file's first line, as they stand there (a byte order mark too).

    Raises:
        Unreadable: it has no such line.
    """
    try:
        with path.open("rb") as stream:
            line = stream.readline(MAX_HEADER)
        if not line.endswith(b"\n"):
            raise Unreadable("the first line has no end")
        (names,) = csv.reader([line.decode().rstrip("\r\n")], strict=True)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(_reason(error, "the first line names no columns")) from error
    return names


def read_csv(path: Path) -> Any:
    """A CSV file as an Arrow table of text columns, each value kept once (a dictionary).

    Raises:
        Unreadable: it is not one.
    """
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    names = [name.removeprefix("\ufeff") for name in header(path)]
    if len(set(names)) < len(names):
        raise Unreadable("two columns have one name")
    options = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )
    try:
        table = arrow_csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(_reason(error, "it is no table")) from error
    encoded = [
        c if pa.types.is_dictionary(c.type) else c.dictionary_encode() for c in table.columns
    ]
    return pa.table(encoded, names=table.column_names)  # Arrow reads a quoted name behind a mark


def _reason(error: Exception, otherwise: str) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    found = SAFE.search(str(error))
    return found[0] if found else otherwise


def read_parquet(path: Path) -> Any:
    """A Parquet file as an Arrow table.

    Raises:
        Unreadable: it is not one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(_reason(error, "it is no Parquet file")) from error
    names = {name.casefold() for name in table.column_names}
    if not names or len(names) < table.num_columns:
        raise Unreadable("two columns have one name" if names else "it has no column")
    return table


def nothing(columns: Mapping[str, str]) -> Any:
    """The Arrow table of the declared columns without a row."""
    import pyarrow as pa

    none = pa.array([], pa.dictionary(pa.int32(), pa.string()))
    return typed(pa.table(dict.fromkeys(columns, none)), columns)[0]


def check_kinds(columns: Mapping[str, str]) -> None:
    """Refuses kinds that no column can have, and names that engines would take for one.

    Raises:
        ConfigError: `delivery.toml` declares such a kind, or two such names.
    """
    if len({name.casefold() for name in columns}) < len(columns):
        where, todo = "delivery.toml [data.columns]", "rename one of them in the data"
        raise ConfigError("two columns differ only in small and capital letters", where, todo)
    for name, kind in columns.items():
        if kind != "text":
            _parser(kind, f"data.columns.{name}")


def typed(table: Any, columns: Mapping[str, str]) -> tuple[Any, dict[str, int]]:
    """An Arrow table of the declared columns, typed, and how many values were not of their kind.

    Where there are such values, a column more holds the text: `<name> (text)`.

    Args:
        table: text columns, as `read_csv` gives them; one that is missing stays so.
    """
    import pyarrow as pa

    found, malformed = {}, {}
    for name, kind in columns.items():
        if name not in table.column_names:
            continue
        found[name] = table[name]
        if kind != "text":
            found[name] = _typed(table[name], kind)
            malformed[name] = found[name].null_count - table[name].null_count
            if malformed[name]:
                found[f"{name}{TEXT}"] = table[name]
    return pa.table(found), malformed


def _typed(column: Any, kind: str) -> Any:
    """Each distinct value is parsed once: dates and prices repeat."""
    import pyarrow as pa

    parse = functools.cache(_parser(kind, kind))
    kinds = {"integer": pa.int64(), "number": pa.float64()}
    chunks = [
        pa.array(
            [None if text is None else parse(text) for text in chunk.dictionary.to_pylist()],
            kinds.get(kind, pa.timestamp("us")),
        ).take(chunk.indices)
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kinds.get(kind, pa.timestamp("us")))


def _parser(kind: str, key: str) -> Parser:
    if kind == "integer":
        return lambda text: int(text) if INTEGER.fullmatch(text) else None
    if kind == "number":
        return _number
    pattern = kind.removeprefix("date ")
    if pattern == kind or "%" not in pattern:
        raise ConfigError(
            f"{key}: no kind '{kind}'",
            "delivery.toml [data.columns]",
            "use one of: text, integer, number, date FORMAT",
        )
    return functools.partial(_day, pattern)


def _number(text: str) -> float | None:
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def _day(pattern: str, text: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        return None
