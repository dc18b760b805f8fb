"""Does the deployed artefact itself answer, alive and ready?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ServiceEvidence


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


def judge(evidence: ServiceEvidence, _: Settings) -> Iterable[Finding]:
    """One finding a health address, one for the model's name."""
    expected = f"200 {evidence.digest}"
    for path, answer in evidence.health.items():
        yield found("health", path, good=answer == expected, measured=answer, expected=expected)
    yield found(
        "health",
        "model",
        good=evidence.models == (evidence.model,),
        measured=", ".join(evidence.models),
        expected=evidence.model,
    )
