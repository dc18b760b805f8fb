"""Does a linter find its Dockerfiles sound?"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...records import Finding, Outcome
from ..found import found
from . import ImageEvidence, Lint, LintFinding, not_asked

GATE = "lint"
LEVELS: dict[str, Outcome] = {"error": "block", "warning": "warn", "info": "pass", "style": "pass"}


@dataclass(frozen=True)
class Settings:
    """What the linter may say."""

    ignore: dict[str, str] = field(default_factory=dict)  # the linter's code → the reason


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding for the Dockerfiles, and one for each line that the linter names."""
    skipped = not_asked(GATE, evidence.kind, "lint")
    if skipped:
        yield skipped
        return
    seen = evidence.lint or Lint(error="not measured")
    yield found(
        GATE,
        "Dockerfiles",
        good=not seen.error and bool(seen.linter) and len(seen.files) > 0,
        measured=seen.error or len(seen.files),
        expected="at least 1 Dockerfile linted",
        what=seen.error
        or f"{seen.linter or 'nobody'} read {', '.join(sorted(seen.files)) or 'nothing'}",
    )
    yield from (_one(said, settings) for said in seen.found)


def _one(said: LintFinding, settings: Settings) -> Finding:
    reason = settings.ignore.get(said.code, "").strip()
    outcome = "pass" if reason else LEVELS.get(said.level, "block")
    what = f"{said.code} {said.level}: {said.message}" + (f"; ignored: {reason}" if reason else "")
    expected = "no error, no warning"
    return Finding(GATE, outcome, said.code, expected, what, f"{said.file}:{said.line}")
