"""The summary for a pull request's check: whole, short, and nothing in it active."""

import os
from pathlib import Path

import pytest

from slipway.records import Finding
from slipway.report import details, markdown
from tests.unit import report_samples as samples
from tests.unit.report_samples import Delivery

CHECK = 65_535  # characters that a check on the large hosts may have


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def summary(delivery: Delivery) -> str:
    return markdown.render(delivery.project, details.gather(delivery.project))


def blocked(tmp_path: Path, *findings: Finding) -> str:
    verdict = samples.verdict("data", samples.DATA, findings)
    return summary(Delivery(tmp_path).run("data-verdict", data_verdict=verdict))


def test_a_release_shows_its_verdicts_and_its_metrics_beside_the_champions(tmp_path: Path) -> None:
    text = summary(Delivery(tmp_path).run())
    assert text.startswith("### ")
    assert "released" in text.splitlines()[0]
    assert "| ✅ model gate |" in text
    assert "| metric | candidate | champion |" in text
    assert "| NDCG@10 | 0" in text.replace("\\", "").replace("@\u200b", "@")


def test_what_blocked_stands_there_with_its_figures(tmp_path: Path) -> None:
    text = blocked(tmp_path, Finding("drift", "block", 0.31, "<= 0.3", "it drifted", "AMOUNT"))
    assert text.startswith("### ❌ Blocked by the data gate")
    assert "| 0\\.31 | ≤ 0\\.3 | it drifted |" in text


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "[x](http://evil.example)",
        "![x](http://evil.example/x.png)",
        "| a | b |",
        "`code` **bold** _it_ # head",
        "a\nb\r\n\n# c",
        "@everyone",
        "&lt;b&gt;",
        "http://evil.example www.evil.example",
    ],
)
def test_a_records_text_is_shown_and_never_obeyed(tmp_path: Path, evil: str) -> None:
    text = blocked(tmp_path, Finding("drift", "block", evil, evil, evil, evil))
    rows = [line for line in text.splitlines() if line.startswith("| ❌ drift")]
    assert len(rows) == 1, "one finding, one row"
    bare = rows[0].replace("\\|", "").replace("\\[", "").replace("\\`", "")
    assert bare.count("|") == 5
    assert not {"<", "[", "`"} & set(bare)
    assert not [word for word in ("@e", "http:", "www.") if word in bare]


def test_many_findings_leave_a_summary_that_a_check_can_hold(tmp_path: Path) -> None:
    many = [Finding("drift", "block", "m" * 5000, 1, "w" * 5000, f"c{n}") for n in range(500)]
    text = blocked(tmp_path, *many)
    assert len(text) < CHECK
    assert "and 490 more, in the report" in text


def test_nothing_recorded_is_said(tmp_path: Path) -> None:
    project = samples.project(tmp_path)
    assert markdown.render(project, details.gather(project)) == "### ➖ Nothing is recorded\n"
