"""The leakage gate: what is learned from holds nothing of what is tested on."""

import datetime
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import ibis
import pyarrow as pa
import pytest

from slipway.gates import prepared
from slipway.gates.offending import Offending
from slipway.gates.prepared import leakage
from slipway.gates.telling import telling
from slipway.records import Finding

Row = tuple[str, int, str, int, float]
LEARN: list[Row] = [
    *(("a", 1, product, 1, 2.0) for product in "pqr"),
    *(("a", 2, product, 1, 2.0) for product in "ps"),
    ("b", 3, "p", 1, 2.0),
]
TEST: list[Row] = [
    *(("a", 5, product, 1, 2.0) for product in "pqt"),
    ("b", 6, "p", 1, 2.0),
    *(("d", 6, product, 1, 2.0) for product in "pqr"),
]
SETTINGS = leakage.Settings(max_copied=0.0)


def rows(content: Sequence[Row]) -> pa.Table:
    days = [datetime.date(2001, 2, row[1]) for row in content]
    return pa.table(
        {
            "customer": pa.array([row[0] for row in content], pa.string()),
            "date": pa.array(days, pa.date32()),
            "product": pa.array([row[2] for row in content], pa.string()),
            "amount": pa.array([row[3] for row in content], pa.int32()),
            "sales_price": pa.array([row[4] for row in content], pa.float64()),
        }
    )


def judged(
    learn: Any = LEARN, test: Any = TEST, settings: leakage.Settings = SETTINGS, **more: pa.Table
) -> tuple[dict[str, Finding], dict[str, list[dict[str, Any]]]]:
    """The findings, and the rows of those that name some."""
    given = {"lines": learn, "test": test, **more}
    tables = {
        name: ibis.memtable(rows(content) if isinstance(content, list) else content)
        for name, content in given.items()
        if content is not None
    }
    reading = prepared.Reading(tables, {}, None)
    answers = list(leakage.judge(prepared.PreparedEvidence(lambda: reading, "md5:x"), settings))
    offending = [answer for answer in answers if isinstance(answer, Offending)]
    findings = [a.finding if isinstance(a, Offending) else a for a in answers]
    named = {answer.finding.where: answer.rows.to_pyarrow().to_pylist() for answer in offending}
    assert len({finding.where for finding in findings}) == len(findings)
    return {finding.where: finding for finding in findings}, named


def blocked(found: Mapping[str, Finding]) -> set[str]:
    return {where for where, finding in found.items() if finding.outcome != "pass"}


BASKET = [("a", 5, product, 1, 2.0) for product in "pqr"]
FAULTS: dict[str, tuple[Any, Any, Mapping[str, Any], set[str]]] = {
    "nothing is wrong": (LEARN, TEST, {}, set()),
    "a learning row is of a test day": ([*LEARN, ("c", 5, "p", 1, 2.0)], TEST, {}, {"time"}),
    "a learning row is after the test": ([*LEARN, ("c", 9, "p", 1, 2.0)], TEST, {}, {"time"}),
    "a test row is learned from": ([*LEARN, TEST[0]], TEST, {}, {"time", "keys in both"}),
    "nothing is learned from": ([], TEST, {}, {"time"}),
    "nothing is tested on": (LEARN, [], {}, {"time", "copied baskets"}),
    "no test basket is large enough to be a copy": (LEARN, TEST[:2], {}, {"copied baskets"}),
    "a basket was copied under an earlier day": (
        [*LEARN, *(("a", 4, row[2], 1, 2.0) for row in TEST[:3])],
        TEST,
        {},
        {"copied baskets"},
    ),
    "a basket was copied, its lines in another order": (
        [*LEARN, *(("a", 4, row[2], 1, 2.0) for row in reversed(TEST[:3]))],
        TEST,
        {},
        {"copied baskets"},
    ),
    "a basket is like an earlier one but for a piece": (
        LEARN,
        [*BASKET[:2], ("a", 5, "r", 2, 2.0)],
        {},
        set(),
    ),
    "a basket is like an earlier one but for a price": (
        LEARN,
        [*BASKET[:2], ("a", 5, "r", 1, 2.5)],
        {},
        set(),
    ),
    "a basket is a part of an earlier one": (LEARN, BASKET[:2], {"min_lines": 2}, set()),
    "an earlier basket is a part of it": (
        LEARN,
        [("a", 5, product, 1, 2.0) for product in "pst"],
        {"min_lines": 2},
        set(),
    ),
    "a basket is another customer's": (
        LEARN,
        [("d", 5, product, 1, 2.0) for product in "pqr"],
        {},
        set(),
    ),
    "small baskets are alike": (LEARN, [*TEST[:3], ("b", 5, "p", 1, 2.0)], {}, set()),
    "small baskets are alike, and count": (
        LEARN,
        [("b", 5, "p", 1, 2.0)],
        {"min_lines": 1},
        {"copied baskets"},
    ),
    "as many baskets are copied as may be": (
        LEARN,
        [*BASKET, *TEST[4:]],
        {"max_copied": 0.5},
        set(),
    ),
    "one more basket is copied than may be": (
        LEARN,
        [*BASKET, *TEST[4:]],
        {"max_copied": 0.49},
        {"copied baskets"},
    ),
    "customers are to be split, and are not": (
        LEARN,
        TEST,
        {"disjoint": ("customer",)},
        {"customer in both"},
    ),
    "customers are split": (LEARN, TEST[4:], {"disjoint": ("customer",)}, set()),
    "the test table is missing": (LEARN, None, {}, {"tables"}),
    "the learning table is missing": (None, TEST, {}, {"tables"}),
    "a column is missing": (
        rows(LEARN).drop_columns(["sales_price"]),
        TEST,
        {},
        {"tables"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_leakage_gate_stops(name: str) -> None:
    learn, test, changes, expected = FAULTS[name]
    found, _ = judged(learn, test, replace(SETTINGS, **changes))
    assert blocked(found) == expected


def test_the_rows_that_leak_are_named() -> None:
    late = ("c", 9, "p", 1, 2.0)
    _, named = judged([*LEARN, late, TEST[0]], TEST)
    assert {row["customer"] for row in named["time"]} == {"c", "a"}
    assert [row["product"] for row in named["keys in both"]] == ["p"]
    _, named = judged(LEARN, [*BASKET, *TEST[4:]])
    assert sorted(row["product"] for row in named["copied baskets"]) == ["p", "q", "r"]
    _, named = judged(settings=replace(SETTINGS, disjoint=("customer",)))
    assert {row["customer"] for row in named["customer in both"]} == {"a", "b"}


# Features.

KNOWN = replace(SETTINGS, features=(leakage.Features("customers", "customer"),))


def customers(**columns: Any) -> pa.Table:
    """Five customers, of whom a and b buy in the test window (d does, too, but nobody knows d)."""
    return pa.table({"customer": ["a", "b", "c", "e", "f"], "baskets": [1, 3, 3, 1, 3], **columns})


DATES = [datetime.date(2001, 2, day) if day else None for day in (5, 6, 1, 2, 1)]
TELLING: dict[str, tuple[Any, bool]] = {
    "a column tells nothing": ([3, 1, 2, 0, 5], False),
    "a column is the answer": ([True, True, False, False, False], True),
    "a column is the number": ([3, 1, 0, 0, 0], True),
    "a column is the answer upside down": ([0, 0, 1, 1, 1], True),
    "a column is there for buyers alone": ([1.0, 1.0, None, None, None], True),
    "a column is missing for buyers alone": ([None, None, 1, 2, 3], True),
    "a day is in the test window": (pa.array(DATES, pa.date32()), True),
    "a moment is in the test window": (
        pa.array(DATES, pa.date32()).cast(pa.timestamp("us")),
        True,
    ),
    "a column is constant": ([7, 7, 7, 7, 7], False),
    "a column is text": (["a", "a", "b", "b", "b"], False),
}


def test_the_answer_is_in_the_features_where() -> None:
    columns = {name: values for name, (values, _) in TELLING.items()}
    found, _ = judged(settings=KNOWN, customers=customers(**columns))
    telling_ones = {f"target in customers.{name}" for name, (_, tells) in TELLING.items() if tells}
    assert blocked(found) == telling_ones
    assert found.keys() >= {f"target in customers.{name}" for name in TELLING if "text" not in name}
    assert "target in customers.a column is text" not in found


def test_a_ceiling_may_be_reached() -> None:
    told = telling(ibis.memtable(customers()), ibis.memtable(rows(TEST)), "customer")["baskets"]
    features = replace(KNOWN.features[0], max_auc=told.auc, max_correlation=told.correlation)
    found, _ = judged(settings=replace(KNOWN, features=(features,)), customers=customers())
    assert not blocked(found)
    features = replace(features, max_auc=told.auc - 0.001)
    found, _ = judged(settings=replace(KNOWN, features=(features,)), customers=customers())
    assert blocked(found) == {"target in customers.baskets"}


@pytest.mark.parametrize("who", [["a", "b"], ["c", "e"]])
def test_where_all_buy_or_nobody_does_nothing_can_be_told_and_it_blocks(who: list[str]) -> None:
    table = pa.table({"customer": who, "baskets": [1, 2]})
    found, _ = judged(settings=KNOWN, customers=table)
    assert blocked(found) == {"target in customers.baskets"}


def test_a_table_of_features_that_is_missing_or_cannot_be_asked_blocks() -> None:
    assert blocked(judged(settings=KNOWN)[0]) == {"features of customers"}
    texts = pa.table({"customer": ["a", "c"], "buys": ["yes", "no"]})
    assert blocked(judged(settings=KNOWN, customers=texts)[0]) == {"features of customers"}
    found, _ = judged(settings=KNOWN, customers=customers().drop_columns(["customer"]))
    assert blocked(found) == {"features of customers"}


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    random = Random(7)
    times = [random.randint(0, 2) for _ in range(12)]
    columns = [[random.choice([None, -1, 0, 1, 2]) for _ in times] for _ in range(40)]
    who = [str(number) for number in range(len(times))]
    table = pa.table({"who": who, **{f"x{n}": values for n, values in enumerate(columns)}})
    often = [name for name, count in zip(who, times, strict=True) for _ in range(count)]
    told = telling(ibis.memtable(table), ibis.memtable(pa.table({"who": often})), "who")
    for number, values in enumerate(columns):
        scores = [-9 if value is None else value for value in values]
        buyers = [score for score, count in zip(scores, times, strict=True) if count]
        others = [score for score, count in zip(scores, times, strict=True) if not count]
        right = sum((b > o) + 0.5 * (b == o) for b in buyers for o in others)
        auc = right / (len(buyers) * len(others))
        assert told[f"x{number}"].auc == pytest.approx(max(auc, 1 - auc))
        assert told[f"x{number}"].correlation == pytest.approx(abs(spearman(scores, times)))


def spearman(one: Sequence[int], other: Sequence[int]) -> float:
    def ranks(values: Sequence[int]) -> list[float]:
        return [sum(v < x for v in values) + sum(v == x for v in values) / 2 for x in values]

    return statistics.correlation(ranks(one), ranks(other))
