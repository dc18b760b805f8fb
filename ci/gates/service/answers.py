"""Does the service answer the model's samples as training did?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import samples
from . import ServiceEvidence


@dataclass(frozen=True)
class Settings:
    """How many samples there have to be."""

    min_samples: int = 10


def judge(evidence: ServiceEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding for their number, one for the largest difference."""
    yield from samples("answers", evidence.samples, settings.min_samples)
