"""Ranking and decision metrics, in numpy.

Source: Järvelin and Kekäläinen 2002 (nDCG); Fawcett 2006 (AUC as a rank statistic).
"""

import numpy as np
from numpy.typing import NDArray

from .features import Ints

Numbers = NDArray[np.float64]


def ndcg(hits: NDArray[np.bool_], relevant: Ints) -> Numbers:
    """Per row the normalised discounted gain of a ranking.

    Args:
        hits: [rows, k], whether the item at each rank is relevant.
        relevant: [rows], how many relevant items there are, at least one.
    """
    gain = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(gain)])
    return np.asarray((hits * gain).sum(axis=1) / ideal[np.minimum(relevant, hits.shape[1])])


def recall(hits: NDArray[np.bool_], relevant: Ints) -> Numbers:
    """Per row the share of the relevant items that the ranking holds."""
    return np.asarray(hits.sum(axis=1) / relevant)


def auc(scores: Numbers, labels: NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative, ties counting half; NaN without both."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    return float(
        (rank[inverse][labels].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


def precision_recall(scores: Numbers, labels: NDArray[np.bool_]) -> tuple[Numbers, ...]:
    """Thresholds in falling order, with precision and recall of 'score is at least that'."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    right = np.cumsum(labels[order])[last]
    return scores[order][last], right / (last + 1), right / max(int(labels.sum()), 1)


def best_threshold(scores: Numbers, labels: NDArray[np.bool_]) -> float:
    """The threshold with the highest F1; the highest of equals. Infinite without a score."""
    if len(scores) == 0:
        return float("inf")
    thresholds, precision, sensitivity = precision_recall(scores, labels)
    f1 = 2 * precision * sensitivity / np.maximum(precision + sensitivity, 1e-12)
    return float(thresholds[int(np.argmax(f1))])


def decision(scores: Numbers, labels: NDArray[np.bool_], threshold: float) -> dict[str, float]:
    """Precision, recall and F1 of 'score is at least the threshold'; NaN where undefined."""
    chosen = scores >= threshold
    right = float((chosen & labels).sum())
    precision = right / chosen.sum() if chosen.any() else float("nan")
    sensitivity = right / labels.sum() if labels.any() else float("nan")
    total = precision + sensitivity
    f1 = 2 * precision * sensitivity / total if total > 0 else (0.0 if total == 0 else float("nan"))
    return {"precision": float(precision), "recall": float(sensitivity), "f1": float(f1)}
