"""The lint gate: what a SARIF report says, and what is none."""

import json

import pytest

from slipway.gates.lint import LintEvidence, Report, clean
from slipway.records import Finding


def result(level: str | None, rule: str = "F401", line: int = 3) -> dict[str, object]:
    place = {"artifactLocation": {"uri": "ml/x.py"}, "region": {"startLine": line}}
    said = {
        "ruleId": rule,
        "message": {"text": "unused"},
        "locations": [{"physicalLocation": place}],
    }
    return said if level is None else {**said, "level": level}


def judged(content: object, **settings: int) -> list[Finding]:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    evidence = LintEvidence({"ruff": Report(1, raw, "cannot read pyproject.toml")})
    return list(clean.judge(evidence, clean.Settings(**settings)))


def outcomes(*levels: str | None, **settings: int) -> list[str]:
    document = {"runs": [{"results": [result(level) for level in levels]}]}
    return [finding.outcome for finding in judged(document, **settings)]


@pytest.mark.parametrize(
    ("levels", "settings", "expected"),
    [
        ((), {}, ["pass"]),
        (("note", "none"), {}, ["pass"]),
        (("error",), {}, ["block", "block"]),
        (("warning",), {}, ["warn", "warn"]),
        ((None,), {}, ["warn", "warn"]),  # SARIF's own default level
        (("error", "warning"), {}, ["block", "block", "warn"]),
        (("error",), {"max_errors": 1}, ["pass"]),
        (("error", "error"), {"max_errors": 1}, ["block", "block", "block"]),
        (("warning",), {"max_warnings": 1}, ["pass"]),
    ],
)
def test_levels_decide(
    levels: tuple[str | None, ...], settings: dict[str, int], expected: list[str]
) -> None:
    assert outcomes(*levels, **settings) == expected


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"All checks passed!", b"{", b"[]", b"null", b"\xff"),
        *({}, {"runs": []}, {"runs": [{}]}, {"runs": [{"results": ["x"]}]}, {"runs": None}),
    ],
)
def test_what_is_no_report_blocks_and_says_what_the_linter_said(content: object) -> None:
    (finding,) = judged(content)
    assert finding.outcome == "block"
    assert finding.message == "ruff left no SARIF report: cannot read pyproject.toml"


def test_a_result_names_its_rule_and_its_place() -> None:
    _, finding = judged({"runs": [{"results": [result("error", line=7)]}]})
    assert (finding.measured, finding.where, finding.message) == (
        "F401",
        "ruff ml/x.py:7",
        "unused",
    )
    _, bare = judged({"runs": [{"results": [{"level": "error"}]}]})
    assert bare.outcome == "block"


def test_many_results_are_counted_whole_and_told_in_part() -> None:
    first, *told = judged({"runs": [{"results": [result("error")] * 1000}]})
    assert first.measured == {"errors": 1000, "warnings": 0}
    assert len(told) == clean.MOST
