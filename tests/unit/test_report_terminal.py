"""What people see in a terminal, and the words that page and terminal share."""

import math
from typing import Any

import pytest

from slipway.records import Finding
from slipway.report import terminal, words
from tests.unit.report_samples import finding, verdict


def test_a_verdict_shows_blocks_first_and_passes_as_a_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = verdict(
        "model",
        "sha256:1",
        [
            finding("floors", "auc", 0.9, ">= 0.5"),
            finding("drift", "psi", 0.2, "<= 0.1", "warn"),
            finding("floors", "ndcg", 0.1, ">= 0.2", "block"),
        ],
    )
    terminal.show(found, color=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  block floors [ndcg]: ndcg: 0.1, expected >= 0.2"
    assert lines[1] == "        measured 0.1, expected >= 0.2"
    assert lines[2].startswith("  warn drift [psi]")
    assert lines[-1] == "model: block (1 of 3 findings passed) sha256:1"


def test_colours_come_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    found = verdict("data", "x", [finding("g", "a", 1, 2, "block")])
    terminal.show(found, color=False)
    assert "\x1b" not in capsys.readouterr().out
    terminal.show(found, color=True)
    assert "\x1b[31mblock\x1b[0m" in capsys.readouterr().out


def test_a_finding_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bad = Finding("g", "block", "\x1b]0;x\x07", "\x9b2J", "a\x1b[2J\rb", "c\nd")
    terminal.show(verdict("data", "x", [bad]), color=False)
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable() and "\\u001b" in out


def test_thousands_of_findings_do_not_flood(capsys: pytest.CaptureFixture[str]) -> None:
    many = [finding("g", str(i), i, 0, "block") for i in range(5000)]
    terminal.show(verdict("data", "x", many), color=False)
    out = capsys.readouterr().out
    assert len(out.splitlines()) < 50 and "4,980 more" in out


ROWS = [
    ("plan", "train on cpu", 1.24, "sha256:" + "ab" * 32),
    ("integration tests", "pass", 143.2, "sha256:" + "cd" * 32),
    ("staging 語語", "v1.2.0", 0.0, ""),
    ("production gate", "block", 9.5, "sha256:" + "ef" * 32 + "@production"),
]


def test_a_delivery_is_a_table_of_aligned_columns() -> None:
    lines = terminal.delivery_table(ROWS).splitlines()
    assert lines[0].split() == ["step", "answer", "time", "about"]
    assert "sha256:abababababab" in lines[2] and "sha256:efefefefefef@production" in lines[5]
    assert lines[-1].split() == ["4", "steps", "153.9", "s"]
    assert max(map(terminal.columns, lines)) <= 100
    ends = {line.index(" s") for line in lines[2:6] if "語" not in line}
    assert len(ends) == 1
    wide = next(line for line in lines if "語" in line)
    assert terminal.columns(wide[: wide.index(" s")]) == ends.pop()


def test_a_table_cuts_its_widest_column_to_fit() -> None:
    out = terminal.table([("a" * 300, "b" * 20, "語" * 80)], ("one", "two", "three"))
    assert max(map(terminal.columns, out.splitlines())) <= 100
    assert "…" in out and "b" * 20 in out


def test_a_table_without_rows_is_its_header() -> None:
    assert terminal.table([], ("step", "answer")).splitlines()[0] == "step  answer"


def test_colour_does_not_move_a_column() -> None:
    plain = terminal.delivery_table(ROWS)
    painted = terminal.delivery_table(ROWS, color=True)
    assert "\x1b[31mblock\x1b[0m" in painted
    for code in ("31", "32", "0"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == plain


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (817_741, "817,741"),
        (10**400, "100000000000000000000000…"[:23] + "…"),
        (0.18123456, "0.1812"),
        (1e-7, "1e-07"),
        (1234.5, "1,234.5"),
        (1200.0, "1,200"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        ("", "empty"),
        ("a\tb\nc", "a b c"),
        ([], "empty"),
        ([1, "x", None], "1, x, none"),
        ({"min_value": 1, "max_value": 2000}, "1 to 2,000"),
        ({"value_set": ["a", "b"], "mostly": 0.9}, "mostly 0.9; value set a, b"),
    ],
)
def test_a_value_reads_well(content: Any, text: str) -> None:
    assert words.value(content) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.4, "59.4 s"), (61, "1 min 01 s"), (7322, "2 h 2 min"), (math.nan, "–")],
)
def test_a_duration_reads_well(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        ("sha256:" + "a" * 64, "sha256:aaaaaaaaaaaa"),
        ("md5:" + "b" * 32 + ".dir", "md5:bbbbbbbbbbbb"),
        ("sha256:" + "a" * 64 + "@staging", "sha256:aaaaaaaaaaaa@staging"),
        ("", "–"),
        (None, "–"),
        ("v1.0.0", "v1.0.0"),
    ],
)
def test_a_digest_is_shortened_with_its_algorithm(digest: str | None, text: str) -> None:
    assert words.short(digest) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("2026-11-22T16:04:55+00:00", "22 Nov 2026, 16:04 UTC"),
        ("2026-11-22T01:30:00+02:00", "21 Nov 2026, 23:30 UTC"),
        ("yesterday", "yesterday"),
        ("", "–"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_time_is_given_in_utc_or_as_it_stands(written: str, text: str) -> None:
    assert words.moment(written) == text


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ndcg_at_10", "NDCG@10"),
        ("hit_rate_at_10", "hit rate@10"),
        ("repurchase_auc", "repurchase AUC"),
    ],
)
def test_a_metric_has_a_name_for_people(name: str, label: str) -> None:
    assert words.metric(name) == label
