"""A small made-up shop with habits, promotions and dirt, as raw files by month."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
HEADER = (
    '"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PIN_CODE","PRODUCT_SUBCLASS","PRODUCT_ID",'
    '"AMOUNT","ASSET","SALES_PRICE"\r\n'
)
FIRST, DAYS = date(2000, 11, 1), 120
CUSTOMERS, PRODUCTS = 160, 60
AGES = ("<25", "25-29", "35-39", "")
SMALL = {  # what so few purchases can hold
    "min_item_purchases": 3,
    "customers_per_cut": 150,
    "batch": 32,
    "epochs": 2,
    "cut_step_days": 14,
    "samples": 20,
}


def write_raw(folder: Path, months: int = 4) -> Path:
    """The shop's lines as `folder/YYYY-MM.csv`; the same every time."""
    rng = np.random.default_rng(1)
    lines: dict[str, list[str]] = {}
    favourites = rng.integers(0, PRODUCTS, (CUSTOMERS, 5))
    for number in range(DAYS):
        day = FIRST + timedelta(number)
        promoted = (number // 7) % PRODUCTS
        for customer in np.flatnonzero(rng.random(CUSTOMERS) < 0.12).tolist():
            bought = {*rng.choice(favourites[customer], 2).tolist(), int(rng.integers(PRODUCTS))}
            bought |= {promoted} if rng.random() < 0.3 else set()
            rows = [_line(day, customer, product) for product in sorted(bought)]
            lines.setdefault(day.strftime("%Y-%m"), []).extend(rows)
    folder.mkdir(parents=True, exist_ok=True)
    for month in sorted(lines)[:months]:
        content = HEADER + "".join(lines[month])
        (folder / f"{month}.csv").write_bytes(content.encode())
    return folder


def _line(day: date, customer: int, product: int) -> str:
    when = f"{day.month}/{day.day}/{day.year}"
    subclass = f"{100_000 + product // 4}"
    cost = 10 + product
    values = (when, f"{customer + 1:08d}", AGES[customer % 4], "115", subclass)
    numbers = (f"{4_710_000_000_000 + product}", "1", f"{cost}", f"{cost + 5}")
    return ",".join(f'"{value}"' for value in (*values, *numbers)) + "\r\n"


def write_params(path: Path, changes: Mapping[str, Any] = SMALL) -> Path:
    """The project's own `params.yaml` with some training settings changed."""
    lines = []
    for line in (ROOT / "params.yaml").read_text().splitlines():
        key = line.partition(":")[0].strip()
        lines.append(f"  {key}: {changes[key]}" if key in changes else line)
    path.write_text("\n".join(lines) + "\n")
    return path
