"""Data versions that must pass: as they came, drawn again, in another order, and a true anomaly."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random
from typing import Any

from .fault import Good, Transformation, lines, one_after_another
from .lines import (
    CUSTOMER,
    LAST,
    MONTHS,
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


def everything(files: Files, rng: Random) -> Files:
    return files


def only(*months: str) -> Transformation:
    """The version that holds these months alone."""
    lost = {path_of(month) for month in MONTHS if month not in months}
    return Transformation(
        "as it was then", "data", lambda files, _: {p: files[p] for p in files if p not in lost}
    )


def until(day: date) -> Transformation:
    """The version that ended with this day."""

    def act(files: Files, rng: Random) -> Files:
        months = [month for month in MONTHS if month <= f"{day:%Y-%m}"]
        kept = only(*months).act(files, rng)
        last = path_of(months[-1])
        return {**kept, last: write(row for row in read(kept[last]) if day_of(row) <= day)}

    return Transformation(f"until {day}", "data", act)


def resampled(files: Files, rng: Random) -> Files:
    """As many customers, drawn with replacement; one that is drawn again gets another number."""
    customers = sorted({of(row, CUSTOMER) for m in MONTHS for row in read(files[path_of(m)])})
    drawn = [rng.choice(customers) for _ in customers]
    times: dict[str, list[str]] = {}
    free = iter(unused(customers))
    for customer in drawn:
        ids = times.setdefault(customer, [])
        ids.append(next(free) if ids else customer)
    return {**files, **{path_of(m): write(copies(read(files[path_of(m)]), times)) for m in MONTHS}}


def unused(customers: list[str]) -> Iterable[str]:
    known = set(customers)
    return (f"{number:08}" for number in range(3_000_000, 9_000_000) if f"{number:08}" not in known)


def copies(rows: list[Row], times: dict[str, list[str]]) -> Iterable[Row]:
    for row in rows:
        for customer in times.get(of(row, CUSTOMER), ()):
            yield put(row, CUSTOMER, customer)
