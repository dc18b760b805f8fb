"""What is known at a cut, what is to be foretold, and that the two never mix."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml import artefacts, features, params, rankings, train
from ml.errors import InputError
from ml.params import Train, Window
from ml.purchases import (
    ITEM_FEATURES,
    Days,
    Purchases,
    baskets_before,
    catalogue,
    days_of,
    eligible,
    end_of,
    iso,
    read,
)
from ml.snapshots import Snapshot, batch, batches, snapshot

ROOT = Path(__file__).resolve().parents[2]
START = 730_000
ROWS = [  # customer, product, day after START
    *[(0, 0, day) for day in range(0, 90, 10)],
    *[(1, 0, day) for day in (3, 40, 61)],
    *[(1, 1, day) for day in (3, 5, 7, 61, 70)],
    *[(2, 2, day) for day in (59, 62, 65)],
    (3, 1, 20),
    (3, 2, 30),
    (3, 0, 75),
]


def purchases(rows: list[tuple[int, int, int]] | None = None) -> Purchases:
    """A small shop: four customers, three products."""
    customer, product, day = np.array(sorted(ROWS if rows is None else rows)).T
    return Purchases(
        customers=np.array(["c0", "c1", "c2", "c3"]),
        products=np.array(["p0", "p1", "p2"]),
        subclass=np.array([0, 0, 1]),
        customer=customer,
        product=product,
        day=day + START,
        unit_price=10.0 * (product + 1) + day / 100,
    )


def at(cut: int, least_item: int = 1, least_baskets: int = 2) -> Snapshot:
    """The snapshot of a cut, its window 28 days long."""
    items = catalogue(purchases(), START + cut, least_item)
    return snapshot(purchases(), items, START + cut, START + cut + 28, least_item, least_baskets)


def test_the_windows_are_counted_from_the_last_day_of_the_data() -> None:
    days = days_of(purchases([(0, 0, 0), (0, 0, 91)]), Window(28, 28), START + 120)
    assert (days.first, days.validation, days.test, days.end) == (
        START,
        START + 64,
        START + 92,
        START + 120,
    )


def test_data_that_are_too_short_are_refused() -> None:
    with pytest.raises(InputError, match="84 days of data are too few"):
        days_of(purchases([(0, 0, 0), (0, 0, 55)]), Window(28, 28), START + 84)


def test_the_end_of_the_data_is_known_from_how_they_were_split(tmp_path: Path) -> None:
    said = tmp_path / "window.json"
    said.write_text('{"first": "2001-02-01", "last": "2001-02-28"}')
    assert iso(end_of(tmp_path, Window(28, 28))) == "2001-03-01"
    with pytest.raises(InputError, match="test_days is 14, the data were split for 28"):
        end_of(tmp_path, Window(14, 28))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "there is no window.json"),
        ("{", "window.json is not JSON"),
        ("[]", "window.json names no days"),
        ('{"first": "2001-02-01"}', "window.json names no days"),
        ('{"first": "1 February", "last": "2001-02-28"}', "window.json names no days"),
    ],
)
def test_data_that_were_not_split_are_refused(tmp_path: Path, text: str | None, what: str) -> None:
    if text is not None:
        (tmp_path / "window.json").write_text(text)
    with pytest.raises(InputError, match=what):
        end_of(tmp_path, Window(28, 28))


def test_items_need_their_purchases_before_the_cut() -> None:
    assert catalogue(purchases(), START + 60, 3).codes.tolist() == [0, 1]
    assert catalogue(purchases(), START + 60, 1).codes.tolist() == [0, 1, 2]
    assert catalogue(purchases(), START, 1).codes.tolist() == []


def test_item_features_do_not_know_what_comes_after_the_cut() -> None:
    before = purchases([row for row in ROWS if row[2] < 60])
    known = catalogue(before, START + 60, 1)
    seen = catalogue(purchases(), START + 60, 1)
    np.testing.assert_array_equal(seen.features, known.features)
    np.testing.assert_array_equal(seen.popularity, known.popularity)


def test_an_items_price_is_the_median_of_its_lines_before_the_cut() -> None:
    known = catalogue(purchases(), START + 60, 1)
    price = np.expm1(known.features[:, ITEM_FEATURES.index("log_unit_price")])
    np.testing.assert_allclose(price, [10.25, 20.06, 30.445], rtol=1e-5)


def test_the_reference_knows_only_who_bought_before_the_cut(tmp_path: Path) -> None:
    shop = purchases()
    artefacts.write_reference(tmp_path / "reference.npz", shop, catalogue(shop, START + 20, 1))
    found = features.load_reference(tmp_path)
    assert found.customers == {"c0": 0, "c1": 1}
    assert found.starts.tolist() == [0, 2, 6]
    assert (found.days < START + 20).all()


def test_the_trials_window_ends_where_the_test_window_begins() -> None:
    settings = replace(params.load(Train, ROOT / "params.yaml"), min_item_purchases=1)
    days = days_of(purchases(), Window(10, 20), START + 81)
    of = train.validation_of(purchases(), days, settings)
    last = [row for row in ROWS if days.validation <= row[2] + START < days.validation + 10]
    assert len(of.target) == len({row[:2] for row in last})
    later = Days(days.first, days.test - 5, days.test, days.end)
    short = train.validation_of(purchases(), later, settings)
    near = [row for row in ROWS if later.validation <= row[2] + START < later.test]
    assert len(short.target) == len({row[:2] for row in near})


def test_a_trial_shorter_than_the_test_is_refused() -> None:
    with pytest.raises(InputError, match="test_days is 28, validation_days 14"):
        Window(28, 14)


def test_training_reads_no_line_of_the_test_window(tmp_path: Path) -> None:
    write_lines(tmp_path / "lines.parquet", [("c1", "p1", "b", 3), ("c0", "p2", "a", 5)])
    before = read(tmp_path)
    assert before.products.tolist() == ["p1", "p2"]
    write_lines(tmp_path / "test.parquet", [("c1", "p0", "a", 9), ("c2", "p1", "z", 8)])
    assert read(tmp_path).customers.tolist() == before.customers.tolist() == ["c0", "c1"]
    everything = read(tmp_path, with_test=True)
    assert everything.customers.tolist() == ["c0", "c1", "c2"]
    assert everything.products.tolist() == ["p0", "p1", "p2"]
    assert everything.subclass.tolist() == [0, 1, 0]  # p1 keeps what it is before the window
    assert len(everything.day) == 4


def write_lines(path: Path, rows: list[tuple[str, str, str, int]]) -> None:
    """Lines of customer, product, subclass and day as a prepared table."""
    customer, product, subclass, day = zip(*rows, strict=True)
    days = pa.array([date(2001, 1, number) for number in day])
    columns = {"date": days, "customer": customer, "product": product, "subclass": subclass}
    money = {"amount": [1] * len(rows), "sales_price": [2.0] * len(rows)}
    pq.write_table(pa.table({**columns, **money}), path)


def test_baskets_are_days() -> None:
    everything = np.ones(len(ROWS), dtype=bool)
    assert baskets_before(purchases(), everything).tolist() == [9, 6, 3, 3]
    assert eligible(purchases(), START + 60, 2).tolist() == [True, True, False, True]


def test_histories_end_at_the_cut_and_targets_begin_there() -> None:
    of = at(60)
    assert (of.day < START + 60).all()
    assert of.customers.tolist() == [0, 1, 3]
    made = batch(of, of.customers)
    assert list(zip(made.rows.tolist(), made.targets.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 0),
    ]


def test_inputs_hold_what_was_bought_before() -> None:
    made = batch(at(60), np.array([1, 3]))
    assert made.inputs["items"].tolist() == [[0, 1], [1, 2]]


def test_only_items_on_sale_are_targets() -> None:
    of = at(60, least_item=3)
    assert of.on_sale.tolist() == [True, True]
    items = catalogue(purchases(), START + 88, 1)
    early = snapshot(purchases(), items, START + 40, START + 68, 3, 1)
    assert early.on_sale.tolist() == [True, True, False]
    assert set(early.target.tolist()) <= {0, 1}
    assert not early.item_features[2].any()


def test_batches_hold_every_customer_once() -> None:
    of = at(60)
    parts = [customers for customers, _ in batches(of, of.customers, 2)]
    assert [len(part) for part in parts] == [2, 1]
    assert sorted(np.concatenate(parts).tolist()) == of.customers.tolist()


def test_popularity_ranks_everybody_alike() -> None:
    of = at(60)
    ranking = rankings.rank(rankings.popularity(of), of, 2, 2)
    assert ranking.top.tolist() == [[0, 1]] * 3
    assert ranking.hits.tolist() == [[True, False], [True, True], [True, False]]
    assert ranking.relevant.tolist() == [1, 2, 1]


def test_personal_frequency_counts_days_and_breaks_ties_by_popularity() -> None:
    of = at(60)
    ranking = rankings.rank(rankings.personal_frequency(of), of, 3, 2)
    assert ranking.top.tolist() == [[0, 1, 2], [1, 0, 2], [1, 2, 0]]


def test_a_repurchase_is_decided_for_every_item_bought_before() -> None:
    of = at(60)
    ranking = rankings.rank(rankings.personal_frequency(of), of, 3, 8)
    assert len(ranking.labels) == 5
    assert int(ranking.labels.sum()) == 3


def test_a_history_is_spelled_out_as_a_request_holds_it() -> None:
    spelled = rankings.histories(purchases(), START + 60)
    assert [item for item, _ in spelled(1)] == ["p0", "p0", "p1", "p1", "p1"]
    assert all(len(day) == len("1999-09-03") for _, day in spelled(1))
