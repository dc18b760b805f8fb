"""The pure parts of `slipway jenkins`: addresses, console, exit codes, causes, refusals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import ConfigError, EvidenceError, SlipwayError
from slipway.stages.jenkins import cause, outcome, parameters
from slipway.tools.jenkins import evidence, failures, jobs
from slipway.tools.jenkins.builds import Stage
from slipway.tools.jenkins.connection import address
from slipway.tools.jenkins.jobs import Parameter
from slipway.tools.jenkins.log import LONGEST, Lines, readable

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "jenkins"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


# addresses


@pytest.mark.parametrize(
    ("job", "path"),
    [
        ("slipway", "job/slipway/"),
        ("team/slipway", "job/team/job/slipway/"),
        ("/team/slipway/", "job/team/job/slipway/"),
        ("feature%2Fx", "job/feature%252Fx/"),
        ("my job", "job/my%20job/"),
        ("käse", "job/k%C3%A4se/"),
    ],
)
def test_a_job_is_found_behind_its_folders(job: str, path: str) -> None:
    assert jobs.path_of(job) == path


@pytest.mark.parametrize("job", ["", "..", "../..", "team/../..", "team//slipway", "team/."])
def test_a_name_that_leads_elsewhere_is_none(job: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a job"):
        jobs.path_of(job)


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("https://ci.example.com", "https://ci.example.com/"),
        ("http://127.0.0.1:8080/jenkins/", "http://127.0.0.1:8080/jenkins/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
    ],
)
def test_an_address_ends_in_a_slash(given: str, whole: str) -> None:
    assert address(given) == whole


@pytest.mark.parametrize(
    "given",
    ["", "ci", "ci:8080", "ftp://ci", "http://", "http://ci:port", "http://ci:99999", "//ci",
     "http://anna:secret@ci", "http://anna@ci:port"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_no_password_shown(given: str) -> None:
    with pytest.raises(ConfigError) as refused:
        address(given)
    assert "secret" not in str(refused.value)


# the console


def console() -> tuple[bytes, list[str]]:
    """A recorded console as its bytes, and as people read it."""
    text = "".join(piece["body"] for piece in recorded("console")) + "5 € – done\r\n"
    said = ["Started by user admin", "[Pipeline] Start of Pipeline", "5 € – done"]
    return text.encode(), said


def test_recorded_sizes_are_not_the_lengths_of_texts() -> None:
    for piece in recorded("console"):
        grown, length = piece["size"] - piece["start"], len(piece["body"].encode())
        assert length == piece["length"] == grown + piece["body"].count("\r\n")


def test_a_console_may_be_cut_at_any_byte() -> None:
    text, said = console()
    for cut in range(len(text)):
        lines = Lines()
        found = [*lines.feed(text[:cut]), *lines.feed(text[cut:])]
        assert [*found, *lines.end()] == said, cut


def test_a_console_may_come_byte_by_byte() -> None:
    text, said = console()
    lines = Lines()
    assert [line for n in range(len(text)) for line in lines.feed(text[n : n + 1])] == said


def test_a_last_line_without_an_end_is_not_lost() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntwo") == ["one"]
    assert (lines.end(), lines.end()) == (["two"], [])


@pytest.mark.parametrize("piece", ["x", "€", "\x1b[8mha:////4AyT0wQ==\x1b[0mx"])
def test_an_endless_line_takes_bounded_memory_and_loses_nothing(piece: str) -> None:
    lines, found = Lines(), []
    whole = piece * (3 * LONGEST // len(piece.encode()))
    for start in range(0, len(whole.encode()), 1000):
        found += lines.feed(whole.encode()[start : start + 1000])
        assert len(lines.rest) <= LONGEST
    assert "".join([*found, *lines.end()]) == readable(whole.encode())


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"plain\r", "plain"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]52;c;aGk=\x1b\\text", "text"),
        (b"\x1bctext", "text"),
        (b"a\x00b\x07c\td", "abc\td"),
        ("a\u202eb".encode(), "ab"),
        (b"\xff", "\ufffd"),
        (b"\x1b[8mha:broken", "ha:broken"),
        (b"\x1b", ""),
        (b"", ""),
    ],
)
def test_a_terminal_gets_nothing_to_obey(line: bytes, shown: str) -> None:
    assert readable(line) == shown


# what an end means


@pytest.mark.parametrize(
    ("result", "code", "verdicts", "exits"),
    [
        ("SUCCESS", None, [], 0),
        ("SUCCESS", 3, ["block"], 0),  # `result` decides
        ("UNSTABLE", None, ["warn"], 0),
        ("FAILURE", 3, [], 3),
        ("FAILURE", None, ["pass", "block"], 3),
        ("FAILURE", 4, ["block"], 4),  # the verdict is of an earlier try
        ("FAILURE", None, ["pass"], 4),
        ("FAILURE", 1, [], 1),
        ("FAILURE", 2, [], 2),
        ("FAILURE", 5, [], 5),
        ("FAILURE", 0, [], 4),
        ("FAILURE", 6, [], 4),
        ("FAILURE", 143, [], 4),
        ("ABORTED", 3, ["block"], 4),
        ("NOT_BUILT", 143, ["pass"], 6),
        ("", None, [], 4),
        ("SOMETHING_NEW", None, [], 4),
    ],
)
def test_a_result_has_one_exit_code(
    result: str, code: int | None, verdicts: list[str], exits: int
) -> None:
    assert outcome.exit_code(result, code, verdicts) == exits


def test_the_last_trace_in_a_console_counts() -> None:
    traces = outcome.Traces()
    traces.see(["ERROR: script returned exit code 4", "script returned exit code 143", "+ true"])
    traces.see(["[2026-11-22T13:48:48.054Z] ERROR: script returned exit code 3"])
    traces.see(["[2026-11-22T13:48:48.054Z] Rejected by Release manager", "Finished: ABORTED"])
    assert (traces.code, traces.ended) == (3, "Rejected by Release manager")


def stages(*rows: tuple[str, str, int, int]) -> list[Stage]:
    return [Stage(name, name, status, began, took) for name, status, began, took in rows]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", "SUCCESS", 0, 5), ("b", "FAILED", 5, 5), ("c", "FAILED", 10, 1)],
         ["passed", "failed", "left out"]),
        ([("a", "FAILED", 0, 5), ("b", "FAILED", 1, 9)], ["failed", "failed"]),  # side by side
        ([("a", "FAILED", 0, 5), ("post", "SUCCESS", 5, 1)], ["failed", "passed"]),
        ([("a", "IN_PROGRESS", 0, 0), ("b", "BRAND_NEW", 1, 1)], ["running", "brand new"]),
        ([("a", "NOT_EXECUTED", 0, 0), ("b", "PAUSED_PENDING_INPUT", 1, 1)],
         ["left out", "waits for a person"]),
        ([], []),
    ],
)  # fmt: skip
def test_only_what_ran_can_have_failed(rows: Sequence[Any], words: list[str]) -> None:
    assert [word for _, word in outcome.told(stages(*rows))] == words


def test_the_culprit_tells_its_exit_code() -> None:
    failed = Stage("1", "Image", "FAILED", 0, 1, "script returned exit code 5")
    assert outcome.code_of(outcome.culprit([failed])) == 5
    assert outcome.code_of(outcome.culprit([])) is None


# causes and parameters


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"summary": "history drifts", "psi": 0.3}', "history drifts"),
        ('{"commonAnnotations": {"summary": "p95 is 400 ms"}}', "p95 is 400 ms"),
        ('{"message": "", "report": {"title": "drift"}}', "drift"),
        ('{"psi": 0.3}', '{"psi": 0.3}'),
        ("[1, 2]", "[1, 2]"),
        ("one\n\n two\n", "one; two"),
    ],
)
def test_a_file_says_why(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "why").write_text(content)
    assert cause.cause_of(str(tmp_path / "why")) == said


def test_a_cause_is_one_bounded_visible_line() -> None:
    said = cause.cause_of("because\nof \x1b[31m" + "x" * 10_000)
    assert len(said) <= 500
    assert said.isprintable() and said.startswith("because of ")


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00"])
def test_a_file_that_says_nothing_is_no_cause(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "why").write_bytes(content)
    with pytest.raises(ConfigError):
        cause.cause_of(str(tmp_path / "why"))


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "is empty"), ("  ", "is empty"), ("drift.json", "no file"), ("a/b.txt", "no file")],
)
def test_no_cause_and_a_file_that_is_not_there_are_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cause.cause_of(given)


def test_a_folder_is_no_cause(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        cause.cause_of(str(tmp_path))


def test_words_of_any_length_are_not_taken_for_a_file() -> None:
    assert cause.cause_of("x/" * 5000)


def test_a_value_may_hold_anything() -> None:
    assert parameters.parse(["A=b=c", "D="]) == {"A": "b=c", "D": ""}
    known = [Parameter("A"), Parameter("D", choices=())]
    assert parameters.check({"A": "$(id)", "D": ""}, known, "here") == {"A": "$(id)", "D": ""}


# refusals


@pytest.mark.parametrize(
    ("status", "headers", "body", "exits", "said"),
    [
        (401, {}, b"", 5, "does not accept this user and token"),
        (403, {}, recorded("no-crumb")["body"].encode(), 5, "may not do that"),
        (403, {}, b"dev is missing the Job/Build permission", 5, "it lacks Job/Build"),
        (403, {"x-required-permission": "hudson.model.Item.Build"}, b"", 5, "lacks Item.Build"),
        (403, {"x-you-are-authenticated-as": "anonymous"}, b"", 5, "wants to know who asks"),
        (404, {}, recorded("not-found")["body"].encode(), 2, "has nothing there"),
        (302, {"location": "/securityRealm/commenceLogin"}, b"", 5, "wants to know who asks"),
        (301, {"location": "https://u:p@ci/x?token=y"}, b"", 2, "leads to https://ci/x"),
        (302, {}, b"", 2, "leads to /"),
        (400, {}, recorded("build-refused")["body"].encode(), 4, "400 Nothing is submitted"),
        (500, {}, recorded("bad-choice")["body"].encode(), 4, "Jenkins failed: 500"),
        (413, {"x-error": "too <b>large</b>"}, b"", 4, "413 too large"),
        (500, {}, b"\xff" * 1000, 4, "Jenkins failed: 500"),
    ],
)
def test_a_refusal_has_an_exit_code_and_a_reason(
    status: int, headers: dict[str, str], body: bytes, exits: int, said: str
) -> None:
    error = failures.refused(status, headers, body, "GET http://ci/")
    assert (error.exit_code, said in str(error)) == (exits, True), str(error)
    assert "token=" not in str(error) and "u:p" not in str(error)


def test_who_may_approve_is_read_from_a_page() -> None:
    page = b'<html><h1 class="e">Error</h1><p>You need to be release-manager to submit this.</p>'
    assert failures.said({}, page) == "You need to be release-manager to submit this"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../x",
        "a/./x",
        "a//b",
        "a/",
        "a\\b",
        "a\nb",
        "a\x00b",
        ".",
        "..",
    ],
)
def test_a_name_that_leads_out_of_its_folder_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError):
        evidence.refuse_outside(name, "there")


@pytest.mark.parametrize("name", ["a", "delivery/report/index.html", "a/..b", "ä b/#?%2e"])
def test_a_name_that_stays_in_its_folder_is_taken(name: str) -> None:
    evidence.refuse_outside(name, "there")


def test_every_error_of_a_connection_has_three_lines() -> None:
    errors: list[SlipwayError] = [
        failures.unanswered("refused", "GET http://ci/", sent=True),
        failures.unknown_host("unknown", "GET http://ci/"),
        failures.untrusted("CERTIFICATE_VERIFY_FAILED", "GET https://ci/"),
        failures.not_json({}, b"<html>", "GET http://ci/"),
        failures.login_wanted("GET http://ci/"),
    ]
    assert all(str(error).count("\n") == 2 for error in errors)
