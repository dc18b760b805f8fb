"""Faults of time: stale, late, early, or again."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random

from ..fault import Fault, Transformation, cells, lines, number_times, without
from ..lines import (
    DAY,
    LAST,
    MONTHS,
    PRICE,
    Files,
    Row,
    dated,
    day_of,
    path_of,
    read,
    some,
    without_repeats,
    write,
)
from .missing import all_but


def moved(days: int, *, share: float = 1.0) -> Callable[[list[Row], Random], Iterable[Row]]:
    """A share of the lines so many days later."""

    def change(rows: list[Row], rng: Random) -> Iterable[Row]:
        chosen = some(len(rows), share, rng)
        for place, row in enumerate(rows):
            later = dated(row, day_of(row) + timedelta(days=days))
            yield later if place in chosen else row

    return change


def on_one_day(rows: list[Row], rng: Random) -> Iterable[Row]:
    return [dated(row, date(2001, 2, 28)) for row in rows]


def exchanged(files: Files, rng: Random) -> Files:
    first, second = path_of(MONTHS[2]), path_of(LAST)
    return {**files, first: files[second], second: files[first]}


def into_its_month(files: Files, rng: Random) -> Files:
    """A tenth of the new lines booked four weeks back, in the file of that month."""
    january, rows = path_of(MONTHS[2]), read(files[path_of(LAST)])
    chosen = some(len(rows), 0.1, rng)
    back = (dated(rows[place], day_of(rows[place]) - timedelta(days=28)) for place in chosen)
    old = without_repeats([*read(files[january]), *(row for row in back if day_of(row).month == 1)])
    kept = (row for place, row in enumerate(rows) if place not in chosen)
    return {**files, january: write(old), path_of(LAST): write(kept)}


FAULTS = (
    Fault(
        "nothing new came",
        without("not delivered", path_of(LAST)),
        ("freshness", "last day"),
        also=("drift",),
    ),
    Fault(
        "a week lies between old and new",
        lines("its first week dropped", all_but(lambda day: day < date(2001, 2, 8))),
        ("freshness", "gap"),
        also=("completeness",),
    ),
    Fault(
        "lines of an old month are lost",
        lines(
            "a week dropped",
            all_but(lambda day: date(2001, 1, 8) <= day <= date(2001, 1, 14)),
            months=(MONTHS[2],),
            to="lines of the month before",
        ),
        ("completeness", "lost days"),
        also=("drift",),
    ),
    Fault(
        "a tenth of the new lines was booked back",
        Transformation("moved into the month before", "lines", into_its_month),
        ("freshness", "overlap"),
        also=("drift",),
    ),
    Fault(
        "prices of old months were written anew",
        cells(PRICE, "raised by a twentieth", number_times(1.05), months=(MONTHS[2],)),
        ("drift", f"rewritten {PRICE}"),
    ),
    Fault(
        "events come after the cut",
        lines("a tenth moved 60 days ahead", moved(60, share=0.1), to=DAY),
        ("freshness", "after the cut"),
        also=("completeness", "integrity"),
    ),
    Fault(
        "days are one late, as in another time zone",
        lines("moved by a day", moved(1), to=DAY),
        ("completeness", "missing days"),
        also=("freshness",),
    ),
    Fault(
        "a year is wrong",
        lines("moved by a year", moved(365), to=DAY),
        ("freshness", "after the cut"),
        also=("completeness", "expectations"),
    ),
    Fault(
        "two months have each other's name",
        Transformation("exchanged and committed", "files", exchanged),
        ("completeness", f"months in {LAST}.csv"),
    ),
    Fault(
        "all lines are of one day",
        lines("set to one day", on_one_day, to=DAY),
        ("completeness", "fullest day"),
        also=("freshness", "duplicates", "integrity"),
    ),
)
