"""Do the linters find nothing?

A result of level `error` blocks, a `warning` warns, a `note` passes; one that is suppressed in the
source counts for nothing. A linter that leaves no report blocks: it looked at nothing. So does one
that fails and finds nothing.

Source: Static Analysis Results Interchange Format (SARIF) 2.1.0, OASIS, sections 3.13, 3.27.10,
3.27.23 and 3.52.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...records import Finding, Outcome
from . import LintEvidence, Report

Result = tuple[str, dict[str, Any]]  # its level, and itself
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
            findings = _judged(name, _results(report), settings)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            said = f"{name} left no SARIF report: {report.said or repr(error)}"
            yield Finding("clean", "block", f"exit {report.exit_code}", "a report", said, name)
            continue
        yield from findings


def _judged(name: str, results: list[Result], settings: Settings) -> list[Finding]:
    counting = [(OUTCOMES[level], result) for level, result in results if level in OUTCOMES]
    shown = [_finding(name, result, outcome) for outcome, result in counting]
    errors, warnings = (sum(f.outcome == kind for f in shown) for kind in ("block", "warn"))
    good = errors <= settings.max_errors
    calm = warnings <= settings.max_warnings
    outcome: Outcome = ("pass" if calm else "warn") if good else "block"
    measured = {"errors": errors, "warnings": warnings}
    expected = {"errors": f"<= {settings.max_errors}", "warnings": f"<= {settings.max_warnings}"}
    left = f", of which {MOST} are told" if len(shown) > MOST else ""
    said = f"{name}: {len(shown)} results{left}"
    first = Finding("clean", outcome, measured, expected, said, name)
    return [first, *([] if good and calm else shown[:MOST])]


def _results(report: Report) -> list[Result]:
    """Each result that stands, with its level."""
    runs = json.loads(report.sarif)["runs"]
    if not runs:
        raise ValueError("no run in it")
    results = [(_level(run, result), result) for run in runs for result in run["results"]]
    if report.exit_code and not results:
        raise ValueError("it failed and found nothing")
    return [(level, result) for level, result in results if not _suppressed(result)]


def _level(run: dict[str, Any], result: dict[str, Any]) -> str:
    """A result's level: its own, or else its rule's, or else a warning."""
    if result.get("kind", "fail") != "fail":
        return "none"
    driver = run.get("tool", {}).get("driver", {})
    rules = {rule.get("id"): rule for rule in driver.get("rules") or ()}
    rule = rules.get(result.get("ruleId") or result.get("rule", {}).get("id"), {})
    usual = rule.get("defaultConfiguration", {}).get("level", "warning")
    return str(result.get("level", usual))


def _suppressed(result: dict[str, Any]) -> bool:
    """Whether somebody accepted it; that may still be under review, or refused."""
    told = result.get("suppressions") or ()
    accepted = all(one.get("status", "accepted") == "accepted" for one in told)
    return bool(told) and accepted


def _finding(name: str, result: dict[str, Any], outcome: Outcome) -> Finding:
    place = (result.get("locations") or [{}])[0].get("physicalLocation", {})
    path = str(place.get("artifactLocation", {}).get("uri", ""))
    line = place.get("region", {}).get("startLine", "")
    where = f"{name} {path}:{line}" if path else name
    said = str(result.get("message", {}).get("text", ""))
    rule = str(result.get("ruleId") or "")
    return Finding("clean", outcome, rule, "nothing", said, where)
