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
ASIDE = (["plan", "--label"], ["plan", "--todo"], ["report"], ["describe"])
ACTIONS = {  # action → what it runs; every value of a parameter is its name here
    "rollback": ["rollback", "production", "--to=VERSION", "--reason=REASON"],
    "reproduce": ["reproduce", "--", "VERSION"],
    "drill": ["drill"],
}
PLAN = ["plan", "--retrain=RETRAIN", "--cause=REASON"]


def words(line: str) -> list[str]:
    """The arguments that slipway gets, with every variable set."""
    program, *rest = shlex.split(re.sub(r"\$(\w+)", r"\1", line))
    assert program == SLIPWAY
    return rest


def top_stages() -> list[jenkinsfile.Block]:
    (top,) = PIPELINE.all("stages")
    return list(top.all("stage"))


def delivered(build: Build) -> list[list[str]]:
    """The slipway commands of a build's stages, in order."""
    return [
        words(action.text)
        for action in play(PIPELINE, build)
        if action.kind == "sh" and action.section == "steps" and action.text != "make env"
    ]


def build(
    branch: str = "main",
    action: str = "deliver",
    train_on: str = "cpu",
    todo: str = "deliver",
    cause: str = "BranchEventCause",
) -> Build:
    return Build(branch, {"ACTION": action}, {"TRAIN_ON": train_on, "TODO": todo}, cause)


def as_run() -> list[list[str]]:
    """The commands of `slipway run`, as Jenkins has them.

    With its parameters and a person's approval in their place, and the data once more for the
    agent that has the integration tests.
    """
    ours = {"plan": PLAN, "approval": ["approve", "--by", "APPROVED_BY"]}
    lines = [ours.get(name, list(argv)) for name, argv in STEPS.items()]
    lines.insert(lines.index(["test", "integration"]), ["data", "pull"])
    return lines


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


@pytest.mark.parametrize("branch", ["feature/x", "PR-7"])
def test_another_branch_stops_after_the_image_gate(branch: str) -> None:
    upto = as_run().index(["gate", "image"]) + 1
    assert delivered(build(branch=branch)) == as_run()[:upto]


def test_where_all_is_live_already_the_plan_is_all_that_runs() -> None:
    assert delivered(build(todo="nothing", train_on="none")) == [PLAN]
    assert delivered(build(branch="PR-7", todo="nothing", train_on="none")) == [PLAN]


def test_on_schedule_the_data_is_judged_again_and_staging_drilled() -> None:
    timed = delivered(build(todo="nothing", train_on="none", cause="TimerTrigger"))
    assert timed == [PLAN, ["data", "pull"], ["gate", "data"], ["gate", "prepared"], ["drill"]]
    assert delivered(build(cause="TimerTrigger")) == [*as_run(), ["drill"]]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_does_nothing_else(action: str) -> None:
    planned = [] if action == "rollback" else [PLAN]  # which must not wait for anything
    assert delivered(build(action=action)) == [*planned, ACTIONS[action]]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_of_another_branch_fails_before_it_has_an_agent(action: str) -> None:
    (top,) = PIPELINE.all("stages")
    refusal = next(s for s in top.all("stage") if jenkinsfile.name_of(s) == "Main only")
    assert not refusal.first("agent")
    (steps,) = refusal.all("steps")
    assert [step.header.split()[0] for step in steps.body or ()] == ["error"]
    assert ACTIONS[action] not in delivered(build(branch="feature/x", action=action))


def test_an_empty_parameter_means_the_usual() -> None:
    for line in ACTIONS.values():
        empty = [re.sub("VERSION|REASON", "", word) for word in line]
        stages.parse(empty)


def test_what_stands_beside_the_delivery_is_known() -> None:
    beside = [words(line) for line in LINES if line != "make env"]
    known = [*as_run(), *ASIDE, *ACTIONS.values()]
    assert [argv for argv in beside if argv not in known] == []


def test_only_builds_of_main_are_given_credentials() -> None:
    holders = [
        stage
        for stage in PIPELINE.walk()
        if stage.header.startswith("stage(") and "credentials(" in str(stage.first("environment"))
    ]
    assert {jenkinsfile.name_of(stage) for stage in holders} == {
        *("Image", "End-to-end", "Staging", "Ship", "Rollback", "Drill")
    }
    for stage in holders:
        when = stage.first("when")
        assert when and "branch 'main'" in [condition.header for condition in when.body or ()]
    assert TEXT.count("credentials(") == len(holders)


def test_it_is_short_and_holds_no_logic() -> None:
    assert len(TEXT.splitlines()) < 120
    scripts = [b for b in PIPELINE.walk() if b.header == "script"]
    assert [len(block.body or ()) for block in scripts] == [2, 1]
    assert all(
        "script {" in line and "}" in line for line in TEXT.splitlines() if "script {" in line
    )
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
    effects = {"Staging", "Approval", "Ship", "Rollback", "Drill"}
    agents = {
        jenkinsfile.name_of(stage)
        for stage in top_stages()
        if any(b.header == "agent" for b in stage.walk())
    }
    assert retried == agents - effects


def test_a_build_can_be_restarted_from_each_group() -> None:
    assert [jenkinsfile.name_of(stage) for stage in top_stages()] == [
        *("Newest only", "Main only", "Plan", "Checks", "Data gates", "Integration", "Train"),
        *("Model gate", "Image", "Local image", "End-to-end", "Staging", "Approval", "Ship"),
        *("Rollback", "Reproduce", "Drill"),
    ]
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
    for branch, action in (("main", "deliver"), ("x", "deliver"), *(("main", a) for a in ACTIONS)):
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
    verdicts = ["data", "prepared", "model", "image", "staging", "canary", "production"]
    layers = ["unit", "integration", "e2e"]
    named = [
        *(f"{name}-verdict" for name in verdicts),
        *(f"tests-{name}" for name in layers),
        "lint",
    ]
    for branch, missing in (
        ("main", []),
        ("x", ["tests-e2e", *(f"{n}-verdict" for n in ("staging", "canary", "production"))]),
    ):
        junits = [step.text for step in play(PIPELINE, build(branch)) if step.kind == "junit"]
        published = re.findall(r"delivery/([\w-]+)\.xml", " ".join(junits))
        assert sorted(published) == sorted(set(named) - set(missing))
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


def test_at_the_end_what_was_found_is_kept_before_anything_can_fail() -> None:
    end = [step.kind for step in play(PIPELINE, build()) if step.stage == "pipeline"]
    assert end[:5] == ["agent", "checkout", "clear", "unstash", "archiveArtifacts"]
    assert end[-2:] == ["archiveArtifacts", "publishHTML"]


def test_a_parameter_can_never_be_an_option() -> None:
    for line in LINES:
        for word, variable in re.findall(r'(\S*)"\$(\w+)"', line):
            bare = not word and f'-- "${variable}"' not in line
            assert not bare or variable == "APPROVED_BY", line  # which Jenkins sets


def named() -> dict[str, jenkinsfile.Block]:
    """Every stage by its name."""
    stages = (block for block in PIPELINE.walk() if block.header.startswith("stage("))
    return {jenkinsfile.name_of(stage): stage for stage in stages}


def inside(block: jenkinsfile.Block, *names: str) -> list[str]:
    """What stands in a nested block, a statement each."""
    found: jenkinsfile.Block | None = block
    for name in names:
        found = found.first(name) if found else None
    return [one.header for one in (found.body if found else None) or ()]


def test_nothing_runs_but_where_a_stage_says_so() -> None:
    assert "agent none" in [block.header for block in PIPELINE.body or ()]
    assert "skipDefaultCheckout()" in inside(PIPELINE, "options")
    assert inside(PIPELINE, "environment") == ["SLIPWAY_LEDGER = 'origin'"]
    assert inside(PIPELINE, "triggers") == ["cron(env.BRANCH_NAME == 'main' ? 'H 3 * * 1' : '')"]


def test_an_older_build_of_main_is_overtaken_before_each_thing_with_effects() -> None:
    firsts = {name: (inside(stage, "steps") or [""])[0] for name, stage in named().items()}
    milestones = {name: first for name, first in firsts.items() if "milestone" in first}
    assert milestones == {
        "Newest only": "milestone(ordinal: currentBuild.number)",
        "Staging": "milestone 10",
        "Approved": "milestone 20",
        "Canary": "milestone 30",
    }
    assert TEXT.count("milestone") == len(milestones)


def test_what_changes_an_environment_has_its_lock() -> None:
    locks = {
        name: option
        for name, stage in named().items()
        for option in inside(stage, "options")
        if "lock(" in option
    }
    assert locks == {
        "Staging": "lock(resource: 'staging', inversePrecedence: true)",
        "Ship": "lock(resource: 'production', inversePrecedence: true)",
        "Rollback": "lock(resource: 'production')",
        "Drill": "lock(resource: 'staging')",
    }


def test_nobody_is_asked_in_vain_or_for_ever() -> None:
    approval = named()["Approval"]
    assert "beforeInput true" in inside(approval, "when")
    assert inside(approval, "options") == ["timeout(time: 3, unit: 'DAYS')"]
    assert "id 'Production'" in inside(approval, "input")


def test_what_is_retried_has_a_bound_that_leaves_room_for_it() -> None:
    for name, stage in named().items():
        options = inside(stage, "options")
        if any(option.startswith("retry(") for option in options):
            assert re.fullmatch(r"timeout\(time: \d, unit: 'HOURS'\)", options[0]), name


def test_the_report_is_there_before_anybody_is_asked() -> None:
    kinds = [step.kind for step in play(PIPELINE, build()) if step.stage == "Staging"]
    assert kinds[-4:] == ["junit", "sh", "archiveArtifacts", "publishHTML"]
    assert TEXT.count("allowMissing: true") == TEXT.count("publishHTML") == 2
    assert TEXT.count("allowEmptyArchive: true") == TEXT.count("archiveArtifacts")


@pytest.mark.parametrize(("action", "file"), [("drill", "drill"), ("reproduce", "reproduction")])
def test_what_an_action_found_is_published(action: str, file: str) -> None:
    junits = [step.text for step in play(PIPELINE, build(action=action)) if step.kind == "junit"]
    assert [re.findall(r"delivery/([\w-]+)\.xml", text) for text in junits] == [[file]]


def test_what_holds_a_lock_ends_some_day() -> None:
    locking = [line for line in TEXT.splitlines() if "lock(resource" in line]
    assert len(locking) == 4
    assert all("timeout(time: 12, unit: 'HOURS')" in line for line in locking)
