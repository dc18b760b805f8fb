"""Is each metric of the candidate within its absolute bounds?"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...records import Finding
from . import ModelEvidence, compared, number


@dataclass(frozen=True)
class Settings:
    """Metric → the least, and the most, that it may be."""

    least: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)


def judge(evidence: ModelEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a bound."""
    candidate = evidence.evaluation.get("candidate")
    for metric, floor in settings.least.items():
        value = number(candidate, metric)
        yield compared(
            "floors", good=value >= floor, measured=value, expected=f">= {floor:g}", where=metric
        )
    for metric, ceiling in settings.most.items():
        value = number(candidate, metric)
        yield compared(
            "floors",
            good=value <= ceiling,
            measured=value,
            expected=f"<= {ceiling:g}",
            where=metric,
        )
