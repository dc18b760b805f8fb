"""Images for real: made of packages, built, appended, loaded, pulled, run, opened again."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.records import Image, digest_of, digest_tree, read
from slipway.tools import docker_host, ledger, service, store
from slipway.tools.artefacts import open_artefact
from slipway.tools.images import append, archives, base, local, proxy, runtime, stored, systems
from slipway.tools.images.archives import Content
from slipway.tools.images.model import Model
from slipway.tools.images.runtime import Runtime
from slipway.tools.images.stored import Place
from slipway.tools.registry import Registry, manifests, open_registry
from tests import deliveries, dockers, registries, tiny

DATA = "md5:" + "2" * 32 + ".dir"
CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": ""},
    "ports": {"8080/tcp": ("127.0.0.1", None)},
    "labels": {docker_host.ROLE: "trial"},
    "detach": True,
}
NO_PACKAGE = f"no-such-package-anywhere==1.0 --hash=sha256:{'0' * 64}\n"
NO_IMAGE = "127.0.0.1:1/nothing@sha256:" + "0" * 64


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    dockers.require()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[registries.Server]:
    with registries.serving(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def made() -> Iterator[list[str]]:
    """Images to remove after the test."""
    with dockers.removing() as references:
        yield references


@pytest.fixture
def light(tmp_path: Path, small: list[str]) -> Project:
    """A project whose runtime is small; the tests of this module share it."""
    project = dockers.project_in(tmp_path / "light", light=True)
    small.append(tag(project))
    return project


@pytest.fixture
def fresh(light: Project) -> Project:
    """The same, its runtime not there yet."""
    forget(light)
    return light


@pytest.fixture(scope="module")
def small() -> Iterator[list[str]]:
    """The small runtimes, to remove when all have used them."""
    with dockers.removing() as references:
        yield references


def at(project: Project, server: registries.Server) -> Project:
    """The project with a registry."""
    image = replace(project.config.image, registry=server.name)
    return replace(project, config=replace(project.config, image=image))


def tag(project: Project) -> str:
    return f"slipway/runtime:{runtime.key(project, 'cpu')}"


def tagged(reference: str) -> bool:
    return bool(dockers.client().images.list(filters={"reference": reference}))


def forget(project: Project) -> None:
    """Takes the project's runtime out of the engine."""
    if tagged(tag(project)):
        dockers.client().images.remove(tag(project), force=True)


def unfinished(project: Project) -> list[str]:
    """What a build of the project's runtime left in the engine."""
    key = runtime.key(project, "cpu")
    found = dockers.client().images.list(filters={"label": f"slipway.building={key}"}, all=True)
    return [str(image.id) for image in found]


def model_in(folder: Path, *, weight: float = 1.0) -> Model:
    tiny.write_model(folder, weight=weight)
    return Model(digest_tree(folder), DATA, folder)


def appended(project: Project, registry: Registry, upon: Model) -> append.Made:
    return append.build(project, registry, runtime.ensure(project, "cpu", registry), upon)


# base and proxy


def test_the_base_has_python_and_nothing_to_build_install_or_become_root_with(
    light: Project,
) -> None:
    image = base.ensure(light)
    found = {f"/{n.strip('/')}": f.split(" ") for n, f in dockers.files(image, "/").items()}
    files = {name for name, (kind, *_) in found.items() if kind == "b'0'"}
    programs = {name for name in found if "/bin/" in name or "/sbin/" in name}
    assert programs == {"/usr/bin/python3", "/usr/bin/python3.11"}
    assert not {name for name, (_, mode, *_) in found.items() if int(mode, 8) & 0o6000}
    open_to_all = {name for name in files if int(found[name][1], 8) & 0o002}
    assert not {name for name in open_to_all if not name.startswith("/dev/")}
    documents = {name for name in files if name.startswith("/usr/share/doc/")}
    assert {name.rpartition("/")[2] for name in documents} == {"copyright"}
    assert not {name for name in found if name.startswith(("/usr/share/man", "/var/lib/apt"))}
    ask = "print(open('/var/lib/dpkg/status').read().count('Status: install ok'))"
    packages = dockers.client().containers.run(image, ["python3", "-c", ask], remove=True)
    listed = (light.root / "docker/base/packages.txt").read_text().splitlines()
    assert int(packages) == len([line for line in listed if line and line[0] != "#"])


def test_the_same_packages_give_the_same_base_whenever_it_is_made(
    light: Project, tmp_path: Path, made: list[str]
) -> None:
    listed = light.root / "docker/proxy/packages.txt"
    listed.write_text(f"# {time.time()}\n" + listed.read_text())  # a key of this test alone
    ids = []
    for name in ("one", "two"):
        own = replace(light, cache=tmp_path / name)
        reference = proxy.ensure(own, own.docker_host)
        ids.append(dockers.client().images.get(reference).id)
        dockers.client().images.remove(reference)
    made.append(reference)
    assert ids[0] == ids[1]


def test_the_proxy_serves_without_rights_and_writes_below_tmp_only(
    light: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "nginx"
    folder.mkdir()
    (folder / "nginx.conf").write_text(
        "pid /tmp/nginx.pid; events {} http { access_log off; proxy_temp_path /tmp/p;"
        "client_body_temp_path /tmp/c; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;"
        "scgi_temp_path /tmp/s; server { listen 8080; return 200 'it is me'; } }"
    )
    for path in (folder, *folder.parents[:3]):
        path.chmod(0o755)
    mounted = {str(folder): {"bind": "/etc/slipway", "mode": "ro"}}
    image = proxy.ensure(light, light.docker_host)
    container = dockers.client().containers.run(image, volumes=mounted, **CONFINED)
    try:
        assert asked(container, "/") == b"it is me"
        assert {row[0] for row in container.top()["Processes"]} == {"10001"}
        assert container.exec_run(["nginx", "-c", "/etc/slipway/nginx.conf", "-t"]).exit_code == 0
    finally:
        docker_host.remove(container)


def asked(container: Any, path: str, within_s: float = 30) -> bytes:
    """What a container answers, once it does."""
    until = time.monotonic() + within_s
    while True:
        container.reload()
        try:
            with urllib.request.urlopen(address(container) + path, timeout=5) as answer:
                return bytes(answer.read())
        except (OSError, KeyError, IndexError, TypeError):
            assert time.monotonic() < until, container.logs().decode()
            assert container.status in ("running", "created"), container.logs().decode()
            time.sleep(0.02)


def address(container: Any) -> str:
    return f"http://127.0.0.1:{container.ports['8080/tcp'][0]['HostPort']}"


def test_a_base_that_cannot_be_had_is_missing_evidence_or_a_failure(light: Project) -> None:
    for key, ensure in (
        ("base", lambda p: base.ensure(p)),
        ("proxy", lambda p: proxy.ensure(p, p.docker_host)),
    ):
        image = replace(light.config.image, **{key: NO_IMAGE})
        wrong = replace(light, config=replace(light.config, image=image))
        with pytest.raises((EvidenceError, ToolError), match="nothing@sha256:0000"):
            ensure(wrong)


def test_a_base_that_its_registry_does_not_have_is_missing_evidence(
    light: Project, server: registries.Server
) -> None:
    named = f"{server.name}/base@sha256:{'0' * 64}"
    image = replace(light.config.image, base=named)
    with pytest.raises(EvidenceError, match=f"there is no {named}"):
        base.ensure(replace(light, config=replace(light.config, image=image)))


def test_a_runtime_stands_on_a_configured_base_and_asks_its_python(
    light: Project, server: registries.Server, tmp_path: Path, made: list[str]
) -> None:
    tag_of_ours = base.ensure(light)
    with archives.workspace(light.cache) as folder, closing(server.registry()) as registry:
        content = archives.export(dockers.client(), tag_of_ours, folder)
        layers = [registry.put_blob("python", each.path, runtime.LAYER) for each in content.layers]
        config = registry.put_blob("python", content.config, runtime.CONFIG)
        digest = registry.put_manifest("python", manifests.build(config, layers), "3.11")
    named = f"{server.name}/python@{digest}"
    image = replace(light.config.image, base=named)
    settings = replace(light.config, image=image)
    project = replace(light, config=settings, cache=tmp_path / "cache")
    made += [tag(project), named]
    assert base.python(project) == base.MADE
    built = runtime.ensure(project, "cpu", None)
    assert (built.found, runtime.ensure(project, "cpu", None).found) == ("built", "engine")
    assert json.loads(built.config)["config"]["Labels"][runtime.BASE_DIGEST] == digest
    assert not list((project.cache / "images").glob("base-*"))


def test_a_base_without_python_is_told_so_and_leaves_no_container(
    light: Project, server: registries.Server, tmp_path: Path, made: list[str]
) -> None:
    (tmp_path / "name").write_text("nothing")
    layer = io.BytesIO()
    store.write_tar(layer, {"etc/name": tmp_path / "name"})
    start = {"architecture": systems.architecture(), "os": "linux"}
    content = archives.extend(start, layers=[(digest_of(layer.getvalue()), "a test")], said={})
    with closing(server.registry()) as registry:
        layers = [registry.put_blob("empty", layer.getvalue(), runtime.LAYER)]
        config = registry.put_blob("empty", content, runtime.CONFIG)
        digest = registry.put_manifest("empty", manifests.build(config, layers))
    named = f"{server.name}/empty@{digest}"
    made.append(named)
    settings = replace(light.config, image=replace(light.config.image, base=named))
    with pytest.raises(ToolError, match="no python3 to ask"):
        base.python(replace(light, config=settings, cache=tmp_path / "cache"))
    assert not dockers.client().api.containers(all=True, filters={"ancestor": named})


def test_without_mmdebstrap_the_message_names_the_setting(
    light: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (light.root / "docker/base/packages.txt").write_text("base-files\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as raised:
        base.ensure(replace(light, cache=tmp_path / "cache"))
    assert "no mmdebstrap" in str(raised.value)
    assert "set [image] base" in str(raised.value)


def test_a_package_that_debian_does_not_have_leaves_nothing(light: Project, tmp_path: Path) -> None:
    (light.root / "docker/base/packages.txt").write_text("no-such-package-anywhere\n")
    own = replace(light, cache=tmp_path / "cache")
    with pytest.raises(ToolError, match="no-such-package-anywhere"):
        base.ensure(own)
    assert not tagged(f"slipway/base:{systems.key(own, base.BASE)}")
    assert {path.suffix for path in (own.cache / "images").iterdir()} == {".lock"}


def test_a_project_without_the_list_is_told_so(light: Project) -> None:
    (light.root / "docker/base/packages.txt").unlink()
    with pytest.raises(ConfigError, match="docker/base/packages.txt"):
        runtime.key(light, "cpu")


# the runtime


def test_two_checkouts_build_the_same_runtime_and_find_it_again(
    fresh: Project, tmp_path: Path
) -> None:
    first = runtime.ensure(fresh, "cpu", None)
    assert (first.found, runtime.ensure(fresh, "cpu", None).found) == ("built", "engine")
    assert not unfinished(fresh)
    forget(fresh)
    other = dockers.project_in(tmp_path / "other", light=True)
    os.utime(other.root / "ml/features.py", (1, 1))
    second = runtime.ensure(other, "cpu", None)
    assert (second.found, second.key, second.id) == ("built", first.key, first.id)
    shutil.rmtree(other.home)  # a third one, that has never seen its configuration
    assert runtime.ensure(other, "cpu", None).config == first.config


def test_a_runtime_says_what_it_is_made_of_and_no_time(light: Project) -> None:
    made = runtime.ensure(light, "cpu", None)
    config = json.loads(made.config)
    assert config["config"]["User"] == "10001:10001"
    assert config["config"]["Healthcheck"]["Test"][0] == "CMD"
    assert {
        "slipway.runtime",
        "slipway.variant",
        "slipway.tree-digest",
        runtime.BASE_DIGEST,
    } == set(config["config"]["Labels"])
    assert {entry["created"] for entry in config["history"]} == {archives.EPOCH}
    steps = [entry for entry in config["history"] if not entry.get("empty_layer")]
    assert len(steps) == len(config["rootfs"]["diff_ids"])
    assert "building" not in json.dumps(config)
    times = {facts.split(" ")[3] for facts in dockers.files(made.id, "/opt").values()}
    assert times == {"0"}


def test_a_change_of_code_packages_or_recipe_is_another_runtime(light: Project) -> None:
    keys = {runtime.key(light, "cpu")}
    for name in (
        "ml/features.py",
        "requirements/serve.txt",
        "docker/serve/Dockerfile",
        "docker/base/unpack.sh",
    ):
        with (light.root / name).open("a") as stream:
            stream.write("\n# changed\n")
        keys.add(runtime.key(light, "cpu"))
    assert len(keys) == 5
    (light.root / "README.md").write_text("nothing of an image\n")
    assert runtime.key(light, "cpu") in keys


def test_two_builds_at_once_build_once(fresh: Project) -> None:
    found: list[Runtime] = []

    def build() -> None:
        found.append(runtime.ensure(fresh, "cpu", None))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.found for each in found) == ["built", "engine"]
    assert found[0].id == found[1].id


def other_hashes(text: str) -> str:
    """The same pins with hashes that no file has."""
    return re.sub(r"sha256:\w{8}", "sha256:00000000", text)


@pytest.mark.parametrize(
    ("name", "change", "error", "why"),
    [
        ("requirements/serve.txt", other_hashes, ToolError, "packages: .*[Hh]ash"),
        ("requirements/serve.txt", lambda _: NO_PACKAGE, ToolError, "no-such-package"),
        ("docker/serve/Dockerfile", lambda t: t.replace("compileall", "none"), ToolError, "none"),
        ("docker/serve/Dockerfile", lambda t: t.replace("ml.serving", "ml.x"), ConfigError, "ml.x"),
        ("docker/serve/Dockerfile", lambda _: "FROM nowhere/nothing:1\n", ToolError, "nowhere"),
    ],
)
def test_a_build_that_fails_leaves_nothing(
    light: Project,
    tmp_path: Path,
    made: list[str],
    name: str,
    change: Any,
    error: type[Exception],
    why: str,
) -> None:
    path, cache = light.root / name, tmp_path / "own"
    path.write_text(change(path.read_text()))
    made.append(tag(light))
    cache.mkdir()
    (cache / "envs").symlink_to(light.cache / "envs")  # the installer; the rest is this test's own
    with pytest.raises(error, match=why):
        runtime.ensure(replace(light, cache=cache), "cpu", None)
    assert not tagged(tag(light))
    assert not unfinished(light)
    assert not list((cache / "images").glob("work-*"))


def test_a_build_that_is_killed_keeps_no_name_and_the_next_one_clears_up(
    fresh: Project, made: list[str]
) -> None:
    dockerfile = fresh.root / "docker/serve/Dockerfile"
    whole = dockerfile.read_text()
    wait = 'RUN ["python3", "-c", "import time; time.sleep(600)"]\n'
    dockerfile.write_text(whole + wait)
    made.append(tag(fresh))
    child = started(fresh)
    while not waiting():
        assert child.poll() is None
        time.sleep(0.1)
    child.kill()
    child.wait()
    until = time.monotonic() + 30
    while waiting():
        assert time.monotonic() < until, "the engine goes on building for nobody"
        time.sleep(0.1)
    assert not tagged(tag(fresh))
    dockerfile.write_text(whole)
    assert runtime.ensure(fresh, "cpu", None).found == "built"


def started(project: Project) -> "subprocess.Popen[bytes]":
    code = f"""
from dataclasses import replace
from pathlib import Path
from slipway.config import load
from slipway.tools.images import runtime
project = load(Path({str(project.root)!r}))
runtime.ensure(replace(project, docker_host={project.docker_host!r}), "cpu", None)
"""
    path = os.pathsep.join(sys.path)
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})


def waiting() -> list[Any]:
    containers = dockers.client().api.containers(filters={"status": "running"})
    return [c for c in containers if "time.sleep(600)" in c["Command"]]


def test_without_an_engine_a_runtime_cannot_be_built_but_one_in_the_registry_serves(
    light: Project, server: registries.Server, tmp_path: Path
) -> None:
    here = at(light, server)
    away = replace(here, docker_host=f"unix://{tmp_path}/no.sock", home=tmp_path / "away")
    with closing(open_registry(here)) as registry:
        with pytest.raises(ToolError, match="does not answer"):
            runtime.ensure(away, "cpu", registry)
        runtime.ensure(here, "cpu", registry)
        found = appended(away, registry, model_in(tmp_path / "model"))
    assert found.new


# a model upon it: through the registry


def test_runtime_and_model_alone_decide_the_digest(light: Project, tmp_path: Path) -> None:
    digests = set()
    with registries.serving(tmp_path / "a") as a, registries.serving(tmp_path / "b") as b:
        for name, where in (("one", a), ("two", b)):
            project = replace(at(light, where), home=tmp_path / name / "home")
            upon = model_in(tmp_path / name / "model")
            os.utime(upon.folder / "model.onnx", (1000, 1000))
            (upon.folder / "model.onnx").chmod(0o400 if name == "one" else 0o666)
            with closing(open_registry(project)) as registry:
                built = appended(project, registry, upon)
                again = appended(project, registry, upon)
            assert (built.new, again.new) == (True, False)
            digests |= {built.digest, again.digest}
            other = model_in(tmp_path / name / "other", weight=2.0)
            with closing(open_registry(project)) as registry:
                assert appended(project, registry, other).digest not in digests
    assert len(digests) == 1


def test_a_model_is_appended_in_half_a_second_and_found_again_in_less(
    light: Project, server: registries.Server, tmp_path: Path
) -> None:
    project, changed, unchanged = at(light, server), [], []
    with closing(open_registry(project)) as registry:
        appended(project, registry, model_in(tmp_path / "first", weight=9.0))
        for number in range(5):
            upon = model_in(tmp_path / f"{number}", weight=10.0 + number)
            for times in (changed, unchanged):
                begun = time.monotonic()
                appended(project, registry, upon)
                times.append(time.monotonic() - begun)
    assert min(changed) < 0.5, changed  # the quickest: other tests share this machine
    assert min(unchanged) < 0.3, unchanged


def test_a_registry_whose_runtime_is_of_other_inputs_is_not_believed(
    light: Project, server: registries.Server, tmp_path: Path
) -> None:
    project = at(light, server)
    with closing(open_registry(project)) as registry:
        good = runtime.ensure(project, "cpu", registry)
        (light.root / "ml/features.py").write_text("# other code\n")
        registry.tag(
            runtime.repository(project), good.digest, f"runtime-{runtime.key(project, 'cpu')}"
        )
        with pytest.raises(EvidenceError, match="other inputs"):
            runtime.ensure(project, "cpu", registry)


def test_a_folder_that_holds_another_model_is_refused(
    light: Project, server: registries.Server, tmp_path: Path
) -> None:
    project, upon = at(light, server), model_in(tmp_path / "model")
    (upon.folder / "model.onnx").write_bytes(b"other weights")
    with closing(open_registry(project)) as registry, pytest.raises(EvidenceError):
        appended(project, registry, upon)


# a model upon it: both ways, really run


@pytest.fixture(scope="module")
def real(
    server: registries.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, str, str]]:
    """The real runtime with a model: as an image in a registry, and as a local one."""
    project = at(dockers.project_in(tmp_path_factory.mktemp("real")), server)
    upon = model_in(tmp_path_factory.mktemp("model"))
    store.put_model(project.home, upon.folder)
    with closing(open_registry(project)) as registry:
        pushed = appended(project, registry, upon)
    with dockers.removing() as references:
        name, _, digest = pushed.reference.partition("@")
        dockers.client().images.pull(name, tag=digest)
        references.append(pushed.reference)
        made = local.build(project, runtime.ensure(project, "cpu", None), upon)
        references.append(made.reference)
        yield project, pushed.reference, made.reference


def test_both_ways_make_the_same_image(real: tuple[Project, str, str]) -> None:
    _, pushed, loaded = real
    assert dockers.client().images.get(pushed).id == loaded
    assert dockers.files(pushed) == dockers.files(loaded)
    names = dockers.files(loaded)
    assert {"srv/model/model.onnx", "srv/model/samples.json", "srv/ml/serving/app.py"} <= set(names)
    assert not {n for n in names if "champion" in n or n.endswith("train.py")}


def test_a_pulled_image_serves_confined_and_becomes_healthy(real: tuple[Project, str, str]) -> None:
    project, pushed, _ = real
    digest = pushed.partition("@")[2]
    model = digest_tree_of(project, pushed)
    artefact = open_artefact(project, "image", digest, model=model)
    variables = {"SLIPWAY_DIGEST": digest, "SLIPWAY_RELEASE": "trial"}
    container = dockers.client().containers.run(pushed, environment=variables, **CONFINED)
    try:
        asked(container, "/v2/health/ready")
        cpu_s, rss = cost(container)
        service.check(address(container), artefact)
        assert artefact.reference == pushed
        assert container.attrs["Config"]["User"] == "10001:10001"
        until = time.monotonic() + 60
        while container.attrs["State"]["Health"]["Status"] != "healthy":
            assert time.monotonic() < until, container.attrs["State"]["Health"]
            time.sleep(0.2)
            container.reload()
        assert b"telemetry" not in container.logs()
        print(f"ready after {cpu_s:.2f} cpu s, {rss / 1e6:.0f} MB resident")
        assert cpu_s <= 1.5
        assert rss <= 200e6
    finally:
        docker_host.remove(container)
    assert dockers.client().images.get(pushed).attrs["Size"] <= 250e6


def digest_tree_of(project: Project, reference: str) -> str:
    labels = dockers.client().images.get(reference).labels
    assert labels["slipway.data-digest"] == DATA
    assert labels["org.opencontainers.image.title"] == project.config.model.name
    return str(labels["slipway.model-digest"])


def cost(container: Any) -> tuple[float, int]:
    """What the service has taken: processor seconds, and resident bytes."""
    stats = container.stats(stream=False)
    status = Path(f"/proc/{container.attrs['State']['Pid']}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    return stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, resident


def test_the_health_check_tells_a_server_that_is_not_ready(real: tuple[Project, str, str]) -> None:
    words = ["-c", "import time; time.sleep(60)"]
    container = dockers.client().containers.run(
        real[2], entrypoint=["python3"], command=words, **CONFINED
    )
    try:
        check = ["python3", "-I", "-S", "/opt/healthcheck.py"]
        assert container.exec_run(check).exit_code != 0
    finally:
        docker_host.remove(container)


# a model upon it: in an engine alone


def test_a_local_image_is_found_again_and_the_same_when_it_was_lost(
    light: Project, tmp_path: Path, made: list[str]
) -> None:
    upon = model_in(tmp_path / "model")
    below = runtime.ensure(light, "cpu", None)
    first = local.build(light, below, upon)
    made.append(first.reference)
    assert (first.new, local.build(light, below, upon).new) == (True, False)
    dockers.client().images.remove(first.reference, force=True)
    again = local.build(light, below, upon)
    assert (again.new, again.digest) == (True, first.digest)


def test_an_engine_that_wants_all_layers_gets_the_same_image(
    light: Project, tmp_path: Path, made: list[str]
) -> None:
    below = runtime.ensure(light, "cpu", None)
    first = local.build(light, below, model_in(tmp_path / "model"))
    made.append(first.reference)
    with archives.workspace(light.cache) as folder:
        whole = archives.export(dockers.client(), first.reference, folder)
        dockers.client().images.remove(first.reference, force=True)
        local.bring(dockers.client(), Content(whole.config, whole.layers), folder)
    assert dockers.client().images.get(first.reference).id == first.digest


# opened again


@pytest.mark.parametrize("damage", ["none", "lost", "altered"])
def test_a_model_is_read_out_of_an_image_whatever_became_of_the_store(
    light: Project, server: registries.Server, tmp_path: Path, made: list[str], damage: str
) -> None:
    project, upon = at(light, server), model_in(tmp_path / "model")
    with closing(open_registry(project)) as registry:
        below = runtime.ensure(project, "cpu", registry)
        pushed = append.build(project, registry, below, upon)
    kept = local.build(project, runtime.ensure(project, "cpu", None), upon)
    made.append(kept.reference)
    expected = (upon.folder / "samples.json").read_bytes()
    for kind, digest in (("image", pushed.digest), ("local-image", kept.digest)):
        path = store.layer(project.home, upon.digest)
        if damage == "lost":
            shutil.rmtree(project.home / "store")
        elif damage == "altered":
            path.write_bytes(path.read_bytes().replace(b"scores", b"Scores"))
        place = Place(project, kind, digest, upon.digest)  # type: ignore[arg-type]
        assert stored.read_model_file(place, "samples.json") == expected
        with pytest.raises(EvidenceError, match="no srv/model/nothing.json"):
            stored.read_model_file(place, "nothing.json")
        stored.restore_model(place)
        store.fetch_model(project.home, upon.digest, tmp_path / kind)
        assert digest_tree(tmp_path / kind) == upon.digest
    assert stored.reference(Place(project, "image", pushed.digest, "")) == pushed.reference


def test_a_champion_that_another_agent_delivered_comes_from_its_image(
    light: Project, server: registries.Server, tmp_path: Path
) -> None:
    project, upon = at(light, server), model_in(tmp_path / "model")
    with closing(open_registry(project)) as registry:
        pushed = appended(project, registry, upon)
    book = ledger.open_ledger(project)
    facts = {"name": book.name, "environment": "production", "version": "v1.0.0"}
    of = {"artefact": "image", "digest": pushed.digest, "model": upon.digest}
    ledger.append(book, lambda _: ledger.Draft(ledger.Event(kind="assign", **facts, **of)))
    shutil.rmtree(project.home / "store")
    assert stages.execute(["champion"], project).digest == upon.digest
    folder = project.root / "models" / "champion" / upon.digest.removeprefix("sha256:")
    assert digest_tree(folder) == upon.digest
    shutil.rmtree(project.home / "store")
    gone = replace(
        at(light, server),
        config=replace(project.config, image=replace(project.config.image, repository="elsewhere")),
    )
    with pytest.raises(EvidenceError, match="not in the registry"):
        stages.execute(["champion"], gone)


@pytest.mark.parametrize("kind", ["image", "local-image"])
def test_what_is_not_there_or_holds_another_model_is_refused(
    light: Project, server: registries.Server, tmp_path: Path, made: list[str], kind: Any
) -> None:
    project, upon = at(light, server), model_in(tmp_path / "model")
    with closing(open_registry(project)) as registry:
        below = runtime.ensure(project, "cpu", registry)
        build = append.build(project, registry, below, upon) if kind == "image" else None
    there = build or local.build(project, runtime.ensure(project, "cpu", None), upon)
    made.append(there.reference)
    missing = Place(project, kind, "sha256:" + "0" * 64, upon.digest)
    with pytest.raises(EvidenceError, match="not in the"):
        stored.read_model_file(missing, "samples.json")
    other = Place(project, kind, there.digest, "sha256:" + "1" * 64)
    with pytest.raises(EvidenceError, match="says that it holds"):
        stored.read_model_file(other, "samples.json")


def test_an_image_is_brought_to_another_repository_with_the_same_digest(
    light: Project, server: registries.Server, tmp_path: Path
) -> None:
    environments = dict(light.config.environments)
    environments["production"] = replace(environments["production"], repository="released/model")
    project = at(replace(light, config=replace(light.config, environments=environments)), server)
    upon = model_in(tmp_path / "model")
    with closing(open_registry(project)) as registry:
        pushed = appended(project, registry, upon)
        place = Place(project, "image", pushed.digest, upon.digest, "production")
        with pytest.raises(EvidenceError, match="not in the registry"):
            stored.read_model_file(place, "samples.json")
        stored.bring(project, pushed.digest, "released/model")
        stored.bring(project, pushed.digest, "released/model")
        assert registry.digest("released/model", pushed.digest) == pushed.digest
    assert stored.reference(place) == f"{server.name}/released/model@{pushed.digest}"
    assert stored.read_model_file(place, "signature.json")


# slipway image


def passed(project: Project, kind: Any, **more: Any) -> Project:
    """The project with a candidate that has passed, making artefacts of a kind."""
    deliveries.prepare(project)
    for name in ("image", "image-verdict"):
        (project.delivery / f"{name}.json").unlink()
    artefact = replace(project.config.artefact, kind=kind)
    return replace(project, config=replace(project.config, artefact=artefact), **more)


@pytest.mark.parametrize("kind", ["image", "local-image"])
def test_slipway_image_makes_what_is_asked_for_and_nothing_twice(
    light: Project, server: registries.Server, made: list[str], kind: str, capsys: Any
) -> None:
    project = passed(at(light, server), kind)
    done = stages.execute(["image"], project)
    image = read(project.delivery, "image", Image)
    made.append(image.reference)
    said = capsys.readouterr().out
    assert f"runtime {runtime.key(project, 'cpu')[:12]}: " in said
    assert (done.answer, image.kind, image.subject) == ("built", kind, done.digest)
    assert image.reference.endswith(image.subject)
    assert image.runtime.startswith("sha256:") and image.variant == "cpu"
    assert (image.unproven == ()) == (kind == "image")
    before = (project.delivery / "image.json").read_bytes()
    assert stages.execute(["image"], project).answer == "already built"
    assert "found again in the" in capsys.readouterr().out
    assert (project.delivery / "image.json").read_bytes() == before
    opened = open_artefact(project, image.kind, image.subject, model=image.model)
    assert opened.name == tiny.NAME


def test_a_pull_request_pushes_nothing(
    light: Project, server: registries.Server, made: list[str]
) -> None:
    environments = {
        name: replace(each, engine="docker", requires="local-image")
        for name, each in light.config.environments.items()
    }
    config = replace(light.config, environments=environments)
    project = passed(at(replace(light, config=config), server), "auto", change="7")
    with closing(open_registry(project)) as registry:
        before = registry.tags(runtime.repository(project))
        stages.execute(["image"], project)
        assert registry.tags(runtime.repository(project)) == before
    image = read(project.delivery, "image", Image)
    made.append(image.reference)
    assert image.kind == "local-image"
