"""Raw lines become clean, typed Parquet, split by time; nothing that training reads is of the test.

`lines`, `baskets`, `customers` and `products` are of the days before the test window, `test` holds
the lines of its days, and `window.json` says which days these are. What cleaning learns (medians,
most frequent values) it learns before the test window. On every engine the files are the same
bytes: each table is sorted by its key, and pyarrow writes it.
"""

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from . import engines, files, params
from .cleaning import Cleaned, clean
from .engines import Connection
from .errors import InputError, exit_code, say
from .files import PREPARED, WINDOW
from .tables import baskets_of, customers_of, products_of

RAW = Path("data")
POINTER = Path("data.dvc")
COLUMNS = {
    "TRANSACTION_DT": "date",
    "CUSTOMER_ID": "customer",
    "AGE_GROUP": "age_group",
    "PIN_CODE": "postcode",
    "PRODUCT_SUBCLASS": "subclass",
    "PRODUCT_ID": "product",
    "AMOUNT": "amount",
    "ASSET": "asset",
    "SALES_PRICE": "sales_price",
}
DAY, TEXT, COUNT, NUMBER = pa.date32(), pa.string(), pa.int32(), pa.float64()
LINES = {
    "date": DAY,
    "customer": TEXT,
    "product": TEXT,
    "subclass": TEXT,
    "amount": COUNT,
    "asset": NUMBER,
    "sales_price": NUMBER,
}
SCHEMAS = {
    "lines": LINES,
    "test": LINES,
    "baskets": {
        "customer": TEXT,
        "date": DAY,
        "products": COUNT,
        "amount": COUNT,
        "asset": NUMBER,
        "sales_price": NUMBER,
    },
    "customers": {
        "customer": TEXT,
        "age_group": TEXT,
        "postcode": TEXT,
        "first_day": DAY,
        "last_day": DAY,
        "baskets": COUNT,
        "products": COUNT,
        "sales_price": NUMBER,
    },
    "products": {
        "product": TEXT,
        "subclass": TEXT,
        "subclasses": COUNT,
        "lines": COUNT,
        "customers": COUNT,
        "first_day": DAY,
        "last_day": DAY,
        "unit_price": NUMBER,
        "unit_cost": NUMBER,
    },
}
KEYS = {
    "lines": ["date", "customer", "product"],
    "test": ["date", "customer", "product"],
    "baskets": ["date", "customer"],
    "customers": ["customer"],
    "products": ["product"],
}
MAX_HEADER = 65_536  # bytes
GROUP = 1 << 20  # rows of a Parquet row group
Settings = tuple[params.Prepare, params.Window, params.Engine]


def prepare(raw: Path, target: Path, settings: Settings, pointer: Path = POINTER) -> None:
    """Cleans the raw files and writes tables, `window.json` and `cleaning.json` into `target`.

    Raises:
        InputError: there is no raw file, one cannot be read, or no line is left.
        EngineError: the engine cannot be had, or fails.
    """
    limits, window, chosen = settings
    dataset = dataset_digest(pointer)
    headers = headers_of(raw)
    with engines.opened(chosen) as engine:
        cleaned = clean(read_raw(headers, engine), limits, window.test_days, engine)
        say(f"prepare: {cleaned.raw:,} raw lines, on {chosen.name}")
        if cleaned.cut is None:
            raise InputError("no line is left after cleaning", str(raw), "look at the raw data")
        with files.new_folder(target) as folder:
            rows = {name: _write(engine, folder, name, t) for name, t in tables_of(cleaned)}
            if not rows["lines"]:
                what = f"no line is left before {cleaned.cut}, where the test window begins"
                raise InputError(what, str(raw), "bring more days")
            days = {"first": cleaned.cut.isoformat(), "last": str(cleaned.last)}
            files.write(folder / WINDOW, files.canonical(days))
            counts = {"raw": cleaned.raw, **rows}
            report = {"dataset": dataset, "rows": counts, "rules": cleaned.report}
            files.write(folder / "cleaning.json", files.canonical(report))


def headers_of(folder: Path) -> dict[Path, list[str]]:
    """Every `*.csv` of a folder with the names in its first line.

    Raises:
        InputError: there is none, or one has no such line or lacks a column.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError("there is no raw data", f"{folder}/*.csv", "run 'slipway data pull'")
    return {path: _header(path) for path in paths}


def _header(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            line = stream.readline(MAX_HEADER).decode("utf-8-sig")
        names = next(csv.reader([line], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise _no_table("its first line cannot be read", path) from error
    for name in COLUMNS:
        if names.count(name) != 1:
            raise _no_table(f"{names.count(name)} columns are named {name}", path)
    return names


def _no_table(why: str, path: Path) -> InputError:
    return InputError(f"{engines.NO_TABLE}: {why}", str(path), engines.LOOK)


def read_raw(headers: dict[Path, list[str]], engine: Connection) -> ir.Table:
    """Raw files as one table of text columns, under our names."""
    ours = {new: old for old, new in COLUMNS.items()}
    tables = [engine.texts(path, names).select(**ours) for path, names in headers.items()]
    return ibis.union(*tables) if len(tables) > 1 else tables[0]


def tables_of(cleaned: Cleaned) -> Iterator[tuple[str, ir.Table]]:
    """Each table that is written, by name."""
    lines = cleaned.lines.filter(cleaned.lines["before"])
    baskets = baskets_of(lines)
    yield "lines", lines
    yield "test", cleaned.lines.filter(~cleaned.lines["before"])
    yield "baskets", baskets
    yield "customers", customers_of(lines, baskets)
    yield "products", products_of(lines)


def _write(engine: Connection, folder: Path, name: str, table: ir.Table) -> int:
    """Writes a table, sorted by its key, in row groups whose bytes only their rows decide."""
    schema = pa.schema(list(SCHEMAS[name].items()))
    ordered = table.select(*schema.names).order_by(KEYS[name])
    rows = 0
    with pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd") as writer:
        for group in _groups(engine.arrow(ordered), schema):
            writer.write_table(group, row_group_size=GROUP)
            rows += group.num_rows
    say(f"prepare: {rows:,} {name}")
    return rows


def _groups(batches: Iterator[Any], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of `GROUP` rows, the last one smaller."""
    waiting = schema.empty_table()
    for batch in itertools.chain(batches, [None]):
        if batch is not None:
            waiting = pa.concat_tables([waiting, pa.table(batch).cast(schema)])
        while waiting.num_rows >= GROUP or (batch is None and waiting.num_rows):
            yield waiting.slice(0, GROUP).combine_chunks()
            waiting = waiting.slice(GROUP)


def dataset_digest(pointer: Path) -> str | None:
    """The data version that `data.dvc` names, as `md5:…`, or None without that file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not pointer.exists():
        return None
    try:
        content = YAML(typ="safe", pure=True).load(pointer.read_text(encoding="utf-8"))
        return f"md5:{content['outs'][0]['md5']}"
    except (YAMLError, ValueError, KeyError, IndexError, TypeError) as error:
        todo = "restore it from git"
        raise InputError(f"{pointer.name} names no data", str(pointer), todo) from error


def load_settings(path: Path = params.FILE) -> Settings:
    """What `params.yaml` says about preparing."""
    cleaning, window = params.load(params.Prepare, path), params.load(params.Window, path)
    return cleaning, window, params.load(params.Engine, path)


def main() -> None:
    """Prepares the project's data."""
    prepare(RAW, PREPARED, load_settings())


if __name__ == "__main__":
    sys.exit(exit_code(main))
