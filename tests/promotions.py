"""Promotes the tiny delivery of `deliveries`, asks what came of it, and puts load on a service."""

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


def processes(project: Project, environment: str) -> list[str]:
    """The versions whose processes run for an environment."""
    state = engines.engine_of(project, environment).state
    return sorted(backend.instance.version for backend in running(state))


def live(project: Project, environment: str = "production") -> str:
    """The version that answers at an environment's address."""
    standing = engines.engine_of(project, environment).live()
    return service.ready(standing.url).release if standing else ""


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
