"""Faults where somebody changed what is judged, or what judges."""

from ..fault import Fault, Transformation, cells, content, number_times, one_after_another
from ..lines import LAST, MONTHS, PRICE, Files, path_of
from .suites import QUANTILES, entries, widened
from .time import exchanged

FILE = f"{LAST}.csv"


def another_pointer(files: Files, _: object) -> Files:
    """`data.dvc` names another version than the one that is there."""
    text = files["data.dvc"]
    start = text.index(b"md5: ") + 5
    return {**files, "data.dvc": text[:start] + text[start : start + 32][::-1] + text[start + 32 :]}


def another_file(files: Files, _: object) -> Files:
    header, _, _ = files[path_of(LAST)].partition(b"\r\n")
    return {**files, "data/2001-03.csv": header + b"\r\n"}


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
        "two files were exchanged",
        Transformation("two files exchanged", "data", exchanged),
        ("tamper", FILE),
        also=("completeness",),
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
