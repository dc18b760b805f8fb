"""The packed candidate of this delivery, in a throw-away environment: `slipway test e2e`."""

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.tools import service
from slipway.tools.artefacts import Artefact, open_artefact
from slipway.tools.engines import Engine, Instance, engine_of
from tests import surroundings


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    image = json.loads(Path("delivery/image.json").read_bytes())
    project = surroundings.project(Path.cwd())
    return open_artefact(project, image["kind"], image["subject"], model=image["model"])


@pytest.fixture(scope="module")
def engine(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    project = surroundings.project(Path.cwd())
    name = f"throw-away-{os.getpid()}"
    free = replace(
        project.environment("staging"),
        port=0,
        engine="process" if artefact.kind == "bundle" else "docker",
        requires=artefact.kind,
    )
    settings = replace(project.config, environments={name: free})
    own = replace(project, config=settings)
    if artefact.kind == "bundle":
        own = replace(own, home=tmp_path_factory.mktemp("home"))
    engine = engine_of(own, name)
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def deployed(engine: Engine, artefact: Artefact) -> Instance:
    first = engine.start(artefact, version="v0.0.1")
    engine.switch(first)
    return first


def test_it_answers_as_it_did_in_training(
    engine: Engine, deployed: Instance, artefact: Artefact
) -> None:
    live = engine.live()
    assert live is not None
    assert live.healthy
    service.check(live.url, artefact)


@pytest.mark.parametrize(
    "body",
    [b'{"customer": "nobody"}', b'{"history": []}', b'{"history": [["nothing", "2001-02-03"]]}'],
)
def test_whom_it_does_not_know_gets_the_fallback(
    engine: Engine, deployed: Instance, body: bytes
) -> None:
    live = engine.live()
    assert live is not None
    answer = service.Client(live.url).ask("POST", "/recommend", body)
    assert answer.status == 200, answer
    assert len(set(answer.json()["items"])) == 10


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"customer": 5}', b'{"history": "x"}'])
def test_a_bad_request_is_the_askers_fault(engine: Engine, deployed: Instance, body: bytes) -> None:
    live = engine.live()
    assert live is not None
    answer = service.Client(live.url).ask("POST", "/recommend", body)
    assert 400 <= answer.status < 500
    assert answer.digest == deployed.digest


def test_it_is_replaced_without_a_failed_request(
    engine: Engine, deployed: Instance, artefact: Artefact
) -> None:
    live = engine.live()
    assert live is not None
    answers: list[service.Answer] = []
    done = threading.Event()

    def ask() -> None:
        client = service.Client(live.url)
        while not done.is_set():
            answers.append(client.ask("POST", "/recommend", b'{"customer": "nobody"}'))
            time.sleep(0.005)

    asking = threading.Thread(target=ask)
    asking.start()
    second = engine.start(artefact, version="v0.0.2")
    engine.switch(second)
    engine.retire(deployed, drain_s=5)
    time.sleep(0.1)
    done.set()
    asking.join()
    assert {answer.status for answer in answers} == {200}
    assert [answers[0].release, answers[-1].release] == ["v0.0.1", "v0.0.2"]
