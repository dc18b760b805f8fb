"""Did this layer's tests run, all of them, and pass?"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from . import TestsEvidence

PYTEST_EXITS = {2: "interrupted", 3: "internal error", 4: "usage error", 5: "no tests collected"}


@dataclass(frozen=True)
class Settings:
    """How many tests there have to be."""

    min_tests: int = 1


def judge(evidence: TestsEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding each for: ran, failed, could not be collected, skipped."""
    try:
        cases = list(ET.parse(evidence.junit).getroot().iter("testcase"))  # noqa: S314 (our own)
    except (OSError, ET.ParseError) as error:
        why = PYTEST_EXITS.get(evidence.exit_code, f"exit {evidence.exit_code}")
        yield Finding("ran", "block", why, "a JUnit file", f"no results: {error}", evidence.layer)
        return
    skipped = [_name(c) for c in cases if c.find("skipped") is not None]
    broken = [_name(c) for c in cases if c.find("error") is not None]
    failed = [_name(c) for c in cases if c.find("failure") is not None]
    ran = len(cases) - len(skipped)
    layer = evidence.layer
    yield _finding("ran", ran >= settings.min_tests, ran, f">= {settings.min_tests}", layer)
    yield _finding("failed", not failed, len(failed), "0", layer, failed)
    yield _finding("errors", not broken, len(broken), "0", layer, broken)
    refused = [name for name in skipped if not _allowed(name, evidence.allow_skips)]
    yield _finding("skipped", not refused, len(refused), "0 that are not allowed", layer, refused)
    known = evidence.exit_code == (1 if failed or broken else 0)
    why = PYTEST_EXITS.get(evidence.exit_code, f"exit {evidence.exit_code}")
    yield _finding("exit", known and evidence.exit_code == 0, why, "exit 0", layer)


def _allowed(name: str, patterns: Iterable[str]) -> bool:
    """Whether a test may be skipped; `*` stands for any text, every other sign for itself."""
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL)
        for pattern in patterns
    )


def _name(case: ET.Element) -> str:
    return f"{case.get('classname', '')}::{case.get('name', '')}"


def _finding(
    what: str,
    good: bool,
    measured: object,
    expected: str,
    layer: str,
    names: list[str] | None = None,
) -> Finding:
    shown = ", ".join((names or [])[:5]) + (" …" if len(names or []) > 5 else "")
    message = f"{layer} tests, {what}: {measured}" + (f" ({shown})" if shown else "")
    return Finding(
        "ran", "pass" if good else "block", measured, expected, message, f"{layer}.{what}"
    )
