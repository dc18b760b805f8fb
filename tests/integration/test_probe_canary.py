"""A canary probed and judged beside its champion: well, and sick in many ways."""

import argparse
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError, ToolError
from slipway.gates import configured, judge
from slipway.gates.service import ServiceEvidence
from slipway.records import Deployment, Image, Probe, Verdict, digest_file, read, write
from slipway.stages import loads
from slipway.stages.subjects import service as subject
from slipway.tools import load, service, store
from slipway.tools.artefacts import Artefact, open_artefact
from slipway.tools.engines import Instance, backends
from slipway.tools.engines.process import ProcessEngine
from tests import deliveries

PERCENT = 50
SETTINGS = (
    deliveries.SETTINGS.replace("watch_s", "load_per_s = 60\nload_for_s = 1\nwatch_s")
    + """
[gates.service.health]
[gates.service.answers]
[gates.service.latency]
max_p50_ms = 1000
max_p95_ms = 5000
max_p99_ms = 5000
min_requests = 40
min_rate = 0.1
[gates.service.bad_requests]
[gates.service.metrics]
[gates.service.canary]
max_p95_times = 3
p95_slack_ms = 500
min_requests = 40
"""
)
AILING = """

_asked, _encode, _decode = 0, encode, decode


def encode(reference, requests):
    import os, time
    global _asked
    _asked += 1
    SICK
    return _encode(reference, requests)
"""
SICK = {
    "well": "pass",
    "slow": "time.sleep(0.2)",
    "wrong": "globals()['decode'] = lambda r, o, k: _decode(r, {'scores': o['scores'] * 1.01}, k)",
    "failing": "assert _asked % 3",
    "dying": "_asked < 20 or os._exit(1)",
    "hanging": "time.sleep(3600)",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("canary")
    project = deliveries.project_at(deliveries.checkout(folder / "one", SETTINGS), folder / "home")
    deliveries.prepare(project)
    return project


@pytest.fixture(scope="module")
def artefact(project: Project) -> Callable[[str], Artefact]:
    """The same model with serving code that is well, or sick in some way."""
    image = read(project.delivery, "image", Image)
    folder = project.root / "sick"
    folder.mkdir()

    def make(how: str) -> Artefact:
        features = folder / f"{how}.py"
        code = (deliveries.ROOT / "ml/features.py").read_text()
        features.write_text(code + AILING.replace("SICK", SICK[how]))
        files = {f"model/{n}": p for n, p in store.tree_files(project.candidate).items()}
        root = deliveries.ROOT
        files |= {f"ml/serving/{n}": p for n, p in store.tree_files(root / "ml/serving").items()}
        for name in ("ml/__init__.py", "requirements/serve.txt", "requirements/uv.txt"):
            files[name] = root / name
        digest = store.put_bundle(project.home, {**files, "ml/features.py": features})
        return open_artefact(project, "bundle", digest, model=image.model)

    return make


@pytest.fixture(scope="module")
def champion(project: Project) -> Iterator[tuple[ProcessEngine, Instance]]:
    engine = ProcessEngine(project, "production")
    image = read(project.delivery, "image", Image)
    artefact = open_artefact(project, "bundle", image.subject, model=image.model)
    instance = engine.start(artefact, version="v1.0.0")
    engine.switch(instance)
    yield engine, instance
    engine.stop()


@pytest.fixture
def stand(
    project: Project,
    champion: tuple[ProcessEngine, Instance],
    artefact: Callable[[str], Artefact],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Instance]]:
    """Puts a canary beside the champion, as `slipway deploy production --canary 50` records it."""
    monkeypatch.setattr(loads, "LEAST", 60)
    engine, serving = champion

    def canary(how: str) -> Instance:
        candidate = artefact(how)
        instance = engine.start(candidate, version="v2.0.0")
        engine.split(instance, PERCENT)
        image = read(project.delivery, "image", Image)
        for name in ("image", "canary", "canary-probe", "canary-verdict"):
            (project.delivery / f"{name}.json").unlink(missing_ok=True)
        write(project.delivery, "image", replace(image, subject=candidate.digest))
        write(project.delivery, "canary", _deployment(candidate, engine))
        return instance

    yield canary
    engine.switch(serving)
    engine.clean(keep=lambda _: False)


def _deployment(candidate: Artefact, engine: ProcessEngine) -> Deployment:
    live = engine.live()
    assert live is not None
    return Deployment(
        subject=candidate.digest,
        environment="production",
        version="v2.0.0",
        kind="bundle",
        engine="process",
        url=live.url,
        previous={"version": "v1.0.0", "digest": live.instance.digest},
        ledger="",
        switch_ms=1.0,
        evidence={},
        percent=PERCENT,
    )


def judged(project: Project) -> tuple[Verdict, ServiceEvidence]:
    """What the gates say of the probe that stands there."""
    collected = subject.collect(project, argparse.Namespace(of="canary"))
    gates = configured("service", project.config.gates["service"])
    verdict = judge(
        kind=collected.kind,
        of=collected.of,
        gates=gates,
        evidence=collected.evidence,
        files=collected.files,
    )
    return verdict, collected.evidence


def blocked(verdict: Verdict) -> set[str]:
    return {f"{f.gate} {f.where}" for f in verdict.findings if f.outcome == "block"}


def kill(instance: Instance, engine: ProcessEngine) -> None:
    for backend in backends.running(engine.state):
        if backend.instance.id == instance.id:
            process = psutil.Process(backend.daemon.pid)
            process.kill()
            process.wait(10)


def test_a_canary_that_is_well_passes(
    project: Project,
    stand: Callable[[str], Instance],
    champion: tuple[ProcessEngine, Instance],
    capsys: pytest.CaptureFixture[str],
) -> None:
    instance = stand("well")
    assert stages.execute(["probe", "canary"], project).answer == "probed"
    said = capsys.readouterr().out
    assert "canary: " in said
    assert "champion: " in said
    assert stages.execute(["gate", "service", "--of", "canary"], project).code == 0
    verdict = read(project.delivery, "canary-verdict", Verdict)
    assert (verdict.of, verdict.outcome) == (f"{instance.digest}@canary", "pass")
    assert verdict.on == digest_file(project.delivery / "canary-probe.json")
    probe = read(project.delivery, "canary-probe", Probe)
    assert probe.on == digest_file(project.delivery / "canary.json")
    assert (probe.subject, probe.environment) == (instance.digest, "production")
    _, evidence = judged(project)
    beside = evidence.beside
    assert beside is not None
    assert (beside.digest, beside.percent) == (champion[1].digest, PERCENT)
    assert evidence.load.sent + beside.load.sent == 120
    assert evidence.load.answered == evidence.load.sent
    assert beside.load.answered == beside.load.sent
    assert evidence.metrics.digests == (instance.digest,)
    assert stages.execute(["probe", "canary"], project).answer == "already probed"


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("slow", {"canary p95 ms"}),
        ("wrong", {"answers same as training"}),
        ("failing", {"canary error rate", "latency error rate", "answers same as training"}),
        ("dying", {"canary error rate", "latency foreign answers", "health /v2/health/ready"}),
    ],
)
def test_a_canary_that_is_sick_is_blocked(
    project: Project, stand: Callable[[str], Instance], how: str, found: set[str]
) -> None:
    stand(how)
    stages.execute(["probe", "canary"], project)
    verdict, evidence = judged(project)
    assert verdict.outcome == "block"
    assert found <= blocked(verdict)
    assert ("canary share" in blocked(verdict)) is False
    beside = evidence.beside
    assert beside is not None
    assert beside.load.answered == beside.load.sent >= 30  # its champion is well all the while
    assert evidence.load.sent + beside.load.sent == 120


def test_a_canary_that_was_dead_before_is_blocked_not_unmeasured(
    project: Project, stand: Callable[[str], Instance], champion: tuple[ProcessEngine, Instance]
) -> None:
    kill(stand("well"), champion[0])
    stages.execute(["probe", "canary"], project)
    verdict, evidence = judged(project)
    assert {
        "canary answers of the canary",
        "canary error rate",
        "canary p95 ms",
        "canary share",
    } <= (blocked(verdict))
    assert {"health /v2/health/live", "answers same as training", "metrics digest"} <= (
        blocked(verdict)
    )
    assert evidence.load.sent == 0


def test_a_canary_that_hangs_is_blocked_in_little_time(
    project: Project, stand: Callable[[str], Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {"timeout_s": 1.0}
    monkeypatch.setattr(service.ask, "__kwdefaults__", {**service.ask.__kwdefaults__, **short})
    monkeypatch.setattr(load.send, "__kwdefaults__", {**load.send.__kwdefaults__, **short})
    monkeypatch.setattr(load, "PATIENCE_S", 2.0)
    stand("hanging")
    stages.execute(["probe", "canary"], project)
    verdict, evidence = judged(project)
    assert {
        "canary error rate",
        "latency error rate",
        "answers asked",
        "answers same as training",
    } <= (blocked(verdict))
    assert evidence.load.failed == evidence.load.sent > 30
    assert "not sent: the earlier ones took too long" in evidence.load.errors
    assert evidence.samples.asked == 1
    beside = evidence.beside
    assert beside is not None
    assert beside.load.answered == beside.load.sent  # one side delays nobody on the other


def test_where_no_canary_stands_any_more_the_probe_says_so(
    project: Project, stand: Callable[[str], Instance], champion: tuple[ProcessEngine, Instance]
) -> None:
    instance = stand("well")
    engine, serving = champion
    engine.switch(serving)
    with pytest.raises(EvidenceError, match="production has no canary, this delivery deployed"):
        stages.execute(["probe", "canary"], project)
    engine.retire(instance, 1)


def test_a_probe_that_did_not_look_at_both_sides_is_no_evidence_about_a_canary(
    project: Project, stand: Callable[[str], Instance]
) -> None:
    stand("well")
    stages.execute(["probe", "canary"], project)
    probe = read(project.delivery, "canary-probe", Probe)
    (project.delivery / "canary-probe.json").unlink()
    alone: dict[str, Any] = {**probe.measured, "beside": None}
    write(project.delivery, "canary-probe", replace(probe, measured=alone))
    with pytest.raises(EvidenceError, match="does not measure what canary is"):
        subject.collect(project, argparse.Namespace(of="canary"))


def test_what_had_nothing_to_stand_beside_is_not_probed(
    project: Project, stand: Callable[[str], Instance]
) -> None:
    stand("well")
    record = read(project.delivery, "canary", Deployment)
    (project.delivery / "canary.json").unlink()
    write(project.delivery, "canary", replace(record, percent=0))
    assert stages.execute(["probe", "canary"], project).answer == "nothing to stand beside"
    assert not (project.delivery / "canary-probe.json").exists()


# the load


class Silent:
    """A server that takes connections and says nothing."""

    def __enter__(self) -> str:
        self.socket = socket.create_server(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def test_a_load_on_a_server_that_hangs_ends_and_accounts_for_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "PATIENCE_S", 0.3)
    with Silent() as url:
        planned = load.plan(url, [b"{}"], ["key"] * 60, per_s=600)
        began = time.perf_counter()
        (results,) = load.send(url, planned, timeout_s=0.2)
        assert time.perf_counter() - began < 3
    assert len(results) == 60
    assert {answer.status for _, answer in results} == {0}
    assert len([1 for _, answer in results if answer.timed_out]) >= load.WORKERS
    assert "not sent" in results[-1][1].error


def test_a_side_that_hangs_delays_no_request_of_the_other(
    champion: tuple[ProcessEngine, Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "PATIENCE_S", 3.0)
    live = champion[0].live()
    assert live is not None
    with Silent() as silent:
        bodies, keys = [b'{"customer": "00000001"}'], [""] * 60
        hanging = load.plan(silent, bodies, keys, per_s=60)
        answers: list[float] = []
        beside = threading.Thread(
            target=load.send, args=(silent, hanging), kwargs={"timeout_s": 0.5}
        )
        beside.start()
        answers += [s for s, a in load.run(live.url, bodies, per_s=60, for_s=1) if a.status == 200]
        beside.join()
    assert len(answers) == 60


def test_nothing_to_send_is_an_error_of_three_lines() -> None:
    with pytest.raises(ToolError, match="no request to send") as refused:
        load.run("http://127.0.0.1:9", [], per_s=10, for_s=1)
    assert len(str(refused.value).splitlines()) == 3


def test_a_key_that_nobody_answers_leads_nowhere() -> None:
    assert load.sides("http://127.0.0.1:9", ["a", "b"]) == {"a": "", "b": ""}


def test_a_failure_of_a_key_that_leads_nowhere_counts_against_the_canary(project: Project) -> None:
    settings = replace(project.environment("staging"), load_per_s=500)
    url = "http://127.0.0.1:9"  # nobody listens there
    split = loads.learn(url, "sha256:canary", "sha256:champion", 50, settings)
    canary, beside = loads.beside(url, split, settings, [b"{}"])
    assert (canary.sent, canary.failed) == (len(split.sides), len(split.sides))
    assert beside.load.sent == 0
