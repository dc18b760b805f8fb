"""Gates of the subject: model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...records import Finding


@dataclass(frozen=True)
class ModelEvidence:
    """What `evaluation.json` says, and which champion it was to be compared with.

    Attributes:
        evaluation: the parsed file, in the shape of the model contract.
        champion: the pointer in `models/champion.json`, or None.
    """

    evaluation: Mapping[str, Any]
    champion: Mapping[str, Any] | None


def number(scores: object, metric: str) -> float:
    """A metric's value; NaN where it is missing, null, or no finite number."""
    value = scores.get(metric) if isinstance(scores, Mapping) else None
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if good and value is not None and math.isfinite(value) else math.nan


def compared(gate: str, *, good: bool, measured: float, expected: str, where: str) -> Finding:
    """A finding about one number; NaN never passes, since `good` is false for it."""
    shown = None if math.isnan(measured) else round(measured, 6)
    said = "missing or NaN" if shown is None else f"{shown:.4f}"
    return Finding(
        gate,
        "pass" if good else "block",
        shown,
        expected,
        f"{where}: {said}, expected {expected}",
        where,
    )
