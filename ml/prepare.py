"""Raw lines become clean, typed Parquet: lines, baskets, customers and products.

Two things look at all days, those a model is later judged on among them, and are accepted: the
median prices that cleaning holds a line against, and the subclass that a product has mostly.
"""

import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from . import files, params
from .cleaning import clean
from .errors import InputError, exit_code, say
from .files import PREPARED

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
SCHEMAS = {
    "lines": {
        "date": DAY,
        "customer": TEXT,
        "product": TEXT,
        "subclass": TEXT,
        "amount": COUNT,
        "asset": NUMBER,
        "sales_price": NUMBER,
    },
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


def prepare(raw: Path, target: Path, settings: params.Prepare, pointer: Path = POINTER) -> None:
    """Cleans the raw files and writes the four tables and `cleaning.json` into `target`.

    Raises:
        InputError: there is no raw file, one cannot be read, or no line is left.
    """
    source = read_raw(raw)
    say(f"prepare: {len(source):,} raw lines")
    lines, rules = clean(source, settings)
    if lines.empty:
        raise InputError("no line is left after cleaning", str(raw), "look at the raw data")
    subclasses = source.groupby("product")["subclass"].nunique()
    tables = {
        "lines": lines,
        "baskets": baskets_of(lines),
        "customers": customers_of(lines),
        "products": products_of(lines, subclasses),
    }
    with files.new_folder(target) as folder:
        for name, table in tables.items():
            _write(table, SCHEMAS[name], folder / f"{name}.parquet")
            say(f"prepare: {len(table):,} {name}")
        report = {
            "dataset": dataset_digest(pointer),
            "rows": {"raw": len(source), **{name: len(table) for name, table in tables.items()}},
            "rules": rules,
        }
        files.write(folder / "cleaning.json", files.canonical(report))


def read_raw(folder: Path) -> pd.DataFrame:
    """Every `*.csv` of a folder as one table of text columns, under our names.

    Raises:
        InputError: there is none, or one is not such a table.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise InputError("there is no raw data", f"{folder}/*.csv", "run 'slipway data pull'")
    table: pd.DataFrame = pa.concat_tables([_read_csv(path) for path in paths]).to_pandas()
    return table


def _read_csv(path: Path) -> pa.Table:
    options = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(COLUMNS, TEXT), include_columns=list(COLUMNS)
    )
    try:
        table = pa.csv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        todo = "run 'slipway gate data': it says what is wrong"
        raise InputError(f"not a table of purchases: {error}", str(path), todo) from error
    return table.rename_columns(list(COLUMNS.values()))


def baskets_of(lines: pd.DataFrame) -> pd.DataFrame:
    """What one customer bought on one day."""
    return lines.groupby(["customer", "date"], as_index=False, sort=True).agg(
        products=("product", "size"),
        amount=("amount", "sum"),
        asset=("asset", "sum"),
        sales_price=("sales_price", "sum"),
    )


def customers_of(lines: pd.DataFrame) -> pd.DataFrame:
    """Who bought: age group, postcode, first and last day, and how much."""
    return lines.groupby("customer", as_index=False, sort=True).agg(
        age_group=("age_group", "first"),
        postcode=("postcode", "first"),
        first_day=("date", "min"),
        last_day=("date", "max"),
        baskets=("date", "nunique"),
        products=("product", "nunique"),
        sales_price=("sales_price", "sum"),
    )


def products_of(lines: pd.DataFrame, subclasses: pd.Series) -> pd.DataFrame:
    """What was bought: subclass, how many the source gave it, sales, median unit price and cost."""
    units = lines.assign(
        unit_price=lines["sales_price"] / lines["amount"],
        unit_cost=lines["asset"] / lines["amount"],
    )
    products = units.groupby("product", as_index=False, sort=True).agg(
        subclass=("subclass", "first"),
        lines=("date", "size"),
        customers=("customer", "nunique"),
        first_day=("date", "min"),
        last_day=("date", "max"),
        unit_price=("unit_price", "median"),
        unit_cost=("unit_cost", "median"),
    )
    return products.assign(subclasses=products["product"].map(subclasses))


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


def _write(table: pd.DataFrame, schema: dict[str, pa.DataType], path: Path) -> None:
    ordered = table.sort_values(
        [name for name in ("date", "customer", "product") if name in table.columns]
    )
    columns = [pa.Array.from_pandas(ordered[name]).cast(kind) for name, kind in schema.items()]
    pq.write_table(pa.table(columns, names=list(schema)), path, compression="zstd")


def main() -> None:
    """Prepares the project's data."""
    prepare(RAW, PREPARED, params.load(params.Prepare))


if __name__ == "__main__":
    sys.exit(exit_code(main))
