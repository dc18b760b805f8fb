"""What training leaves beside the weights: reference data, signature, samples and profile."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import features, files
from .features import Reference, Request
from .params import Train
from .purchases import Catalogue, Days, Purchases, iso, read_table

NAME = "next-basket"
TOLERANCE = 1e-4
FALLBACK = (
    "An unknown customer, unknown items and an empty history are no error: what is unknown counts "
    "as not bought, and without any known purchase the answer is what is popular."
)
MEANING = {
    "items": "items bought before, by position in the reference; the number of items fills up",
    "pairs": "how the customer bought each of these items",
    "customer": "how the customer shops",
    "scores": "logit of each item in the next basket; comparable within a request only",
    "repurchase": "probability that the item is bought again within the window; 0 where filled up",
}
Kind = tuple[str, list[str | int]]
PROFILED = {
    "lines": ("amount", "asset", "sales_price"),
    "baskets": ("products", "amount", "sales_price"),
    "customers": ("age_group", "postcode", "baskets", "products"),
    "products": ("lines", "unit_price"),
}


def write_reference(path: Path, purchases: Purchases, items: Catalogue) -> None:
    """Writes what serving looks up: items, and the histories of who bought before the cut."""
    item = items.position[purchases.product]
    known = (purchases.day < items.cut) & (item >= 0)
    seen = np.unique(purchases.customer[purchases.day < items.cut])
    starts = np.searchsorted(purchases.customer[known], seen)
    arrays = {
        "items": np.char.encode(purchases.products[items.codes], "utf-8"),
        "subclass": np.unique(purchases.subclass[items.codes], return_inverse=True)[1],
        "as_of": np.array(items.cut, dtype=np.int64),
        "customers": np.char.encode(purchases.customers[seen], "utf-8"),
        "starts": np.append(starts, int(known.sum())).astype(np.int32),
        "bought": item[known].astype(np.int32),
        "days": purchases.day[known].astype(np.int32),
    }
    files.write(path, npz(arrays))


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of a compressed `.npz`: sorted names, no time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(arrays[name]), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED
            )
    return target.getvalue()


def signature(items: int, days: Days, params: Train, threshold: float) -> dict[str, Any]:
    """What goes in, what comes out, and what the model has seen."""
    pairs, customer = features.PAIR_FEATURES, features.CUSTOMER_FEATURES
    inputs: dict[str, Kind] = {
        "items": ("int64", ["batch", "slots"]),
        "pairs": ("float32", ["batch", "slots", len(pairs)]),
        "customer": ("float32", ["batch", len(customer)]),
    }
    outputs: dict[str, Kind] = {
        "scores": ("float32", ["batch", items]),
        "repurchase": ("float32", ["batch", "slots"]),
    }
    return {
        "schema": "signature/1",
        "name": NAME,
        "trained_from": iso(days.first),
        "trained_until": iso(days.test - 1),
        "window": {"days": days.end - days.test},
        "k": params.k,
        "inputs": [_tensor(name, *kind) for name, kind in inputs.items()],
        "outputs": [_tensor(name, *kind) for name, kind in outputs.items()],
        "features": {"pairs": list(pairs), "customer": list(customer)},
        "tolerance": TOLERANCE,
        "repurchase_threshold": threshold,
        "fallback": FALLBACK,
        "files": {"model": "model.onnx", "reference": features.REFERENCE_FILE},
    }


def _tensor(name: str, dtype: str, shape: Sequence[str | int]) -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": list(shape), "meaning": MEANING[name]}


def sample_requests(reference: Reference, count: int) -> list[Request]:
    """Requests of every kind: known customers, their histories, unknown ones, an empty one."""
    bought = np.diff(reference.starts)
    names = np.array(list(reference.customers))
    active = np.argsort(-bought, kind="stable")[: int((bought > 0).sum())]
    chosen = active[np.linspace(0, len(active) - 1, max(count - 4, 1)).astype(np.int64)]
    known = [str(names[i]) for i in dict.fromkeys(chosen.tolist())]
    requests = [Request(customer=name) for name in known[::2]]
    requests += [Request(history=history_of(reference, name)) for name in known[1::2]]
    strange = ("no-such-item", iso(reference.as_of - 3))
    return [
        *requests,
        Request(customer="no-such-customer"),
        Request(history=()),
        Request(history=(strange,)),
        Request(history=(strange, (reference.items[0], iso(reference.as_of - 1)))),
    ]


def history_of(reference: Reference, customer: str) -> tuple[tuple[str, str], ...]:
    """A known customer's purchases as a request would spell them out."""
    row = reference.customers[customer]
    own = slice(reference.starts[row], reference.starts[row + 1])
    pairs = zip(reference.bought[own].tolist(), reference.days[own].tolist(), strict=True)
    return tuple((reference.items[item], iso(day)) for item, day in pairs)


def samples(
    reference: Reference, requests: Sequence[Request], outputs: Mapping[str, NDArray[Any]], k: int
) -> list[dict[str, Any]]:
    """Requests with the model's own answers."""
    answers = features.decode(reference, outputs, k)
    return [
        {
            "request": {"customer": request.customer}
            if request.history is None
            else {"history": [list(pair) for pair in request.history]},
            "answer": {"items": [i for i, _ in answer], "scores": [s for _, s in answer]},
        }
        for request, answer in zip(requests, answers, strict=True)
    ]


def profile(prepared: Path, purchases: Purchases, items: Catalogue) -> dict[str, Any]:
    """How the prepared columns are distributed, and what sold most, both before the cut."""
    tables = {}
    for table, names in PROFILED.items():
        columns = read_table(prepared / f"{table}.parquet", list(names))
        tables[table] = {name: _distribution(columns[name]) for name in names}
    top = np.argsort(-items.popularity, kind="stable")[:100]
    return {
        "schema": "profile/1",
        "tables": tables,
        "top_items": purchases.products[items.codes[top]].tolist(),
        "until": iso(items.cut - 1),
    }


def _distribution(column: pd.Series) -> dict[str, Any]:
    """Shares by category, or by the bins between a number's deciles."""
    missing = float(column.isna().mean())
    if not pd.api.types.is_numeric_dtype(column):
        shares = column.value_counts(normalize=True).sort_index()
        categories = {str(name): float(share) for name, share in shares.items()}
        return {"kind": "category", "missing": missing, "shares": categories}
    values = column.dropna().to_numpy(dtype=np.float64)
    edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9)))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    shares_by_bin = (counts / max(len(values), 1)).tolist()
    return {"kind": "number", "missing": missing, "edges": edges.tolist(), "shares": shares_by_bin}
