"""The Jenkinsfile holds order, agents, locks and approval; every decision is in slipway."""

import re
import shlex
from pathlib import Path

import pytest

from slipway import stages
from slipway.stages.run import STEPS
from tests import jenkinsfile
from tests.jenkinsfile import Build, play

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Jenkinsfile").read_text(encoding="ascii")
PIPELINE = jenkinsfile.parse(TEXT)
SLIPWAY = ".venv/bin/slipway"
LINES = [
    action.text.partition("=")[2] if action.kind == "capture" else action.text
    for action in jenkinsfile.commands(PIPELINE)
    if action.kind in ("sh", "capture")
]
ASIDE = (["plan", "--label"], ["report"], ["describe"])


def words(line: str) -> list[str]:
    """The arguments that slipway gets, with every variable set."""
    program, *rest = shlex.split(re.sub(r"\$(\w+)", r"\1", line))
    assert program == SLIPWAY
    return rest


def delivered(build: Build) -> list[list[str]]:
    """The slipway commands of a build's stages, in order."""
    return [
        words(action.text)
        for action in play(PIPELINE, build)
        if action.kind == "sh" and action.section == "steps" and action.text != "make env"
    ]


def build(branch: str = "main", action: str = "deliver", train_on: str = "cpu") -> Build:
    return Build(branch, {"ACTION": action}, {"TRAIN_ON": train_on})


def as_run() -> list[list[str]]:
    """The commands of `slipway run`, with a person's approval for the rehearsed one."""
    person = ["approve", "--by", "APPROVED_BY"]
    return [person if name == "approval" else list(argv) for name, argv in STEPS.items()]


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_one_command_that_the_tool_itself_understands(line: str) -> None:
    assert not re.search(r"[|&;<>`]|\$\(", line), "one command a line"
    if line != "make env":
        stages.parse(words(line))


def test_the_order_is_that_of_slipway_run() -> None:
    assert delivered(build()) == as_run()


def test_training_is_left_out_where_the_plan_says_so() -> None:
    without = [argv for argv in as_run() if argv != ["repro", "train"]]
    assert delivered(build(train_on="none")) == without


def test_another_branch_stops_after_the_image_gate() -> None:
    upto = as_run().index(["gate", "image"]) + 1
    assert delivered(build(branch="feature/x")) == as_run()[:upto]
    assert delivered(build(branch="PR-7")) == as_run()[:upto]


def test_a_rollback_does_nothing_else() -> None:
    (line,) = delivered(build(action="rollback"))
    assert line[:2] == ["rollback", "production"]
    empty = [word.removesuffix("VERSION") for word in line]
    assert stages.parse(empty).to == ""


def test_what_stands_beside_the_delivery_is_known() -> None:
    beside = [words(line) for line in LINES if line != "make env"]
    known = [*as_run(), *ASIDE, *delivered(build(action="rollback"))]
    assert [argv for argv in beside if argv not in known] == []


def test_it_is_short_and_holds_no_logic() -> None:
    assert len(TEXT.splitlines()) < 120
    scripts = [b for b in PIPELINE.walk() if b.header == "script"]
    assert [len(block.body or ()) for block in scripts] == [1, 1]
    for word in ("if (", "try {", "catch", "def ", "||", "returnStatus", "warnError", '"""', "'''"):
        assert word not in TEXT


def test_only_a_lost_agent_is_retried_and_only_where_nothing_has_effects() -> None:
    assert "retry(" not in re.sub(
        r"retry\(count: 2, conditions: \[agent\(\), nonresumable\(\)\]\)", "", TEXT
    )
    retried = {
        jenkinsfile.name_of(stage)
        for stage in PIPELINE.walk()
        if stage.header.startswith("stage(")
        for options in stage.all("options")
        if any("retry(" in option.header for option in options.body or ())
    }
    assert retried == {"Build", "Train", "Package"}


def test_a_build_can_be_restarted_from_each_group() -> None:
    (top,) = PIPELINE.all("stages")
    names = [jenkinsfile.name_of(stage) for stage in top.all("stage")]
    groups = ["Newest only", "Build", "Train", "Package", "Staging", "Release", "Act"]
    assert names == groups
    assert "preserveStashes" in TEXT


def test_a_lock_is_never_taken_by_the_stage_that_asks_a_person() -> None:
    for stage in (b for b in PIPELINE.walk() if b.header.startswith("stage(")):
        locks = any(
            "lock(" in option.header
            for options in stage.all("options")
            for option in options.body or ()
        )
        assert not (locks and stage.first("input")), stage.header
        when = stage.first("when")
        if locks and when:
            assert when.body and when.body[0].header == "beforeOptions true"


def test_nothing_of_an_earlier_build_reaches_an_agent() -> None:
    for branch, action in (("main", "deliver"), ("x", "deliver"), ("main", "rollback")):
        entered: list[str] | None = None
        for step in play(PIPELINE, build(branch=branch, action=action)):
            if step.kind == "agent":
                entered = []
            elif entered is not None and step.kind in ("checkout", "clear", "unstash", "sh"):
                entered.append(step.kind)
                if step.text == "make env":
                    assert entered[:2] == ["checkout", "clear"]
                    entered = None


def test_every_group_keeps_its_records_whatever_happened() -> None:
    for stage in (b for b in PIPELINE.walk() if b.header.startswith("stage(")):
        if stage.first("agent"):
            (post,) = stage.all("post")
            (always,) = post.all("always")
            kept = [step.header for step in always.body or ()]
            assert kept[0] == "stash name: 'delivery', includes: 'delivery/**', allowEmpty: true"


def test_every_verdict_is_published_once() -> None:
    published = re.findall(r"delivery/([\w-]+)\.xml", TEXT)
    verdicts = ["data", "prepared", "model", "image", "staging", "canary", "production"]
    layers = ["unit", "integration", "e2e"]
    assert sorted(published) == sorted(
        [*(f"{name}-verdict" for name in verdicts), *(f"tests-{name}" for name in layers)]
    )
    assert TEXT.count("junit ") == TEXT.count("allowEmptyResults: true")


def test_a_person_approves_and_the_command_is_told_who() -> None:
    assert "submitterParameter 'APPROVED_BY'" in TEXT
    assert f"""sh '{SLIPWAY} approve --by "$APPROVED_BY"'""" in TEXT
    assert "--rehearsal" not in TEXT
    assert "--yes" not in TEXT


def test_variables_reach_the_shell_and_never_groovy() -> None:
    assert not re.search(r'sh\(?\s*"', TEXT)
    for line in LINES:
        assert re.findall(r"\$\w+", line) == re.findall(r'(?<=")\$\w+(?=")', line)
