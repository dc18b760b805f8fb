"""Does each prepared table hold what its suite `ml/expectations/<table>.json` expects of it?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from .. import suites
from ..offending import Offending
from . import PreparedEvidence


@dataclass(frozen=True)
class Settings:
    """When a suite counts as weakened."""

    at_least: dict[str, int]  # table → floor: different expectations in its suite


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding an expectation, for every table that is there, should be, or has a suite."""
    tables = evidence.reading.tables
    for name in sorted({*settings.at_least, *tables, *evidence.suites}):
        least = settings.at_least.get(name, 1)
        asked = suites.Asked(name, least, evidence.personal, evidence.custom)
        yield from suites.ask(evidence.suites.get(name), tables.get(name), asked)
