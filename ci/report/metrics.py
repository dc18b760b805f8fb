"""The model's scores beside the champion's and the baselines', metric by metric and by slice."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..records import Evaluation, Finding, Verdict
from . import words
from .sources import Sources

Numbers = Mapping[str, float]
Better = Literal["higher", "lower", ""]
MOST_ROWS = 40  # metrics, slices
MOST_BASELINES = 8  # each is a column


@dataclass(frozen=True)
class Scores:
    """One evaluation.

    Attributes:
        champion: None where nothing was in production; empty where it could not be scored.
        pointer: which model the champion is.
        slices: name → its rows and scores.
    """

    candidate: Numbers = field(default_factory=dict)
    champion: Numbers | None = None
    baselines: Mapping[str, Numbers] = field(default_factory=dict)
    slices: Mapping[str, Any] = field(default_factory=dict)
    window: Mapping[str, Any] = field(default_factory=dict)
    pointer: Mapping[str, Any] | None = None
    dataset: str = ""
    model: str = ""

    @staticmethod
    def of(numbers: Numbers | None, metric: str) -> float:
        """One metric, NaN where it is not there."""
        return (numbers or {}).get(metric, math.nan)


@dataclass(frozen=True)
class Row:
    """One metric: every number already as text."""

    metric: str
    candidate: str
    champion: str
    difference: str
    change: str  # `better`, `worse` or nothing
    better: Better
    baselines: tuple[str, ...]
    thresholds: tuple[Finding, ...]


@dataclass(frozen=True)
class Slice:
    """One part of the rows, scored on its own."""

    name: str
    rows: str
    candidate: str
    champion: str
    difference: str
    change: str
    width: float  # of the candidate's bar, per cent
    mark: float  # the champion's place on it, per cent; negative where there is none


def scores_of(sources: Sources) -> Scores:
    """The scores, from the evaluation's own file, else from its record."""
    record = sources.get("evaluation", Evaluation)
    detail = sources.details.get("evaluation")
    if detail is not None:
        pointer = record.champion if record else sources.details.get("champion")
        return Scores(
            numbers(detail.get("candidate")),
            None if detail.get("champion") is None else numbers(detail["champion"]),
            _baselines(detail.get("baselines")),
            table(detail.get("slices")),
            table(detail.get("window")),
            table(pointer) or None,
            words.tidy(detail.get("dataset") or ""),
            words.tidy(detail.get("model") or ""),
        )
    if record is not None:
        return Scores(
            record.candidate_metrics,
            record.champion_metrics,
            _baselines(record.baselines),
            window=record.window,
            pointer=record.champion,
            dataset=record.dataset,
            model=record.subject,
        )
    return Scores()


def _baselines(content: Any) -> dict[str, dict[str, float]]:
    named = list(table(content).items())[:MOST_BASELINES]
    return {str(name): numbers(scores) for name, scores in named}


def table(content: Any) -> dict[str, Any]:
    """A JSON object, or an empty one where it is something else."""
    return dict(content) if isinstance(content, Mapping) else {}


def numbers(content: Any) -> dict[str, float]:
    """The numbers of a JSON object; null is NaN, anything else is left out."""
    found = {}
    for name, held in table(content).items():
        if held is None:
            found[str(name)] = math.nan
        elif isinstance(held, int | float) and not isinstance(held, bool):
            found[str(name)] = _float(held)
    return found


def _float(held: float) -> float:
    try:
        return float(held)
    except OverflowError:
        return math.inf


def headline_metric(scores: Scores, gates: Mapping[str, Mapping[str, Any]]) -> str:
    """The metric that counts: the one a gate decides by, else the first that there is."""
    for settings in gates.values():
        named = settings.get("metric")
        if isinstance(named, str) and named in scores.candidate:
            return named
    return next(iter(scores.candidate), "")


def rows(
    scores: Scores, verdict: Verdict | None, gates: Mapping[str, Mapping[str, Any]]
) -> tuple[Row, ...]:
    """One row a metric, the one that counts first."""
    first = headline_metric(scores, gates)
    counts = {n for n, v in scores.candidate.items() if math.isfinite(v) and v > 1 and v == int(v)}
    every = {*scores.candidate, *(scores.champion or {})}
    names = sorted(every, key=lambda n: (n != first, n in counts, n))
    return tuple(_row(name, scores, verdict, gates) for name in names[:MOST_ROWS])


def _row(
    name: str, scores: Scores, verdict: Verdict | None, gates: Mapping[str, Mapping[str, Any]]
) -> Row:
    mine, theirs = Scores.of(scores.candidate, name), Scores.of(scores.champion, name)
    others = scores.baselines.values()
    asked = tuple(
        f
        for f in (verdict.findings if verdict else ())
        if f.where == name or f.where.startswith(f"{name} ")
    )
    direction = better(name, asked, gates)
    return Row(
        name,
        shown(scores.candidate, name),
        shown(scores.champion, name),
        words.difference(mine - theirs),
        change(mine - theirs, direction),
        direction,
        tuple(shown(found, name) for found in others),
        asked[:8],
    )


def shown(found: Numbers | None, name: str) -> str:
    """A score as text; a dash where it was not measured, NaN where that gave none."""
    return words.score(found[name]) if found and name in found else words.NONE


def better(name: str, asked: tuple[Finding, ...], gates: Mapping[str, Mapping[str, Any]]) -> Better:
    """Which direction of a metric is better, as `delivery.toml` or an expectation says."""
    for settings in gates.values():
        lower = settings.get("lower_is_better")
        if (isinstance(lower, list) and name in lower) or name in table(settings.get("most")):
            return "lower"
    signs = [str(finding.expected)[:1] for finding in asked]
    if ">" in signs:
        return "higher"
    if "<" in signs:
        return "lower"
    return "higher" if any(name in table(s.get("max_drop")) for s in gates.values()) else ""


def change(by: float, direction: Better) -> str:
    """Whether a change is for the better; nothing where that cannot be said."""
    if not direction or not by or math.isnan(by):
        return ""
    return "better" if (by > 0) == (direction == "higher") else "worse"


def slices(scores: Scores, metric: str, direction: Better) -> tuple[Slice, ...]:
    """Every slice's score of one metric, with bars on one scale."""
    found = []
    for name, content in list(scores.slices.items())[:MOST_ROWS]:
        held = table(content)
        mine = Scores.of(numbers(held.get("candidate")), metric)
        theirs = Scores.of(numbers(held.get("champion")), metric)
        found.append((str(name), held.get("rows"), mine, theirs))
    top = max((v for _, _, *pair in found for v in pair if math.isfinite(v)), default=0.0)
    return tuple(
        Slice(
            name,
            words.value(size) if isinstance(size, int) else words.NONE,
            words.score(mine),
            words.score(theirs) if math.isfinite(theirs) else words.NONE,
            words.difference(mine - theirs),
            change(mine - theirs, direction),
            share(mine, top) or 0.0,
            -1.0 if math.isnan(theirs) else share(theirs, top),
        )
        for name, size, mine, theirs in found
    )


def share(part: float, whole: float) -> float:
    """`part` of `whole` in per cent, within 0 and 100, for a drawing."""
    if not (math.isfinite(part) and math.isfinite(whole) and whole > 0):
        return 0.0
    return round(min(max(100 * part / whole, 0.0), 100.0), 2)
