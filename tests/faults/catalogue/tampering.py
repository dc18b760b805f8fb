"""Faults where somebody changed what is judged, or what judges."""

from collections.abc import Iterable
from random import Random

from ..fault import (
    Fault,
    Transformation,
    cells,
    content,
    lines,
    number_times,
    one_after_another,
)
from ..lines import CUSTOMER, LAST, MONTHS, PRICE, Files, Row, of, path_of
from .suites import QUANTILES, entries, widened

FILE = f"{LAST}.csv"


def another_pointer(files: Files, _: object) -> Files:
    """`data.dvc` names another version than the one that is there."""
    text = files["data.dvc"]
    start = text.index(b"md5: ") + 5
    return {**files, "data.dvc": text[:start] + text[start : start + 32][::-1] + text[start + 32 :]}


def another_file(files: Files, _: object) -> Files:
    header, _, _ = files[path_of(LAST)].partition(b"\r\n")
    return {**files, "data/2001-03.csv": header + b"\r\n"}


def without_a_customer(rows: list[Row], rng: Random) -> Iterable[Row]:
    customer = of(rng.choice(rows), CUSTOMER)
    return [row for row in rows if of(row, CUSTOMER) != customer]


FAULTS = (
    Fault(
        "a byte was changed after data.dvc was written",
        content("a digit changed", lambda file: file[:-4] + b"0" + file[-3:]),
        ("tamper", FILE),
        known=False,
    ),
    Fault(
        "line ends were changed after data.dvc was written",
        content("line ends changed", lambda file: file.replace(b"\r\n", b"\n")),
        ("tamper", FILE),
        known=False,
    ),
    Fault(
        "data.dvc names another version",
        Transformation("digest changed", "data.dvc", another_pointer),
        ("tamper", "version"),
        known=False,
    ),
    Fault(
        "a file was added that data.dvc does not know",
        Transformation("a file added", "data", another_file),
        ("tamper", "2001-03.csv"),
        also=("files", "completeness"),
        known=False,
    ),
    Fault(
        "a customer was taken out after data.dvc was written",
        lines("a customer's lines dropped", without_a_customer),
        ("tamper", FILE),
        known=False,
    ),
    Fault(
        "prices changed, and their suite in the same commit",
        one_after_another(
            cells(PRICE, "multiplied by 100", number_times(100), months=MONTHS),
            entries("range widened", widened),
            does="multiplied, and the suite widened",
        ),
        ("suites", f"raw SALES_PRICE: {QUANTILES}"),
        also=("schema", "drift", "expectations"),
    ),
)
