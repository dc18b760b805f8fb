"""Does a request that nobody can answer get a 4xx that says why, and never a 5xx?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ServiceEvidence


@dataclass(frozen=True)
class Settings:
    """How many kinds of bad request there have to be."""

    min_cases: int = 10


def judge(evidence: ServiceEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a case, one for their number."""
    cases = evidence.bad_requests
    for case in cases:
        yield found(
            "bad_requests",
            case.case,
            good=400 <= case.status < 500 and case.says_why,
            measured=case.status,
            expected="4xx with a reason",
        )
    yield found(
        "bad_requests",
        "cases",
        good=len(cases) >= settings.min_cases,
        measured=len(cases),
        expected=f">= {settings.min_cases}",
    )
