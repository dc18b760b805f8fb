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
    code = 0 if b'"results": []' in raw else 1
    evidence = LintEvidence({"ruff": Report(code, raw, "cannot read pyproject.toml")})
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
        {"runs": [{"results": [{"level": "error", "locations": [None]}]}]},
        {"runs": [{"results": [{"level": "error", "message": "x"}]}]},
        {"runs": [{"tool": 3, "results": [{}]}]},
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
    assert (bare.outcome, bare.where) == ("block", "ruff")


def test_many_results_are_counted_whole_and_told_in_part() -> None:
    first, *told = judged({"runs": [{"results": [result("error")] * 1000}]})
    assert first.measured == {"errors": 1000, "warnings": 0}
    assert len(told) == clean.MOST


def test_a_linter_that_fails_and_finds_nothing_looked_at_nothing() -> None:
    raw = json.dumps({"runs": [{"results": []}]}).encode()
    failed = LintEvidence({"ruff": Report(2, raw, "cannot read pyproject.toml")})
    (finding,) = clean.judge(failed, clean.Settings())
    assert finding.outcome == "block"
    assert "cannot read pyproject.toml" in finding.message


def test_a_result_without_a_level_has_that_of_its_rule() -> None:
    rules = [{"id": "F401", "defaultConfiguration": {"level": "error"}}, {"id": "F402"}]
    run = {"tool": {"driver": {"rules": rules}}}
    for rule, expected in (("F401", "block"), ("F402", "warn"), ("F403", "warn")):
        document = {"runs": [{**run, "results": [result(None, rule)]}]}
        assert judged(document)[0].outcome == expected
    lenient = {"runs": [{**run, "results": [result("note", "F401")]}]}
    assert judged(lenient)[0].outcome == "pass"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"suppressions": [{"kind": "inSource"}]}, "pass"),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, "block"),
        ({"suppressions": []}, "block"),
        ({"kind": "pass"}, "pass"),
    ],
)
def test_what_was_suppressed_or_is_no_failure_does_not_count(
    more: dict[str, object], expected: str
) -> None:
    assert judged({"runs": [{"results": [{**result("error"), **more}]}]})[0].outcome == expected
