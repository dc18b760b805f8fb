"""Faults of time: stale, late, early, or again."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random

from ..fault import Fault, Transformation, cells, lines, number_times, without
from ..lines import DAY, LAST, MONTHS, PRICE, Files, Row, dated, day_of, path_of, read, some, write
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


def into_its_month(files: Files, rng: Random) -> Files:
    """A tenth of the new lines booked four weeks back, in the file of that month."""
    chosen = set(some(len(rows := read(files[path_of(LAST)])), 0.1, rng))
    back = [dated(row, day_of(row) - timedelta(days=31)) for n, row in enumerate(rows) if n in chosen]
    january = path_of(MONTHS[2])
    kept = (row for place, row in enumerate(rows) if place not in chosen)
    old = read(files[january])
    return {**files, january: write([*old, *back]), path_of(LAST): write(kept)}


FAULTS = (
    Fault(
        "nothing new came",
        without("not delivered", path_of(LAST)),
        ("freshness", "newest day"),
    ),
    Fault(
        "a week lies between old and new",
        lines("its first week dropped", all_but(lambda day: day < date(2001, 2, 8))),
        ("freshness", "gap"),
    ),
    Fault(
        "lines of an old month are lost",
        lines(
            "a week dropped",
            all_but(lambda day: date(2001, 1, 8) <= day <= date(2001, 1, 14)),
            months=(MONTHS[2],),
            to="lines of the month before",
        ),
        ("freshness", "overlap"),
    ),
    Fault(
        "a tenth of the new lines was booked back",
        Transformation("moved into the month before", "lines", into_its_month),
        ("freshness", "overlap"),
    ),
    Fault(
        "prices of old months were written anew",
        cells(PRICE, "raised by a fifth", number_times(1.2), months=(MONTHS[2],)),
        ("freshness", "overlap"),
    ),
    Fault(
        "events come after the cut",
        lines("a tenth moved 60 days ahead", moved(60, share=0.1), to=DAY),
        ("freshness", "newest day"),
    ),
    Fault(
        "days are one late, as in another time zone",
        lines("moved by a day", moved(1), to=DAY),
        ("completeness", "missing days"),
    ),
    Fault(
        "a year is wrong",
        lines("moved by a year", moved(365), to=DAY),
        ("freshness", "newest day"),
    ),
    Fault(
        "all lines are of one day",
        lines("set to one day", on_one_day, to=DAY),
        ("completeness", "day 2001-02-28"),
    ),
)
