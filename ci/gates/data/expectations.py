"""Does the raw data hold what the suite `ml/expectations/raw.json` expects of it?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from .. import suites
from ..offending import Offending
from . import DataEvidence


@dataclass(frozen=True)
class Settings:
    """When a suite counts as weakened."""

    at_least: int  # floor: different expectations in the suite


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding an expectation."""
    asked = suites.Asked(suites.RAW, settings.at_least, evidence.personal, evidence.custom)
    table = evidence.reading.table
    declared = table.select([name for name in table.columns if name in evidence.columns])
    return suites.ask(evidence.suite, declared, asked)
