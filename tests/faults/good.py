"""Data versions that must pass: as they came, drawn again, in another order, and a true anomaly."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from .bases import with_settings
from .fault import Good, Transformation, lines, one_after_another
from .lines import (
    AGE,
    CUSTOMER,
    LAST,
    MONTHS,
    POSTCODE,
    PRICE,
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

WEEK = date(2000, 12, 24)  # the last day of the week in which the shop was nearly empty
MARCH = "2001-03"


def only(*months: str) -> Transformation:
    """The version that holds these months alone."""
    lost = {path_of(month) for month in (*MONTHS, MARCH) if month not in months}
    return Transformation(
        "left alone", " ".join(months), lambda files, _: {p: files[p] for p in files if p not in lost}
    )


def until(last: date) -> Transformation:
    """The version that ended with this day, beside the settings that it was judged by."""

    def act(files: Files, rng: Random) -> Files:
        months = [month for month in (*MONTHS, MARCH) if month <= f"{last:%Y-%m}"]
        kept = only(*months).act(files, rng)
        path = path_of(months[-1])
        rows = (row for row in read(kept[path]) if day_of(row) <= last)
        return {**kept, path: write(rows), **as_of(kept, last)}

    return Transformation("ended", f"{last}", act)


def as_of(files: Files, last: date) -> Files:
    """What `delivery.toml` and the suite said when the data ended on this day."""
    days = (last - date(2000, 11, 1)).days + 1
    floor = 3_000 if b"min_rows = 50000" in files["delivery.toml"] else 30_000
    changes = {
        "gates/data/freshness/as_of": f"{last}",
        "gates/data/completeness/min_rows": floor,
    }
    suite = json.loads(files["ml/expectations/raw.json"])
    for entry in suite["expectations"]:
        limits = entry["kwargs"]
        if limits.get("column") == "TRANSACTION_DT" and "max_to" in entry["type"]:
            limits["min_value"] = f"{last - timedelta(days=7)}T00:00:00"
        if limits.get("column") == "TRANSACTION_DT" and "unique" in entry["type"]:
            limits["min_value"] = min(days, limits["min_value"])
    return {
        "delivery.toml": with_settings(files["delivery.toml"], changes),
        "ml/expectations/raw.json": json.dumps(suite).encode(),
    }


def resampled(files: Files, rng: Random) -> Files:
    """As many customers, drawn with replacement; one drawn again gets a number of its own."""
    months = {path_of(month): read(files[path_of(month)]) for month in MONTHS}
    customers = sorted({of(row, CUSTOMER) for rows in months.values() for row in rows})
    free = iter(sorted({f"0{number}" for number in range(3_000_000, 9_000_000, 17)} - set(customers)))
    drawn: dict[str, list[str]] = {}
    for _ in customers:
        known = drawn.setdefault(rng.choice(customers), [])
        known.append(next(free))
    return {
        **files,
        **{
            path: write(put(row, CUSTOMER, new) for row in rows for new in drawn.get(of(row, CUSTOMER), ()))
            for path, rows in months.items()
        },
    }
