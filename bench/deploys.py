"""Puts steady requests on production while releases come and go, and counts what failed."""

import json
import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from slipway.records import Deployment, Rollback, read
from slipway.tools import docker_host, engines, ledger, service
from slipway.tools.engines.backends import running
from tests import deliveries

from .workplace import Workplace

REQUESTS = 20_000
PER_S = 300.0
WORKERS = 4
DEPLOYS = 3
SICK_AFTER_S = 0.3  # within the second for which a switch is watched
REFUSED = 4  # what a command ends with that could not do its work
Figures = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One answer: when it came, from which release, and what was wrong with it."""

    at: float
    release: str
    seconds: float
    fault: str


@dataclass
class Traffic:
    """Requests at a steady rate, the model's samples in turn, until told to end."""

    url: str
    samples: Sequence[Mapping[str, Any]]
    tolerance: float
    seen: list[Seen] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Traffic":
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        while error is None and len(self.seen) < REQUESTS:
            time.sleep(0.05)
        self.over.set()
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        client, planned = service.Client(self.url), time.perf_counter()
        for sample in cycle(self.samples):
            if self.over.is_set():
                break
            body = json.dumps(sample["request"]).encode()
            answer = client.ask("POST", "/recommend", body)
            fault = self._fault(answer, sample)
            self.seen.append(Seen(time.perf_counter(), answer.release, answer.seconds, fault))
            planned += WORKERS / PER_S
            time.sleep(max(0.0, planned - time.perf_counter()))
        client.close()

    def _fault(self, answer: service.Answer, sample: Mapping[str, Any]) -> str:
        if answer.status != 200:
            return answer.error or f"status {answer.status}"
        right = service.difference(sample["answer"], answer.json()) <= self.tolerance
        return "" if right else "another answer than training's"

    def last(self, release: str) -> float:
        """When a release answered for the last time."""
        return max((one.at for one in self.seen if one.release == release), default=0.0)


def measure(place: Workplace, engine: str) -> Iterator[tuple[str, Figures]]:
    """Name and figures of the deployments on one engine."""
    _to_production(place, "v1.0.0")
    folder = place.project.candidate
    samples = json.loads((folder / "samples.json").read_bytes())
    tolerance = json.loads((folder / "signature.json").read_bytes())["tolerance"]
    live = engines.engine_of(place.project, "production").live()
    assert live is not None
    deploys: list[Figures] = []
    with Traffic(live.url, samples, tolerance) as traffic:
        for number in range(1, DEPLOYS + 1):
            deploys.append(_to_production(place, f"v1.{number}.0"))
        by_itself = _sick(place, traffic, live.url)
        by_hand = _rollback(place)
    yield f"{engine}: requests", counted(traffic.seen)
    yield f"{engine}: switch", {"ms": [one["switch_ms"] for one in deploys]}
    yield f"{engine}: slipway deploy production", {"s": _median([one["s"] for one in deploys])}
    yield f"{engine}: rollback by itself", by_itself
    yield f"{engine}: rollback by hand", by_hand


def _to_production(place: Workplace, version: str) -> Figures:
    """A new release in production: milliseconds of its switch, seconds of the command."""
    _to_staging(place, version)
    began = time.perf_counter()
    place.slipway("deploy", "production")
    spent = time.perf_counter() - began
    record = read(place.project.delivery, "production", Deployment)
    assert record.version == version
    return {"switch_ms": round(record.switch_ms, 1), "s": round(spent, 2)}


def _to_staging(place: Workplace, version: str) -> None:
    """Another model as far as a person's approval."""
    place.new_model()
    place.image()
    place.slipway("deploy", "staging", "--version", version)
    deliveries.service_verdict(place.project, "staging")
    place.slipway("approve", "--by", "release-manager")


def _sick(place: Workplace, traffic: Traffic, url: str) -> Figures:
    """A release that says right after its switch that it is not ready: it is taken back by itself.

    It is asked to end; a server that is asked to end answers on, and says that it is not ready.
    """
    version = f"v1.{DEPLOYS + 1}.0"
    _to_staging(place, version)
    sick: list[float] = []

    def make_sick() -> None:
        while service.ready(url).release != version:
            time.sleep(0.005)
        time.sleep(SICK_AFTER_S)
        sick.append(time.perf_counter())
        _ask_to_end(place, version)

    other = threading.Thread(target=make_sick, daemon=True)
    other.start()
    answer = place.slipway("deploy", "production", code=REFUSED)
    other.join()
    assert "serves on" in answer.err, answer.err
    told = ledger.read(ledger.open_ledger(place.project))
    assert told.last("production").version == f"v1.{DEPLOYS}.0"
    assert told.events[-1].kind == "undo"
    return {"sick_to_last_answer_s": round(traffic.last(version) - sick[0], 3)}


def _ask_to_end(place: Workplace, version: str) -> None:
    """SIGTERM to the server of a version in production."""
    engine = engines.engine_of(place.project, "production")
    if engine.name == "process":
        state = place.project.home / "environments" / "production"
        for backend in running(state.resolve()):
            if backend.instance.version == version:
                os.kill(backend.daemon.pid, signal.SIGTERM)
        return
    labels = {
        docker_host.MODEL: place.project.config.model.name,
        docker_host.ENVIRONMENT: "production",
        docker_host.VERSION: version,
    }
    wanted = {"label": [f"{key}={value}" for key, value in labels.items()]}
    for container in docker_host.connect(place.project.docker_host).containers.list(filters=wanted):
        container.kill("SIGTERM")


def _rollback(place: Workplace) -> Figures:
    """The release before the last one, put back by a person."""
    began = time.perf_counter()
    place.slipway("rollback", "production", "--reason", "a bench")
    spent = time.perf_counter() - began
    record = read(place.project.delivery, "rollback", Rollback)
    assert record.version == f"v1.{DEPLOYS - 1}.0"
    return {"switch_ms": round(record.switch_ms, 1), "command_s": round(spent, 2)}


def counted(seen: Sequence[Seen]) -> Figures:
    """How many requests there were, how many failed and why, and how long they took."""
    faults = [one.fault for one in seen if one.fault]
    milliseconds = sorted(one.seconds * 1000 for one in seen)
    return {
        "sent": len(seen),
        "failed": len(faults),
        "faults": sorted(set(faults))[:5],
        "releases": list(dict.fromkeys(one.release for one in sorted(seen, key=lambda s: s.at))),
        "p50_ms": round(statistics.median(milliseconds), 1),
        "p99_ms": round(milliseconds[int(len(milliseconds) * 0.99)], 1),
        "worst_ms": round(milliseconds[-1], 1),
    }


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)
