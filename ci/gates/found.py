"""Findings that the gates of artefacts and services share."""

import math
from dataclasses import dataclass
from typing import Any

from ..records import Finding


@dataclass(frozen=True)
class Samples:
    """A model's own samples, asked of what serves it.

    Attributes:
        worst: the most by which a score differs from what training gave; inf for another answer.
        wrong: what was wrong with the first few, one phrase each.
    """

    asked: int
    worst: float
    tolerance: float
    wrong: tuple[str, ...]


def found(
    gate: str, where: str, *, good: bool, measured: Any, expected: str, what: str = ""
) -> Finding:
    """A finding that passes only if `good`; NaN shows as nothing measured."""
    if isinstance(measured, float):
        measured = None if math.isnan(measured) else round(measured, 6)
    message = what or f"{where}: {measured}, expected {expected}"
    return Finding(gate, "pass" if good else "block", measured, expected, message, where)


def samples(gate: str, asked: Samples, min_samples: int) -> list[Finding]:
    """Whether enough samples were asked, and all answered as training did."""
    first = "; ".join(asked.wrong)
    off = f"at most {asked.worst:g} off over {asked.asked} samples"
    return [
        found(
            gate,
            "asked",
            good=asked.asked >= min_samples,
            measured=asked.asked,
            expected=f">= {min_samples} samples",
        ),
        found(
            gate,
            "same as training",
            good=asked.worst <= asked.tolerance and not asked.wrong,
            measured=asked.worst,
            expected=f"<= {asked.tolerance:g}",
            what=off + (f": {first}" if first else ""),
        ),
    ]
