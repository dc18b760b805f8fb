"""Faults of form: types, dates, encodings, headers and columns that are not as declared."""

from collections.abc import Callable, Iterable
from random import Random

from ..fault import Fault, cells, content, lines, to_value
from ..lines import (
    AGE,
    AMOUNT,
    ASSET,
    COLUMNS,
    CUSTOMER,
    DAY,
    LAST,
    MONTHS,
    PLACE,
    PRICE,
    PRODUCT,
    SUBCLASS,
    Row,
)

FILE = f"{LAST}.csv"
REGEX = "expect_column_values_to_match_regex"
SET = "expect_column_values_to_be_in_set"
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def stripped(text: str, rng: Random) -> str:
    return text.lstrip("0")


def iso(text: str, rng: Random) -> str:
    month, day, year = text.split("/")
    return f"{year}-{int(month):02}-{int(day):02}"


def day_first(text: str, rng: Random) -> str:
    month, day, year = text.split("/")
    return f"{day}/{month}/{year}"


def short_year(text: str, rng: Random) -> str:
    return text[:-4] + text[-2:]


def with_time(text: str, rng: Random) -> str:
    return f"{text} 00:00"


def scientific(text: str, rng: Random) -> str:
    return f"{float(text):.5E}"


def to_header(*names: str) -> Callable[[bytes], bytes]:
    """The change of a file's first line."""
    line = ('"' + '","'.join(names) + '"').encode()
    return lambda file: line + file[file.index(b"\r\n") :]


def reordered(file: bytes) -> bytes:
    """Product before subclass, in the header and in each line."""
    found = (line.split(b",") for line in file.splitlines(keepends=True))
    return b"".join(b",".join((*c[:4], c[5], c[4], *c[6:])) for c in found)


def numbered(file: bytes) -> bytes:
    """A row number before each line, as some exports write it."""
    found = file.splitlines(keepends=True)
    return b"".join(f'"{number or ""}",'.encode() + line for number, line in enumerate(found))


def shifted(rows: list[Row], rng: Random) -> Iterable[Row]:
    """In every hundredth line a lost cell moves the next ones to the left."""
    for number, row in enumerate(rows):
        yield row if number % 100 else (*row[:2], *row[3:6], row[6], row[7], row[8], "")


def header_again(file: bytes) -> bytes:
    """Two exports put one behind the other, with both headers."""
    header, _, rest = file.partition(b"\r\n")
    half = rest.index(b"\r\n", len(rest) // 2) + 2
    return header + b"\r\n" + rest[:half] + header + b"\r\n" + rest[half:]


def renamed() -> tuple[str, ...]:
    return tuple("PRICE" if name == PRICE else name for name in COLUMNS)


def swapped() -> tuple[str, ...]:
    """Names of cost and price in each other's place, cells as they were."""
    return (*COLUMNS[: PLACE[ASSET]], PRICE, ASSET)


FAULTS = (
    Fault(
        "customers lost their leading zeros",
        cells(CUSTOMER, "stripped of zeros", stripped),
        ("expectations", f"raw CUSTOMER_ID: {REGEX}"),
        also=("schema", "integrity"),
    ),
    Fault(
        "products lost their leading zeros",
        cells(PRODUCT, "stripped of zeros", stripped),
        ("expectations", f"raw PRODUCT_ID: {REGEX}"),
        also=("schema",),
    ),
    Fault(
        "products went through a spreadsheet",
        cells(PRODUCT, "written as 4.71E+12", scientific),
        ("expectations", f"raw PRODUCT_ID: {REGEX}"),
        also=("schema", "duplicates", "integrity", "drift"),
    ),
    Fault(
        "products end with a space",
        cells(PRODUCT, "padded", lambda text, _: f"{text} ", share=0.01),
        ("expectations", f"raw PRODUCT_ID: {REGEX}"),
        also=("schema",),
    ),
    Fault(
        "customers are in full-width digits",
        cells(CUSTOMER, "widened", lambda text, _: text.translate(WIDE), share=0.01),
        ("expectations", f"raw CUSTOMER_ID: {REGEX}"),
        also=("schema",),
    ),
    Fault(
        "dates are in another form",
        cells(DAY, "written as 2001-02-01", iso),
        ("schema", f"values of {DAY}"),
        also=("completeness", "freshness", "duplicates", "drift", "expectations"),
    ),
    Fault(
        "day and month are swapped",
        cells(DAY, "written day first", day_first),
        ("schema", f"values of {DAY}"),
        also=("completeness", "freshness", "duplicates", "integrity", "drift", "expectations"),
    ),
    Fault(
        "years have two digits",
        cells(DAY, "cut to two digits of the year", short_year, share=0.1),
        ("schema", f"values of {DAY}"),
        also=("duplicates", "expectations"),
    ),
    Fault(
        "dates have a time behind them",
        cells(DAY, "given a time", with_time),
        ("schema", f"values of {DAY}"),
        also=("completeness", "freshness", "duplicates", "drift", "expectations"),
    ),
    Fault(
        "amounts are decimals as text",
        cells(AMOUNT, "written with a decimal", lambda text, _: f"{text}.0"),
        ("schema", f"values of {AMOUNT}"),
        also=("drift", "expectations"),
    ),
    Fault(
        "amounts are halves",
        cells(AMOUNT, "halved", lambda text, _: f"{int(text) / 2}", share=0.02),
        ("schema", f"values of {AMOUNT}"),
        also=("drift", "expectations"),
    ),
    Fault(
        "prices have a decimal comma",
        cells(PRICE, "written with a decimal comma", lambda text, _: f"{text},00"),
        ("schema", f"values of {PRICE}"),
        also=("drift", "expectations"),
    ),
    Fault(
        "costs have a currency",
        cells(ASSET, "given a currency", lambda text, _: f"NT$ {text}", share=0.01),
        ("schema", f"values of {ASSET}"),
        also=("drift", "expectations"),
    ),
    Fault(
        "amounts are words",
        cells(AMOUNT, "made words", to_value("one"), share=0.01),
        ("schema", f"values of {AMOUNT}"),
        also=("drift", "expectations"),
    ),
    Fault(
        "an age group is an age",
        cells(AGE, "made a single age", lambda text, _: text[:2].strip("<>"), share=0.01),
        ("expectations", f"raw AGE_GROUP: {SET}"),
        also=("schema", "integrity", "drift"),
    ),
    Fault(
        "subclasses lost a digit",
        cells(SUBCLASS, "cut", lambda text, _: text[:-1], share=0.01),
        ("expectations", f"raw PRODUCT_SUBCLASS: {REGEX}"),
        also=("schema", "integrity"),
    ),
    Fault(
        "a file is in UTF-16",
        content("encoded in UTF-16", lambda file: file.decode().encode("utf-16")),
        ("files", FILE),
        also=("schema", "freshness", "drift"),
    ),
    Fault(
        "a file holds bytes of another encoding",
        content("encoded in Big5", lambda file: file.replace(b'"Others"', "其他".encode("big5"))),
        ("files", FILE),
        also=("schema", "freshness", "drift"),
    ),
    Fault(
        "a file begins with a byte order mark",
        content("given a mark", lambda file: b"\xef\xbb\xbf" + file),
        ("schema", f"header {FILE}"),
    ),
    Fault(
        "a file is separated by semicolons",
        content("separated by semicolons", lambda file: file.replace(b'","', b'";"')),
        ("schema", f"header {FILE}"),
        also=("files", "freshness", "drift"),
    ),
    Fault(
        "a header is lost",
        content("header cut", lambda file: file.partition(b"\r\n")[2]),
        ("schema", f"header {FILE}"),
        also=("completeness", "freshness", "drift"),
    ),
    Fault(
        "a header stands in the middle again",
        content("header repeated", header_again),
        ("schema", f"values of {DAY}"),
        also=("expectations",),
    ),
    Fault(
        "a column is renamed",
        content("renamed", to_header(*renamed()), to=PRICE),
        ("schema", f"header {FILE}"),
        also=("completeness", "drift", "expectations"),
    ),
    Fault(
        "two columns have each other's name",
        content("named as each other", to_header(*swapped()), to=f"{ASSET} and {PRICE}"),
        ("schema", f"header {FILE}"),
        also=("drift", "expectations"),
    ),
    Fault(
        "columns are reordered",
        content("reordered", reordered, to=f"{SUBCLASS} and {PRODUCT}", months=MONTHS),
        ("schema", f"header {FILE}"),
    ),
    Fault(
        "there is an extra column",
        content("row numbers added", numbered, months=MONTHS),
        ("schema", f"header {FILE}"),
    ),
    Fault(
        "cells moved to the left in some lines",
        lines("shifted to the left", shifted),
        ("schema", f"allowed {AGE}"),
        also=("completeness", "duplicates", "integrity", "drift", "expectations"),
    ),
)
