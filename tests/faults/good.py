"""Data versions that must pass: as they came, drawn again, in another order, and a true anomaly."""

import itertools
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from random import Random

from .bases import with_settings
from .fault import Good, Transformation, content, lines, one_after_another
from .lines import (
    AGE,
    CUSTOMER,
    LAST,
    MONTHS,
    POSTCODE,
    PRODUCT,
    Files,
    Row,
    dated,
    day_of,
    of,
    path_of,
    put,
    read,
    write,
)
from .versions import NEXT, only, until

UNUSUAL_DAYS = ("completeness", "usual days")
BEFORE = only(*MONTHS[:-1])  # the version without the last month


def unchanged() -> Transformation:
    return Transformation("left as it is", "data", lambda files, _: files)


def drawn_again(files: Files, rng: Random) -> Files:
    """As many customers, drawn with replacement, each draw under a number of its own."""
    months = {path_of(month): read(files[path_of(month)]) for month in MONTHS}
    customers = sorted({of(row, CUSTOMER) for rows in months.values() for row in rows})
    numbers: dict[str, list[str]] = {}
    for place in range(len(customers)):
        numbers.setdefault(rng.choice(customers), []).append(f"0{3_000_000 + place}")
    return {**files, **{path: write(_copies(rows, numbers)) for path, rows in months.items()}}


def _copies(rows: Iterable[Row], numbers: dict[str, list[str]]) -> Iterator[Row]:
    for row in rows:
        for number in numbers.get(of(row, CUSTOMER), ()):
            yield put(row, CUSTOMER, number)


def shuffled(rows: list[Row], rng: Random) -> Iterable[Row]:
    return rng.sample(rows, len(rows))


def in_halves(files: Files, rng: Random) -> Files:
    """Two files a month, and settings that do not ask for one."""
    kept = {path: files[path] for path in files if path not in map(path_of, MONTHS)}
    for month in MONTHS:
        rows = read(files[path_of(month)])
        half = len(rows) // 2
        kept |= {
            f"data/{month}-1.csv": write(rows[:half]),
            f"data/{month}-2.csv": write(rows[half:]),
        }
    asked = {"gates/data/completeness/month_in_name": False}
    return {**kept, "delivery.toml": with_settings(files["delivery.toml"], asked)}


def a_new_month(files: Files, rng: Random) -> Files:
    """March: each customer of February buys, four weeks later, what another one of them bought.

    Who and what only February knew is new in March: as many come and go as they did.
    """
    rows = read(files[path_of(LAST)])
    before = [row for month in MONTHS[:-1] for row in read(files[path_of(month)])]
    new_products = _new(rows, before, PRODUCT)
    customers = _new(rows, before, CUSTOMER)
    people = {of(row, CUSTOMER): row for row in rows}
    staying = sorted(people.keys() - customers.keys())
    others = rng.sample(staying, len(staying))
    customers |= dict(zip(others, others[1:] + others[:1], strict=True))
    march = []
    for row in rows:
        product, customer = of(row, PRODUCT), customers[of(row, CUSTOMER)]
        facts = people.get(customer, row)
        row = put(put(row, PRODUCT, new_products.get(product, product)), CUSTOMER, customer)
        row = put(put(row, AGE, of(facts, AGE)), POSTCODE, of(facts, POSTCODE))
        march.append(dated(row, day_of(row) + timedelta(days=28)))
    return {**files, path_of(NEXT): write(march)}


def _new(rows: list[Row], before: list[Row], column: str) -> dict[str, str]:
    """Values that only these lines have → others of the same form that no line has."""
    known = {of(row, column) for row in before}
    alone = sorted({of(row, column) for row in rows} - known)
    every = known | set(alone)
    numbers = itertools.count(3_000_000)
    return {value: _free(numbers, len(value), every) for value in alone}


def _free(numbers: Iterator[int], digits: int, every: set[str]) -> str:
    return next(text for n in numbers if (text := f"{n:0{digits}}") not in every)


GOOD = (
    Good(
        "the first month",
        until(date(2000, 11, 30)),
        before=None,
        warns=(UNUSUAL_DAYS,),
        base="all",
    ),
    Good(
        "the first two months",
        until(date(2000, 12, 31)),
        until(date(2000, 11, 30)),
        warns=(UNUSUAL_DAYS,),
        base="all",
    ),
    Good(
        "the first three months",
        until(date(2001, 1, 31)),
        until(date(2000, 12, 31)),
        base="all",
    ),
    Good(
        "all four months",
        unchanged(),
        until(date(2001, 1, 31)),
        base="all",
    ),
    Good(
        "the week before Christmas",
        until(date(2000, 12, 24)),
        until(date(2000, 12, 17)),
        warns=(UNUSUAL_DAYS,),
        base="all",
    ),
    Good(
        "some customers' lines",
        unchanged(),
        BEFORE,
    ),
    Good(
        "some customers' lines, and nothing released before",
        unchanged(),
        before=None,
        warns=(UNUSUAL_DAYS,),
    ),
    Good(
        "the version that is in production",
        unchanged(),
        unchanged(),
    ),
    Good(
        "two weeks of a month",
        until(date(2001, 2, 14)),
        BEFORE,
    ),
    Good(
        "customers drawn again",
        Transformation("drawn again", CUSTOMER, drawn_again),
        BEFORE,
        base="all",
    ),
    Good(
        "lines in another order",
        lines("shuffled", shuffled, months=MONTHS),
        BEFORE,
    ),
    Good(
        "lines in other files",
        Transformation("split in halves", "files", in_halves),
        BEFORE,
    ),
    Good(
        "lines with the line ends of another system",
        content("line ends changed", lambda file: file.replace(b"\r\n", b"\n"), months=MONTHS),
        BEFORE,
    ),
    Good(
        "a normal new month",
        one_after_another(
            Transformation("made of February", "month", a_new_month),
            until(date(2001, 3, 28)),
            does="added",
        ),
        until(date(2001, 2, 28)),
        base="all",
    ),
    Good(
        "tables as they were prepared",
        unchanged(),
        unchanged(),
        base="prepared",
    ),
)
