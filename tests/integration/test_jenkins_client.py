"""`slipway jenkins`, every verb, against a Jenkins that answers in recorded shapes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from slipway import stages
from slipway.config import Project, load
from slipway.errors import SlipwayError
from slipway.records import Finding, Image, Verdict, canonical, seal
from slipway.typed import plain
from tests import deliveries, jenkins_server
from tests.jenkins_builds import NOTE, Question, Step, delivery, stage
from tests.jenkins_server import Controller, serving

PARAMETERS = (
    {"name": "ACTION", "type": "ChoiceParameterDefinition", "choices": ["deliver", "rollback"]},
    {"name": "RETRAIN", "type": "BooleanParameterDefinition"},
    {"name": "REASON", "type": "StringParameterDefinition"},
)
MAIN = ("team", "slipway", "main")
FEATURE = ("team", "slipway", "feature%2Fx")


@dataclass
class Result:
    """What one command left."""

    code: int
    out: str
    err: str


Slipway = Callable[..., Result]


@pytest.fixture
def jenkins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serving() as controller:
        controller.multibranch("team", "slipway")
        controller.add(MAIN, definitions=PARAMETERS)
        controller.add(FEATURE, learns=PARAMETERS)
        yield controller


@pytest.fixture
def project(tmp_path: Path, jenkins: Controller) -> Project:
    return project_of(tmp_path / "checkout", jenkins.url)


def project_of(root: Path, url: str, *, more: str = "", hasty: bool = False) -> Project:
    table = f'[jenkins]\nurl = "{url}"\njob = "team/slipway"\npoll_s = 0.02\n'
    bounds = f"restart_s = {0.2 if hasty else 4.0}\nanswer_s = 1.0\n"
    root.mkdir(parents=True)
    (root / "delivery.toml").write_text(f"{deliveries.SETTINGS}\n{table}{bounds}{more}")
    return replace(load(root), jenkins_url="", jenkins_login=("release-manager", "11b"))


@pytest.fixture
def slipway(project: Project, capsys: pytest.CaptureFixture[str]) -> Slipway:
    def call(*words: str, on: Project = project) -> Result:
        try:
            code, error = stages.execute(["jenkins", *words], on).code, ""
        except SlipwayError as failure:
            code, error = failure.exit_code, str(failure)
        read = capsys.readouterr()
        return Result(code, read.out, read.err + error)

    return call


def verdict(name: str, outcome: str, *findings: Finding) -> dict[str, bytes]:
    record = Verdict(
        subject="sha256:1",
        subject_kind=name,
        of="sha256:1",
        outcome=outcome,  # type: ignore[arg-type]
        findings=findings,
        evidence={},
        settings_digest="sha256:2",
        written_at="2026-11-22T12:00:00+00:00",
    )
    return {f"delivery/{name}-verdict.json": sealed(record)}


def sealed(record: object) -> bytes:
    content = plain(record)
    return canonical({**content, "seal": seal(content)})


BLOCKED = verdict(
    "data", "block", Finding("completeness", "block", 7, "at least 500000", "few rows")
)
WARNED = verdict(
    "model", "warn", Finding("regression", "warn", 0.004, "at most 0.002", "a little less")
)
IMAGE = {
    "delivery/image.json": sealed(
        Image(
            subject="sha256:" + "a" * 64,
            kind="image",
            reference="registry/next-basket@sha256:aaaa",
            model="sha256:3",
            dataset="md5:4",
            tree="sha256:5",
            requirements="sha256:6",
            bytes=1,
            evidence={},
        )
    )
}


# trigger and watch


def test_a_build_is_started_followed_and_its_verdict_shown(
    jenkins: Controller, slipway: Slipway
) -> None:
    passed = verdict("data", "pass", Finding("files", "pass", 1, 1, "there"))
    jenkins.jobs[MAIN].script = lambda _: delivery(asks=False, files=passed)
    jenkins.jobs[MAIN].queue_s = 0.5
    done = slipway("trigger", "main", "--watch", "-p", "ACTION=deliver")
    assert done.code == 0, done
    assert "main waits: In the quiet period.\n" in done.out
    assert done.out.count("quiet period") == 1  # it counts down, and that is no news
    assert "main waits: ‘cpu-1’ is offline" in done.out
    assert f"main #1 has begun: {jenkins.url}/job/team/job/slipway/job/main/1/" in done.out
    assert "── Data gate: passed" in done.out
    assert done.out.count("+ slipway release\n") == done.out.count("+ slipway plan\n") == 1
    assert "data: pass (1 of 1 finding passed)" in done.out
    assert "main #1: passed (SUCCESS)" in done.out
    assert "\x1b" not in done.out and "ha:////" not in done.out
    assert jenkins.jobs[MAIN].builds[1].parameters == {"ACTION": "deliver"}


def test_a_blocked_gate_is_exit_3_with_what_was_measured(
    jenkins: Controller, slipway: Slipway
) -> None:
    jenkins.jobs[MAIN].script = lambda _: delivery(blocked=True, files=BLOCKED)
    jenkins.begin(jenkins.jobs[MAIN])
    done = slipway("watch", "main")
    assert done.code == 3
    assert "measured 7, expected at least 500000" in done.out
    assert "in stage Data gate: exit 3" in done.out
    assert "── Train: left out" in done.out
    assert "── Data gate: failed" in done.out


@pytest.mark.parametrize("name", ["lint", "tests-unit", "production-verdict"])
def test_every_record_that_is_a_verdict_is_shown(
    jenkins: Controller, slipway: Slipway, name: str
) -> None:
    (content,) = BLOCKED.values()
    files = {f"delivery/{name}.json": content}
    jenkins.jobs[MAIN].script = lambda _: delivery(blocked=True, files=files)
    jenkins.begin(jenkins.jobs[MAIN])
    assert "measured 7, expected at least 500000" in slipway("watch", "main").out


@pytest.mark.parametrize(("said", "code"), [(1, 1), (2, 2), (4, 4), (5, 5), (143, 4)])
def test_another_failure_keeps_the_exit_code_of_its_step(
    jenkins: Controller, slipway: Slipway, said: int, code: int
) -> None:
    ends = Step(log=f"ERROR: script returned exit code {said}\n", result="FAILURE")
    jenkins.jobs[MAIN].script = lambda _: [*stage("Image", status="FAILED"), ends]
    jenkins.begin(jenkins.jobs[MAIN])
    assert slipway("watch", "main").code == code


def test_a_failure_without_an_exit_code_is_a_tools(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(log="java.io.IOException\n", result="FAILURE")]
    jenkins.begin(jenkins.jobs[MAIN])
    assert slipway("watch", "main").code == 4


def test_a_warning_is_shown_and_passes(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(files=WARNED), Step(result="UNSTABLE")]
    jenkins.begin(jenkins.jobs[MAIN])
    done = slipway("watch", "main")
    assert done.code == 0
    assert "measured 0.004, expected at most 0.002" in done.out
    assert "passed, with warnings (UNSTABLE)" in done.out


def test_without_archived_verdicts_the_failed_tests_are_shown(
    jenkins: Controller, slipway: Slipway
) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(result="UNSTABLE")]
    jenkins.begin(jenkins.jobs[MAIN])
    assert "c: b: boom" in slipway("watch", "main").out


def test_an_altered_verdict_is_not_believed(jenkins: Controller, slipway: Slipway) -> None:
    altered = {name: content.replace(b"few rows", b"no rows!") for name, content in BLOCKED.items()}
    jenkins.jobs[MAIN].script = lambda _: [Step(files=altered), Step(result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])
    done = slipway("watch", "main")
    assert "data-verdict.json is left out: a record was altered" in done.err
    assert "no rows!" not in done.out


def test_superseded_is_an_answer_of_its_own(jenkins: Controller, slipway: Slipway) -> None:
    ends = Step(result="NOT_BUILT", reasons=("Superseded by main#3",))
    jenkins.jobs[MAIN].script = lambda _: [Step(), ends]
    jenkins.begin(jenkins.jobs[MAIN])
    done = slipway("watch", "main")
    assert done.code == 6
    assert "main #1: superseded (NOT_BUILT)" in done.out
    assert "Superseded by main#3" in done.out


@pytest.mark.parametrize(
    "why", ["Rejected by Release manager", "Timeout has been exceeded", "Aborted by Administrator"]
)
@pytest.mark.parametrize("by_api", [True, False])
def test_an_aborted_build_says_why(
    jenkins: Controller, slipway: Slipway, why: str, by_api: bool
) -> None:
    ends = Step(log=f"{why}\n", result="ABORTED", reasons=(why,) if by_api else ())
    jenkins.jobs[MAIN].script = lambda _: [ends]
    build = jenkins.begin(jenkins.jobs[MAIN])
    build.status = "FAILED"  # what the stage view says of a time-out
    done = slipway("watch", "main")
    assert done.code == 4
    assert f"main #1: aborted (ABORTED), after 0.0 s\n  {why}" in done.out


def test_a_build_that_waits_says_how_to_answer_and_is_followed_on(
    jenkins: Controller, slipway: Slipway
) -> None:
    build = jenkins.begin(jenkins.jobs[MAIN])
    asked: list[str] = []

    def answer_after_two_looks() -> None:
        asked.append("look")
        if len(asked) == 12:
            build.answer("Production", "Release manager", yes=True, values={}, now=build.clock)

    original = jenkins.advance
    jenkins.advance = lambda: (original(), build.pending and answer_after_two_looks())  # type: ignore[assignment,method-assign]
    done = slipway("watch", "main", "--quiet")
    assert done.code == 0
    assert done.out.count("main #1 waits for a person: Release to production? [Production]") == 1
    assert "to answer: slipway jenkins approve main 1" in done.out
    assert "+ slipway" not in done.out  # --quiet


def test_the_console_is_whole_whatever_the_polls_cut(jenkins: Controller, slipway: Slipway) -> None:
    euro, note = "5 € –".encode(), f"{NOTE}[Pipeline] sh\n".encode()
    pieces = [b"before ", euro[:3], euro[3:], b"\n", note[:40], note[40:200], note[200:], b"last"]
    steps = [Step(0.05, log=piece) for piece in pieces]
    jenkins.jobs[MAIN].script = lambda _: [*steps, Step(log=b"\n", result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])
    assert "before 5 € –\n[Pipeline] sh\nlast\nFinished: SUCCESS\n" in slipway("watch", "main").out


def test_a_console_that_is_shortened_is_not_told_again(
    jenkins: Controller, slipway: Slipway
) -> None:
    job = jenkins.jobs[MAIN]
    cut = Step(0.2, does=lambda: setattr(job.builds[1], "log", b"one\n"))
    rest = Step(0.2, log="three\n", result="SUCCESS")
    job.script = lambda _: [Step(log="one\ntwo\n"), cut, rest]
    jenkins.begin(job)
    told = slipway("watch", "main").out.splitlines()[1:5]
    assert told == ["one", "two", "three", "Finished: SUCCESS"]


def test_escape_sequences_and_broken_bytes_reach_no_terminal(
    jenkins: Controller, slipway: Slipway
) -> None:
    evil = b"\x1b]0;title\x07red: \x1b[31mx\x1b[0m \xff\xfe \x1b[2J\x07end\n"
    jenkins.jobs[MAIN].script = lambda _: [Step(log=evil, result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])
    assert "red: x \ufffd\ufffd end\n" in slipway("watch", "main").out


def test_without_the_stage_view_the_log_is_followed(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.stage_view = False
    jenkins.jobs[MAIN].script = lambda _: delivery(asks=False)
    jenkins.begin(jenkins.jobs[MAIN])
    done = slipway("watch", "main")
    assert done.code == 0
    assert "v1.0.0 is live" in done.out
    assert sum("wfapi" in asked for asked in jenkins.asked) == 1


def test_a_build_that_is_deleted_while_it_is_watched_is_told(
    jenkins: Controller, slipway: Slipway
) -> None:
    job = jenkins.jobs[MAIN]
    job.script = lambda _: [Step(log="one\n"), Step(0.1, does=job.builds.clear), Step(60)]
    jenkins.begin(job)
    done = slipway("watch", "main")
    assert done.code == 4
    assert "main #1 was deleted while it was watched" in done.err


def test_a_place_in_the_queue_that_is_forgotten_leads_to_its_build_all_the_same(
    jenkins: Controller, slipway: Slipway
) -> None:
    jenkins.queue_remembers = False
    assert "main #1 has begun" in slipway("trigger", "main").out


def test_a_build_that_is_taken_out_of_the_queue_is_told(
    jenkins: Controller, slipway: Slipway
) -> None:
    job = jenkins.jobs[MAIN]
    job.queue_s = 60
    advance = jenkins.advance

    def cancel() -> None:
        advance()
        for item in jenkins.queue.values():
            item.cancelled = len(jenkins.asked) > 6

    jenkins.advance = cancel  # type: ignore[method-assign]
    done = slipway("trigger", "main")
    assert done.code == 4
    assert "the build of main was taken out of the queue" in done.err


def test_a_job_that_gets_parameters_meanwhile_is_built(
    jenkins: Controller, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, triggered = jenkins.jobs[FEATURE], Controller.trigger

    def first_learn(*request: Any) -> object:
        job.definitions = PARAMETERS
        return triggered(*request)

    routes = [(p, first_learn if r is triggered else r) for p, r in jenkins_server.ROUTES]
    monkeypatch.setattr(jenkins_server, "ROUTES", routes)
    assert "feature/x #1 has begun" in slipway("trigger", "feature/x").out
    asked = [one.rpartition("/")[2] for one in jenkins.asked if one.startswith("POST")]
    assert asked == ["build", "buildWithParameters"]


def test_a_branch_with_a_slash_is_built_first_without_and_then_with_parameters(
    jenkins: Controller, slipway: Slipway
) -> None:
    refused = slipway("trigger", "feature/x", "--retrain")
    assert refused.code == 2
    assert "takes no parameters yet" in refused.err
    assert slipway("trigger", "feature/x").code == 0
    assert "POST /job/team/job/slipway/job/feature%252Fx/build" in jenkins.asked
    again = slipway("trigger", "feature/x", "--retrain", "--cause", "PSI of history is 0.31")
    assert again.code == 0
    built = jenkins.jobs[FEATURE].builds[2].parameters
    assert built == {"RETRAIN": "true", "REASON": "PSI of history is 0.31"}


def test_the_branch_that_is_checked_out_is_meant(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    subprocess.run(["git", "init", "-q", "-b", "feature/x"], cwd=project.root, check=True)
    assert "feature/x #1 has begun" in slipway("trigger").out


def test_a_pipeline_without_branches_is_built_too(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.add(("train",), script=lambda _: [Step(result="SUCCESS")])
    assert "train #1 has begun" in slipway("trigger", "--job", "train").out
    assert slipway("watch", "--job", "train").code == 0
    refused = slipway("watch", "main", "--job", "train")
    assert refused.code == 2
    assert "has no branches" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "ACTION=bogus"], "use one of: deliver, rollback"),
        (["-p", "RETRAIN=yes"], "use one of: true, false"),
        (["-p", "RETAIN=true"], "did you mean RETRAIN?"),
        (["-p", "ACTION"], "'ACTION' is not NAME=VALUE"),
        (["-p", "REASON=a", "-p", "REASON=b"], "REASON is given twice"),
        (["--retrain", "-p", "RETRAIN=false"], "RETRAIN is given twice"),
        (["--cause", " "], "the cause is empty"),
        (["--cause", "missing.json"], "there is no file missing.json"),
    ],
)
def test_a_wrong_parameter_starts_nothing(
    jenkins: Controller, slipway: Slipway, words: list[str], said: str
) -> None:
    done = slipway("trigger", "main", *words)
    assert done.code == 2
    assert said in done.err
    assert not any(asked.startswith("POST") for asked in jenkins.asked)


def test_a_disabled_job_is_not_built(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.jobs[MAIN].disabled = True
    done = slipway("trigger", "main")
    assert done.code == 2
    assert "it is disabled" in done.err


def test_a_controller_below_a_path_is_served(tmp_path: Path, slipway: Slipway) -> None:
    with serving("/jenkins") as below:
        below.multibranch("team", "slipway")
        below.add(MAIN, script=lambda _: [Step(result="SUCCESS")])
        project = project_of(tmp_path / "below", below.url)
        assert slipway("trigger", "main", "--watch", on=project).code == 0
        wrong = slipway("watch", "main", "--url", below.url.removesuffix("/jenkins"), on=project)
        assert wrong.code == 2
        assert "no Jenkins answers there" in wrong.err


# approve


def waiting(
    jenkins: Controller, *questions: Question, files: dict[str, bytes] | None = None
) -> None:
    steps = [Step(0.0, files=files or {}), Step(0.0, asks=questions or (Question(),))]
    jenkins.jobs[MAIN].script = lambda _: [*steps, Step(result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])


def test_what_is_approved_is_shown_first(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins, files={**IMAGE, **WARNED})
    done = slipway("approve", "main", "--yes")
    assert done.code == 0
    shown = done.out.index("sha256:" + "a" * 64), done.out.index("a little less")
    assert max(shown) < done.out.index("main #1: approved")
    assert "approving accepts the warnings above" in done.out
    assert slipway("watch", "main").code == 0


def test_what_was_altered_is_not_approved_but_may_be_rejected(
    jenkins: Controller, slipway: Slipway
) -> None:
    waiting(
        jenkins, files={name: content.replace(b"warn", b"pass") for name, content in WARNED.items()}
    )
    done = slipway("approve", "main", "--yes")
    assert done.code == 5
    assert "delivery/model-verdict.json can't be relied on" in done.err
    assert jenkins.jobs[MAIN].builds[1].pending
    assert slipway("approve", "main", "--yes", "--reject").code == 0


def test_the_report_is_named_where_it_is(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins, files=REPORT)
    archived_only = slipway("approve", "main").out
    assert (
        f"report: {jenkins.url}/job/team/job/slipway/job/main/1/artifact/delivery" in archived_only
    )
    jenkins.jobs[MAIN].builds[1].published = True
    assert "/job/main/1/Delivery/\n" in slipway("approve", "main").out


def test_a_rejection_ends_the_build(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins)
    assert "main #1: rejected" in slipway("approve", "main", "1", "--reject", "--yes").out
    done = slipway("watch", "main")
    assert done.code == 4
    assert "Rejected by release-manager" in done.out


def test_who_may_not_approve_is_told_who_may(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    waiting(jenkins)
    dev = replace(project, jenkins_login=("dev", "11c"))
    done = slipway("approve", "main", "--yes", on=dev)
    assert done.code == 5
    assert "You need to be release-manager to submit this" in done.err
    assert jenkins.jobs[MAIN].builds[1].pending


def test_an_answer_that_was_given_already_is_told(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins)
    assert slipway("approve", "main", "1", "--yes").code == 0
    again = slipway("approve", "main", "1", "--yes")
    assert again.code == 5
    assert "main #1 waits for nobody" in again.err


def test_an_answer_that_somebody_else_gives_meanwhile_is_told(
    jenkins: Controller, slipway: Slipway, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(jenkins)
    build = jenkins.jobs[MAIN].builds[1]

    def agree(_: str) -> str:
        build.answer("Production", "admin", yes=False, values={}, now=build.clock)
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", agree)
    done = slipway("approve", "main")
    assert done.code == 5
    assert "was answered already" in done.err


def test_nobody_is_asked_back_where_nobody_is(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins)
    done = slipway("approve", "main")
    assert done.code == 2
    assert "--yes" in done.err
    assert jenkins.jobs[MAIN].builds[1].pending


@pytest.mark.parametrize("typed", ["", "n", "maybe"])
def test_only_a_yes_is_a_yes(
    jenkins: Controller, slipway: Slipway, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    waiting(jenkins)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: typed)
    done = slipway("approve", "main")
    assert done.code == 0
    assert "nothing was answered" in done.out
    assert jenkins.jobs[MAIN].builds[1].pending


def test_an_input_gets_its_parameters_and_the_defaults_of_the_others(
    jenkins: Controller, slipway: Slipway
) -> None:
    waiting(jenkins, Question(parameters={"TICKET": "none", "PERCENT": "10"}))
    assert slipway("approve", "main", "--yes", "-p", "TICKET=CH-1").code == 0
    assert jenkins.jobs[MAIN].builds[1].values == {"TICKET": "CH-1", "PERCENT": "10"}


def test_of_several_questions_one_has_to_be_named(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins, Question("Staging"), Question("Production"))
    unclear = slipway("approve", "main", "--yes")
    assert unclear.code == 2
    assert "--input: Staging, Production" in unclear.err
    assert slipway("approve", "main", "--yes", "--input", "production").code == 0
    assert [q.key for q in jenkins.jobs[MAIN].builds[1].pending] == ["Staging"]


def test_an_earlier_build_that_waits_is_found(jenkins: Controller, slipway: Slipway) -> None:
    waiting(jenkins)
    jenkins.jobs[MAIN].script = lambda _: [Step(0.0, result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])
    assert "main #1: approved" in slipway("approve", "main", "--yes").out


def test_without_the_stage_view_the_question_has_to_be_named(
    jenkins: Controller, slipway: Slipway
) -> None:
    waiting(jenkins)
    jenkins.stage_view = False
    assert "--input" in slipway("approve", "main", "--yes").err
    assert slipway("approve", "main", "--yes", "--input", "production").code == 0


# abort, artifacts, lint


def test_a_running_build_is_ended(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(begins="Build"), Step(60)]
    jenkins.begin(jenkins.jobs[MAIN])
    assert "main #1 has ended: ABORTED" in slipway("abort", "main").out
    again = slipway("abort", "main")
    assert (again.code, "had ended already: ABORTED" in again.out) == (0, True)


def test_a_build_in_the_queue_is_taken_out_of_it(jenkins: Controller, slipway: Slipway) -> None:
    job = jenkins.jobs[MAIN]
    job.queue_s = 60
    job_path = {"job": "/job/team/job/slipway/job/main", "entry": "buildWithParameters"}
    jenkins.trigger(job_path, {}, {}, "admin")
    assert "was taken out of it" in slipway("abort", "main").out
    assert jenkins.queue[1].cancelled


REPORT = {"delivery/report/index.html": b"<h1>r</h1>", "delivery/a b/ä#?.txt": b"odd", "x.txt": b""}


def archived(jenkins: Controller, files: dict[str, bytes]) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(0.0, files=files), Step(0.0, result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])


def test_the_delivery_is_fetched_with_its_report(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    archived(jenkins, {**REPORT, **BLOCKED})
    done = slipway("artifacts", "main")
    folder = project.scratch / "jenkins" / "main-1"
    assert done.code == 0
    assert f"the report: {folder / 'delivery/report/index.html'}" in done.out
    assert (folder / "delivery/a b/ä#?.txt").read_bytes() == b"odd"
    assert not (folder / "x.txt").exists()
    assert slipway("artifacts", "main").code == 0  # again
    assert sorted(p.name for p in folder.parent.iterdir()) == [".lock", "main-1"]


def test_a_folder_that_holds_something_is_left_alone(
    jenkins: Controller, slipway: Slipway, tmp_path: Path
) -> None:
    archived(jenkins, REPORT)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("x")
    done = slipway("artifacts", "main", "--into", str(tmp_path / "mine"))
    assert done.code == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis"]


@pytest.mark.parametrize(
    "name", ["delivery/../../x", "delivery//x", "delivery/a\\..\\x", "delivery/."]
)
def test_a_name_that_leads_elsewhere_is_refused(
    jenkins: Controller, slipway: Slipway, project: Project, name: str
) -> None:
    archived(jenkins, {**REPORT, name: b"evil"})
    done = slipway("artifacts", "main")
    assert done.code == 5
    assert not (project.scratch / "jenkins" / "main-1").exists()


def test_too_much_is_not_fetched(
    jenkins: Controller, slipway: Slipway, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slipway.tools.jenkins import evidence

    monkeypatch.setattr(evidence, "MOST_BYTES", 1000)
    archived(jenkins, {"delivery/a": b"a" * 900, "delivery/b": b"b" * 900})
    assert slipway("artifacts", "main").code == 4
    assert [p.name for p in (project.scratch / "jenkins").iterdir()] == [".lock"]


def test_a_build_without_a_delivery_has_nothing_to_fetch(
    jenkins: Controller, slipway: Slipway
) -> None:
    archived(jenkins, {"x.txt": b""})
    assert slipway("artifacts", "main").code == 5


def test_the_controller_lints_a_jenkinsfile(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    (project.root / "Jenkinsfile").write_text("pipeline { agent any }")
    assert slipway("lint").code == 0
    (project.root / "Broken").write_text("pipeline { }")
    done = slipway("lint", str(project.root / "Broken"))
    assert done.code == 2
    assert "@ line 1, column 1" in done.out
    assert slipway("lint", "missing").code == 2
    (project.root / "empty").write_text("")
    assert slipway("lint", str(project.root / "empty")).code == 2


# who asks, and where


def test_a_job_may_be_called_login(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.add(("login",), script=lambda _: [Step(60)])
    assert slipway("trigger", "--job", "login").code == 0
    assert slipway("abort", "--job", "login").code == 0


@pytest.mark.parametrize("login", [("admin", "admin-pass"), ("admin", "11a")])
def test_a_password_needs_a_crumb_and_a_token_none(
    jenkins: Controller, slipway: Slipway, project: Project, login: tuple[str, str]
) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(result="SUCCESS")]
    asker = replace(project, jenkins_login=login)
    assert slipway("trigger", "main", on=asker).code == 0
    crumbs = sum("crumbIssuer" in asked for asked in jenkins.asked)
    assert crumbs == (1 if login[1] == "admin-pass" else 0)


def test_a_jenkins_without_crumbs_takes_a_password(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    jenkins.crumbs = False
    assert (
        slipway("trigger", "main", on=replace(project, jenkins_login=("admin", "admin-pass"))).code
        == 0
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["watch", "main", "--url", "http://127.0.0.1:1"], 4, "does not answer"),
        (["watch", "main", "--url", "http://no-such-host.invalid"], 2, "no such host"),
        (["watch", "main", "--url", "jenkins:8080"], 2, "is not the address of a Jenkins"),
        (
            ["watch", "main", "--url", "http://u:secret@127.0.0.1:1"],
            2,
            "holds a user or a password",
        ),
        (["watch", "main", "--job", "team/nope"], 2, "Jenkins has no job 'team/nope'"),
        (["watch", "mian"], 2, "did you mean 'main'?"),
        (["watch", "27"], 2, "a build's number stands behind its branch"),
        (["watch", "main", "99"], 2, "main has no build 99"),
        (["watch", "main", "9" * 5000], 2, "is not a build's number"),
        (["watch", "main", "--url", "http://a b/"], 2, "no such host"),
        (["watch", "main", "--url", "http://a..b/"], 2, "no such host"),
        (["watch", "main", "--url", "http://[::1/"], 2, "is not the address of a Jenkins"),
        (["watch", "main", "latest"], 2, "'latest' is not a build's number"),
        (["watch", "feature/x"], 2, "has not been built yet"),
        (["approve", "main", "--yes"], 5, "waits for nobody"),
        (["frobnicate"], 2, "invalid choice"),
        ([], 2, "VERB"),
    ],
)
def test_what_is_wrong_is_said_in_three_lines(
    jenkins: Controller, slipway: Slipway, project: Project, words: list[str], code: int, said: str
) -> None:  # fmt: skip
    archived(jenkins, {})
    hasty = replace(project.config, jenkins=replace(project.config.jenkins, restart_s=0.2))
    done = slipway(*words, on=replace(project, config=hasty))
    assert done.code == code, done
    assert said in done.err
    assert "\n  where: " in done.err and "\n  to do: " in done.err
    assert "secret" not in done.out + done.err


@pytest.mark.parametrize(
    ("login", "said"),
    [
        (("release-manager", "wrong"), "does not accept this user and token"),
        (("", ""), "wants to know who asks"),
        (("reader", "11d"), "it lacks Job/Build"),
    ],
)
def test_who_may_not_is_exit_5(
    jenkins: Controller, slipway: Slipway, project: Project, login: tuple[str, str], said: str
) -> None:
    done = slipway("trigger", "main", on=replace(project, jenkins_login=login))
    assert done.code == 5
    assert said in done.err
    assert "wrong" not in done.err


def test_half_a_login_is_refused_before_anything_is_asked(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    done = slipway("watch", "main", on=replace(project, jenkins_login=("dev", "")))
    assert done.code == 2
    assert "SLIPWAY_JENKINS_TOKEN is not" in done.err
    assert not jenkins.asked


def test_a_login_page_is_known(jenkins: Controller, slipway: Slipway, project: Project) -> None:
    jenkins.login_page = True
    done = slipway("trigger", "main", on=replace(project, jenkins_login=("", "")))
    assert done.code == 5
    assert "wants to know who asks" in done.err


def test_no_controller_and_no_job_are_usage(slipway: Slipway, project: Project) -> None:
    bare = replace(project.config, jenkins=replace(project.config.jenkins, url="", job=""))
    nowhere = replace(project, config=bare)
    assert "no Jenkins is named" in slipway("watch", on=nowhere).err
    anywhere = replace(nowhere, jenkins_url="http://127.0.0.1:1")
    done = slipway("watch", on=anywhere)
    assert (done.code, "no job is named" in done.err) == (2, True)


def test_the_token_appears_nowhere(jenkins: Controller, slipway: Slipway, project: Project) -> None:
    secret = replace(project, jenkins_login=("admin", "admin-pass"))
    jenkins.users["admin"] = replace(jenkins.users["admin"], password="changed")
    done = slipway("trigger", "main", on=secret)
    assert done.code == 5
    assert "admin-pass" not in done.out + done.err + repr(secret)


def test_the_contract_server_answers_another_client_as_jenkins_would(jenkins: Controller) -> None:
    """`api4jenkins` was tried on a live Jenkins: what suits it has the shapes of one."""
    from api4jenkins import Jenkins

    jenkins.own_address = jenkins.url  # it goes wherever a Location leads
    other = Jenkins(jenkins.url, auth=("release-manager", "rm-pass"))
    job = other.get_job("team/slipway/feature%2Fx")
    item = job.build()
    while not (build := item.get_build() if item._class.endswith("LeftItem") else None):
        pass
    while not (question := build.get_pending_input()):
        pass
    question.submit()
    while build.api_json()["building"]:
        pass
    assert build.api_json()["result"] == "SUCCESS"
    assert "successfully validated" in other.validate_jenkinsfile("pipeline { agent any }")
    assert json.loads(json.dumps(question.raw))["proceedText"] == "Release"
