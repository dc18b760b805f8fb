"""A canary beside the champion: the same minute, the same load, two columns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..records import Deployment, Probe, Rollback, Verdict
from . import words
from .metrics import table
from .sources import Sources

ROWS = {
    "sent": "Requests",
    "failed": "Failed",
    "foreign": "From another artefact",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
}


@dataclass(frozen=True)
class Canary:
    """What is shown of a canary.

    Attributes:
        before: the version that it stood beside.
        rows: label, the champion's figure, the canary's.
        ending: what became of it, as far as the records say.
    """

    deployment: Deployment
    before: str
    verdict: Verdict | None
    rows: tuple[tuple[str, str, str], ...]
    ending: str


def canary(sources: Sources) -> Canary | None:
    """The canary of this delivery; none where nothing was split."""
    deployment = sources.get("canary", Deployment)
    if deployment is None or deployment.percent == 0:
        return None
    probe, verdict = sources.get("canary-probe", Probe), sources.get("canary-verdict", Verdict)
    before = words.tidy((deployment.previous or {}).get("version", "the champion"), 40)
    rows = _rows(probe.measured) if probe else ()
    return Canary(deployment, before, verdict, rows, _ending(sources, verdict, before))


def _rows(measured: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    own = table(measured.get("load"))
    beside = table(measured.get("beside"))
    champion = table(beside.get("load"))
    rows = [
        (label, _figure(champion.get(key)), _figure(own.get(key)))
        for key, label in ROWS.items()
        if key in own or key in champion
    ]
    sent = own.get("sent"), champion.get("sent")
    if rows and all(isinstance(n, int) and not isinstance(n, bool) for n in sent) and any(sent):
        shares = [n / sum(sent) for n in sent]  # type: ignore[arg-type, operator]
        rows.insert(1, ("Share", f"{100 * shares[1]:.1f} %", f"{100 * shares[0]:.1f} %"))
    return tuple(rows)


def _figure(content: Any) -> str:
    """Milliseconds with one decimal, so that the two sides line up; anything else as it reads."""
    exact = isinstance(content, float) and math.isfinite(content)
    return f"{content:,.1f}" if exact else words.value(content)


def _ending(sources: Sources, verdict: Verdict | None, before: str) -> str:
    rollback = sources.get("rollback", Rollback)
    if rollback and rollback.percent < 100:
        return f"It was taken back by {words.tidy(rollback.by, 60)}."
    if verdict and verdict.outcome == "block":
        return f"It was taken back; {before} serves on."
    if sources.get("production", Deployment):
        return "Then it got all requests."
    return "" if verdict else "Nobody has judged it."
