"""Gates of the subject: tests."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TestsEvidence:
    """One layer's run: pytest's JUnit file and exit code."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    layer: str
    junit: Path
    exit_code: int
    allow_skips: tuple[str, ...]
