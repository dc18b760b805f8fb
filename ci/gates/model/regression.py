"""Is the candidate as good as the champion, the model in production, on the same rows?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ...records import Finding
from . import ModelEvidence, compared, number


@dataclass(frozen=True)
class Settings:
    """How much worse than the champion a metric may be."""

    max_drop: dict[str, float]  # metric → drop, in its own unit
    first_release: Literal["allow", "block"]  # what to do where nothing is in production yet
    lower_is_better: tuple[str, ...] = ()


def judge(evidence: ModelEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a metric, and one for a fair comparison."""
    if evidence.champion is None:
        allowed = settings.first_release == "allow"
        yield Finding(
            "regression",
            "skip" if allowed else "block",
            "no champion",
            "a champion, or first_release = 'allow'",
            "nothing is in production yet: the first release is "
            + ("judged by floors and baselines alone" if allowed else "not allowed"),
            "first_release",
        )
        return
    yield from _fair(evidence, evidence.champion)
    if not settings.max_drop:
        expected = "at least one metric"
        yield Finding("regression", "block", 0, expected, "nothing is compared", "max_drop")
    for metric, drop in settings.max_drop.items():
        yield _no_worse(evidence, metric, drop, lower=metric in settings.lower_is_better)


def _fair(evidence: ModelEvidence, champion: Mapping[str, object]) -> Iterable[Finding]:
    """The champion must not have been trained on rows of the test window."""
    window = evidence.evaluation.get("window")
    start = window.get("from") if isinstance(window, Mapping) else None
    until = champion.get("trained_until")
    fair = isinstance(start, str) and isinstance(until, str) and until < start
    yield Finding(
        "regression",
        "pass" if fair else "block",
        until,
        f"before {start}",
        f"the champion was trained on rows until {until}; the test window begins on {start}",
        "champion.trained_until",
    )
    scored = evidence.evaluation.get("champion")
    error = scored.get("error") if isinstance(scored, Mapping) else "it was not scored"
    if error:
        yield Finding("regression", "block", error, "scores", f"the champion: {error}", "champion")


def _no_worse(evidence: ModelEvidence, metric: str, drop: float, *, lower: bool) -> Finding:
    candidate = number(evidence.evaluation.get("candidate"), metric)
    champion = number(evidence.evaluation.get("champion"), metric)
    bound = champion + drop if lower else champion - drop
    return compared(
        "regression",
        good=candidate <= bound if lower else candidate >= bound,
        measured=candidate,
        expected=f"{'<=' if lower else '>='} {bound:.4f} (champion {champion:.4f})",
        where=f"{metric} against champion",
    )
