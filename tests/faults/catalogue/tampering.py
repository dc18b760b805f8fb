"""Faults where somebody changed what is judged, or what judges."""

from collections.abc import Iterable
from random import Random
from typing import Any

import tomlkit

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

SETTINGS = "delivery.toml"
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


def set_to(**changes: Any) -> Transformation:
    """Other settings of gates in `delivery.toml`: `gate__setting` → value, or None for no gate."""

    def act(files: Files, rng: Random) -> Files:
        document: Any = tomlkit.parse(files[SETTINGS].decode())
        for dotted, value in changes.items():
            subject, gate, *keys = dotted.split("__")
            if keys:
                document["gates"][subject][gate][keys[0]] = value
            else:
                del document["gates"][subject][gate]
        return {**files, SETTINGS: tomlkit.dumps(document).encode()}

    return Transformation("changed", f"{SETTINGS} {', '.join(changes)}", act)


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
    Fault(
        "drift is not asked any more",
        set_to(data__drift=None),
        ("suites", f"{SETTINGS} drift"),
    ),
    Fault(
        "prices may be re-scaled",
        set_to(data__drift__max_level=1.0),
        ("suites", f"{SETTINGS} drift"),
        severity="warn",
    ),
    Fault(
        "no day is the last one any more",
        set_to(data__freshness__as_of=""),
        ("suites", f"{SETTINGS} freshness"),
        severity="warn",
    ),
    Fault(
        "a suite is loosened, and what compares suites is left out",
        one_after_another(
            entries("range widened", widened),
            set_to(data__suites=None),
            does="widened, and the gate left out",
        ),
        ("suites", f"raw SALES_PRICE: {QUANTILES}"),
    ),
    Fault(
        "leakage is not asked any more",
        set_to(prepared__leakage=None),
        ("suites", f"{SETTINGS} leakage"),
        base="prepared",
    ),
    Fault(
        "half of the prepared lines may be lost",
        set_to(prepared__completeness__min_kept=0.5),
        ("suites", f"{SETTINGS} completeness"),
        severity="warn",
        base="prepared",
    ),
)
