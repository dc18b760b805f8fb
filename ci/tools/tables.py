"""Tables from files: raw CSV as declared, and Parquet; what cannot be read says why.

A declared column holds `text`, `integer`, `number` or `date FORMAT` (as `strptime` has it).
An empty cell is null; a value that is not of its column's kind is null too, and counted.
"""

import contextlib
import csv
import functools
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ConfigError

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MAX_HEADER = 65_536  # bytes
ROWS = 65_536  # of a Parquet file at a time
PARSED = 100_000  # texts whose values are remembered, of each kind
SAFE = re.compile(  # what may be shown of Arrow's messages: the rest quotes somebody's line
    r"(Row #\d+: )?Expected \d+ columns, got \d+|straddling object|Empty CSV file|invalid UTF8"
)
TEXT = " (text)"  # behind the name of a column that is kept as it was written
EXAMPLE = datetime(2001, 2, 28)
Parser = Callable[[str], Any]


class Unreadable(ValueError):
    """A file that is no table; the message holds none of its values."""


def header(path: Path) -> list[str]:
    """The names in a CSV file's first line, as they stand there (a byte order mark too).

    Raises:
        Unreadable: it has no such line.
    """
    return _names(_first_line(path))


def columns_of(path: Path) -> list[str]:
    """The names of a CSV file's columns: its header without a byte order mark.

    Raises:
        Unreadable: it has none, or one twice.
    """
    names = _names(_first_line(path).removeprefix("\ufeff"))
    if len(set(names)) < len(names):
        raise Unreadable("two columns have one name")
    return names


def _first_line(path: Path) -> str:
    with _explained("the first line names no columns"), path.open("rb") as stream:
        line = stream.readline(MAX_HEADER)
        if not line.endswith(b"\n"):
            raise Unreadable("the first line has no end")
        return line.decode().rstrip("\r\n")


def _names(line: str) -> list[str]:
    with _explained("the first line names no columns"):
        (names,) = csv.reader([line], strict=True)
        return names


def read_csv(path: Path) -> Any:
    """A CSV file as an Arrow table of text columns, each value kept once (a dictionary).

    Raises:
        Unreadable: it is not one.
    """
    import pyarrow.csv as arrow_csv

    with _explained("it is no table"):
        return arrow_csv.read_csv(path, convert_options=_texts(path))


def stream_csv(path: Path) -> Iterator[Any]:
    """The same as record batches, one after the other: memory does not grow with the file.

    Raises:
        Unreadable: it is no table, for the same reasons and in the same words; perhaps not before
            the last batch.
    """
    import pyarrow.csv as arrow_csv

    with _explained("it is no table"):
        yield from arrow_csv.open_csv(path, convert_options=_texts(path))


def _texts(path: Path) -> Any:
    """How every reader takes a CSV file's values: as text, or null where a cell is empty."""
    import pyarrow.csv as arrow_csv

    return arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(columns_of(path), _texts_once()),
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        null_values=[""],
    )


@contextlib.contextmanager
def _explained(otherwise: str) -> Iterator[None]:
    """Arrow's errors as `Unreadable`, without a value of the file's."""
    import pyarrow as pa

    try:
        yield
    except Unreadable:
        raise
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        raise Unreadable(_reason(error, otherwise)) from error


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
    with _explained("it is no Parquet file"):
        return _parquet(path).read()


def stream_parquet(path: Path) -> Iterator[Any]:
    """The same as record batches, one after the other.

    Raises:
        Unreadable: it is no Parquet file; perhaps not before the last batch.
    """
    with _explained("it is no Parquet file"):
        yield from _parquet(path).iter_batches(ROWS)


def parquet_schema(path: Path) -> Any:
    """The Arrow schema of a Parquet file.

    Raises:
        Unreadable: it has none.
    """
    with _explained("it is no Parquet file"):
        return _parquet(path).schema_arrow


def _parquet(path: Path) -> Any:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    columns = file.schema_arrow.names
    names = {name.casefold() for name in columns}
    if not names or len(names) < len(columns):
        raise Unreadable("two columns have one name" if names else "it has no column")
    return file


def nothing(columns: Mapping[str, str]) -> Any:
    """The Arrow table of the declared columns without a row."""
    return typed_schema(columns).empty_table()


def check_kinds(columns: Mapping[str, str]) -> None:
    """Refuses kinds that no column can have, and names that engines would take for one.

    Raises:
        ConfigError: `delivery.toml` declares such a kind, or two such names.
    """
    if len({name.casefold() for name in columns}) < len(columns):
        where, todo = "delivery.toml [data.columns]", "rename one of them in the data"
        raise ConfigError("two columns differ only in small and capital letters", where, todo)
    for name, kind in columns.items():
        if name.endswith(TEXT):
            where, todo = "delivery.toml [data.columns]", "rename it in the data"
            raise ConfigError(f"a column's name may not end with '{TEXT}'", where, todo)
        if kind != "text":
            _parser(kind, f"data.columns.{name}")


def typed(
    table: Any, columns: Mapping[str, str], *, keep: Collection[str] = ()
) -> tuple[Any, dict[str, int]]:
    """An Arrow table of the declared columns, typed, and how many values were not of their kind.

    Where there are such values, a column more holds the text: `<name> (text)`.

    Args:
        table: text columns, as `read_csv` gives them; one that is missing stays so.
        keep: columns whose text is kept in any case.
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
            if malformed[name] or name in keep:
                found[f"{name}{TEXT}"] = table[name]
    return pa.table(found), malformed


def _typed(column: Any, kind: str) -> Any:
    """Each distinct value is parsed once: dates and prices repeat."""
    import pyarrow as pa

    parse, type_ = _remembering(kind), arrow_type(kind)
    chunks = [
        pa.array(
            [None if text is None else parse(text) for text in chunk.dictionary.to_pylist()], type_
        ).take(chunk.indices)
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, type_)


def typed_schema(columns: Mapping[str, str], keep: Collection[str] = ()) -> Any:
    """The Arrow schema of what `typed` gives."""
    import pyarrow as pa

    fields = {}
    for name, kind in columns.items():
        fields[name] = arrow_type(kind)
        if name in keep:
            fields[f"{name}{TEXT}"] = arrow_type("text")
    return pa.schema(list(fields.items()))


def arrow_type(kind: str) -> Any:
    """The Arrow type of a column of a kind."""
    import pyarrow as pa

    if kind == "text":
        return _texts_once()
    return {"integer": pa.int64(), "number": pa.float64()}.get(kind, pa.timestamp("us"))


def _texts_once() -> Any:
    """Texts of which each value is kept once."""
    import pyarrow as pa

    return pa.dictionary(pa.int32(), pa.string())


@functools.cache
def _remembering(kind: str) -> Parser:
    """The parser of a kind; it does not parse again what it has just parsed."""
    return functools.lru_cache(PARSED)(_parser(kind, kind))


def _parser(kind: str, key: str) -> Parser:
    if kind == "integer":
        return lambda text: int(text) if INTEGER.fullmatch(text) else None
    if kind == "number":
        return _number
    pattern = kind.removeprefix("date ")
    if pattern == kind or not _is_format(pattern):
        raise ConfigError(
            f"{key}: no kind '{kind}'",
            "delivery.toml [data.columns]",
            "use one of: text, integer, number, date FORMAT",
        )
    return functools.partial(_day, pattern)


def _number(text: str) -> float | None:
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    return value + 0.0 if math.isfinite(value) else None  # -0.0 and 0.0 have no order of their own


def _is_format(pattern: str) -> bool:
    """Whether it can read what it writes."""
    try:
        return "%" in pattern and bool(datetime.strptime(EXAMPLE.strftime(pattern), pattern))
    except (ValueError, re.error):  # `%d` twice is an error of the latter
        return False


def _day(pattern: str, text: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern)
    except ValueError:
        return None
