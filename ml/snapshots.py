"""One cut as training and evaluation see it: each customer's history, and what was bought next."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import features
from .features import Floats, Ints
from .purchases import ITEM_FEATURES, Catalogue, Purchases, catalogue, eligible


@dataclass(frozen=True)
class Snapshot:
    """A cut's histories and targets; `starts` bound each customer's rows."""

    cut: int
    subclass: Ints  # [items]
    item_features: Floats  # [items, item features], zero for items not yet sold
    on_sale: NDArray[np.bool_]  # [items], which of them can be recommended at this cut
    item: Ints  # history: item index, by customer
    day: Ints
    starts: Ints  # [customers + 1]
    target: Ints  # item index bought in the window, by customer
    target_starts: Ints  # [customers + 1]
    customers: Ints  # who is learned from or judged here


@dataclass(frozen=True)
class Batch:
    """Some customers' model inputs, and their targets as (row, item) pairs."""

    inputs: dict[str, NDArray[np.generic]]
    rows: Ints
    targets: Ints


def snapshot(
    purchases: Purchases,
    items: Catalogue,
    cut: int,
    until: int,
    least_item: int,
    least_baskets: int,
) -> Snapshot:
    """The histories before `cut` and the purchases from it until `until` (excluded).

    Args:
        items: the items that the model knows, of this cut or a later one.
        least_item: lines an item must have sold before this cut to be recommended.
        least_baskets: baskets a customer must have had before this cut.
    """
    seen = catalogue(purchases, cut, least_item)
    table = np.zeros((len(items.codes), len(ITEM_FEATURES)), dtype=np.float32)
    place = seen.position[items.codes]
    table[place >= 0] = seen.features[place[place >= 0]]
    item = items.position[purchases.product]
    before = (purchases.day < cut) & (item >= 0)
    after = (purchases.day >= cut) & (purchases.day < until) & (item >= 0)
    after[after] = place[item[after]] >= 0
    bought = np.unique(purchases.customer[after] * len(items.codes) + item[after])
    buyer, target = np.divmod(bought, len(items.codes))
    everybody = np.arange(len(purchases.customers) + 1)
    target_starts = np.searchsorted(buyer, everybody)
    judged = eligible(purchases, cut, least_baskets) & (np.diff(target_starts) > 0)
    return Snapshot(
        cut=cut,
        subclass=np.unique(purchases.subclass[items.codes], return_inverse=True)[1],
        item_features=table,
        on_sale=place >= 0,
        item=item[before],
        day=purchases.day[before],
        starts=np.searchsorted(purchases.customer[before], everybody),
        target=target,
        target_starts=target_starts,
        customers=np.flatnonzero(judged),
    )


def batch(of: Snapshot, customers: Ints) -> Batch:
    """The inputs and targets of some customers."""
    rows, place = _spread(of.starts, customers)
    until = np.full(len(customers), of.cut, dtype=np.int64)
    inputs = features.assemble(of.subclass, rows, of.item[place], of.day[place], until)
    target_rows, target_place = _spread(of.target_starts, customers)
    return Batch(inputs, target_rows, of.target[target_place])


def batches(of: Snapshot, customers: Ints, size: int) -> Iterator[tuple[Ints, Batch]]:
    """All of these customers, some at a time, those with equally long histories together."""
    length = of.starts[customers + 1] - of.starts[customers]
    ordered = customers[np.argsort(length, kind="stable")]
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size], batch(of, ordered[start : start + size])


def _spread(starts: Ints, customers: Ints) -> tuple[Ints, Ints]:
    """For each row of these customers, which of them it belongs to and where it lies."""
    lengths = starts[customers + 1] - starts[customers]
    rows = np.repeat(np.arange(len(customers)), lengths)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows, starts[customers][rows] + within
