"""Do the linters find nothing?

A result of level `error` blocks, a `warning` warns, a `note` passes. A linter that leaves no report
blocks: it looked at nothing.

Source: Static Analysis Results Interchange Format (SARIF) 2.1.0, OASIS, sections 3.13 and 3.27.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...records import Finding, Outcome
from . import LintEvidence, Report

OUTCOMES: dict[str, Outcome] = {"error": "block", "warning": "warn"}  # what else there is passes
MOST = 200  # results of one linter that become findings of their own


@dataclass(frozen=True)
class Settings:
    """How much may be found."""

    max_errors: int = 0  # of each linter; more block
    max_warnings: int = 0  # of each linter; more warn


def judge(evidence: LintEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a linter, and one for each of its results that counts."""
    for name, report in evidence.reports.items():
        try:
            results = _results(report)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            said = f"{name} left no SARIF report: {report.said or repr(error)}"
            yield Finding("clean", "block", f"exit {report.exit_code}", "a report", said, name)
            continue
        yield from _judged(name, results, settings)


def _judged(name: str, results: list[Any], settings: Settings) -> Iterator[Finding]:
    counted = {"block": 0, "warn": 0}
    shown = []
    for result in results:
        outcome = OUTCOMES.get(result.get("level", "warning"))  # SARIF's own default
        if outcome:
            counted[outcome] += 1
            shown.append(_finding(name, result, outcome))
    errors, warnings = counted["block"], counted["warn"]
    good = errors <= settings.max_errors
    calm = warnings <= settings.max_warnings
    outcome = ("pass" if calm else "warn") if good else "block"
    measured = {"errors": errors, "warnings": warnings}
    expected = {"errors": f"<= {settings.max_errors}", "warnings": f"<= {settings.max_warnings}"}
    left = f", of which {MOST} are told" if len(shown) > MOST else ""
    yield Finding("clean", outcome, measured, expected, f"{name}: {len(shown)} results{left}", name)
    if not (good and calm):
        yield from shown[:MOST]


def _results(report: Report) -> list[Any]:
    document = json.loads(report.sarif)
    runs = document["runs"]
    if not runs:
        raise ValueError("no run in it")
    results = [result for run in runs for result in run["results"]]
    if any(not isinstance(result, dict) for result in results):
        raise TypeError("a result that is no object")
    return results


def _finding(name: str, result: dict[str, Any], outcome: Outcome) -> Finding:
    place = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    path = str(place.get("artifactLocation", {}).get("uri", ""))
    line = place.get("region", {}).get("startLine", "")
    said = str(result.get("message", {}).get("text", ""))
    rule = str(result.get("ruleId") or "")
    return Finding("clean", outcome, rule, "nothing", said, f"{name} {path}:{line}")
