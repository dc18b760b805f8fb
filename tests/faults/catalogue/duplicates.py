"""Faults where something came twice."""

from collections.abc import Iterable
from datetime import timedelta
from random import Random

from ..fault import Fault, Transformation, lines
from ..lines import (
    AMOUNT,
    LAST,
    MONTHS,
    PRICE,
    Files,
    Row,
    basket_of,
    dated,
    day_of,
    of,
    path_of,
    put,
    read,
    some,
    write,
)


def one_line(rows: list[Row], rng: Random) -> Iterable[Row]:
    return [*rows, rng.choice(rows)]


def some_lines(rows: list[Row], rng: Random) -> Iterable[Row]:
    return [*rows, *(rows[place] for place in some(len(rows), 0.02, rng))]


def with_another_amount(rows: list[Row], rng: Random) -> Iterable[Row]:
    """Lines sent again after a correction: same key, one piece more."""
    again = (rows[place] for place in sorted(some(len(rows), 0.02, rng)))
    return [*rows, *(put(row, AMOUNT, str(int(of(row, AMOUNT)) + 1)) for row in again)]


def a_basket(rows: list[Row], rng: Random) -> Iterable[Row]:
    """The largest basket again on the next day, as a till's late upload books it."""
    sizes: dict[tuple[str, str], int] = {}
    for row in rows:
        sizes[basket_of(row)] = sizes.get(basket_of(row), 0) + 1
    largest = max(sizes, key=lambda key: (sizes[key], key))
    again = [row for row in rows if basket_of(row) == largest]
    return [*rows, *(dated(row, day_of(row) - timedelta(days=1)) for row in again)]


def baskets_repriced(rows: list[Row], rng: Random) -> Iterable[Row]:
    """A hundredth of the baskets again, with prices rounded."""
    keys = sorted({basket_of(row) for row in rows})
    chosen = {keys[place] for place in some(len(keys), 0.01, rng)}
    again = [row for row in rows if basket_of(row) in chosen]
    return [*rows, *(put(row, PRICE, str(round(int(of(row, PRICE)) + 5, -1))) for row in again)]


def the_month_again(files: Files, rng: Random) -> Files:
    return {**files, f"data/{LAST}-again.csv": files[path_of(LAST)]}


def january_as_february(files: Files, rng: Random) -> Files:
    """The month before, four weeks later: what a job with a wrong parameter sends."""
    old = (dated(row, day_of(row) + timedelta(days=28)) for row in read(files[path_of(MONTHS[2])]))
    return {**files, path_of(LAST): write(row for row in old if day_of(row).month == 2)}


FAULTS = (
    Fault(
        "a line stands twice",
        lines("one repeated", one_line),
        ("duplicates", "exact"),
    ),
    Fault(
        "a fiftieth of the lines stands twice",
        lines("some repeated", some_lines),
        ("duplicates", "exact"),
    ),
    Fault(
        "corrected lines stand beside the old ones",
        lines("repeated with another value", with_another_amount, to=AMOUNT),
        ("duplicates", "keyed"),
    ),
    Fault(
        "a basket was sent twice",
        lines("a basket repeated on another day", a_basket),
        ("duplicates", "repeated baskets"),
    ),
    Fault(
        "baskets were sent twice, rounded",
        lines("baskets repeated with another value", baskets_repriced, to=PRICE),
        ("duplicates", "keyed"),
    ),
    Fault(
        "a month was delivered twice",
        Transformation("repeated in another file", "month", the_month_again),
        ("duplicates", "same file"),
        also=("completeness", "integrity"),
    ),
    Fault(
        "the month before was delivered as the new one",
        Transformation("replaced by the month before", "month", january_as_february),
        ("duplicates", "repeated baskets"),
        also=("integrity",),
    ),
)
