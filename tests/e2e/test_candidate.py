"""The packed candidate of this delivery, in a throw-away environment: `slipway test e2e`."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway import config
from slipway.tools import service
from slipway.tools.engines import Engine, Instance, engine_of


@pytest.fixture(scope="module")
def image() -> dict[str, str]:
    record: dict[str, str] = json.loads(Path("delivery/image.json").read_bytes())
    return record


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    project = config.load(Path.cwd())
    free = replace(project.environment("staging"), port=0)
    settings = replace(project.config, environments={"throw-away": free})
    home = tmp_path_factory.mktemp("home")
    engine = engine_of(replace(project, config=settings, home=home), "throw-away")
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def deployed(engine: Engine, image: dict[str, str]) -> Instance:
    first = engine.start(Path(image["reference"]), digest=image["subject"], version="v0.0.1")
    engine.switch(first)
    return first


def test_it_answers_as_it_did_in_training(
    engine: Engine, deployed: Instance, image: dict[str, str]
) -> None:
    live = engine.live()
    assert live is not None
    assert live.healthy
    service.check(live.url, Path(image["reference"]), digest=image["subject"])


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
    engine: Engine, deployed: Instance, image: dict[str, str]
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
    second = engine.start(Path(image["reference"]), digest=image["subject"], version="v0.0.2")
    engine.switch(second)
    engine.retire(deployed, drain_s=5)
    time.sleep(0.1)
    done.set()
    asking.join()
    assert {answer.status for answer in answers} == {200}
    assert [answers[0].release, answers[-1].release] == ["v0.0.1", "v0.0.2"]
