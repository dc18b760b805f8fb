"""Is it, byte for byte, what its record says, and does it say so itself?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ImageEvidence


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


def judge(evidence: ImageEvidence, _: Settings) -> Iterable[Finding]:
    """One finding each for its bytes, its answers, its files packed again, and its parts."""
    pairs = {
        "bytes": (evidence.stored, evidence.digest),
        "answers": (evidence.answered, evidence.digest),
        "packed again": (evidence.repacked, evidence.digest),
        "model": (evidence.model, evidence.model_recorded),
        "requirements": (evidence.requirements, evidence.requirements_recorded),
    }
    for where, (measured, expected) in pairs.items():
        good = bool(expected) and measured == expected
        yield found("digest", where, good=good, measured=measured, expected=expected)
