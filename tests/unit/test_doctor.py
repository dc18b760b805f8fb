"""Checkups judge what was measured: one table of faults each, and the cure that they name."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway.config import Project, load
from slipway.stages.health import Check, check, version_of
from slipway.stages.health import jenkins as of_jenkins
from slipway.stages.health import machine as of_machine
from slipway.tools import jenkinsfile
from slipway.tools.jenkins_facts import Agent, JenkinsFacts, Job, parse_job
from slipway.tools.jenkinsfile import Wanted
from slipway.tools.machine_facts import Folder, Machine, Port

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
WELL = Machine(
    python=(3, 12, 1),
    venv=True,
    programs={"git": "git version 2.39.5", "make": "GNU Make 4.3", "dvc": "3.67.1"},
    git_user="Me <me@example.com>",
    memory_gb=16.0,
    cores=2,
    home=Folder("/home/me/state", writable=True, free_gb=50.0, open_to_all=False),
    cache=Folder("/home/me/cache", writable=True, free_gb=50.0, open_to_all=False),
    loose=(),
    ports={"staging": Port(8101, free=True, ours=False, holder="")},
    gpu_driver="",
    gpu_runtime=False,
    future_s=-5.0,
    browser="/usr/bin/chromium",
)


def wrong(checks: list[Check]) -> dict[str, str]:
    return {one.name: one.outcome for one in checks if one.outcome != "ok"}


def with_gpu(*, train: str = "cpu", serve: str = "cpu") -> Project:
    config: Any = PROJECT.config
    model, image = replace(config.model, train_on=train), replace(config.image, variant=serve)
    return replace(PROJECT, config=replace(config, model=model, image=image))


def test_a_machine_that_has_everything_lacks_nothing() -> None:
    checks = list(of_machine.judge(PROJECT, WELL))
    assert wrong(checks) == {}
    assert all(one.measured and one.needed and not one.mend for one in checks)


@pytest.mark.parametrize(
    ("change", "name", "outcome", "cure"),
    [
        ({"python": (3, 10, 9)}, "Python", "missing", "install Python"),
        ({"python": (3, 14, 0)}, "Python", "missing", "install Python"),
        ({"venv": False}, "venv", "missing", "python3-venv"),
        ({"git_user": ""}, "git's committer", "warn", "git config"),
        ({"memory_gb": 3.9}, "memory", "warn", "more"),
        ({"future_s": 61.0}, "clock", "warn", "NTP"),
        ({"browser": ""}, "browser", "warn", "chromium"),
        ({"loose": ("/home/me/.netrc",)}, "logins", "warn", "chmod 600 /home/me/.netrc"),
        ({"home": replace(WELL.home, writable=False)}, "home writable", "missing", "SLIPWAY_HOME"),
        ({"cache": replace(WELL.cache, free_gb=9.9)}, "cache disk", "warn", "SLIPWAY_CACHE"),
        ({"cache": replace(WELL.cache, free_gb=0.9)}, "cache disk", "missing", "SLIPWAY_CACHE"),
        ({"home": replace(WELL.home, open_to_all=True)}, "home of one's own", "missing", "chmod"),
        (
            {"ports": {"staging": Port(8101, free=False, ours=False, holder="pid 7 (x)")}},
            "staging's port 8101",
            "missing",
            "end what listens",
        ),
    ],
)
def test_each_fault_of_a_machine_is_named_alone_with_its_cure(
    change: dict[str, Any], name: str, outcome: str, cure: str
) -> None:
    checks = list(of_machine.judge(PROJECT, replace(WELL, **change)))
    assert wrong(checks) == {name: outcome}
    assert cure in next(one.mend for one in checks if one.name == name)


@pytest.mark.parametrize("program", ["git", "make", "dvc"])
def test_a_program_that_is_not_there_is_missing(program: str) -> None:
    checks = of_machine.judge(PROJECT, replace(WELL, programs={**WELL.programs, program: ""}))
    assert wrong(list(checks)) == {program: "missing"}


@pytest.mark.parametrize(("number", "good"), [("2.24.9", False), ("2.25.0", True), ("3.0", True)])
def test_git_has_to_be_recent(number: str, good: bool) -> None:
    programs = {**WELL.programs, "git": f"git version {number}"}
    checks = list(of_machine.judge(PROJECT, replace(WELL, programs=programs)))
    assert wrong(checks) == ({} if good else {"git": "missing"})


@pytest.mark.parametrize(
    ("java", "pyspark", "lacking"),
    [
        ("openjdk 17.0.15 2025-04-15", "4.0.5", set()),
        ("openjdk 21 2023-09-19", "4.0.5", set()),
        ("openjdk 11.0.2 2019-01-15", "4.0.5", {"Java"}),
        ("", "4.0.5", {"Java"}),
        ("openjdk 17.0.15 2025-04-15", "", {"pyspark"}),
    ],
)
def test_java_and_pyspark_are_asked_for_where_gates_ask_spark(
    java: str, pyspark: str, lacking: set[str]
) -> None:
    machine = replace(WELL, java=java, pyspark=pyspark)
    data = replace(PROJECT.config.data, engine="spark")
    project = replace(PROJECT, config=replace(PROJECT.config, data=data))
    assert wrong(list(of_machine.judge(project, machine))) == dict.fromkeys(lacking, "missing")
    names = {one.name for one in of_machine.judge(PROJECT, machine)}
    assert not names & {"Java", "pyspark"}


def test_an_environments_own_service_may_hold_its_port() -> None:
    port = {"staging": Port(8101, free=False, ours=True, holder="")}
    assert wrong(list(of_machine.judge(PROJECT, replace(WELL, ports=port)))) == {}


@pytest.mark.parametrize(
    ("project", "runtime"),
    [(with_gpu(train="gpu"), "warn"), (with_gpu(serve="gpu"), "missing")],
    ids=["train", "serve"],
)
def test_a_gpu_is_asked_for_where_it_is_used(project: Project, runtime: str) -> None:
    assert wrong(list(of_machine.judge(project, WELL))) == {
        "driver": "warn",
        "Docker's NVIDIA runtime": runtime,
    }
    there = replace(WELL, gpu_driver="580.1", gpu_runtime=True)
    assert wrong(list(of_machine.judge(project, there))) == {}


WANTED = Wanted(
    labels=("cpu",),
    locks=("production",),
    credentials=("registry",),
    submitters=("release-manager",),
    words=frozenset({"lock", "sh", "junit"}),
    chosen=True,
)
JOB = Job(
    kind="org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject",
    script="Jenkinsfile",
    remotes=("git@example.invalid:x/y.git",),
    every_s=900.0,
    filters=(("wildcard", "*", "slipway-ledger"),),
)
RUNS = JenkinsFacts(
    version="2.540",
    skew_s=0.0,
    crumb=True,
    anonymous=403,
    executors=0,
    agents=(Agent("cpu-1", ("cpu",), online=True, why=""),),
    plugins={
        **of_jenkins.RAN,
        "workflow-multibranch": "806.v1",
        "pipeline-rest-api": "2.38",
    },
    credentials=frozenset({"registry"}),
    resources=frozenset({"production"}),
    people={"release-manager": True},
    job=JOB,
    job_status=200,
    notify_status=400,
    csp="sandbox allow-same-origin; default-src 'none';",
)


def test_a_jenkins_that_has_everything_lacks_nothing() -> None:
    assert wrong(list(of_jenkins.judge(PROJECT, RUNS, WANTED))) == {}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in (RUNS.plugins or {}).items() if key != name}


@pytest.mark.parametrize(
    ("change", "name", "outcome", "cure"),
    [
        ({"version": "2.539.9"}, "version", "warn", "update Jenkins"),
        ({"skew_s": -61.0}, "clock", "warn", "NTP"),
        ({"anonymous": 200}, "anonymous access", "missing", "Anonymous"),
        ({"crumb": False}, "crumb issuer", "missing", "CSRF"),
        ({"executors": 2}, "executors of the controller", "missing", "to 0"),
        ({"csp": ""}, "content security policy", "missing", "CSP"),
        ({"csp": None}, "content security policy", "warn", "after the first build"),
        ({"plugins": without("junit")}, "junit", "missing", "install junit"),
        ({"plugins": {**without(""), "git": "5.8.0"}}, "git", "warn", "update git"),
        ({"plugins": without("pipeline-rest-api")}, "pipeline-rest-api", "warn", "install"),
        ({"plugins": None}, "plugins", "warn", "administrator"),
        ({"agents": ()}, "label cpu", "missing", "add an agent labelled cpu"),
        (
            {"agents": (Agent("cpu-9", ("cpu",), online=False, why="gone"),)},
            "label cpu",
            "missing",
            "start cpu-9",
        ),
        ({"agents": None}, "agents", "warn", "administrator"),
        ({"credentials": frozenset()}, "credential registry", "missing", "id registry"),
        ({"credentials": None}, "credential registry", "warn", "administrator"),
        ({"resources": frozenset()}, "lock production", "warn", "add production"),
        ({"people": {}}, "submitter release-manager", "warn", "release-manager"),
        ({"job": None, "job_status": 404}, "job", "missing", "create-job.sh"),
        ({"job": None, "job_status": 403}, "job", "warn", "administrator"),
        ({"job": replace(JOB, kind="flow-definition")}, "job", "missing", "create-job.sh"),
        ({"job": replace(JOB, script="ci/Jenkinsfile")}, "script path", "missing", "script path"),
        ({"job": replace(JOB, filters=())}, "ledger's branch", "missing", "multibranch.xml"),
        ({"job": replace(JOB, tags=True)}, "ledger's tags", "missing", "Discover tags"),
        ({"job": replace(JOB, every_s=0.0)}, "notices a push", "warn", "periodically"),
        ({"notify_status": 404}, "webhook", "warn", "notifyCommit"),
    ],
)
def test_each_fault_of_a_jenkins_is_named_alone_with_its_cure(
    change: dict[str, Any], name: str, outcome: str, cure: str
) -> None:
    checks = list(of_jenkins.judge(PROJECT, replace(RUNS, **change), WANTED))
    assert wrong(checks) == {name: outcome}
    assert cure in next(one.mend for one in checks if one.name == name)


def test_who_may_press_the_button_has_to_be_on_slipways_own_list() -> None:
    config: Any = PROJECT.config
    nobody = replace(config, approval=replace(config.approval, approvers=("somebody",)))
    checks = list(of_jenkins.judge(replace(PROJECT, config=nobody), RUNS, WANTED))
    assert wrong(checks) == {"approver release-manager": "missing"}
    group = replace(RUNS, people={"release-manager": False})
    checks = list(of_jenkins.judge(replace(PROJECT, config=nobody), group, WANTED))
    assert wrong(checks) == {"submitter release-manager": "warn"}


def test_without_polling_and_without_webhook_no_push_is_noticed() -> None:
    facts = replace(RUNS, job=replace(JOB, every_s=0.0), notify_status=404)
    found = wrong(list(of_jenkins.judge(PROJECT, facts, WANTED)))
    assert found == {"notices a push": "missing", "webhook": "warn"}


def test_a_label_that_the_plan_decides_is_the_one_that_trains() -> None:
    found = list(of_jenkins.judge(with_gpu(train="gpu"), RUNS, WANTED))
    assert wrong(found) == {"label gpu": "missing"}
    fixed = replace(WANTED, chosen=False)
    assert wrong(list(of_jenkins.judge(with_gpu(train="gpu"), RUNS, fixed))) == {}


def test_a_clock_that_was_not_told_is_not_judged() -> None:
    names = {c.name for c in of_jenkins.judge(PROJECT, replace(RUNS, skew_s=math.nan), WANTED)}
    assert "clock" not in names


def test_without_a_jenkinsfile_it_says_so_and_looks_at_the_rest() -> None:
    assert wrong(list(of_jenkins.judge(PROJECT, RUNS, None))) == {"Jenkinsfile": "warn"}


@pytest.mark.parametrize(
    ("filters", "built"),
    [
        ((), True),
        ((("wildcard", "main feature/*", ""),), False),
        ((("wildcard", "*", "other"),), True),
        ((("wildcard", "*", "slipway-*"),), False),
        ((("regex", "main|feature/.+", ""),), False),
        ((("regex", ".*", ""), ("wildcard", "*", "slipway-ledger")), False),
        ((("regex", "(unclosed", ""),), True),
    ],
)
def test_filters_of_branches_are_read_as_jenkins_reads_them(filters: Any, built: bool) -> None:
    assert of_jenkins.builds(replace(JOB, filters=filters), "slipway-ledger") is built


@pytest.mark.parametrize(
    "raw", [b"", b"<a>", b"\xff\xfe", b'<?xml version="1.1"?>', b"<a><interval>x</interval></a>"]
)
def test_a_job_that_cannot_be_read_is_no_multibranch_job(raw: bytes) -> None:
    facts = replace(RUNS, job=parse_job(raw))
    assert wrong(list(of_jenkins.judge(PROJECT, facts, WANTED))) == {"job": "missing"}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2.540", (2, 540)),
        ("2.2277.v00573e73ddf1", (2, 2277)),
        ("427", (427,)),
        ("5.8.1", (5, 8, 1)),
        ("2.560-SNAPSHOT", (2, 560)),
        ("", ()),
        ("unknown", ()),
    ],
)
def test_versions_are_compared_by_the_numbers_they_begin_with(
    text: str, numbers: tuple[int, ...]
) -> None:
    assert version_of(text) == numbers


def test_what_is_well_has_no_cure_and_what_is_not_has_one() -> None:
    said = {"measured": "m", "needed": "n", "mend": "do"}
    assert check("s", "a", True, **said).mend == ""
    assert check("s", "a", False, **said) == Check("s", "a", "missing", "m", "n", "do")


JENKINSFILE = """
// lock('in a comment') and http://not.a/comment
pipeline {
    agent none
    stages { stage('A') { agent { label 'cpu' }; options { lock(resource: 'staging') }
        environment { REGISTRY = credentials('registry') }
        steps { milestone 10; sh 'junit is a word here'; lock('production') { echo 'x' }
            withCredentials([string(credentialsId: 'dvc-remote', variable: 'V')]) { sh 'x' } } }
    stage('B') { agent { label env.TRAIN_ON }
        input { message 'm'; submitter 'release-manager, second' } } }
    post { always { node('small') { publishHTML(target: []) } } }
}
"""


def test_a_jenkinsfile_tells_what_it_calls_by_name() -> None:
    wanted = jenkinsfile.parse(JENKINSFILE)
    assert wanted.labels == ("cpu", "small")
    assert wanted.locks == ("production", "staging")
    assert wanted.credentials == ("dvc-remote", "registry")
    assert wanted.submitters == ("release-manager", "second")
    assert wanted.chosen
    used = wanted.words & set(of_jenkins.STEPS)
    assert used == {"credentials", "lock", "milestone", "publishHTML", "withCredentials", "input"}
