"""Requests in, model inputs out; model outputs in, items out."""

import ast
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import features, rankings
from ml.errors import InputError
from ml.features import Reference, Request, assemble, best, decode, encode, fallback

ITEMS = tuple(f"{number:013d}" for number in range(1, 7))
SUBCLASS = np.array([0, 0, 1, 1, 2, 2])
AS_OF = date(2001, 2, 1)


def reference(customers: dict[str, list[tuple[int, int]]] | None = None) -> Reference:
    """Six items, and customers by their purchases as (item index, days before `AS_OF`)."""
    known = customers or {"00000001": [(0, 30), (0, 2), (3, 2)], "00000002": []}
    pairs = [pair for purchases in known.values() for pair in purchases]
    return Reference(
        items=ITEMS,
        index={item: position for position, item in enumerate(ITEMS)},
        subclass=SUBCLASS,
        as_of=AS_OF.toordinal(),
        customers={customer: row for row, customer in enumerate(known)},
        starts=np.cumsum([0, *map(len, known.values())]),
        bought=np.array([item for item, _ in pairs], dtype=np.int64),
        days=np.array([AS_OF.toordinal() - ago for _, ago in pairs], dtype=np.int64),
    )


def ago(days: int) -> str:
    """An ISO date that many days before `AS_OF`."""
    return (AS_OF - timedelta(days=days)).isoformat()


def pair(inputs: dict[str, np.ndarray], row: int, slot: int, name: str) -> float:
    """One pair feature."""
    return float(inputs["pairs"][row, slot, features.PAIR_FEATURES.index(name)])


def test_a_customer_and_the_same_history_give_the_same_inputs() -> None:
    history = ((ITEMS[3], ago(2)), (ITEMS[0], ago(2)), (ITEMS[0], ago(30)))
    both = encode(reference(), [Request(customer="00000001"), Request(history=history)])
    for name, values in both.items():
        np.testing.assert_array_equal(values[0], values[1], err_msg=name)


def test_each_item_bought_before_has_one_slot_in_item_order() -> None:
    inputs = encode(reference(), [Request(customer="00000001")])
    assert inputs["items"].tolist() == [[0, 3]]


def test_pair_features_say_how_an_item_was_bought() -> None:
    inputs = encode(reference(), [Request(customer="00000001")])
    assert pair(inputs, 0, 0, "log_days_bought") == pytest.approx(np.log(2))
    assert pair(inputs, 0, 0, "share_of_baskets") == 1
    assert pair(inputs, 0, 1, "share_of_baskets") == 0.5
    assert pair(inputs, 0, 0, "log_days_since_last") == pytest.approx(np.log(3))
    assert pair(inputs, 0, 0, "log_days_since_first") == pytest.approx(np.log(31))
    assert pair(inputs, 0, 0, "in_last_basket") == 1
    assert pair(inputs, 0, 0, "bought_once") == 0
    assert pair(inputs, 0, 1, "bought_once") == 1
    assert pair(inputs, 0, 0, "log_overdue") == pytest.approx(np.log(2 / 28))


def test_customer_features_say_how_the_customer_shops() -> None:
    inputs = encode(reference(), [Request(customer="00000001")])
    expected = [np.log(3), np.log(3), np.log(31), np.log1p(1.5), 1]
    np.testing.assert_allclose(inputs["customer"][0], expected, rtol=1e-6)


def test_another_item_of_the_subclass_counts_for_the_subclass() -> None:
    history = ((ITEMS[0], ago(5)), (ITEMS[1], ago(9)), (ITEMS[4], ago(9)))
    inputs = encode(reference(), [Request(history=history)])
    seen = [pair(inputs, 0, slot, "log_subclass_days") for slot in range(3)]
    assert seen == pytest.approx([np.log(2), np.log(2), 0])


@pytest.mark.parametrize(
    "request_",
    [
        Request(customer="nobody"),
        Request(customer="00000002"),
        Request(),
        Request(history=()),
        Request(history=(("no such item", "2001-01-03"),)),
        Request(history=((ITEMS[0], "2001-03-01"),), as_of="2001-02-01"),
    ],
    ids=["unknown customer", "no purchase", "nothing", "empty history", "unknown item", "future"],
)
def test_where_nothing_is_known_the_inputs_are_empty_and_popularity_decides(
    request_: Request,
) -> None:
    inputs = encode(reference(), [request_])
    assert (inputs["items"] == len(ITEMS)).all()
    assert not inputs["pairs"].any()
    assert not inputs["customer"].any()
    assert fallback(reference(), request_)


def test_a_known_customer_is_no_fallback() -> None:
    assert not fallback(reference(), Request(customer="00000001"))


def test_a_history_goes_before_the_customer() -> None:
    asked = Request(customer="00000001", history=((ITEMS[5], ago(1)),))
    assert encode(reference(), [asked])["items"].tolist() == [[5]]


def test_a_history_after_what_the_model_has_seen_is_looked_at_from_the_day_after_it() -> None:
    inputs = encode(reference(), [Request(history=((ITEMS[0], "2001-02-10"),))])
    assert pair(inputs, 0, 0, "log_days_since_last") == pytest.approx(np.log(2))


def test_a_malformed_date_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        encode(reference(), [Request(history=((ITEMS[0], "yesterday"),))])


def test_no_request_gives_empty_arrays() -> None:
    inputs = encode(reference(), [])
    assert {name: len(values) for name, values in inputs.items()} == {
        "items": 0,
        "pairs": 0,
        "customer": 0,
    }


PURCHASES = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 100)), max_size=40)


@given(st.lists(PURCHASES, min_size=1, max_size=5))
def test_a_batch_gives_what_each_request_gives_alone(several: list[list[tuple[int, int]]]) -> None:
    requests = [
        Request(history=tuple((ITEMS[item], ago(days)) for item, days in purchases))
        for purchases in several
    ]
    together = encode(reference(), requests)
    for row, request_ in enumerate(requests):
        alone = encode(reference(), [request_])
        slots = alone["items"].shape[1]
        np.testing.assert_array_equal(together["items"][row, :slots], alone["items"][0])
        np.testing.assert_array_equal(together["pairs"][row, :slots], alone["pairs"][0])
        np.testing.assert_array_equal(together["customer"][row], alone["customer"][0])
        assert (together["items"][row, slots:] == len(ITEMS)).all()


@given(PURCHASES, st.randoms(use_true_random=False))
def test_order_and_repetition_of_a_history_do_not_matter(purchases: list, random: object) -> None:
    history = [(ITEMS[item], ago(days)) for item, days in purchases]
    shuffled = [*history, *history]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    inputs = encode(reference(), [Request(history=tuple(history))])
    again = encode(reference(), [Request(history=tuple(shuffled))])
    for name, values in inputs.items():
        np.testing.assert_array_equal(values, again[name])


@given(PURCHASES)
def test_inputs_are_always_finite(purchases: list) -> None:
    rows = np.zeros(len(purchases), dtype=np.int64)
    items, days = np.array(purchases, dtype=np.int64).reshape(-1, 2).T
    inputs = assemble(SUBCLASS, rows, items, 1000 - days, np.array([1000]))
    assert all(np.isfinite(values).all() for values in inputs.values())


def test_purchases_on_or_after_the_day_asked_about_do_not_count() -> None:
    inputs = encode(reference(), [Request(customer="00000001", as_of=ago(2))])
    assert inputs["items"].tolist() == [[0]]


def test_equal_scores_stand_in_item_order() -> None:
    outputs = {"scores": np.array([[1, 3, 3, 0, 3, 2]], dtype=np.float32)}
    (answer,) = decode(reference(), outputs, 4)
    assert answer == [(ITEMS[1], 3.0), (ITEMS[2], 3.0), (ITEMS[4], 3.0), (ITEMS[5], 2.0)]


def test_more_items_than_there_are_gives_all_of_them() -> None:
    outputs = {"scores": np.zeros((1, 6), dtype=np.float32)}
    assert [item for item, _ in decode(reference(), outputs, 100)[0]] == list(ITEMS)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 70))
def test_the_best_are_the_first_of_a_full_sort(scores: list[int], k: int) -> None:
    values = np.array(scores, dtype=np.float32)
    expected = np.argsort(-values, kind="stable")[:k]
    assert best(values, k).tolist() == expected.tolist()


def test_a_reference_is_read_as_it_was_written(tmp_path: Path) -> None:
    np.savez(
        tmp_path / features.REFERENCE_FILE,
        items=np.char.encode(np.array(ITEMS), "utf-8"),
        subclass=SUBCLASS,
        as_of=np.array(AS_OF.toordinal()),
        customers=np.char.encode(np.array(["00000001", "00000002"]), "utf-8"),
        starts=np.array([0, 3, 3]),
        bought=np.array([0, 0, 3]),
        days=np.array([AS_OF.toordinal() - days for days in (30, 2, 2)]),
    )
    read, expected = features.load_reference(tmp_path), reference()
    assert (read.items, read.customers, read.as_of) == (ITEMS, expected.customers, expected.as_of)
    np.testing.assert_array_equal(read.days, expected.days)


def test_the_module_needs_nothing_but_numpy_and_the_standard_library() -> None:
    allowed = {"numpy", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(Path(features.__file__).read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert str(node.module).partition(".")[0] in allowed
        if isinstance(node, ast.Import):
            assert {name.name.partition(".")[0] for name in node.names} <= allowed


def test_a_model_is_encoded_by_the_features_in_its_own_folder(tmp_path: Path) -> None:
    text = Path(features.__file__).read_text().replace('    "log_subclass_days",\n', "")
    text = text.replace("            np.log1p(in_subclass - times),\n", "")
    (tmp_path / "features.py").write_text(text)
    own = rankings.features_of(tmp_path)
    request = own.Request(customer="00000001")
    assert own.encode(reference(), [request])["pairs"].shape[2] == len(features.PAIR_FEATURES) - 1
    assert own.__name__ != features.__name__
    assert [path.name for path in tmp_path.iterdir()] == ["features.py"]


def test_a_model_without_features_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the model has no features\.py"):
        rankings.features_of(tmp_path)
