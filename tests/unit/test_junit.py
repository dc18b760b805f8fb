"""Verdicts as JUnit XML."""

import xml.etree.ElementTree as ET

import pytest

from slipway.records import Finding, Verdict
from slipway.report import junit
from tests.unit.report_samples import finding, verdict


def cases(found: Verdict) -> list[ET.Element]:
    return list(ET.fromstring(junit.render(found, "data")).iter("testcase"))


def test_each_finding_is_a_case_and_only_what_did_not_pass_fails() -> None:
    found = verdict(
        "data",
        "md5:1",
        [
            finding("suite", "rows", 5, ">= 1"),
            finding("suite", "nulls", 0.4, "<= 0.1", "block"),
            finding("drift", "psi", 0.2, "<= 0.1", "warn"),
            finding("volume", "volume", None, "history", "skip"),
            finding("sbom", "sbom", None, None, "not_applicable"),
        ],
    )
    root = ET.fromstring(junit.render(found, "data"))
    assert {k: root.get(k) for k in ("name", "tests", "failures", "skipped", "errors")} == {
        "name": "gate.data",
        "tests": "5",
        "failures": "2",
        "skipped": "2",
        "errors": "0",
    }
    failures = [case.find("failure") for case in root]
    assert [f.get("type") if f is not None else None for f in failures] == [
        None,
        "block",
        "warn",
        None,
        None,
    ]
    text = failures[1].text or ""  # type: ignore[union-attr]
    assert "measured: 0.4" in text and "expected: <= 0.1" in text and "about: md5:1" in text


def test_names_are_stable_and_unique() -> None:
    twice = [finding("g", "column", i, "x") for i in range(3)] + [finding("h", "column", 9, "x")]
    found = cases(verdict("data", "x", twice))
    names = [(case.get("classname"), case.get("name")) for case in found]
    assert names == [
        ("gate.data.g", "column"),
        ("gate.data.g", "column (2)"),
        ("gate.data.g", "column (3)"),
        ("gate.data.h", "column"),
    ]


@pytest.mark.parametrize(
    "text", ["\x00\x1b[31m", "\ud800", "\ufffe", "<script>&]]>", "😀 語", "x" * 100_000, ""]
)
def test_any_text_gives_xml_that_can_be_read(text: str) -> None:
    bad = verdict("data", text, [Finding(text or "g", "block", text, text, text, text)])
    content = junit.render(bad, "data")
    assert len(content) < 60_000
    (case,) = list(ET.fromstring(content).iter("testcase"))
    kept = "".join(c if c.isprintable() and c != "\ufffe" else "\ufffd" for c in text[:4000])
    assert case.get("name") == (kept or "g")


def test_a_verdict_without_findings_is_a_suite_without_cases() -> None:
    assert cases(verdict("data", "x", [])) == []


def test_the_same_verdict_gives_the_same_bytes() -> None:
    found = verdict("data", "x", [finding("g", "a", 1, 2)])
    assert junit.render(found, "data") == junit.render(found, "data")


def test_documents_become_one() -> None:
    one = junit.render(verdict("data", "x", [finding("g", "a", 1, 2)]), "data")
    merged = ET.fromstring(junit.merge(one, b"<testsuites><testsuite name='p'/></testsuites>"))
    assert [suite.get("name") for suite in merged] == ["gate.data", "p"]
