"""Earlier and later versions of the real data, with the settings that they were judged by."""

import json
from datetime import date, timedelta
from random import Random
from typing import Any

import tomlkit

from .bases import with_settings
from .fault import Transformation
from .lines import MONTHS, Files, day_of, path_of, read, write

FIRST, LAST_DAY = date(2000, 11, 1), date(2001, 2, 28)
NEXT = "2001-03"
SUITE = "ml/expectations/raw.json"


def only(*months: str) -> Transformation:
    """The version that holds these months alone."""
    lost = tuple(f"data/{month}" for month in (*MONTHS, NEXT) if month not in months)

    def act(files: Files, rng: Random) -> Files:
        return {path: files[path] for path in files if not path.startswith(lost)}

    return Transformation("left alone", " ".join(months), act)


def until(last: date) -> Transformation:
    """The version that ended with this day."""

    def act(files: Files, rng: Random) -> Files:
        months = [month for month in (*MONTHS, NEXT) if month <= f"{last:%Y-%m}"]
        kept = only(*months).act(files, rng)
        path = path_of(months[-1])
        rows = (row for row in read(kept[path]) if day_of(row) <= last)
        return {**kept, path: write(rows), **_as_of(kept, last)}

    return Transformation("ended", f"{last}", act)


def _as_of(files: Files, last: date) -> Files:
    """What `delivery.toml` and the suite said when the data ended with this day."""
    days = (last - FIRST).days + 1
    standing: Any = tomlkit.parse(files["delivery.toml"].decode())
    floor = standing["gates"]["data"]["completeness"]["min_rows"]
    changes = {
        "gates/data/freshness/as_of": f"{last}",
        "gates/data/completeness/min_rows": int(floor * min(1, days / 120)),
    }
    suite = json.loads(files[SUITE])
    for entry in suite["expectations"]:
        limits, kind = entry["kwargs"], entry["type"]
        if limits.get("column") == "TRANSACTION_DT" and "column_max" in kind:
            limits["min_value"] = f"{last - timedelta(days=36)}T00:00:00"
        if limits.get("column") == "TRANSACTION_DT" and "unique" in kind:
            limits["min_value"] = min(days, limits["min_value"])
        if limits.get("regex") == "^0" and days < 92:  # one odd customer weighs more then
            limits["mostly"] = 0.99
    return {
        "delivery.toml": with_settings(files["delivery.toml"], changes),
        SUITE: json.dumps(suite).encode(),
    }
