"""Does it export its metrics, and do they count what was asked?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ServiceEvidence


@dataclass(frozen=True)
class Settings:
    """What has to be exported."""

    names: tuple[str, ...] = (
        "slipway_requests_total",
        "slipway_request_seconds_bucket",
        "slipway_requests_in_flight",
        "slipway_fallbacks_total",
        "slipway_model_info",
    )


def judge(evidence: ServiceEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding each for: readable, complete, counting, and naming the deployed artefact."""
    exported, load = evidence.metrics, evidence.load
    yield found(
        "metrics",
        "readable",
        good=not exported.error,
        measured=exported.error or "readable",
        expected="readable",
    )
    missing = [name for name in settings.names if name not in exported.names]
    yield found(
        "metrics",
        "complete",
        good=not missing and bool(settings.names),
        measured=", ".join(missing) or "nothing missing",
        expected="nothing missing",
    )
    answered = load.sent - load.failed
    yield found(
        "metrics",
        "counted",
        good=exported.counted >= answered > 0,
        measured=exported.counted,
        expected=f">= {answered} answers, more than 0",
    )
    yield found(
        "metrics",
        "digest",
        good=exported.digests == (evidence.digest,),
        measured=", ".join(exported.digests),
        expected=evidence.digest,
    )
