"""`slipway doctor` on a real machine and on a controller on loopback, one fault at a time."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway import stages
from slipway.__main__ import main
from slipway.config import Project, load
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.stages.health import machine, services
from slipway.tools import machine_facts, reach
from tests import surroundings
from tests.controllers import Controller, recorded, serving

ROOT = Path(__file__).resolve().parents[2]
JOB = (ROOT / "docker/jenkins/multibranch.xml").read_text()
Checks = dict[str, dict[str, str]]


def examine(
    capsys: pytest.CaptureFixture[str], project: Project, *words: str
) -> tuple[int, Checks]:
    """The exit code, and each check by its name."""
    done = stages.execute(["doctor", "--json", *words], project)
    return done.code, {one["name"]: one for one in json.loads(capsys.readouterr().out)}


def wrong(checks: Checks) -> dict[str, str]:
    return {name: one["outcome"] for name, one in checks.items() if one["outcome"] != "ok"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a home of its own and no ports, of a person who is somebody else."""
    root, person = tmp_path / "checkout", tmp_path / "person"
    for folder in (root, person):
        folder.mkdir()
    for name in ("delivery.toml", "Jenkinsfile"):
        shutil.copy(ROOT / name, root)
    monkeypatch.setenv("HOME", str(person))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    loaded = replace(load(root), home=tmp_path / "home", cache=surroundings.CACHE)
    loaded = set_to(loaded, "jenkins", restart_s=0.1)  # whoever does not answer, never will
    return on_port(replace(loaded, docker_config=person / ".docker"), 0)


@pytest.fixture
def checkout(project: Project) -> Project:
    """The same, known to git and DVC."""
    shutil.copytree(ROOT / "requirements", project.root / "requirements")
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").touch()
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=project.root, check=True)
    return project


def set_to(project: Project, part: str, **values: Any) -> Project:
    """The project with other settings in one table."""
    table: Any = replace(getattr(project.config, part), **values)
    config: Any = project.config
    return replace(project, config=replace(config, **{part: table}))


def on_port(project: Project, port: int) -> Project:
    places = {n: replace(e, port=port) for n, e in project.config.environments.items()}
    config: Any = replace(project.config, environments=places)
    return replace(project, config=config)


def made(root: Path) -> set[Path]:
    """What is there, but for what git and DVC keep for themselves."""
    return {path for path in root.rglob("*") if not {".git", ".dvc"} & set(path.parts)}


EXCUSED = {"browser", "memory", "home disk", "cache disk", "package index"}  # as this machine is


def test_this_machine_lacks_nothing_that_it_needs(
    capsys: pytest.CaptureFixture[str], checkout: Project
) -> None:
    before = made(checkout.root)
    code, checks = examine(capsys, checkout)
    assert code == 0
    assert set(wrong(checks)) - EXCUSED == {"Docker engine"}  # hidden from tests; a bundle does
    assert len(checks) > 20
    assert made(checkout.root) == before
    assert not checkout.home.exists(), "it made something"


def a_taken_port(project: Project, _: Path) -> tuple[Project, str]:
    holder = socket.create_server(("127.0.0.1", 0))
    HELD.append(holder)
    return on_port(project, holder.getsockname()[1]), "end what listens"


def a_lost_remote(project: Project, tmp_path: Path) -> tuple[Project, str]:
    text = f"[core]\n    remote = r\n['remote \"r\"']\n    url = {tmp_path / 'nowhere'}\n"
    (project.root / ".dvc" / "config").write_text(text)
    return project, "dvc remote list"


def an_unnamed_remote(project: Project, _: Path) -> tuple[Project, str]:
    return set_to(project, "data", remote="none"), "dvc remote list"


def a_lost_ledger(project: Project, _: Path) -> tuple[Project, str]:
    return replace(project, ledger_remote="http://127.0.0.1:1/x.git"), "git server"


def no_engine(project: Project, _: Path) -> tuple[Project, str]:
    return set_to(project, "artefact", kind="local-image"), "DOCKER_HOST"


def an_open_home(project: Project, _: Path) -> tuple[Project, str]:
    project.home.mkdir()
    project.home.chmod(0o777)
    return project, "chmod o-w"


def a_loose_login(project: Project, _: Path) -> tuple[Project, str]:
    project.docker_config.mkdir()
    login = project.docker_config / "config.json"
    login.write_text('{"auths": {"x": {"auth": "bWU6cGFzcw=="}}}')
    login.chmod(0o644)
    return project, f"chmod 600 {login}"


HELD: list[socket.socket] = []
Plant = Callable[[Project, Path], tuple[Project, str]]


@pytest.mark.parametrize(
    ("plant", "outcome"),
    [(a_taken_port, "missing"), (an_open_home, "missing"), (a_loose_login, "warn")],
)
def test_each_fault_of_this_machine_is_measured_and_named_with_its_cure(
    checkout: Project, tmp_path: Path, plant: Plant, outcome: str
) -> None:
    checkout = replace(checkout, cache=tmp_path / "cache")
    before = {c.name for c in machine.judge(checkout, machine_facts.measure(checkout)) if c.mend}
    planted, cure = plant(checkout, tmp_path)
    checks = list(machine.judge(planted, machine_facts.measure(planted)))
    found = [one for one in checks if one.mend and one.name not in before]
    assert found
    assert {(one.outcome, cure in one.mend) for one in found} == {(outcome, True)}
    assert len(found) == (2 if plant is a_taken_port else 1)  # two environments share the port


@pytest.mark.parametrize(
    ("plant", "names"),
    [
        (a_lost_remote, {"DVC remote"}),
        (an_unnamed_remote, {"DVC remote"}),
        (a_lost_ledger, {"ledger", "ledger, to write"}),
        (no_engine, {"Docker engine"}),
    ],
)
def test_each_service_that_is_not_there_is_named_alone_with_its_cure(
    checkout: Project, tmp_path: Path, plant: Plant, names: set[str]
) -> None:
    planted, cure = plant(checkout, tmp_path)
    found = {one.name: one for one in services.judge(planted) if one.outcome == "missing"}
    assert set(found) == names
    assert all(cure in one.mend for one in found.values())


def test_slipways_own_remote_is_not_missed_before_the_first_push(checkout: Project) -> None:
    remote = checkout.home / "dvc-remote"
    text = f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote}\n"
    (checkout.root / ".dvc" / "config").write_text(text)
    said = reach.dvc_remote(checkout)
    assert said.good
    assert "first push" in said.said
    assert not remote.exists()


def test_without_an_environment_the_package_index_is_not_asked(
    checkout: Project, tmp_path: Path
) -> None:
    said = reach.package_index(replace(checkout, cache=tmp_path / "cache"))
    assert not said.good
    assert "not asked" in said.said
    assert not (tmp_path / "cache").exists()


def test_a_shared_ledger_is_tried_without_a_push(checkout: Project, tmp_path: Path) -> None:
    server = tmp_path / "server.git"
    subprocess.run(["git", "init", "-q", "--bare", str(server)], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(server)], cwd=checkout.root, check=True)
    read, push = reach.shared_ledger(replace(checkout, ledger_remote="origin"))
    assert (read.good, push.good) == (True, True)
    refs = subprocess.run(["git", "for-each-ref"], cwd=server, capture_output=True, check=True)
    assert refs.stdout == b""


def test_a_login_in_an_address_is_not_shown(
    capsys: pytest.CaptureFixture[str], checkout: Project
) -> None:
    hidden = replace(checkout, ledger_remote="http://me:s3cret@127.0.0.1:1/x.git")
    _, checks = examine(capsys, hidden)
    assert checks["ledger"]["outcome"] == "missing"
    assert "s3cret" not in json.dumps(checks)


def test_a_registry_that_does_not_answer_is_named(project: Project) -> None:
    said = reach.image_registry(set_to(project, "image", registry="127.0.0.1:1"))
    assert not said.good
    assert "does not answer" in said.said


def test_a_terminal_shows_each_check_on_a_line_and_the_cure_below(
    capsys: pytest.CaptureFixture[str], checkout: Project
) -> None:
    asked = set_to(checkout, "artefact", kind="local-image")
    assert stages.execute(["doctor"], asked).code == 4
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  missing Docker engine"))
    assert lines[at + 1].startswith("          needed: for images")
    assert lines[at + 2].startswith("          to do:  start it")
    assert lines[-1].endswith("1 missing")


PASSWORDS = {"admin": "t0ken", "dev": "dev"}


@pytest.fixture
def controller() -> Iterator[Controller]:
    with serving(Controller(PASSWORDS)) as started:
        started.jobs["slipway"] = JOB.replace("@REPOSITORY@", "git@git.example:a/b.git")
        yield started


def of_jenkins(
    capsys: pytest.CaptureFixture[str],
    project: Project,
    controller: Controller,
    user: str = "admin",
) -> tuple[int, Checks]:
    login = (user, PASSWORDS.get(user, "wrong"))
    known = replace(project, jenkins_login=login)
    return examine(capsys, known, "--jenkins", controller.url)


def test_a_jenkins_as_it_is_brought_up_lacks_nothing(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller
) -> None:
    code, checks = of_jenkins(capsys, project, controller)
    assert (code, wrong(checks)) == (0, {})
    assert len(checks) > 20
    assert {method for method, _, _ in controller.asked} == {"GET"}


def test_a_stranger_is_nobody_even_where_a_login_is_kept(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller, tmp_path: Path
) -> None:
    login = tmp_path / "person" / ".netrc"
    login.write_text(f"machine 127.0.0.1 login admin password {PASSWORDS['admin']}\n")
    login.chmod(0o600)
    assert of_jenkins(capsys, project, controller)[0] == 0
    assert ("GET", "api/json", "") in controller.asked


def without(path: str, key: str, name: str, value: str) -> Callable[[Controller], None]:
    def change(controller: Controller) -> None:
        listed = controller.answers[path]["body"][key]
        kept = [one for one in listed if one.get(name) != value]
        assert len(kept) == len(listed) - 1
        controller.answers[path]["body"][key] = kept

    return change


def replaced(before: str, after: str) -> Callable[[Controller], None]:
    def change(controller: Controller) -> None:
        assert before in controller.jobs["slipway"]
        controller.jobs["slipway"] = controller.jobs["slipway"].replace(before, after)

    return change


def answering(path: str, **said: Any) -> Callable[[Controller], None]:
    def change(controller: Controller) -> None:
        controller.answers.setdefault(path, {"body": {}}).update(said)

    return change


def offline(controller: Controller) -> None:
    for one in controller.answers["computer/api/json"]["body"]["computer"]:
        if one["displayName"].startswith("cpu"):
            one.update(offline=True, offlineCauseReason="Connection was broken")


def executors(controller: Controller) -> None:
    controller.answers["computer/api/json"]["body"]["computer"][0]["numExecutors"] = 2


PLUGINS, NODES = "pluginManager/api/json", "computer/api/json"
CREDENTIALS = "credentials/store/system/domain/_/api/json"
REGEX = next(line for line in JOB.splitlines() if "<regex>" in line)
JENKINS_FAULTS: dict[str, tuple[Callable[[Controller], None], str, str]] = {
    "junit": (without(PLUGINS, "plugins", "shortName", "junit"), "junit", "missing"),
    "htmlpublisher": (
        without(PLUGINS, "plugins", "shortName", "htmlpublisher"),
        "htmlpublisher",
        "missing",
    ),
    "offline": (offline, "label cpu", "missing"),
    "executors": (executors, "executors of the controller", "missing"),
    "lock": (
        without("lockable-resources/api/json", "resources", "name", "staging"),
        "lock staging",
        "warn",
    ),
    "crumb": (answering("crumbIssuer/api/json", status=404), "crumb issuer", "missing"),
    "anonymous": (answering("api/json", open=True), "anonymous access", "missing"),
    "csp": (answering("userContent/readme.txt", headers={}), "content security policy", "missing"),
    "submitter": (
        answering("user/release-manager/api/json", status=404),
        "submitter release-manager",
        "warn",
    ),
    "webhook": (answering("git/notifyCommit", status=404), "webhook", "warn"),
    "version": (answering("headers", **{"X-Jenkins": "2.440.1"}), "version", "warn"),
    "no job": (lambda c: c.jobs.clear(), "job", "missing"),
    "script": (replaced(">Jenkinsfile<", ">ci/Jenkinsfile<"), "script path", "missing"),
    "ledger": (replaced(REGEX, "<regex>.*</regex>"), "ledger's branch", "missing"),
    "tags": (
        replaced("<traits>", "<traits><jenkins.plugins.git.traits.TagDiscoveryTrait/>"),
        "ledger's tags",
        "missing",
    ),
    "poll": (replaced("<interval>900000</interval>", ""), "notices a push", "warn"),
}


@pytest.mark.parametrize("fault", JENKINS_FAULTS)
def test_each_fault_of_a_jenkins_is_named_alone_with_its_cure(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller, fault: str
) -> None:
    plant, name, outcome = JENKINS_FAULTS[fault]
    plant(controller)
    code, checks = of_jenkins(capsys, project, controller)
    assert wrong(checks) == {name: outcome}
    assert checks[name]["mend"]
    assert code == (4 if outcome == "missing" else 0)


def test_a_credential_that_the_jenkinsfile_names_is_looked_for(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller
) -> None:
    text = "pipeline { environment { A = credentials('registry'); B = credentials('other') } }"
    (project.root / "Jenkinsfile").write_text(text)
    code, checks = of_jenkins(capsys, project, controller)
    assert (code, wrong(checks)) == (4, {"credential other": "missing"})
    assert "id other" in checks["credential other"]["mend"]


def test_what_a_user_may_not_see_is_not_called_missing(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller
) -> None:
    code, checks = of_jenkins(capsys, project, controller, user="dev")
    assert code == 0
    unseen = {name for name, one in checks.items() if one["measured"].startswith("cannot see")}
    assert unseen == set(wrong(checks))
    assert {"plugins", "agents", "executors of the controller"} <= unseen
    assert all("administrator" in checks[name]["mend"] for name in unseen)


@pytest.mark.parametrize("body", ["", "not json", "[1]", '{"plugins": 3}', '{"plugins": [1]}'])
def test_an_odd_answer_is_not_a_crash(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller, body: str
) -> None:
    for path in (PLUGINS, NODES, CREDENTIALS, "lockable-resources/api/json"):
        controller.answers[path]["body"] = body
    _, checks = of_jenkins(capsys, project, controller)
    assert wrong(checks)


def test_an_answer_that_breaks_off_is_three_lines(project: Project, controller: Controller) -> None:
    controller.answers[PLUGINS]["headers"] = {"Content-Length": "99999"}
    known = replace(project, jenkins_login=("admin", PASSWORDS["admin"]))
    with pytest.raises(ToolError, match="does not answer"):
        stages.execute(["doctor", "--jenkins", controller.url], known)


@pytest.mark.parametrize(
    ("url", "login", "error", "what"),
    [
        ("", ("a", "b"), ConfigError, "no Jenkins is named"),
        ("nonsense", ("a", "b"), ConfigError, "not the address"),
        ("ftp://host/", ("a", "b"), ConfigError, "not the address"),
        ("http://127.0.0.1:99999/", ("a", "b"), ConfigError, "not the address"),
        ("http://me:secret@127.0.0.1/", ("a", "b"), ConfigError, "holds a user or a password"),
        ("http://127.0.0.1:1/", ("", ""), ConfigError, "nobody is named"),
        ("http://127.0.0.1:1/", ("a", ""), ConfigError, "TOKEN is not"),
        ("http://127.0.0.1:1/", ("a", "b"), ToolError, "Connection refused"),
    ],
)
def test_a_wrong_address_or_login_is_three_lines(
    project: Project, url: str, login: tuple[str, str], error: type[Exception], what: str
) -> None:
    known = replace(project, jenkins_login=login)
    with pytest.raises(error, match=what) as raised:
        stages.execute(["doctor", "--jenkins", url], known)
    assert str(raised.value).count("\n") == 2
    assert "secret" not in str(raised.value)


def test_a_wrong_token_and_what_is_no_jenkins_are_told_apart(
    project: Project, controller: Controller
) -> None:
    known = replace(project, jenkins_login=("admin", "wrong"))
    with pytest.raises(EvidenceError, match="does not accept this user and token"):
        stages.execute(["doctor", "--jenkins", controller.url], known)
    known = replace(project, jenkins_login=("admin", PASSWORDS["admin"]))
    controller.failing = [503] * 99
    with pytest.raises(ToolError, match="it says 503"):
        stages.execute(["doctor", "--jenkins", controller.url], known)
    controller.failing = []
    controller.answers["headers"] = {}
    with pytest.raises(ConfigError, match="not Jenkins"):
        stages.execute(["doctor", "--jenkins", controller.url], known)


def test_the_jenkins_and_its_job_are_those_of_the_settings(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller, tmp_path: Path
) -> None:
    known = replace(project, jenkins_login=("admin", PASSWORDS["admin"]))
    configured = set_to(known, "jenkins", url=controller.url, job="team/other")
    _, checks = examine(capsys, configured, "--jenkins")
    assert checks["job"]["outcome"] == "missing"
    asked = [path for _, path, _ in controller.asked]
    assert "job/team/job/other/config.xml" in asked
    code, checks = examine(capsys, configured, "--jenkins", "--job", "slipway")
    assert (code, wrong(checks)) == (0, {})
    with pytest.raises(ConfigError, match="there is no nowhere"):
        stages.execute(["doctor", "--jenkins"], set_to(configured, "jenkins", ca="nowhere.pem"))


def test_a_stranger_who_is_led_to_a_login_page_is_kept_out(
    capsys: pytest.CaptureFixture[str], project: Project, controller: Controller
) -> None:
    led = {"Location": f"{controller.url}/login?from=%2F"}
    answering("api/json", open=True, status=302, headers=led)(controller)
    code, checks = of_jenkins(capsys, project, controller)
    assert (code, wrong(checks)) == (0, {})


def test_the_command_takes_the_login_from_the_environment(
    controller: Controller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SLIPWAY_JENKINS_USER", "admin")
    monkeypatch.setenv("SLIPWAY_JENKINS_TOKEN", PASSWORDS["admin"])
    assert main(["doctor", "--jenkins", controller.url]) == 0
    said = capsys.readouterr()
    assert PASSWORDS["admin"] not in said.out + said.err


def test_the_recorded_answers_say_which_of_them_were_recorded() -> None:
    assert recorded()["headers"]["X-Jenkins"] == "2.540"
    assert surroundings.NOWHERE in os.environ["DOCKER_HOST"]
