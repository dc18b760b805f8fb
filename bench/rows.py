"""Purchases as many as are asked for, made from the real ones so that their marginals stay.

Whole customers are drawn with replacement and get new ids. Of each hundred lines, 15 are swapped
for another line of the same subclass: its product, drawn by how often it is bought, with its own
amount, cost and price. No basket holds a product twice, as in the source. A seed decides
everything. It is for measuring time and memory: never report a model's quality on it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .timing import ROOT

USAGE = "python -m bench rows COUNT FOLDER [SEED]: made-up purchases as FOLDER/YYYY-MM.csv"
SWAPPED = 0.15  # of the lines
DATE, CUSTOMER, SUBCLASS, PRODUCT = (
    *("TRANSACTION_DT", "CUSTOMER_ID", "PRODUCT_SUBCLASS", "PRODUCT_ID"),
)
OF_THE_PRODUCT = (SUBCLASS, PRODUCT, "AMOUNT", "ASSET", "SALES_PRICE")
NUMBERS = ("AMOUNT", "ASSET", "SALES_PRICE")
BINS = 10  # of a number, or of values ranked by how often they stand
FEW = 200  # values that are compared one by one


@dataclass(frozen=True)
class Made:
    """Which source line each made line comes from; sorted by day."""

    line: Any  # int64 [rows]: day and customer
    bought: Any  # int64 [rows]: what was bought
    draw: Any  # int64 [rows]: which drawn customer


def read(folder: Path) -> Any:
    """The source's lines as one Arrow table of text columns."""
    import pyarrow as pa
    import pyarrow.csv

    texts = pa.csv.ConvertOptions(default_column_type=pa.string())
    paths = sorted(folder.glob("*.csv"))
    return pa.concat_tables([pa.csv.read_csv(path, convert_options=texts) for path in paths])


def make(source: Any, count: int, seed: int) -> Made:
    """`count` lines drawn from a source."""
    import numpy as np

    rng = np.random.default_rng(seed)
    customer, subclass, product = (codes(source[name]) for name in (CUSTOMER, SUBCLASS, PRODUCT))
    line, draw = _customers(rng, customer, count)
    bought = _swap(rng, line, subclass)
    keys = (draw, codes(source[DATE])[line])
    bought = _once_a_basket(keys, line, bought, product)
    order = np.argsort(days(source)[line], kind="stable")
    return Made(line[order], bought[order], draw[order])


def codes(column: Any) -> Any:
    """A number for each value of a column, the same for the same value."""
    return column.combine_chunks().dictionary_encode().indices.to_numpy().astype("int64")


def days(source: Any) -> Any:
    """The day of each line, as days since 1970."""
    import pyarrow.compute as pc

    when = pc.strptime(source[DATE], format="%m/%d/%Y", unit="s")
    return when.to_numpy().astype("datetime64[D]").astype("int64")


def _customers(rng: Any, customer: Any, count: int) -> tuple[Any, Any]:
    """All lines of customers drawn with replacement, as many as are wanted."""
    import numpy as np

    by_customer = np.argsort(customer, kind="stable")
    starts = np.searchsorted(customer[by_customer], np.arange(customer.max() + 2))
    lengths = np.diff(starts)
    drawn = np.empty(0, dtype=np.int64)
    while lengths[drawn].sum() < count:
        drawn = np.append(drawn, rng.integers(len(lengths), size=count // 20 + 1))
    sizes = lengths[drawn]
    draw = np.repeat(np.arange(len(drawn)), sizes)[:count]
    first = np.cumsum(sizes) - sizes
    return by_customer[starts[drawn][draw] + np.arange(count) - first[draw]], draw


def _swap(rng: Any, line: Any, subclass: Any) -> Any:
    """Some of the lines, each swapped for any line of its subclass."""
    import numpy as np

    by_subclass = np.argsort(subclass, kind="stable")
    starts = np.searchsorted(subclass[by_subclass], np.arange(subclass.max() + 2))
    chosen = np.flatnonzero(rng.random(len(line)) < SWAPPED)
    kind = subclass[line[chosen]]
    place = starts[kind] + rng.integers(np.diff(starts)[kind])
    bought = line.copy()
    bought[chosen] = by_subclass[place]
    return bought


def _once_a_basket(basket: tuple[Any, Any], line: Any, bought: Any, product: Any) -> Any:
    """Takes back the swaps that gave a basket a product twice, until none has."""
    import numpy as np

    draw, day = basket
    size = int(product.max()) + 1
    baskets = (draw * (int(day.max()) + 1) + day) * size
    while True:
        key = baskets + product[bought]
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(key[order][1:] == key[order][:-1])
        twice = np.concatenate([order[same], order[same + 1]])
        swapped = twice[bought[twice] != line[twice]]
        if not len(swapped):
            return bought
        bought[swapped] = line[swapped]


def write(source: Any, made: Made, folder: Path) -> Iterator[tuple[str, int]]:
    """Writes one file a month, as the source's are; gives each one's name and lines."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    folder.mkdir(parents=True, exist_ok=True)
    months = days(source)[made.line].astype("datetime64[D]").astype("datetime64[M]")
    quoted = pa.csv.WriteOptions(quoting_style="all_valid", eol="\r\n")
    for month in np.unique(months):
        low, high = np.searchsorted(months, [month, month + 1])
        part = Made(*(rows[low:high] for rows in (made.line, made.bought, made.draw)))
        path = folder / f"{month}.csv"
        pa.csv.write_csv(_table(source, part), path, quoted)
        yield path.name, int(high - low)


def _table(source: Any, made: Made) -> Any:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    taken = {
        name: source[name].take(pa.array(made.bought if name in OF_THE_PRODUCT else made.line))
        for name in source.column_names
    }
    number = pa.array(np.char.zfill((made.draw + 1).astype("U7"), 7))
    taken[CUSTOMER] = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(taken[CUSTOMER], 0, 1), pa.chunked_array([number]), ""
    )  # the first digit stays: it tells ids that cannot exist
    return pa.table(taken)


def marginals(source: Any, made: Made) -> dict[str, float]:
    """The PSI of each column against the source's; a customer's id stands for lines a customer."""
    import numpy as np

    found = {}
    for name in source.column_names:
        if name == CUSTOMER:
            continue
        bins = _bins(source[name], numeric=name in NUMBERS)
        rows = made.bought if name in OF_THE_PRODUCT else made.line
        counts = [np.bincount(values, minlength=bins.max() + 1) for values in (bins, bins[rows])]
        found[name] = psi(*counts)
    per = [np.bincount(codes(source[CUSTOMER])), np.bincount(made.draw)[:-1]]
    edges = np.unique(np.quantile(per[0], np.linspace(0.1, 0.9, BINS - 1)))
    spread = [np.bincount(np.searchsorted(edges, each), minlength=len(edges) + 1) for each in per]
    return {**found, f"lines a {CUSTOMER}": psi(*spread)}


def _bins(column: Any, *, numeric: bool) -> Any:
    """The bin of each line: its value, its tenth of the numbers or of the values by frequency."""
    import numpy as np

    if numeric:
        values = column.to_numpy().astype(np.float64)
        edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, BINS - 1)))
        return np.searchsorted(edges, values)
    values = codes(column)
    counts = np.bincount(values)
    if len(counts) <= FEW:
        return values
    order = np.argsort(-counts, kind="stable")
    until = np.cumsum(counts[order])
    bins = np.empty(len(counts), dtype=np.int64)
    bins[order] = np.minimum(BINS * (until - 1) // until[-1], BINS - 1)
    return bins[values]


def psi(expected: Any, found: Any) -> float:
    """The population stability index of two histograms; an empty bin counts as half a line."""
    import numpy as np

    shares = [np.maximum(counts, 0.5) / counts.sum() for counts in (expected, found)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def main(words: Sequence[str]) -> int:
    """Makes the lines that the command line asks for, and prints how they compare."""
    if len(words) not in (2, 3) or not all(word.isdecimal() for word in (words[0], *words[2:])):
        print(USAGE, file=sys.stderr)
        return 2
    count, folder, seed = int(words[0]), Path(words[1]), int((*words, "7")[2])
    if count < 1 or not any((ROOT / "data").glob("*.csv")):
        print("no line to make" if count < 1 else "no data/*.csv: run 'slipway data pull'")
        return 2
    source = read(ROOT / "data")
    made = make(source, count, seed)
    for name, rows in write(source, made, folder):
        print(f"{folder / name}: {rows:,} lines", flush=True)
    compared = {name: round(value, 6) for name, value in marginals(source, made).items()}
    print(f"PSI against the source: {json.dumps(compared)}")
    return 0
