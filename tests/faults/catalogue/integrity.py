"""Faults where lines contradict each other, or name what nobody knows."""

from collections.abc import Callable, Iterable
from random import Random
from zlib import crc32

from ..fault import Fault, cells, lines, to_value
from ..lines import (
    AGE,
    CUSTOMER,
    PLACE,
    POSTCODE,
    PRODUCT,
    SUBCLASS,
    Row,
    of,
    put,
    without_repeats,
)

AGES = ("<25", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", ">65")
TOWNS = ("105", "106", "110", "114", "115", "221", "Others")


def other_customer(text: str, rng: Random) -> str:
    """Another pseudonym for each customer: the key that made them was changed."""
    return f"0{crc32(text.encode()) % 10_000_000:07}"


def other_product(text: str, rng: Random) -> str:
    """Another number of the same form for each product."""
    return f"{crc32(text.encode()) * 1000 % 10 ** len(text):0{len(text)}}"


def merged(text: str, rng: Random) -> str:
    """Customers cut to four digits, so that many become one."""
    return f"0000{text[4:]}"


def one_of(values: tuple[str, ...]) -> Callable[[str, Random], str]:
    return lambda _, rng: rng.choice(values)


def permuted(*columns: str) -> Callable[[list[Row], Random], Iterable[Row]]:
    """Columns of lines in another order than the rest of them, as a join by position gives."""

    def joined(row: Row, other: Row) -> Row:
        for column in columns:
            row = put(row, column, of(other, column))
        return row

    def change(rows: list[Row], rng: Random) -> Iterable[Row]:
        others = rng.sample(rows, len(rows))
        return without_repeats(map(joined, rows, others))

    return change


def one_below(rows: list[Row], rng: Random) -> Iterable[Row]:
    """Products one line below their place: a spreadsheet's column was sorted or moved alone."""
    place = PLACE[PRODUCT]
    moved = zip(rows, [rows[-1], *rows[:-1]], strict=True)
    return without_repeats((*row[:place], above[place], *row[place + 1 :]) for row, above in moved)


FAULTS = (
    Fault(
        "customers are unknown to the rest",
        cells(CUSTOMER, "given new pseudonyms", other_customer),
        ("integrity", "unknown CUSTOMER_ID"),
    ),
    Fault(
        "products are unknown to the rest",
        cells(PRODUCT, "given new numbers", other_product),
        ("integrity", "unknown PRODUCT_ID"),
        also=("drift",),
    ),
    Fault(
        "many customers became one",
        cells(CUSTOMER, "cut to four digits", merged),
        ("integrity", "AGE_GROUP of CUSTOMER_ID"),
    ),
    Fault(
        "all customers became one",
        cells(CUSTOMER, "made one", to_value("01104905")),
        ("integrity", "AGE_GROUP of CUSTOMER_ID"),
        also=("duplicates", "drift"),
    ),
    Fault(
        "products are in several subclasses",
        lines("exchanged", permuted(SUBCLASS), to=SUBCLASS),
        ("integrity", "PRODUCT_SUBCLASS of PRODUCT_ID"),
        also=("drift",),
    ),
    Fault(
        "products moved one line down",
        lines("moved one line down", one_below, to=PRODUCT),
        ("integrity", "PRODUCT_SUBCLASS of PRODUCT_ID"),
        also=("drift",),
    ),
    Fault(
        "customers are in other lines",
        lines("exchanged", permuted(CUSTOMER), to=CUSTOMER),
        ("integrity", "AGE_GROUP of CUSTOMER_ID"),
    ),
    Fault(
        "customers have several ages",
        cells(AGE, "drawn anew in a twentieth", one_of(AGES), share=0.05),
        ("integrity", "AGE_GROUP of CUSTOMER_ID"),
    ),
    Fault(
        "customers live in several places",
        cells(POSTCODE, "drawn anew in a twentieth", one_of(TOWNS), share=0.05),
        ("integrity", "PIN_CODE of CUSTOMER_ID"),
    ),
    Fault(
        "baskets were torn",
        lines("exchanged", permuted(CUSTOMER, AGE, POSTCODE), to="customer with age and postcode"),
        ("integrity", "lines a TRANSACTION_DT and CUSTOMER_ID"),
    ),
)
