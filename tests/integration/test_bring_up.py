"""The scripts that bring a Jenkins up, run against a controller on loopback, and Docker."""

import fcntl
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.tools.scan.lint import lint
from tests import needs, surroundings
from tests.controllers import SECRET, Controller, serving

ROOT = Path(__file__).resolve().parents[2]
JENKINS = ROOT / "docker" / "jenkins"
PASSWORDS = {"admin": "adm1n", "agents": "agent5"}
REPOSITORY = "ssh://git@git.example:2222/team/a&b.git"


@pytest.fixture
def controller() -> Iterator[Controller]:
    with serving(Controller(PASSWORDS)) as started:
        yield started


@pytest.fixture
def surrounding(tmp_path: Path, controller: Controller) -> dict[str, str]:
    """The environment of an agent's container: its secrets, and a java that tells what it got."""
    secrets, programs = tmp_path / "secrets", tmp_path / "bin"
    secrets.mkdir()
    programs.mkdir()
    (secrets / "admin_password").write_text(PASSWORDS["admin"])
    (secrets / "agents_password").write_text(PASSWORDS["agents"])
    java = programs / "java"
    java.write_text(
        '#!/bin/sh\nfor word; do case $word in @*) word=$(cat "${word#@}");; esac;'
        ' printf "%s\\n" "$word"; done\nstat -c %a "$(dirname "$2")"\ncat "$2"\n'
    )
    java.chmod(0o755)
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "SECRETS": str(secrets),
        "JENKINS_URL": controller.url,
        "PATIENCE_S": "0",
    }


def run(script: str, env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(JENKINS / script), *words], env=env, capture_output=True, text=True, timeout=60
    )


def refused(done: subprocess.CompletedProcess[str], code: int, what: str) -> None:
    """Three lines, the exit code, and nothing else."""
    lines = done.stderr.rstrip().splitlines()
    assert done.returncode == code, done.stderr
    assert what in lines[-3]
    assert lines[-2].startswith("  where: ")
    assert lines[-1].startswith("  to do: ")


def agent(env: dict[str, str], name: str = "cpu-1") -> subprocess.CompletedProcess[str]:
    return run("agent/agent.sh", {**env, "AGENT_NAME": name})


def test_an_agent_gets_its_secret_and_its_program_and_starts(
    surrounding: dict[str, str], controller: Controller
) -> None:
    done = agent(surrounding)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    assert words[0] == "-jar"
    named = dict(zip(words[2:10:2], words[3:10:2], strict=True))
    assert named == {
        "-url": f"{controller.url}/",
        "-name": "cpu-1",
        "-secret": SECRET,
        "-workDir": "/home/jenkins/agent",
    }
    assert words[10] == "700", "others may look where the secret is"
    assert words[11].startswith("PK"), "the program is the controller's"
    assert SECRET not in done.stderr


def test_an_agents_secret_and_password_stand_on_no_command_line() -> None:
    text = (JENKINS / "agent" / "agent.sh").read_text()
    assert '-secret "@$scratch/secret"' in text
    assert "-u " not in text
    assert "--user" not in text


@pytest.mark.parametrize("status", [503, 401, 500])
def test_an_agent_waits_while_the_controller_starts(
    surrounding: dict[str, str], controller: Controller, status: int
) -> None:
    controller.failing = [status]
    done = agent({**surrounding, "PATIENCE_S": "10"})
    assert done.returncode == 0, done.stderr
    assert len(controller.asked) == 3


@pytest.mark.parametrize(
    ("change", "name", "code", "what"),
    [
        ({}, "", 2, "was not said"),
        ({}, "../x", 2, "no name of a node"),
        ({}, "cpu-9", 4, "knows no agent 'cpu-9'"),
        ({"SECRETS": "/nowhere"}, "cpu-1", 2, "cannot be read"),
        ({"JENKINS_URL": "http://127.0.0.1:1"}, "cpu-1", 4, "does not answer"),
        ({"AGENTS_USER": "stranger"}, "cpu-1", 4, "refuses 'stranger' (401)"),
    ],
)
def test_an_agent_that_cannot_start_says_why(
    surrounding: dict[str, str], change: dict[str, str], name: str, code: int, what: str
) -> None:
    refused(agent({**surrounding, **change}, name), code, what)


def test_an_answer_without_a_secret_starts_nothing(
    surrounding: dict[str, str], controller: Controller
) -> None:
    controller.answers["computer/cpu-1/jenkins-agent.jnlp"]["body"] = "<jnlp>no argument</jnlp>"
    done = agent(surrounding)
    refused(done, 4, "holds no secret")
    assert done.stdout == ""


def create(env: dict[str, str], repository: str = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return run(
        "agent/create-job.sh",
        {"REPOSITORY": repository, **env},
        str(JENKINS / "multibranch.xml"),
    )


def test_the_job_is_created_once_and_then_kept_up_to_date(
    surrounding: dict[str, str], controller: Controller
) -> None:
    first, second = create(surrounding), create(surrounding)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout.strip().endswith("was created")
    assert second.stdout.strip().endswith("is up to date")
    assert list(controller.jobs) == ["slipway"]
    text = controller.jobs["slipway"]
    assert "<remote>ssh://git@git.example:2222/team/a&amp;b.git</remote>" in text
    assert "<credentialsId>ledger</credentialsId>" in text
    assert "@REPOSITORY@" not in text
    create(surrounding, "https://git.example/other.git")
    assert "<remote>https://git.example/other.git</remote>" in controller.jobs["slipway"]
    assert "<credentialsId></credentialsId>" in controller.jobs["slipway"]


@pytest.mark.parametrize(
    "repository",
    ["git@git.example:a/b.git", "ssh://git@git.example:2222/a@b", "https://git.example/a@b:c"],
)
def test_an_address_without_a_login_is_taken(
    surrounding: dict[str, str], controller: Controller, repository: str
) -> None:
    assert create(surrounding, repository).returncode == 0
    assert f"<remote>{repository}</remote>" in controller.jobs["slipway"]


def test_a_password_may_hold_any_character(
    surrounding: dict[str, str], controller: Controller
) -> None:
    odd = 'a"b\\c d#$(id)'
    controller.passwords.update(admin=odd, agents=odd)
    for user in PASSWORDS:
        (Path(surrounding["SECRETS"]) / f"{user}_password").write_text(odd)
    created, started = create(surrounding), agent(surrounding)
    assert created.returncode == started.returncode == 0, created.stderr + started.stderr


def test_the_jobs_creation_waits_for_a_controller_that_starts(
    surrounding: dict[str, str], controller: Controller
) -> None:
    controller.failing = [503]
    assert create({**surrounding, "PATIENCE_S": "10"}).returncode == 0
    assert controller.jobs


@pytest.mark.parametrize(
    ("change", "code", "what"),
    [
        ({"REPOSITORY": ""}, 2, "which repository"),
        ({"REPOSITORY": "https://me:secret@git.example/x"}, 2, "holds a password"),
        ({"REPOSITORY": "https://t0ken@git.example/x"}, 2, "holds a password or a token"),
        ({"JENKINS_JOB": "a/../b"}, 2, "name is none"),
        ({"JENKINS_JOB": ".."}, 2, "name is none"),
        ({"JOB_CREDENTIALS": "x|y"}, 2, "name is none"),
        ({"SECRETS": "/nowhere"}, 2, "cannot be read"),
        ({"JENKINS_URL": "http://127.0.0.1:1"}, 4, "does not let us in"),
    ],
)
def test_a_job_that_cannot_be_created_says_why(
    surrounding: dict[str, str], change: dict[str, str], code: int, what: str
) -> None:
    refused(create({**surrounding, **change}), code, what)


def test_a_wrong_password_creates_nothing(
    surrounding: dict[str, str], controller: Controller
) -> None:
    controller.passwords["admin"] = "another"
    refused(create(surrounding), 4, "does not let us in (401")
    assert not controller.jobs


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the folder, so that secrets are made beside it and not in the checkout."""
    ignored = shutil.ignore_patterns("secrets", ".env")
    return Path(shutil.copytree(JENKINS, tmp_path / "jenkins", ignore=ignored))


def bring_up(checkout: Path, *words: str, **change: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "DOCKER_HOST": surroundings.DOCKER_HOST,
        "REPOSITORY": "git@git.example:team/p.git",
        **change,
    }
    return subprocess.run(
        [str(checkout / "bring-up.sh"), *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "change", "code", "what"),
    [
        (["--gpus"], {}, 2, "'--gpus' is no option"),
        ([], {"REPOSITORY": "/srv/repository.git"}, 2, "on this disk"),
        ([], {"REPOSITORY": "https://me:secret@git.example/x"}, 2, "holds a password"),
        ([], {"DOCKER_HOST": "unix:///nowhere/docker.sock"}, 4, "engine does not answer"),
    ],
)
def test_what_cannot_be_brought_up_is_refused_before_anything_is_made(
    checkout: Path, words: list[str], change: dict[str, str], code: int, what: str
) -> None:
    needs.needs("docker-compose")  # brings the client too
    refused(bring_up(checkout, *words, **change), code, what)
    assert not (checkout / "secrets").exists()


def test_two_at_once_do_not_mix_their_secrets(checkout: Path) -> None:
    holder = os.open(checkout, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        refused(bring_up(checkout), 4, "another one is at work")
    finally:
        os.close(holder)
    assert not (checkout / "secrets").exists()


@pytest.fixture
def empty_image(tmp_path: Path) -> Iterator[str]:
    """An image with nothing in it: what is built upon it fails at once."""
    needs.needs(needs.DOCKER, "docker-compose")
    from slipway.tools import docker_host

    archive, name = tmp_path / "empty.tar", "slipway-test/empty:bring-up"
    with tarfile.open(archive, "w"):
        pass
    client = docker_host.connect(surroundings.DOCKER_HOST)
    client.api.import_image(str(archive), repository="slipway-test/empty", tag="bring-up")
    yield name
    client.images.remove(name, force=True)


def test_an_image_that_cannot_be_had_stops_it_before_anything_is_made(
    checkout: Path, empty_image: str
) -> None:
    done = bring_up(checkout, JENKINS_BASE=empty_image, AGENT_BASE="127.0.0.1:1/none:1")
    refused(done, 4, "the image 127.0.0.1:1/none:1 cannot be had")
    assert not (checkout / "secrets").exists()


def test_secrets_are_made_once_for_the_containers_user_alone(
    checkout: Path, empty_image: str
) -> None:
    bases = dict.fromkeys(("JENKINS_BASE", "AGENT_BASE", "REGISTRY_IMAGE"), empty_image)
    refused(bring_up(checkout, **bases), 4, "an image cannot be built")
    folder = checkout / "secrets"
    made = {path.name: path.read_text() for path in folder.iterdir()}
    passwords = [made[name] for name in made if name.endswith("_password")]
    assert len(set(passwords)) == len(passwords) == 5
    assert all(len(word) == 48 and set(word) <= set("0123456789abcdef") for word in passwords)
    assert made["ledger_key"].endswith("-----END OPENSSH PRIVATE KEY-----\n")
    assert made["ledger_key.pub"].startswith("ssh-ed25519 ")
    assert folder.stat().st_mode & 0o777 == 0o700
    if os.getuid() in (0, 1000):
        kept = [path for path in folder.iterdir() if path.suffix != ".pub"]
        assert {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in kept} == {
            (1000, 0o600)
        }
    done = bring_up(checkout, **bases)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert not [word for word in passwords if word in done.stdout + done.stderr]


def test_the_services_are_what_compose_takes(checkout: Path) -> None:
    needs.needs("docker-compose")
    command = ["docker-compose", "-p", "slipway-test", "-f", str(checkout / "compose.yaml")]
    profiles = [word for name in ("gpu", "cpu-2", "setup") for word in ("--profile", name)]
    done = subprocess.run([*command, *profiles, "config", "-q"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (checkout / "compose.yaml").write_text((checkout / "compose.yaml").read_text() + "\nfoo: 1\n")
    assert subprocess.run([*command, "config", "-q"], capture_output=True).returncode != 0


def test_the_linter_has_nothing_to_say_about_the_images() -> None:
    said = lint(ROOT)
    ours = "docker/jenkins/"
    assert {name for name in said.files if name.startswith(ours)} == {
        f"{ours}agent/Dockerfile",
        f"{ours}controller/Dockerfile",
    }
    assert [one for one in said.found if one["file"].startswith(ours)] == []
