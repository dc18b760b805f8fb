"""Does the raw data hold what the suite `ml/expectations/raw.json` expects of it?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from .. import suites
from . import DataEvidence


@dataclass(frozen=True)
class Settings:
    """When a suite counts as weakened."""

    at_least: int  # floor: different expectations in the suite


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding an expectation."""
    return suites.ask(
        evidence.suite,
        evidence.reading.table,
        name=suites.RAW,
        at_least=settings.at_least,
        personal=evidence.personal,
    )
