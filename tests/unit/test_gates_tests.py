"""The tests' gate: what ran, what failed, what was skipped."""

from pathlib import Path

import pytest

from slipway.gates.tests import TestsEvidence, ran

CASES = {
    "good": '<testcase classname="a" name="one"/>',
    "failed": '<testcase classname="a" name="two"><failure message="no"/></testcase>',
    "broken": '<testcase classname="a" name="three"><error message="import"/></testcase>',
    "skipped": '<testcase classname="a" name="four"><skipped/></testcase>',
}


def judge(
    tmp_path: Path, *cases: str, code: int = 0, allowed: tuple[str, ...] = ()
) -> dict[str, str]:
    junit = tmp_path / "junit.xml"
    body = "".join(CASES[case] for case in cases)
    junit.write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>")
    findings = ran.judge(TestsEvidence("unit", junit, code, allowed), ran.Settings())
    return {f.where: f.outcome for f in findings}


def blocked(answers: dict[str, str]) -> set[str]:
    return {where for where, outcome in answers.items() if outcome == "block"}


def test_passing_tests_pass(tmp_path: Path) -> None:
    assert not blocked(judge(tmp_path, "good"))


@pytest.mark.parametrize(
    ("cases", "code", "expected"),
    [
        ([], 5, {"unit.ran", "unit.exit"}),
        ([], 0, {"unit.ran"}),
        (["good", "failed"], 1, {"unit.failed", "unit.exit"}),
        (["good", "broken"], 2, {"unit.errors", "unit.exit"}),
        (["good", "skipped"], 0, {"unit.skipped"}),
        (["skipped"], 0, {"unit.ran", "unit.skipped"}),
        (["good"], 3, {"unit.exit"}),
        (["good"], -9, {"unit.exit"}),
    ],
)
def test_anything_less_blocks(
    tmp_path: Path, cases: list[str], code: int, expected: set[str]
) -> None:
    assert blocked(judge(tmp_path, *cases, code=code)) == expected


def test_a_skip_can_be_allowed_by_name(tmp_path: Path) -> None:
    assert not blocked(judge(tmp_path, "good", "skipped", allowed=("a::four",)))


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        ("a::*", True),
        ("*four", True),
        ("*", True),
        ("a::*x", False),
        ("a::f.ur", False),
        ("", False),
    ],
)
def test_a_skip_can_be_allowed_by_a_pattern(tmp_path: Path, pattern: str, good: bool) -> None:
    answers = judge(tmp_path, "good", "skipped", allowed=(pattern,))
    assert blocked(answers) == (set() if good else {"unit.skipped"})


@pytest.mark.parametrize("content", [None, b"", b"<testsuite", b"\x00"])
def test_no_results_block(tmp_path: Path, content: bytes | None) -> None:
    junit = tmp_path / "junit.xml"
    if content is not None:
        junit.write_bytes(content)
    (finding,) = ran.judge(TestsEvidence("unit", junit, 4, ()), ran.Settings())
    assert finding.outcome == "block"
    assert finding.measured == "usage error"
