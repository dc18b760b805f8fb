"""What a model learns from: who bought which product on which day, seen from a cut.

A cut is a day: what lies before it is known, the four weeks from it on are to be foretold.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .errors import InputError
from .features import Floats, Ints
from .files import WINDOW, read_json
from .params import Train, Window

ITEM_FEATURES = (
    "log_share",
    "log_share_28d",
    "log_share_14d",
    "log_share_7d",
    "log_peak_week_share",
    "repeat_rate",
    "log_days_since_first_sale",
    "log_days_since_last_sale",
    "log_unit_price",
)


@dataclass(frozen=True)
class Purchases:
    """Purchases, sorted by customer, product and day; codes are positions in the id arrays."""

    customers: NDArray[np.str_]
    products: NDArray[np.str_]
    subclass: Ints  # [products]
    customer: Ints
    product: Ints
    day: Ints  # ordinal
    unit_price: NDArray[np.float64]


@dataclass(frozen=True)
class Days:
    """The cuts of a data version, as ordinals; a window runs up to the day before the next."""

    first: int
    validation: int
    test: int
    end: int  # the day after the last


@dataclass(frozen=True)
class Catalogue:
    """The items that can be recommended at a cut, and how they sold before it."""

    cut: int
    codes: Ints  # product codes of the items, sorted by id
    position: Ints  # [products], item index or -1
    features: Floats  # [items, item features]
    popularity: Floats  # [items], lines before the cut


def read(prepared: Path, *, with_test: bool = False) -> Purchases:
    """The purchases before the test window, and those in it where they are asked for.

    Raises:
        InputError: a table or column is missing, or there is no purchase.
    """
    columns = ["date", "customer", "product", "subclass", "amount", "sales_price"]
    names = ["lines", "test"] if with_test else ["lines"]
    tables = [read_table(prepared / f"{name}.parquet", columns) for name in names]
    if tables[0].empty:
        raise InputError("there is no purchase", str(prepared), "look at the raw data")
    lines = pd.concat(tables, ignore_index=True)
    customer, customers = pd.factorize(lines["customer"], sort=True)
    product, products = pd.factorize(lines["product"], sort=True)
    first = lines.drop_duplicates("product").set_index("product")  # known before, or of the test
    subclass = pd.factorize(first["subclass"].loc[products], sort=True)[0]
    day = lines["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    order = np.lexsort((day, product, customer))
    return Purchases(
        customers=np.asarray(customers, dtype=str),
        products=np.asarray(products, dtype=str),
        subclass=subclass.astype(np.int64),
        customer=customer[order].astype(np.int64),
        product=product[order].astype(np.int64),
        day=day[order] + date(1970, 1, 1).toordinal(),
        unit_price=(lines["sales_price"] / lines["amount"]).to_numpy(dtype=np.float64)[order],
    )


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Some columns of a Parquet file.

    Raises:
        InputError: the file or a column is missing, or it is no Parquet file.
    """
    todo = "run 'python -m ml.prepare'"
    try:
        table: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
        return table
    except FileNotFoundError as error:
        raise InputError(f"there is no {path.name}", str(path), todo) from error
    except (pa.ArrowInvalid, KeyError) as error:
        raise InputError(f"not the table expected: {error}", str(path), todo) from error


def end_of(prepared: Path, window: Window) -> int:
    """The day after the data's last, as an ordinal; training knows no line of its day.

    Raises:
        InputError: it is not said, or the data were split for another test window.
    """
    path, todo = prepared / WINDOW, "run 'python -m ml.prepare'"
    said = read_json(path, todo)
    try:
        first, last = (date.fromisoformat(said[name]).toordinal() for name in ("first", "last"))
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path.name} names no days", str(path), todo) from error
    if last + 1 - first != window.test_days:
        what = f"test_days is {window.test_days}, the data were split for {last + 1 - first}"
        raise InputError(what, str(path), todo)
    return last + 1


def days_of(purchases: Purchases, window: Window, end: int) -> Days:
    """The cuts of a data version that ends on the day before `end`.

    Raises:
        InputError: the data are too short for both windows and a history before them.
    """
    first = int(purchases.day.min())
    days = Days(first, end - window.test_days - window.validation_days, end - window.test_days, end)
    if days.validation - window.test_days <= first:
        raise InputError(
            f"{end - first} days of data are too few",
            "the prepared data",
            f"bring more than {2 * window.test_days + window.validation_days} days",
        )
    return days


def iso(day: int) -> str:
    """An ordinal as an ISO date."""
    return date.fromordinal(day).isoformat()


def catalogue(purchases: Purchases, cut: int, least: int) -> Catalogue:
    """The items with at least `least` purchases before a cut; there may be none."""
    before = purchases.day < cut
    product, day = purchases.product[before], purchases.day[before]
    lines = np.bincount(product, minlength=len(purchases.products))
    codes = np.flatnonzero(lines >= max(least, 1))
    position = np.full(len(purchases.products), -1, dtype=np.int64)
    position[codes] = np.arange(len(codes))
    columns = [
        *(_log_share(product, day, cut - span, len(lines)) for span in (10**6, 28, 14, 7)),
        _peak_week(product, day, cut, len(lines)),
        _repeat_rate(purchases.customer[before], product, len(lines)),
        np.log1p(cut - _extreme(np.minimum, product, day, len(lines), cut)),
        np.log1p(cut - _extreme(np.maximum, product, day, len(lines), 0)),
        np.log1p(_median(purchases.unit_price[before], product, len(lines))),
    ]
    features = np.stack(columns, axis=1)[codes].astype(np.float32)
    return Catalogue(cut, codes, position, features, lines[codes].astype(np.float32))


def catalogue_at(purchases: Purchases, cut: int, settings: Train) -> Catalogue:
    """The items that can be recommended at a cut.

    Raises:
        InputError: there is none.
    """
    items = catalogue(purchases, cut, settings.min_item_purchases)
    if len(items.codes) == 0:
        what = f"no product sold {settings.min_item_purchases} times before {iso(cut)}"
        raise InputError(what, "params.yaml: train", "lower min_item_purchases or bring more data")
    return items


def _log_share(product: Ints, day: Ints, since: int, count: int) -> NDArray[np.float64]:
    sold = np.bincount(product[day >= since], minlength=count)
    return np.log1p(1e5 * sold / max(int(sold.sum()), 1))


def _peak_week(product: Ints, day: Ints, cut: int, count: int) -> NDArray[np.float64]:
    week = (cut - 1 - day) // 7
    weeks = int(week.max(initial=0)) + 1
    sold = np.bincount(week * count + product, minlength=weeks * count).reshape(weeks, count)
    share = sold / np.maximum(sold.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.log1p(1e5 * share.max(axis=0)))


def _repeat_rate(customer: Ints, product: Ints, count: int) -> NDArray[np.float64]:
    """How many of an item's customers bought it again, drawn to the mean where they are few."""
    _, first, times = np.unique(customer * count + product, return_index=True, return_counts=True)
    buyers = np.bincount(product[first], minlength=count)
    again = np.bincount(product[first][times > 1], minlength=count)
    mean = again.sum() / max(int(buyers.sum()), 1)
    return np.asarray((again + 20 * mean) / (buyers + 20))


def _median(price: NDArray[np.float64], product: Ints, count: int) -> NDArray[np.float64]:
    """Each product's median price, 0 where it has none."""
    found = pd.Series(price).groupby(product).median()
    return np.asarray(found.reindex(range(count), fill_value=0.0), dtype=np.float64)


def _extreme(choose: np.ufunc, product: Ints, day: Ints, count: int, start: int) -> Ints:
    found = np.full(count, start, dtype=np.int64)
    choose.at(found, product, day)
    return found


def eligible(purchases: Purchases, cut: int, least_baskets: int) -> NDArray[np.bool_]:
    """Which customers have at least `least_baskets` baskets before a cut."""
    before = purchases.day < cut
    return baskets_before(purchases, before) >= least_baskets


def baskets_before(purchases: Purchases, before: NDArray[np.bool_]) -> Ints:
    """How many baskets each customer has among some purchases."""
    longest = int(purchases.day.max()) + 1
    visits = np.unique(purchases.customer[before] * longest + purchases.day[before])
    return np.bincount(visits // longest, minlength=len(purchases.customers))
