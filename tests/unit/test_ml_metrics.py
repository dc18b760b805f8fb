"""Metrics against cases worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import metrics


def hits(*rows: str) -> np.ndarray:
    """Rankings as text: `x` where the item at a rank is relevant."""
    return np.array([[mark == "x" for mark in row] for row in rows])


def test_ndcg_is_one_where_every_relevant_item_stands_first() -> None:
    assert metrics.ndcg(hits("xx..."), np.array([2])).tolist() == [1.0]


def test_ndcg_discounts_by_rank() -> None:
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert metrics.ndcg(hits(".x.x."), np.array([3]))[0] == pytest.approx(gained / ideal)


def test_more_relevant_items_than_ranks_can_still_be_ideal() -> None:
    assert metrics.ndcg(hits("xx"), np.array([7])).tolist() == [1.0]


def test_recall_counts_against_all_relevant_items() -> None:
    found = metrics.recall(hits("x.x..", "....."), np.array([4, 2]))
    assert found.tolist() == [0.5, 0.0]


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([3, 2, 1], [1, 0, 0], 1.0),
        ([1, 2, 3], [1, 0, 0], 0.0),
        ([1, 1, 1], [1, 0, 0], 0.5),
        ([4, 3, 2, 1], [1, 0, 1, 0], 0.75),
        ([2, 2, 1], [1, 0, 0], 0.75),
    ],
)
def test_auc_is_the_share_of_pairs_in_order(
    scores: list[float], labels: list[int], expected: float
) -> None:
    assert metrics.auc(np.array(scores, float), np.array(labels, bool)) == expected


def test_auc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(metrics.auc(np.array([1.0, 2.0]), np.array([True, True])))
    assert math.isnan(metrics.auc(np.array([]), np.array([], dtype=bool)))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=40))
def test_auc_equals_counting_every_pair(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], dtype=float)
    labels = np.array([label for _, label in pairs])
    wins = [
        (1.0 if positive > negative else 0.5 if positive == negative else 0.0)
        for positive in scores[labels]
        for negative in scores[~labels]
    ]
    expected = sum(wins) / len(wins) if wins else math.nan
    assert metrics.auc(scores, labels) == pytest.approx(expected, nan_ok=True)


def test_the_best_threshold_has_the_highest_f1() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    labels = np.array([True, False, True, False])
    assert metrics.best_threshold(scores, labels) == 0.7


def test_without_a_score_the_threshold_is_infinite() -> None:
    assert metrics.best_threshold(np.array([]), np.array([], dtype=bool)) == math.inf


def test_a_decision_is_counted_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    labels = np.array([True, False, True, True])
    decided = metrics.decision(scores, labels, 0.8)
    assert decided["precision"] == 0.5
    assert decided["recall"] == pytest.approx(1 / 3)
    assert decided["f1"] == pytest.approx(0.4)


def test_a_decision_with_an_unknown_threshold_has_no_score() -> None:
    decided = metrics.decision(np.array([0.5]), np.array([True]), math.nan)
    assert math.isnan(decided["precision"])
    assert math.isnan(decided["f1"])


def test_equal_scores_are_one_point_of_the_curve() -> None:
    scores = np.array([0.5, 0.5, 0.2])
    thresholds, precision, recall = metrics.precision_recall(scores, np.array([True, False, True]))
    assert thresholds.tolist() == [0.5, 0.2]
    assert precision.tolist() == pytest.approx([0.5, 2 / 3])
    assert recall.tolist() == pytest.approx([0.5, 1.0])
