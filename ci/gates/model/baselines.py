"""Does the candidate beat each simple baseline by its margin, on the same rows?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...records import Finding
from . import ModelEvidence, compared, number


@dataclass(frozen=True)
class Settings:
    """Which metric decides, and by how much each baseline has to be beaten."""

    metric: str
    margins: dict[str, float]  # baseline → margin, in the metric's own unit


def judge(evidence: ModelEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a baseline."""
    candidate = number(evidence.evaluation.get("candidate"), settings.metric)
    baselines = evidence.evaluation.get("baselines")
    for name, margin in settings.margins.items():
        scores = baselines.get(name) if isinstance(baselines, Mapping) else None
        baseline = number(scores, settings.metric)
        yield compared(
            "baselines",
            good=candidate >= baseline + margin,
            measured=candidate,
            expected=f">= {baseline:.4f} ({name}) + {margin:g}",
            where=f"{settings.metric} against {name}",
        )
