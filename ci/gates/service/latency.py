"""Does it answer quickly, and every time, under the stated load?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ServiceEvidence


@dataclass(frozen=True)
class Settings:
    """Ceilings under the environment's `load_per_s`; milliseconds count from the planned time."""

    max_p50_ms: float = 50.0
    max_p95_ms: float = 150.0
    max_p99_ms: float = 400.0
    max_error_rate: float = 0.0  # share of requests without an answer of status 200
    min_rate: float = 0.8  # share of the stated rate that has to be reached
    min_requests: int = 100


def judge(evidence: ServiceEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding each for the percentiles, errors, foreign answers, and the load itself."""
    load = evidence.load
    for name in ("p50", "p95", "p99"):
        value: float = getattr(load, f"{name}_ms")
        ceiling: float = getattr(settings, f"max_{name}_ms")
        yield found(
            "latency",
            f"{name} ms",
            good=value <= ceiling,
            measured=value,
            expected=f"<= {ceiling:g}",
        )
    rate = load.failed / load.sent if load.sent else float("nan")
    first = f" ({'; '.join(load.errors)})" if load.errors else ""
    yield found(
        "latency",
        "error rate",
        good=rate <= settings.max_error_rate,
        measured=rate,
        expected=f"<= {settings.max_error_rate:g}",
        what=f"{load.failed} of {load.sent} requests failed{first}",
    )
    yield found(
        "latency", "foreign answers", good=load.foreign == 0, measured=load.foreign, expected="0"
    )
    enough = load.sent >= settings.min_requests
    least = settings.min_rate * load.wanted_rate
    yield found(
        "latency",
        "load",
        good=enough and least > 0 and load.rate >= least,
        measured=load.rate,
        expected=f">= {least:g} a second, >= {settings.min_requests} requests",
        what=f"{load.sent} requests at {load.rate:.0f} a second, stated {load.wanted_rate:g}",
    )
