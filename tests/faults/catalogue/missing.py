"""Faults where something is not there: a file, lines, a day, a column."""

import gzip
from collections.abc import Callable, Iterable
from datetime import date
from random import Random

from ..fault import Fault, content, lines, without
from ..lines import COLUMNS, CUSTOMER, LAST, MONTHS, Row, basket_of, day_of, of, path_of, some

FILE = f"{LAST}.csv"
PAGE = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>\n"


def nothing(rows: list[Row], rng: Random) -> Iterable[Row]:
    return ()


def all_but(lost: Callable[[date], bool]) -> Callable[[list[Row], Random], Iterable[Row]]:
    return lambda rows, _: [row for row in rows if not lost(day_of(row))]


def every_second_line(rows: list[Row], rng: Random) -> Iterable[Row]:
    return rows[::2]


def half_of_the_customers(rows: list[Row], rng: Random) -> Iterable[Row]:
    customers = sorted({of(row, CUSTOMER) for row in rows})
    kept = set(rng.sample(customers, len(customers) // 2))
    return [row for row in rows if of(row, CUSTOMER) in kept]


def most_of_a_day(rows: list[Row], rng: Random) -> Iterable[Row]:
    places = [place for place, row in enumerate(rows) if day_of(row) == date(2001, 2, 18)]
    lost = {places[number] for number in some(len(places), 0.9, rng)}
    return [row for place, row in enumerate(rows) if place not in lost]


def the_first_of_each_basket(rows: list[Row], rng: Random) -> Iterable[Row]:
    return {basket_of(row): row for row in reversed(rows)}.values()


def a_fifth(rows: list[Row], rng: Random) -> Iterable[Row]:
    lost = some(len(rows), 0.2, rng)
    return [row for place, row in enumerate(rows) if place not in lost]


def last_column_cut(file: bytes) -> bytes:
    found = file.splitlines(keepends=True)
    return b"".join(line.rsplit(b",", 1)[0] + b"\r\n" for line in found)


def up_to_a_line_end(file: bytes) -> bytes:
    return file[: file.rindex(b"\r\n", 0, len(file) * 6 // 10) + 2]


FAULTS = (
    Fault(
        "a file is empty",
        content("emptied", lambda _: b""),
        ("files", FILE),
        also=("schema", "freshness", "drift"),
    ),
    Fault(
        "a file holds its header alone",
        lines("all dropped", nothing),
        ("files", FILE),
        also=("completeness", "freshness", "drift"),
    ),
    Fault(
        "no file holds a line",
        lines("all dropped", nothing, to="lines of every month", months=MONTHS),
        ("completeness", "rows"),
        also=("files", "schema", "freshness", "duplicates", "integrity", "drift", "expectations"),
    ),
    Fault(
        "there is no file",
        without("deleted", *map(path_of, MONTHS)),
        ("files", "number of files"),
        also=(
            "schema",
            "completeness",
            "freshness",
            "duplicates",
            "integrity",
            "drift",
            "expectations",
        ),
    ),
    Fault(
        "a month in the middle is lost",
        without("deleted", path_of("2000-12")),
        ("completeness", "missing days"),
    ),
    Fault(
        "a day is lost",
        lines("a day dropped", all_but(lambda day: day == date(2001, 2, 14))),
        ("completeness", "missing days"),
    ),
    Fault(
        "every Sunday is lost",
        lines("Sundays dropped", all_but(lambda day: day.weekday() == 6)),
        ("completeness", "missing days"),
    ),
    Fault(
        "most of a Sunday is lost",
        lines("most of a day dropped", most_of_a_day),
        ("completeness", "usual days"),
        severity="warn",
    ),
    Fault(
        "half of the lines are lost",
        lines("every second dropped", every_second_line),
        ("completeness", f"usual month {LAST}"),
        also=("integrity",),
    ),
    Fault(
        "half of the customers are lost",
        lines("half of the customers dropped", half_of_the_customers),
        ("completeness", f"usual month {LAST}"),
        base="all",  # half of a few customers may be of other ages
    ),
    Fault(
        "only the first line of each basket came",
        lines("baskets cut to a line", the_first_of_each_basket),
        ("completeness", f"month {LAST}"),
        also=("integrity", "drift"),
    ),
    Fault(
        "a file is cut off in a line",
        content("cut in a line", lambda file: file[: len(file) // 2 - 7]),
        ("files", FILE),
        also=("schema", "freshness", "drift"),
    ),
    Fault(
        "a file is cut off in its last value",
        content("cut in a value", lambda file: file[:-3]),
        ("files", FILE),
    ),
    Fault(
        "a file is cut off between two lines",
        content("cut at a line end", up_to_a_line_end),
        ("freshness", "last day"),
    ),
    Fault(
        "a column is lost in one file",
        content("cut from a file", last_column_cut, to=COLUMNS[-1]),
        ("schema", f"header {FILE}"),
        also=("completeness", "drift", "expectations"),
    ),
    Fault(
        "a column is lost everywhere",
        content("cut", last_column_cut, to=COLUMNS[-1], months=MONTHS),
        ("completeness", f"column {COLUMNS[-1]}"),
        also=("schema", "expectations"),
    ),
    Fault(
        "a proxy's error page came in a file's place",
        content("replaced by a web page", lambda _: PAGE),
        ("schema", f"header {FILE}"),
        also=("completeness", "freshness", "drift"),
    ),
    Fault(
        "a file is still compressed",
        content("compressed", lambda file: gzip.compress(file, mtime=0)),
        ("files", FILE),
        also=("schema", "freshness", "drift"),
    ),
    Fault(
        "a file is zeros",
        content("zeroed", lambda file: bytes(len(file))),
        ("files", FILE),
        also=("schema", "freshness", "drift"),
    ),
    Fault(
        "a fifth of an old month is lost",
        lines("a fifth dropped", a_fifth, months=(MONTHS[0],), to="lines of the first month"),
        ("freshness", "overlap"),
    ),
)
