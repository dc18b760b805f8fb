"""Promotes the tiny delivery of `deliveries`, asks what came of it, and puts load on a service."""

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError
from slipway.records import Release, read
from slipway.tools import engines, ledger, service
from slipway.tools.engines.backends import running
from slipway.tools.ledger import Event
from tests import deliveries


def slipway(project: Project, *words: str) -> stages.Done:
    return stages.execute(list(words), project)


def to_staging(project: Project, weight: float = 1.0) -> stages.Done:
    deliveries.prepare(project, weight=weight)
    done = slipway(project, "deploy", "staging")
    deliveries.service_verdict(project, "staging")
    return done


def to_production(project: Project, weight: float = 1.0) -> stages.Done:
    to_staging(project, weight)
    slipway(project, "approve", "--by", "release-manager")
    done = slipway(project, "deploy", "production")
    deliveries.service_verdict(project, "production")
    return done


def released(project: Project, weight: float = 1.0) -> Release:
    to_production(project, weight)
    slipway(project, "release")
    return read(project.delivery, "release", Release)


def events(project: Project) -> list[str]:
    told = ledger.read(ledger.open_ledger(project)).events
    return [" ".join(word for word in (e.kind, e.environment, e.version) if word) for e in told]


def last(project: Project, environment: str = "production") -> Event | None:
    return ledger.read(ledger.open_ledger(project)).last(environment)


def to_canary(project: Project, weight: float = 2.0, percent: int = 10) -> stages.Done:
    """A delivery that is approved, with a part of production's traffic."""
    approved(project, weight)
    return slipway(project, "deploy", "production", "--canary", str(percent))


def approved(project: Project, weight: float) -> None:
    """A delivery that a person lets go to production."""
    to_staging(project, weight)
    slipway(project, "approve", "--by", "release-manager")


def processes(project: Project, environment: str) -> list[str]:
    """The versions whose processes run for an environment."""
    state = engines.engine_of(project, environment).state
    return sorted(backend.instance.version for backend in running(state))


def live(project: Project, environment: str = "production") -> str:
    """The version that answers at an environment's address; beside a canary, the other one."""
    standing = engines.engine_of(project, environment).live()
    if standing is None or standing.canary is None:
        return service.ready(standing.url).release if standing else ""
    answers = (service.ready(standing.url, key=str(key)) for key in range(200))
    return next((a.release for a in answers if a.digest == standing.instance.digest), "")


class Load:
    """Steady requests to an address while the block runs; `answers` holds what came back."""

    def __init__(self, url: str, per_s: float = 100.0) -> None:
        self.url, self.pause = url, 1 / per_s
        self.answers: list[service.Answer] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        client = service.Client(self.url)
        planned = time.perf_counter()
        while not self._over.is_set():
            self.answers.append(client.ask("POST", "/recommend", b'{"customer": "00000001"}'))
            planned += self.pause
            time.sleep(max(0.0, planned - time.perf_counter()))
        client.close()

    def __enter__(self) -> "Load":
        self._thread.start()
        time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.1)
        self._over.set()
        self._thread.join()

    def versions(self) -> list[str]:
        return list(dict.fromkeys(answer.release for answer in self.answers))

    def failed(self) -> list[service.Answer]:
        return [answer for answer in self.answers if answer.status != 200]


def refuses(project: Project, *words: str, match: str) -> None:
    told = events(project)
    with pytest.raises(EvidenceError, match=match):
        slipway(project, *words)
    assert events(project) == told


def alter(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


PATCH = """
import os, signal, sys, time
from slipway.__main__ import main
from slipway.stages import deploy, places
from slipway.tools import service
from slipway.tools.engines.process import ProcessEngine

def die_after(owner, name):
    original = getattr(owner, name)
    def dying(*args, **kwargs):
        result = original(*args, **kwargs)
        {how}
        return result
    setattr(owner, name, dying)

die_after({owner}, {name!r})
sys.exit(main(sys.argv[1:]))
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
TERM = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.01)"


def run_dying(project: Project, point: tuple[str, str], how: str, *words: str) -> tuple[int, str]:
    """Runs one command that gets a signal when it has passed a point: owner and function."""
    owner, name = point
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(PATCH.format(owner=owner, name=name, how=how)),
            *words,
        ],
        cwd=project.root,
        env=deliveries.environment(project.home.parent, project.ledger_remote),
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def in_a_process(project: Project, *words: str) -> subprocess.Popen[str]:
    """A `slipway` of its own, begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "slipway", *words],
        cwd=project.root,
        env=deliveries.environment(project.home.parent, project.ledger_remote),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
