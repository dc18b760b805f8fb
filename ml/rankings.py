"""Who ranks: a model's folder or a baseline, each scoring the same items for the same customers."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import features
from .errors import InputError
from .features import Floats, Ints, Reference, best
from .purchases import Purchases, iso
from .snapshots import Batch, Snapshot, batches

UNKNOWN = np.float32(-1e30)  # the score of an item that a model does not know


@dataclass(frozen=True)
class Ranking:
    """What a ranker did: one row a customer, and one entry a repurchase decision."""

    customers: Ints
    top: Ints  # [customers, k], item index
    hits: NDArray[np.bool_]  # [customers, k]
    relevant: Ints  # [customers]
    chances: NDArray[np.float64]  # [decisions], how likely a repurchase is held
    labels: NDArray[np.bool_]  # [decisions], whether it came


Scores = tuple[Floats, NDArray[np.float64]]  # [rows, items] and [rows, slots]
Ranker = Callable[[Ints, Batch], Scores]


def rank(ranker: Ranker, of: Snapshot, k: int, size: int) -> Ranking:
    """Lets a ranker rank a snapshot's items for its customers."""
    parts = [_rank(ranker, some, made, k) for some, made in batches(of, of.customers, size)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    customers, top, hits, relevant = (column[np.argsort(columns[0])] for column in columns[:4])
    return Ranking(customers, top, hits, relevant, columns[4], columns[5])


def _rank(ranker: Ranker, customers: Ints, made: Batch, k: int) -> tuple[NDArray[Any], ...]:
    scores, chances = ranker(customers, made)
    count = scores.shape[1]
    bought = np.zeros((len(customers), count + 1), dtype=bool)
    bought[made.rows, made.targets] = True
    top = np.stack([best(row, k) for row in scores])
    slots = made.inputs["items"].astype(np.int64)
    there = slots < count
    labels = np.take_along_axis(bought, slots, axis=1)
    hits = np.take_along_axis(bought, top, axis=1)
    return customers, top, hits, bought.sum(axis=1), chances[there], labels[there]


def popularity(of: Snapshot) -> Ranker:
    """The most sold items before the cut, the same for everybody."""
    sold = np.bincount(of.item, minlength=len(of.subclass)).astype(np.float32)

    def score(customers: Ints, made: Batch) -> Scores:
        everybody = np.repeat(sold[None], len(customers), axis=0)
        return everybody, np.append(sold, 0)[_slots(made)].astype(np.float64)

    return score


def personal_frequency(of: Snapshot) -> Ranker:
    """The items that a customer bought on most days; ties by popularity."""
    sold = np.bincount(of.item, minlength=len(of.subclass))
    tie_break = np.append(sold / (sold.max(initial=0) + 1), 0).astype(np.float32)
    times = features.PAIR_FEATURES.index("log_days_bought")

    def score(customers: Ints, made: Batch) -> Scores:
        slots = _slots(made)
        days = np.rint(np.exp(made.inputs["pairs"][..., times]))
        own = np.where(slots < len(sold), days, 0) + tie_break[slots]
        scores = np.repeat(tie_break[None], len(customers), axis=0)
        np.put_along_axis(scores, slots, own.astype(np.float32), axis=1)
        return scores[:, :-1], own.astype(np.float64)

    return score


def model(folder: Path, purchases: Purchases, of: Snapshot, codes: Ints) -> Ranker:
    """A trained model, run as it is served: its own ONNX, features and reference.

    Only the histories are today's.

    Args:
        codes: product codes of the snapshot's items.
    """
    import onnxruntime

    own = features_of(folder)
    reference = own.load_reference(folder)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    names = [output.name for output in session.get_outputs()]
    history = histories(purchases, of.cut)
    column = np.array([reference.index.get(item, -1) for item in purchases.products[codes]])

    def score(customers: Ints, made: Batch) -> Scores:
        requests = [own.Request(history=history(c), as_of=iso(of.cut)) for c in customers.tolist()]
        inputs = own.encode(reference, requests)
        outputs = dict(zip(names, session.run(names, inputs), strict=True))
        scores = np.where(column >= 0, outputs["scores"][:, column], UNKNOWN)
        chances = _by_item(reference, inputs, outputs["repurchase"])
        return scores, np.take_along_axis(chances[:, np.append(column, -1)], _slots(made), axis=1)

    return score


class _Source(SourceFileLoader):
    """Reads and writes no bytecode: a model's folder stays as it is."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def features_of(folder: Path) -> Any:
    """The features module that a model was trained with, from its own folder.

    Raises:
        InputError: there is none.
    """
    path = folder / features.FEATURES_FILE
    if not path.is_file():
        raise InputError(f"the model has no {path.name}", str(path), "train it again")
    name = f"features_{hashlib.sha256(path.read_bytes()).hexdigest()}"
    spec = spec_from_file_location(name, path, loader=_Source(name, str(path)))
    if spec is None or spec.loader is None:
        raise InputError(f"{path.name} is no module", str(path), "train it again")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def histories(purchases: Purchases, cut: int) -> Callable[[int], tuple[tuple[str, str], ...]]:
    """A function from a customer's code to its purchases before a cut, as a request holds them."""
    before = purchases.day < cut
    starts = np.searchsorted(purchases.customer[before], np.arange(len(purchases.customers) + 1))
    products, days = purchases.product[before], purchases.day[before]
    names = purchases.products.tolist()
    dates = {day: iso(day) for day in np.unique(days).tolist()}

    def of(customer: int) -> tuple[tuple[str, str], ...]:
        own = slice(starts[customer], starts[customer + 1])
        pairs = zip(products[own].tolist(), days[own].tolist(), strict=True)
        return tuple((names[product], dates[day]) for product, day in pairs)

    return of


def _by_item(
    reference: Reference, inputs: Mapping[str, NDArray[Any]], chances: Floats
) -> NDArray[np.float64]:
    """[requests, items + 1]: the chance of a repurchase, 0 where there is none to decide."""
    table = np.zeros((len(chances), len(reference.items) + 1))
    np.put_along_axis(table, inputs["items"], chances.astype(np.float64), axis=1)
    table[:, -1] = 0
    return table


def _slots(made: Batch) -> Ints:
    return made.inputs["items"].astype(np.int64)
