"""Faults where training sees what the model is tested on."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..fault import Fault, Transformation
from ..lines import Files
from ..tables import counted, path_of, read, write

Leak = Callable[[pa.Table, pa.Table, Random], pa.Table]


def into_lines(does: str, leak: Leak) -> Transformation:
    """Rows of the test, or made of them, among those that are learned from; all sums rebuilt."""

    def act(files: Files, rng: Random) -> Files:
        learned, tested = read(files, "lines"), read(files, "test")
        more = leak(learned, tested, rng).select(learned.column_names)
        together = pa.concat_tables([learned, more.cast(learned.schema)])
        return counted({**files, path_of("lines"): write(together)})

    return Transformation(does, "lines", act)


def all_of_it(learned: pa.Table, tested: pa.Table, rng: Random) -> pa.Table:
    return tested


def the_first_day(learned: pa.Table, tested: pa.Table, rng: Random) -> pa.Table:
    return tested.filter(pc.equal(tested["date"], pc.min(tested["date"])))


def one_customer(learned: pa.Table, tested: pa.Table, rng: Random) -> pa.Table:
    customer = rng.choice(sorted(set(tested["customer"].to_pylist())))
    return tested.filter(pc.equal(tested["customer"], customer))


def backdated(learned: pa.Table, tested: pa.Table, rng: Random) -> pa.Table:
    """Baskets of the test four weeks earlier, where no split by time can see them."""
    place = tested.column_names.index("date")
    earlier = pa.array([day - timedelta(days=28) for day in tested["date"].to_pylist()])
    return tested.set_column(place, "date", earlier.cast(tested["date"].type))


def told(name: str, key: str, column: str, what: Callable[[int], Any]) -> Transformation:
    """A column of features that is made of the test."""

    def act(files: Files, rng: Random) -> Files:
        features, tested = read(files, name), read(files, "test")
        rows = Counter(tested[key].to_pylist())
        values = [what(rows[value]) for value in features[key].to_pylist()]
        return {**files, path_of(name): write(features.append_column(column, pa.array(values)))}

    return Transformation("the answer added", f"{name}.{column}", act)


FAULTS = (
    Fault(
        "the test is learned from",
        into_lines("all of the test added", all_of_it),
        ("leakage", "time"),
        also=("completeness", "integrity"),
        base="prepared",
    ),
    Fault(
        "a day of the test is learned from",
        into_lines("a day of the test added", the_first_day),
        ("leakage", "keys in both"),
        also=("completeness", "integrity"),
        base="prepared",
    ),
    Fault(
        "a customer of the test is learned from",
        into_lines("a customer of the test added", one_customer),
        ("leakage", "keys in both"),
        also=("completeness", "integrity"),
        base="prepared",
    ),
    Fault(
        "the test is learned from under other dates",
        into_lines("the test added four weeks earlier", backdated),
        ("leakage", "copied baskets"),
        also=("completeness", "integrity", "expectations"),
        base="prepared",
    ),
    Fault(
        "a feature says who comes back",
        told("customers", "customer", "comes_back", lambda count: int(count > 0)),
        ("leakage", "target in customers.comes_back"),
        also=("expectations",),
        base="prepared",
    ),
    Fault(
        "a feature says how much is sold",
        told("products", "product", "will_sell", float),
        ("leakage", "target in products.will_sell"),
        also=("expectations",),
        base="prepared",
    ),
)
