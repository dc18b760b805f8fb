"""What the page draws itself: bars, as numbers that a template puts into SVG."""

import math
from dataclasses import dataclass

from . import words
from .metrics import Numbers, Scores, share

MOST_BARS = 10


@dataclass(frozen=True)
class Bar:
    """One bar: `kind` is candidate, champion or baseline."""

    label: str
    kind: str
    text: str
    width: float  # per cent


def bars(scores: Scores, metric: str) -> tuple[Bar, ...]:
    """Candidate, champion and baselines of one metric on one scale that begins at zero."""
    named: list[tuple[str, str, Numbers]] = [("candidate", "candidate", scores.candidate)]
    if scores.champion is not None:
        version = (scores.pointer or {}).get("version", "")
        named.append((words.tidy(f"champion {version}", 60).strip(), "champion", scores.champion))
    named += [(words.metric(n), "baseline", found) for n, found in scores.baselines.items()]
    figures = [(label, kind, Scores.of(found, metric)) for label, kind, found in named[:MOST_BARS]]
    top = max((f for _, _, f in figures if math.isfinite(f)), default=0.0)
    return tuple(Bar(label, kind, words.score(f), share(f, top)) for label, kind, f in figures)
