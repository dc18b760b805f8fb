"""Faults of prepared tables: what went wrong between the raw lines and what is learned from."""

import math
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from ..fault import Fault, Transformation, without
from ..tables import cleaning, column, first, path_of, table

REGEX = "expect_column_values_to_match_regex"
BETWEEN = "expect_column_values_to_be_between"
PAIR = "expect_column_pair_values_a_to_be_greater_than_b"
KNOWN = "lines → customers: customer of lines that customers does not know"


def cut_off(files: dict[str, bytes], _: object) -> dict[str, bytes]:
    path = path_of("lines")
    return {**files, path: files[path][:1000]}


def an_extra_table(files: dict[str, bytes], _: object) -> dict[str, bytes]:
    return {**files, path_of("extra"): files[path_of("products")]}


def repeated(found: pa.Table) -> pa.Table:
    return pa.concat_tables([found, found.slice(0, 1)])


FAULTS = (
    Fault(
        "a table is missing",
        without("deleted", path_of("baskets")),
        ("completeness", "baskets rows"),
        also=("integrity", "expectations"),
        base="prepared",
    ),
    Fault(
        "a table is cut off",
        Transformation("cut off", "lines", cut_off),
        ("completeness", "lines.parquet"),
        also=("integrity", "expectations", "leakage"),
        base="prepared",
    ),
    Fault(
        "a table nobody asked for",
        Transformation("added", "extra", an_extra_table),
        ("integrity", "extra rows"),
        also=("expectations",),
        base="prepared",
    ),
    Fault(
        "a table is empty",
        table("products", "emptied", lambda found: found.slice(0, 0)),
        ("completeness", "products rows"),
        also=("integrity", "expectations", "leakage"),
        base="prepared",
    ),
    Fault(
        "the cleaning report is missing",
        without("deleted", "prepared/cleaning.json"),
        ("completeness", "cleaning.json"),
        also=("integrity",),
        base="prepared",
    ),
    Fault(
        "another version was prepared",
        cleaning("another version named", dataset="md5:" + "1" * 32 + ".dir"),
        ("completeness", "dataset"),
        base="prepared",
    ),
    Fault(
        "a cleaning rule touched most lines",
        cleaning("a rule said to touch most", rules=[{"rule": "prices", "rows": 70_000}]),
        ("completeness", "rule prices"),
        base="prepared",
    ),
    Fault(
        "a column is lost on the way",
        table("lines", "dropped", lambda t: t.drop_columns(["subclass"]), column="subclass"),
        ("integrity", "lines → products"),
        also=("expectations",),
        base="prepared",
    ),
    Fault(
        "a column lost its values on the way",
        column("customers", "age_group", "emptied", lambda c: pa.nulls(len(c), c.type)),
        ("completeness", "customers column age_group"),
        also=("expectations",),
        base="prepared",
    ),
    Fault(
        "a price became NaN",
        column("lines", "sales_price", "made NaN once", first(math.nan)),
        ("completeness", "lines column sales_price"),
        also=("integrity", "expectations"),
        base="prepared",
    ),
    Fault(
        "a median became infinite",
        column("products", "unit_price", "made infinite once", first(math.inf)),
        ("completeness", "products column unit_price"),
        also=("expectations",),
        base="prepared",
    ),
    Fault(
        "lines were lost on the way",
        table("lines", "ten dropped", lambda found: found.slice(10)),
        ("integrity", "lines rows"),
        base="prepared",
    ),
    Fault(
        "a customer is known to the lines alone",
        table("customers", "one dropped", lambda found: found.slice(1)),
        ("integrity", KNOWN),
        base="prepared",
    ),
    Fault(
        "a product has no line",
        column("products", "product", "renamed once", first("0000000000000")),
        ("integrity", "lines → products: product of products without lines"),
        base="prepared",
    ),
    Fault(
        "a basket stands twice",
        table("baskets", "one repeated", repeated),
        ("integrity", "lines → baskets: one row a key"),
        also=("expectations",),
        base="prepared",
    ),
    Fault(
        "a basket is of another day",
        column("baskets", "date", "moved once", first(date(2000, 10, 1))),
        ("integrity", "lines → baskets: customer, date of baskets without lines"),
        base="prepared",
    ),
    Fault(
        "a sum is wrong",
        column("baskets", "sales_price", "raised by one", lambda c: pc.add(c, 1.0)),
        ("integrity", "lines → baskets: sales_price = sum sales_price"),
        base="prepared",
    ),
    Fault(
        "a price is nothing after cleaning",
        column("lines", "sales_price", "zeroed once", first(0.0)),
        ("expectations", f"lines sales_price: {BETWEEN}"),
        also=("integrity",),
        base="prepared",
    ),
    Fault(
        "a trader's amount is left",
        column("lines", "amount", "set to 1200 once", first(1200)),
        ("expectations", f"lines amount: {BETWEEN}"),
        also=("integrity",),
        base="prepared",
    ),
    Fault(
        "a customer left before coming",
        column("customers", "last_day", "set before the first once", first(date(2000, 1, 1))),
        ("expectations", f"customers last_day, first_day: {PAIR}"),
        also=("integrity",),
        base="prepared",
    ),
)
