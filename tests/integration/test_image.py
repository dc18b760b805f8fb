"""From a candidate that passed to a judged bundle and a judged service: the commands themselves."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.records import (
    Candidate,
    Deployment,
    Image,
    Probe,
    Verdict,
    digest_file,
    read,
    write,
)
from slipway.tools import daemons, store
from slipway.tools.artefacts import open_artefact
from slipway.tools.engines import engine_of
from tests import deliveries, tiny

GATES = """
[gates.image.digest]
[gates.image.samples]
[gates.image.size]
[gates.image.confined]
[gates.image.no_secrets]
[gates.image.sbom]
[gates.image.lint]
[gates.service.health]
[gates.service.answers]
[gates.service.latency]
max_p50_ms = 1000
max_p95_ms = 5000
max_p99_ms = 5000
min_requests = 50
min_rate = 0.1
[gates.service.bad_requests]
[gates.service.metrics]
"""
SETTINGS = deliveries.SETTINGS.replace("watch_s", "load_for_s = 0.5\nwatch_s") + GATES
CODE = ("ml/__init__.py", "ml/features.py", "ml/serving", "requirements")


def project_in(folder: Path) -> Project:
    """A project whose candidate has passed, and nothing more."""
    root = deliveries.checkout(folder / "checkout", SETTINGS)
    for name in CODE:
        source = deliveries.ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        (root / name).parent.mkdir(exist_ok=True)
        copy(source, root / name)  # type: ignore[operator]
    project = deliveries.project_at(root, folder / "home")
    deliveries.prepare(project)
    for name in ("image", "image-verdict"):
        (project.delivery / f"{name}.json").unlink()
    return project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = project_in(tmp_path)
    yield project
    stages.execute(["stop", "--all"], project)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose bundle serves in staging."""
    project = project_in(tmp_path_factory.mktemp("served"))
    stages.execute(["image"], project)
    deploy(project)
    yield project
    stages.execute(["stop", "--all"], project)


def deploy(project: Project) -> Deployment:
    """What `slipway deploy staging` does to the engine and to the delivery's folder."""
    image = read(project.delivery, "image", Image)
    engine = engine_of(project, "staging")
    artefact = open_artefact(project, image.kind, image.subject, model=image.model)
    engine.switch(engine.start(artefact, version="v0.1.0"))
    live = engine.live()
    assert live is not None
    record = Deployment(
        subject=image.subject,
        environment="staging",
        version="v0.1.0",
        kind="bundle",
        engine="process",
        url=live.url,
        previous=None,
        ledger="",
        switch_ms=1.0,
        evidence={},
    )
    (project.delivery / "staging.json").unlink(missing_ok=True)
    return write(project.delivery, "staging", record)


# slipway image


def test_a_candidate_that_passed_is_packed_with_what_serves_it(project: Project) -> None:
    done = stages.execute(["image"], project)
    image = read(project.delivery, "image", Image)
    candidate = read(project.delivery, "candidate", Candidate)
    assert (done.answer, done.digest, image.kind) == ("built", image.subject, "bundle")
    assert (image.model, image.dataset) == (candidate.subject, candidate.dataset)
    assert image.on == image.evidence["model-verdict"]
    assert len(image.unproven) == 3
    path = Path(image.reference)
    assert (digest_file(path), path.stat().st_size) == (image.subject, image.bytes)
    with tarfile.open(path) as tar:
        names = set(tar.getnames())
    assert {"ml/features.py", "ml/serving/app.py", "model/model.onnx"} <= names
    assert {"requirements/serve.txt", "requirements/uv.txt"} <= names
    assert not {name for name in names if "project.txt" in name or "cache" in name}


def test_the_second_time_nothing_is_built(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.execute(["image"], project)
    before = (project.delivery / "image.json").read_bytes()
    capsys.readouterr()
    assert stages.execute(["image"], project).answer == "already built"
    assert "nothing to build" in capsys.readouterr().out
    assert (project.delivery / "image.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["lost", "altered"])
def test_a_bundle_that_is_gone_from_the_store_is_built_again(project: Project, damage: str) -> None:
    digest = stages.execute(["image"], project).digest
    path = Path(read(project.delivery, "image", Image).reference)
    path.unlink() if damage == "lost" else path.write_bytes(b"altered")
    done = stages.execute(["image"], project)
    assert (done.answer, done.digest) == ("built", digest)
    assert store.bundle(project.home, digest) == path


def test_a_checkout_without_the_model_takes_it_from_the_store(project: Project) -> None:
    digest = stages.execute(["image"], project).digest
    shutil.rmtree(project.candidate)
    (project.delivery / "image.json").unlink()
    assert stages.execute(["image"], project).digest == digest
    shutil.rmtree(project.home / "store")
    shutil.rmtree(project.scratch)
    with pytest.raises(EvidenceError, match="not in the store"):
        stages.execute(["image"], project)


RECORDS = ("data-verdict", "prepared-verdict", "model-verdict", "tests-unit", "tests-integration")


@pytest.mark.parametrize("name", RECORDS)
def test_without_a_verdict_nothing_is_packed(project: Project, name: str) -> None:
    (project.delivery / f"{name}.json").unlink()
    with pytest.raises(EvidenceError, match=f"there is no {name}.json"):
        stages.execute(["image"], project)
    assert not (project.delivery / "image.json").exists()


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"outcome": "block"}, "says block"),
        ({"of": "sha256:other"}, "is about sha256:other"),
        ({"settings_digest": "sha256:other"}, "judged by other settings"),
    ],
)
def test_a_verdict_that_blocked_or_is_about_something_else_stops_it(
    project: Project, name: str, change: dict[str, str], why: str
) -> None:
    verdict = replace(read(project.delivery, name, Verdict), **change)  # type: ignore[arg-type]
    findings = tuple(replace(f, outcome=verdict.outcome) for f in verdict.findings)
    (project.delivery / f"{name}.json").unlink()
    write(project.delivery, name, replace(verdict, findings=findings))
    with pytest.raises(EvidenceError, match=why):
        stages.execute(["image"], project)


def test_an_edited_verdict_stops_it(project: Project) -> None:
    path = project.delivery / "model-verdict.json"
    path.write_text(path.read_text().replace('"pass"', '"warn"'))
    with pytest.raises(EvidenceError, match="altered"):
        stages.execute(["image"], project)


def test_loosened_settings_stop_it(project: Project) -> None:
    path = project.root / "delivery.toml"
    path.write_text(path.read_text() + "[gates.tests.ran]\nmin_tests = 0\n")
    loosened = deliveries.project_at(project.root, project.home.parent)
    with pytest.raises(EvidenceError):
        stages.execute(["image"], loosened)


@pytest.mark.parametrize(
    ("key", "value"), [("code", ("ml/nothing",)), ("requirements", "requirements/nothing.txt")]
)
def test_code_that_is_not_there_is_a_wrong_setting(
    project: Project, key: str, value: object
) -> None:
    artefact = replace(project.config.artefact, **{key: value})  # type: ignore[arg-type]
    wrong = replace(project, config=replace(project.config, artefact=artefact))
    with pytest.raises(ConfigError, match="nothing"):
        stages.execute(["image"], wrong)


# slipway gate image


def test_a_good_bundle_passes_and_is_measured_once(project: Project) -> None:
    stages.execute(["image"], project)
    done = stages.execute(["gate", "image"], project)
    assert (done.answer, done.code) == ("pass", 0)
    verdict = read(project.delivery, "image-verdict", Verdict)
    outcomes = {f.where: f.outcome for f in verdict.findings}
    assert outcomes["non-root"] == outcomes["SBOM"] == "not_applicable"
    assert sum(outcome == "pass" for outcome in outcomes.values()) == 12
    assert verdict.unproven == read(project.delivery, "image", Image).unproven
    before = [
        (project.delivery / f).read_bytes() for f in ("image-probe.json", "image-verdict.json")
    ]
    stages.execute(["gate", "image"], project)
    after = [
        (project.delivery / f).read_bytes() for f in ("image-probe.json", "image-verdict.json")
    ]
    assert before == after
    assert not list((project.home / "trials").glob("[0-9]*"))


def test_a_bundle_that_answers_otherwise_than_training_is_blocked(project: Project) -> None:
    samples = json.loads((project.candidate / "samples.json").read_text())
    samples[0]["answer"]["scores"][0] += 0.01
    (project.candidate / "samples.json").write_text(json.dumps(samples))
    model = store.put_model(project.home, project.candidate)
    retrain(project, model)
    stages.execute(["image"], project)
    done = stages.execute(["gate", "image"], project)
    assert done.code == 3
    (finding,) = (
        f for f in read(project.delivery, "image-verdict", Verdict).findings if f.outcome == "block"
    )
    assert (finding.gate, finding.where) == ("samples", "same as training")
    assert "sample 1: off by 0.01" in finding.message


def retrain(project: Project, model: str) -> None:
    """The delivery's records as they are after a training that gave `model`."""
    candidate = read(project.delivery, "candidate", Candidate)
    (project.delivery / "candidate.json").unlink()
    write(project.delivery, "candidate", replace(candidate, subject=model))
    (project.delivery / "model-verdict.json").unlink()
    deliveries.verdict(project, "model-verdict", "model", model)


def test_a_bundle_that_does_not_start_is_a_failure_with_its_last_words(project: Project) -> None:
    (project.root / "ml" / "features.py").write_text("raise SystemExit('no features here')\n")
    stages.execute(["image"], project)
    with pytest.raises(ToolError, match="no features here"):
        stages.execute(["gate", "image"], project)
    assert not (project.delivery / "image-verdict.json").exists()
    assert not running(project)


def running(project: Project) -> list[int]:
    home = str(project.home)
    return [d.pid for d in daemons.find(lambda argv: any(home in word for word in argv))]


# slipway probe, slipway gate service


def test_a_healthy_service_passes_and_is_measured_once(served: Project) -> None:
    assert stages.execute(["probe", "staging"], served).answer == "probed"
    probe = read(served.delivery, "staging-probe", Probe)
    deployed = read(served.delivery, "staging", Deployment)
    assert (probe.subject, probe.version, probe.url) == (deployed.subject, "v0.1.0", deployed.url)
    measured = probe.measured
    assert measured["samples"]["asked"] == len(tiny.REQUESTS)
    assert measured["load"]["sent"] == 50
    assert len(measured["bad_requests"]) == 22
    done = stages.execute(["gate", "service", "--of", "staging"], served)
    verdict = read(served.delivery, "staging-verdict", Verdict)
    assert (done.code, verdict.outcome) == (0, "pass"), verdict.findings
    assert verdict.of == f"{deployed.subject}@staging"
    assert stages.execute(["probe", "staging"], served).answer == "already probed"
    assert stages.execute(["probe", "staging", "--again"], served).answer == "probed"


def test_the_load_can_be_a_file_of_requests(served: Project, tmp_path: Path) -> None:
    path = tmp_path / "requests.json"
    path.write_text('[{"customer": 5}]')
    stages.execute(["probe", "staging", "--again", "--requests", str(path)], served)
    load = read(served.delivery, "staging-probe", Probe).measured["load"]
    assert (load["failed"], load["errors"]) == (50, ["status 400"])
    assert stages.execute(["gate", "service", "--of", "staging"], served).code == 3
    assert stages.execute(["probe", "staging"], served).answer == "probed"  # it had blocked
    assert stages.execute(["gate", "service", "--of", "staging"], served).code == 0
    for content in ("", "{}", "[]", "[1"):
        path.write_text(content)
        with pytest.raises(ConfigError):
            stages.execute(["probe", "staging", "--again", "--requests", str(path)], served)


def test_a_service_that_was_not_probed_since_it_was_deployed_is_not_judged(
    served: Project,
) -> None:
    stages.execute(["probe", "staging"], served)
    deployed = read(served.delivery, "staging", Deployment)
    (served.delivery / "staging.json").unlink()
    write(served.delivery, "staging", replace(deployed, version="v0.2.0"))
    with pytest.raises(EvidenceError, match="older than the deployment"):
        stages.execute(["gate", "service", "--of", "staging"], served)


def test_an_unknown_environment_is_a_wrong_argument(served: Project) -> None:
    for words in (
        ["probe", "nowhere"],
        ["gate", "service", "--of", "nowhere"],
        ["stop", "nowhere"],
    ):
        with pytest.raises(ConfigError, match="nowhere"):
            stages.execute(words, served)


def test_without_a_deployment_there_is_nothing_to_probe(project: Project) -> None:
    with pytest.raises(EvidenceError, match="there is no staging.json"):
        stages.execute(["probe", "staging"], project)
    stages.execute(["image"], project)
    deploy(project)
    stages.execute(["stop", "staging"], project)
    with pytest.raises(ToolError, match="nothing serves in staging"):
        stages.execute(["probe", "staging"], project)


def test_another_artefact_at_the_address_is_not_probed(project: Project) -> None:
    stages.execute(["image"], project)
    deployed = deploy(project)
    (project.delivery / "staging.json").unlink()
    write(project.delivery, "staging", replace(deployed, subject="sha256:other"))
    with pytest.raises(EvidenceError, match="this delivery deployed sha256:other"):
        stages.execute(["probe", "staging"], project)


def test_a_service_that_died_is_blocked(project: Project) -> None:
    stages.execute(["image"], project)
    deploy(project)
    for pid in running(project):
        if "ml.serving" in psutil.Process(pid).cmdline():
            psutil.Process(pid).kill()
    stages.execute(["probe", "staging"], project)
    assert stages.execute(["gate", "service", "--of", "staging"], project).code == 3
    verdict = read(project.delivery, "staging-verdict", Verdict)
    blocked = {f.gate for f in verdict.findings if f.outcome == "block"}
    assert blocked == {"health", "answers", "latency", "bad_requests", "metrics"}


# slipway stop


def test_stop_ends_what_runs_and_only_that(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.execute(["image"], project)
    deploy(project)
    forgotten = {"earlier": project.config.environments["staging"]}
    other = replace(project, config=replace(project.config, environments=forgotten))
    engine = engine_of(other, "earlier")
    image = read(project.delivery, "image", Image)
    artefact = open_artefact(project, image.kind, image.subject, model=image.model)
    engine.switch(engine.start(artefact, version="v0.0.1"))
    assert len(running(project)) == 4
    assert stages.execute(["stop", "staging"], project).answer == "ended 2 processes"
    assert len(running(project)) == 2
    assert stages.execute(["stop", "--all"], project).answer == "ended 2 processes"
    assert running(project) == []
    assert stages.execute(["stop", "--all"], project).answer == "ended 0 processes"
    assert "earlier: nothing ran" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["staging", "--all"]])
def test_stop_wants_one_environment_or_all(project: Project, words: list[str]) -> None:
    with pytest.raises(ConfigError):
        stages.execute(["stop", *words], project)
