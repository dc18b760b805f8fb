"""`slipway jenkins` as people meet it: a process of its own, on a terminal or interrupted."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

from slipway.config import Project
from tests.integration.test_jenkins_client import (
    BLOCKED,
    MAIN,
    jenkins,
    project,
)
from tests.jenkins_builds import Step, delivery
from tests.jenkins_server import Controller

__all__ = ["jenkins", "project"]  # fixtures
HEAVY = "requests, httpx, api4jenkins, rich, jinja2, pandas, docker, dvc, psutil"


def environment() -> dict[str, str]:
    """Ours, without what a build of Jenkins or a user's taste adds to it."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("JENKINS_URL", "NO_COLOR")}
    login = {"SLIPWAY_JENKINS_USER": "admin", "SLIPWAY_JENKINS_TOKEN": "11a"}
    return {**inherited, **login, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}


def started(root: Path, *words: str, out: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "slipway", "jenkins", *words]
    return subprocess.Popen(
        command, cwd=root, env=environment(), stdout=out, stderr=subprocess.PIPE, stdin=out
    )


def test_on_a_terminal_the_stages_stand_below_the_log(
    jenkins: Controller, project: Project
) -> None:
    jenkins.jobs[MAIN].script = lambda _: delivery(blocked=True, files=BLOCKED)
    jenkins.begin(jenkins.jobs[MAIN])
    ours, theirs = pty.openpty()
    process = started(project.root, "watch", "main", out=theirs)
    os.close(theirs)
    shown = b""
    while process.poll() is None or shown[-1:] != b"\n":
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
    os.close(ours)
    assert process.wait(20) == 3, process.stderr
    text = shown.decode()
    assert "\x1b[31mfailed" in text  # the stages, in colour
    assert text.count("+ slipway gate data") == 1
    assert "measured 7, expected at least 500000" in text
    assert text.endswith("in stage Data gate: exit 3\r\n")


def test_an_interrupted_watch_ends_and_the_build_goes_on(
    jenkins: Controller, project: Project
) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(log="one\n"), Step(60)]
    process = started(project.root, "trigger", "main", "--watch")
    assert process.stdout
    while b"one" not in process.stdout.readline():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert told.decode() == "main #1 goes on: slipway jenkins watch main 1\n"
    assert not jenkins.jobs[MAIN].builds[1].result
    assert len(jenkins.queue) == 1


def test_help_and_errors_of_usage_load_nothing_heavy(project: Project) -> None:
    program = (
        "import sys; from slipway.__main__ import main\n"
        "code = main(['jenkins', 'watch', 'main'])\n"
        "try: main(['jenkins', 'trigger', '--help'])\n"
        "except SystemExit: pass\n"
        f"print(code, [name for name in '{HEAVY}'.split(', ') if name in sys.modules])"
    )
    (project.root / "delivery.toml").write_text(
        (project.root / "delivery.toml").read_text().partition("[jenkins]")[0]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project.root, env=environment(), capture_output=True
    )
    assert done.stdout.decode().endswith("2 []\n"), done.stderr.decode()
