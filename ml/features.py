"""Requests become the model's inputs, its outputs become items: the same in training and serving.

Numpy and the standard library only, and nothing of this package: a model's folder keeps a copy,
which runs by itself. What each array means stands in `signature.json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

REFERENCE_FILE = "reference.npz"
FEATURES_FILE = "features.py"  # this module, as the model's folder keeps it
PAIR_FEATURES = (
    "log_days_bought",
    "share_of_baskets",
    "log_days_since_last",
    "log_days_since_first",
    "decay_7d",
    "decay_28d",
    "in_last_basket",
    "bought_once",
    "log_overdue",
    "log_subclass_days",
)
CUSTOMER_FEATURES = (
    "log_baskets",
    "log_days_since_last",
    "log_days_since_first",
    "log_items_per_basket",
    "has_history",
)


@dataclass(frozen=True)
class Request:
    """What is asked: a known customer's next basket, or that of somebody with this history."""

    customer: str | None = None
    history: tuple[tuple[str, str], ...] | None = None  # (item, ISO date); goes before customer
    as_of: str | None = None  # ISO date; only purchases before it count


@dataclass(frozen=True)
class Reference:
    """What a model knows beside its weights: items, and its customers' purchases by day."""

    items: tuple[str, ...]  # sorted; the columns of `scores`
    index: Mapping[str, int]
    subclass: Ints  # [items]
    as_of: int  # ordinal of the day after the last one that the model has seen
    customers: Mapping[str, int]
    starts: Ints  # [customers + 1], bounds of each customer's purchases in the next two
    bought: Ints  # item index
    days: Ints  # ordinal of the day


def load_reference(model_dir: Path) -> Reference:
    """The reference data in a model's folder."""
    with np.load(model_dir / REFERENCE_FILE, allow_pickle=False) as stored:
        items = tuple(stored["items"].astype(str).tolist())
        customers = stored["customers"].astype(str).tolist()
        return Reference(
            items=items,
            index={item: position for position, item in enumerate(items)},
            subclass=stored["subclass"].astype(np.int64),
            as_of=int(stored["as_of"]),
            customers={customer: position for position, customer in enumerate(customers)},
            starts=stored["starts"].astype(np.int64),
            bought=stored["bought"].astype(np.int64),
            days=stored["days"].astype(np.int64),
        )


def encode(reference: Reference, requests: Sequence[Request]) -> dict[str, NDArray[np.generic]]:
    """The model's inputs for some requests.

    An unknown customer, unknown items and an empty history are no error: what is unknown counts
    as not bought, and without any purchase the model falls back to what is popular.

    Raises:
        ValueError: a date is not an ISO date.
    """
    rows, items, days = [], [], []
    until = np.empty(len(requests), dtype=np.int64)
    for row, request in enumerate(requests):
        bought, when = _purchases(reference, request)
        until[row] = _as_of(reference, request, when)
        rows.append(np.full(len(bought), row, dtype=np.int64))
        items.append(bought)
        days.append(when)
    nothing = [np.empty(0, dtype=np.int64)]
    return assemble(
        reference.subclass,
        np.concatenate(rows or nothing),
        np.concatenate(items or nothing),
        np.concatenate(days or nothing),
        until,
    )


def _purchases(reference: Reference, request: Request) -> tuple[Ints, Ints]:
    if request.history is not None:
        known = [(reference.index.get(item), when) for item, when in request.history]
        pairs = [
            (item, date.fromisoformat(when).toordinal()) for item, when in known if item is not None
        ]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]
    row = reference.customers.get(request.customer or "")
    if row is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    own = slice(reference.starts[row], reference.starts[row + 1])
    return reference.bought[own], reference.days[own]


def _as_of(reference: Reference, request: Request, days: Ints) -> int:
    if request.as_of is not None:
        return date.fromisoformat(request.as_of).toordinal()
    return max(reference.as_of, int(days.max()) + 1 if len(days) else 0)


def assemble(
    subclass: Ints, rows: Ints, items: Ints, days: Ints, until: Ints
) -> dict[str, NDArray[np.generic]]:
    """The model's inputs from purchases: one slot for each item that a row ever bought.

    Args:
        subclass: int64 [items], the subclass of each item.
        rows: int64 [purchases], which request each purchase belongs to.
        items: int64 [purchases], item index.
        days: int64 [purchases], ordinal of the day.
        until: int64 [requests], ordinal; purchases on this day or later do not count.

    Returns:
        `items` int64 [requests, slots], padded with the number of items; `pairs` float32
        [requests, slots, pair features]; `customer` float32 [requests, customer features].
    """
    counted = days < until[rows]
    order = np.lexsort((days[counted], items[counted], rows[counted]))
    rows, items, days = (a[counted][order] for a in (rows, items, days))
    first = _changes(rows, items, days)
    rows, items, ago = rows[first], items[first], (until[rows] - days)[first].astype(np.float64)
    customer, baskets, last_visit = _customer_features(rows, ago, len(until))

    start = np.flatnonzero(_changes(rows, items))
    row, item = rows[start], items[start]
    slot = np.arange(len(row)) - np.searchsorted(row, row)
    slots = max(1, int(slot.max()) + 1 if len(slot) else 1)
    padded = np.full((len(until), slots), len(subclass), dtype=np.int64)
    padded[row, slot] = item
    pairs = np.zeros((len(until), slots, len(PAIR_FEATURES)), dtype=np.float32)
    pairs[row, slot] = _pair_features(
        ago, start, baskets[row], last_visit[row], _in_subclass(subclass, rows, items, start)
    )
    return {"items": padded, "pairs": pairs, "customer": customer}


def _changes(*keys: Ints) -> NDArray[np.bool_]:
    """Where any key differs from the element before it; the first element counts as a change."""
    changed = np.zeros(len(keys[0]), dtype=bool)
    changed[:1] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return changed


def _in_subclass(subclass: Ints, rows: Ints, items: Ints, start: Ints) -> Ints:
    """How many purchases of the same row and subclass each slot has, its own among them."""
    key = rows * (int(subclass.max(initial=0)) + 1) + subclass[items]
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse][start], dtype=np.int64)


def _customer_features(
    rows: Ints, ago: NDArray[np.float64], count: int
) -> tuple[Floats, NDArray[np.float64], NDArray[np.float64]]:
    """The customer features, and per request the number of baskets and the days since the last."""
    longest = int(ago.max(initial=0)) + 1
    visit_rows, visit_ago = np.divmod(np.unique(rows * longest + ago.astype(np.int64)), longest)
    baskets = np.bincount(visit_rows, minlength=count).astype(np.float64)
    bought = np.bincount(rows, minlength=count).astype(np.float64)
    last, since = np.zeros(count), np.zeros(count)
    np.maximum.at(since, visit_rows, visit_ago)
    last[visit_rows[::-1]] = visit_ago[::-1]
    table = np.stack(
        [
            np.log1p(baskets),
            np.log1p(last),
            np.log1p(since),
            np.log1p(bought / np.maximum(baskets, 1)),
            baskets > 0,
        ],
        axis=1,
    )
    return table.astype(np.float32), baskets, last


def _pair_features(
    ago: NDArray[np.float64],
    start: Ints,
    baskets: NDArray[np.float64],
    last_visit: NDArray[np.float64],
    in_subclass: Ints,
) -> Floats:
    """The pair features of every slot; purchases are sorted by row, item and day."""
    if len(start) == 0:
        return np.zeros((0, len(PAIR_FEATURES)), dtype=np.float32)
    times = np.diff(np.append(start, len(ago))).astype(np.float64)
    last, since = np.minimum.reduceat(ago, start), np.maximum.reduceat(ago, start)
    gap = (since - last) / np.maximum(times - 1, 1)
    overdue = np.where(times > 1, np.log(last / np.maximum(gap, 1)), 0.0)
    return np.stack(
        [
            np.log(times),
            times / baskets,
            np.log1p(last),
            np.log1p(since),
            np.add.reduceat(np.exp(-ago / 7), start),
            np.add.reduceat(np.exp(-ago / 28), start),
            last == last_visit,
            times == 1,
            overdue,
            np.log1p(in_subclass - times),
        ],
        axis=1,
    ).astype(np.float32)


def decode(
    reference: Reference, outputs: Mapping[str, NDArray[np.generic]], k: int
) -> list[list[tuple[str, float]]]:
    """The k best items of each request with their scores; equal scores stand in item order."""
    scores = np.asarray(outputs["scores"], dtype=np.float32)
    return [[(reference.items[i], float(row[i])) for i in best(row, k)] for row in scores]


def best(scores: Floats, k: int) -> Ints:
    """The positions of the k highest scores, best first; equal scores by position."""
    k = min(k, len(scores))
    if k == 0:
        return np.empty(0, dtype=np.int64)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    among = np.flatnonzero(scores >= least)
    return among[np.argsort(-scores[among], kind="stable")][:k]


def fallback(reference: Reference, request: Request) -> bool:
    """Whether nothing is known of whom a request is about, so that popularity decides alone."""
    _, days = _purchases(reference, request)
    return not bool(np.any(days < _as_of(reference, request, days)))
