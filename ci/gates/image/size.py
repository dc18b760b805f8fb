"""Is it small enough to ship, to hold in memory, and to start quickly?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ImageEvidence

MEGABYTE = 1e6


@dataclass(frozen=True)
class Settings:
    """Ceilings for one instance."""

    max_mb: float = 50.0  # 1e6 bytes, packed
    max_memory_mb: float = 500.0  # 1e6 bytes, after the samples
    max_ready_cpu_s: float = 2.0  # processor time from start to ready


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a ceiling; nothing at all is too small."""
    measured = {
        "packed MB": (evidence.bytes / MEGABYTE, settings.max_mb),
        "memory MB": (evidence.memory_bytes / MEGABYTE, settings.max_memory_mb),
        "cpu s until ready": (evidence.cpu_s, settings.max_ready_cpu_s),
    }
    for where, (value, ceiling) in measured.items():
        good = 0 < value <= ceiling
        yield found("size", where, good=good, measured=value, expected=f"above 0, <= {ceiling:g}")
