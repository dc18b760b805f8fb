"""Is it small enough to ship, to hold in memory, and to start quickly?"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...records import Finding
from ..found import found
from . import ImageEvidence

MEGABYTE = 1e6


@dataclass(frozen=True)
class Settings:
    """Ceilings for one instance."""

    # 1e6 bytes, unpacked; of a bundle, or of an image of that variant
    max_mb: dict[str, float] = field(
        default_factory=lambda: {"bundle": 50.0, "cpu": 250.0, "gpu": 7000.0}
    )
    max_memory_mb: float = 500.0  # 1e6 bytes, after the samples
    max_ready_cpu_s: float = 2.0  # processor time from start to ready


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a ceiling; nothing at all is too small, and no ceiling is too low for all."""
    what = evidence.kind if evidence.kind == "bundle" else evidence.variant
    measured = {
        "unpacked MB": (evidence.bytes / MEGABYTE, settings.max_mb.get(what, math.nan)),
        "memory MB": (evidence.memory_bytes / MEGABYTE, settings.max_memory_mb),
        "cpu s until ready": (evidence.cpu_s, settings.max_ready_cpu_s),
    }
    for where, (value, ceiling) in measured.items():
        good = 0 < value <= ceiling
        expected = f"above 0, <= {ceiling:g}"
        if math.isnan(ceiling):
            expected = f"a ceiling for '{what}'"
        yield found("size", where, good=good, measured=value, expected=expected)
