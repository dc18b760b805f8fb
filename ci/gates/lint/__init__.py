"""Gates of the subject: lint."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What one linter wrote: a SARIF document, unless it is something else."""

    exit_code: int
    sarif: bytes
    said: str = ""  # the last line that it wrote beside it


@dataclass(frozen=True)
class LintEvidence:
    """Linter → its report."""

    reports: dict[str, Report]
