"""The image gate on real images: a good one passes, and each planted fault is named."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError
from slipway.records import Finding, Image, Verdict, digest_file, read, write
from slipway.tools import docker_host, git, store
from slipway.tools.images import append, local, runtime
from slipway.tools.images.model import Model
from slipway.tools.images.runtime import Runtime
from slipway.tools.registry import open_registry
from slipway.tools.scan import sbom
from tests import deliveries, needs, surroundings

needs.needs(needs.DOCKER, needs.MAKER, needs.REGISTRY)
GATES = "".join(
    f"[gates.image.{name}]\n"
    for name in ("digest", "samples", "size", "confined", "no_secrets", "sbom", "lint", "gpu")
)
CODE = ("ml/__init__.py", "ml/features.py", "ml/serving", "requirements", "docker")
KEY = "A" * 10 + "B7" * 5 + "x+/9" * 10  # of no account; the marks around it are put on here
MADE: set[str] = set()  # images in the engine, removed when all is done
ROTTEN = """
FROM base
USER 0:0
COPY netrc /root/.netrc
COPY id_rsa /opt/forgotten
RUN ["python3", "-c", "import os; os.remove('/opt/forgotten')"]
COPY --chown=10001:10001 loose.py /srv/loose.py
COPY gcc su /usr/bin/
RUN ["python3", "-c", "import os; os.chmod('/usr/bin/gcc', 0o755), os.chmod('/usr/bin/su', 0o4755)"]
ARG REGISTRY_PASSWORD=Tr0ub4dor-and-3
ENV API_TOKEN=s3cr3t-c0ffee-0001
LABEL deploy=https://robot:hunter2-hunter2@registry.internal/v2
HEALTHCHECK NONE
ENTRYPOINT ["python3", "-m", "ml.serving", "/srv/model", "--host=0.0.0.0", "--port=8080"]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A checkout with what images are made of, and a candidate that has passed."""
    folder = tmp_path_factory.mktemp("gated")
    root = deliveries.checkout(folder / "checkout", deliveries.SETTINGS + GATES)
    for name in CODE:
        source, target = deliveries.ROOT / name, root / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    project = deliveries.project_at(root, folder / "home")
    yield replace(project, docker_host=surroundings.DOCKER_HOST)
    client = docker_host.connect(surroundings.DOCKER_HOST)
    for image in MADE:
        found = local.find(client, image)
        if found:
            client.images.remove(found.id, force=True)


@pytest.fixture(scope="module")
def good(project: Project) -> Runtime:
    """The real runtime, in the engine."""
    return runtime.ensure(project, "cpu", None)


@pytest.fixture(scope="module")
def rotten(project: Project, good: Runtime, tmp_path_factory: Any) -> Iterator[Runtime]:
    """A runtime upon it with many faults."""
    folder = tmp_path_factory.mktemp("rotten")
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{KEY * 3}\n-----END OPENSSH PRIVATE KEY-----\n"
    (folder / "id_rsa").write_text(key)
    (folder / "netrc").write_text("machine pypi.internal login robot password correct-horse\n")
    for name in ("loose.py", "gcc", "su"):
        (folder / name).write_text("# nothing\n")
    (folder / "Dockerfile").write_text(ROTTEN.replace("FROM base", f"FROM {good.id}"))
    client = docker_host.connect(project.docker_host)
    image, _ = client.images.build(path=str(folder), rm=True, forcerm=True)
    attributes = image.attrs
    config = {
        "architecture": attributes["Architecture"],
        "os": attributes["Os"],
        "config": attributes["Config"],
        "rootfs": {"type": "layers", "diff_ids": attributes["RootFS"]["Layers"]},
        "history": _history(image),
    }
    yield Rotten(good.key, json.dumps(config).encode(), None, "built", str(image.id))
    client.images.remove(image.id, force=True)


class Rotten(Runtime):
    """A runtime whose id is the engine's own, for its configuration was put together here."""

    def __init__(self, *fields: Any) -> None:
        super().__init__(*fields[:-1])
        object.__setattr__(self, "known", fields[-1])

    @property
    def id(self) -> str:
        return str(self.known)  # type: ignore[attr-defined]


def _history(image: Any) -> list[dict[str, Any]]:
    steps = reversed(image.history())
    return [{"created_by": step["CreatedBy"], "empty_layer": step["Size"] == 0} for step in steps]


def deliver(project: Project, below: Runtime, *, kind: str = "local-image", **model: Any) -> Image:
    """What `slipway image` does once model and runtime are there; gives its record."""
    shutil.rmtree(project.delivery, ignore_errors=True)
    shutil.rmtree(project.candidate, ignore_errors=True)
    deliveries.prepare(project, weight=model.get("weight", 1.0))
    if "samples" in model:
        (project.candidate / "samples.json").write_text(json.dumps(model["samples"]))
    digest = store.put_model(project.home, project.candidate)
    upon = Model(digest, deliveries.DATA, project.candidate)
    if kind == "image":
        with open_registry(project) as registry:
            made = append.build(project, registry, below, upon)
            manifest = registry.manifest(runtime.repository(project), made.digest)
            MADE.add(manifest.config.digest)  # what the engine calls it once it was pulled
    else:
        made = local.build(project, below, upon)
        MADE.add(made.digest)
    standing = read(project.delivery, "image", Image)
    for name in ("image", "image-verdict"):
        (project.delivery / f"{name}.json").unlink()
    record = replace(
        standing,
        subject=made.digest,
        kind=kind,  # type: ignore[arg-type]
        reference=made.reference,
        model=digest,
        tree=git.tree_digest(project.root, project.config.artefact.code),
        bytes=made.bytes,
        runtime=below.digest,
    )
    return write(project.delivery, "image", record)


def gated(project: Project) -> tuple[int, dict[str, Finding]]:
    """What `slipway gate image` answers: its exit code, and the findings by gate and place."""
    done = stages.execute(["gate", "image"], project)
    verdict = read(project.delivery, "image-verdict", Verdict)
    return done.code, {f"{f.gate}: {f.where}": f for f in verdict.findings}


def blocked(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if finding.outcome == "block"}


def test_a_good_local_image_passes_every_gate_and_is_measured_once(
    project: Project, good: Runtime
) -> None:
    deliver(project, good)
    code, findings = gated(project)
    assert code == 0, blocked(findings)
    assert {f.outcome for f in findings.values()} == {"pass", "not_applicable"}
    assert findings["confined: non-root"].measured.startswith("ran as 10001:10001")
    assert findings["confined: read-only root"].measured >= 10
    probe = project.delivery / "image-probe.json"
    before = digest_file(probe)
    assert probe.stat().st_size < 100_000
    assert gated(project)[0] == 0
    assert digest_file(probe) == before


def test_the_same_measurement_is_judged_by_a_lower_ceiling(project: Project, good: Runtime) -> None:
    deliver(project, good)
    gated(project)
    probe = digest_file(project.delivery / "image-probe.json")
    tables = {**project.config.gates["image"], "size": {"max_mb": {"cpu": 10}}}
    config = replace(project.config, gates={"image": tables})
    code, findings = gated(replace(project, config=config))
    assert (code, blocked(findings)) == (3, {"size: unpacked MB"})
    assert digest_file(project.delivery / "image-probe.json") == probe


def test_an_image_that_answers_otherwise_than_training_is_blocked(
    project: Project, good: Runtime
) -> None:
    deliver(project, good)
    samples = json.loads((project.candidate / "samples.json").read_text())
    samples[0]["answer"]["scores"][0] += 0.01
    deliver(project, good, samples=samples)
    code, findings = gated(project)
    assert (code, blocked(findings)) == (3, {"samples: same as training"})
    assert "sample 1: off by 0.01" in findings["samples: same as training"].message


def test_every_planted_fault_is_found_and_named(project: Project, rotten: Runtime) -> None:
    deliver(project, rotten)
    code, findings = gated(project)
    names = blocked(findings)
    assert code == 3
    for where in ("non-root", "programs", "setuid", "health check"):
        assert f"confined: {where}" in names
    assert "usr/bin/gcc" in findings["confined: programs"].message
    assert "usr/bin/su" in findings["confined: setuid"].message
    leaks = {f.where: f for f in findings.values() if f.gate == "no_secrets"}
    for place, hint in (
        ("layers", ": /root/.netrc"),
        ("layers", ": /opt/forgotten, which a later layer hides"),
        ("history", "history: step"),
        ("environment", "environment: API_TOKEN"),
        ("labels", "labels: deploy"),
    ):
        assert f"no_secrets: {place}" in names
        assert any(hint in where and f.outcome == "block" for where, f in leaks.items()), hint
    recorded = (project.delivery / "image-probe.json").read_text()
    for secret in ("correct-horse", KEY, "Tr0ub4dor", "s3cr3t-c0ffee", "hunter2"):
        assert secret not in recorded


def test_files_that_its_own_user_may_write_are_blocked(project: Project, good: Runtime) -> None:
    client = docker_host.connect(project.docker_host)
    container = client.containers.create(good.id, labels={docker_host.ROLE: "trial"})
    try:
        container.put_archive("/srv", _loose())
        image = container.commit()
    finally:
        docker_host.remove(container)
    try:
        said = json.loads(good.config)
        said["rootfs"]["diff_ids"] = image.attrs["RootFS"]["Layers"]
        said["history"].append({"created_by": "put_archive"})
        below = Rotten(good.key, json.dumps(said).encode(), None, "built", str(image.id))
        deliver(project, below)
        code, findings = gated(project)
        assert (code, blocked(findings)) == (3, {"confined: mode bits"})
        assert "srv/notes.txt" in findings["confined: mode bits"].message
    finally:
        client.images.remove(image.id, force=True)


def _loose() -> bytes:
    import io
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("notes.txt")
        member.uid = member.gid = 10001
        member.mode = 0o644
        tar.addfile(member, io.BytesIO())
    return stream.getvalue()


def test_a_list_that_misses_one_pinned_package_is_blocked(project: Project, good: Runtime) -> None:
    deliver(project, good)
    gated(project)
    (path,) = (p for p in (project.home / "store" / "sboms").iterdir() if good.id[7:] in p.name)
    whole = path.read_bytes()
    listed = json.loads(whole)
    listed["components"] = [c for c in listed["components"] if c["name"] != "numpy"]
    (project.delivery / "image-probe.json").unlink()
    (project.delivery / "image-verdict.json").unlink()
    try:
        path.write_text(json.dumps(listed))
        code, findings = gated(project)
    finally:
        path.write_bytes(whole)
    assert (code, blocked(findings)) == (3, {"sbom: pinned packages"})
    assert "numpy" in findings["sbom: pinned packages"].message


def test_a_broken_dockerfile_blocks_and_a_careless_one_warns(
    project: Project, good: Runtime
) -> None:
    path = project.root / "docker" / "serve" / "Dockerfile"
    text = path.read_text()
    careless = project.root / "docker" / "careless" / "Dockerfile"
    careless.parent.mkdir()
    careless.write_text("FROM debian\n# hadolint ignore=DL3006\nRUN cd /tmp && true\n")
    try:
        deliver(project, good)
        path.write_text(text + "BLA\n")
        code, findings = gated(project)
    finally:
        path.write_text(text)
        shutil.rmtree(careless.parent)
    (broken,) = blocked(findings)
    assert (code, broken.startswith("lint: docker/serve/Dockerfile:")) == (3, True)
    warned = {f.measured for f in findings.values() if f.outcome == "warn"}
    assert {"DL3006", "DL3003"} <= warned


@pytest.fixture(scope="module")
def in_registry(project: Project) -> Iterator[Runtime]:
    """The same runtime in a registry of this home."""
    from slipway.tools.registry import local as own

    with open_registry(project) as registry:
        yield runtime.ensure(project, "cpu", registry)
    own.stop(project)


def test_an_image_in_a_registry_passes_and_its_list_is_stored_beside_it(
    project: Project, in_registry: Runtime
) -> None:
    lists = set()
    for weight in (1.0, 2.0):
        image = deliver(project, in_registry, kind="image", weight=weight)
        code, findings = gated(project)
        assert code == 0, blocked(findings)
        with open_registry(project) as registry:
            name = runtime.repository(project)
            manifest = registry.manifest(name, sbom.tag(image.subject))
            assert json.loads(manifest.raw)["subject"]["digest"] == image.subject
            assert registry.digest(name, sbom.tag(in_registry.digest))
            lists |= {layer.digest for layer in manifest.layers}
    assert len(lists) == 1


def test_a_layer_that_the_registry_gives_otherwise_is_altered_evidence(
    project: Project, in_registry: Runtime
) -> None:
    image = deliver(project, in_registry, kind="image", weight=3.0)
    assert in_registry.manifest is not None
    value = in_registry.manifest.layers[0].digest.removeprefix("sha256:")
    (path,) = project.home.parent.rglob(f"blobs/sha256/*/{value}/data")
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-1] + b"x")
        with pytest.raises(EvidenceError, match="other bytes"):
            stages.execute(["gate", "image"], project)
    finally:
        path.write_bytes(whole)
    assert not (project.delivery / "image-verdict.json").exists()
    assert image.kind == "image"
