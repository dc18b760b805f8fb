"""What the Docker engine promises besides what every engine has to do, on a real one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from slipway.config import Project
from slipway.errors import ConfigError, EvidenceError, SlipwayError, ToolError
from slipway.tools import daemons, service
from slipway.tools import load as load_tool
from slipway.tools.artefacts import Artefact
from slipway.tools.engines import Instance, Live
from slipway.tools.engines.containers import (
    DockerEngine,
    lease,
    network,
    place,
    proxy,
    pulled,
    route,
    services,
    trial,
)
from tests import containers, registries, surroundings

BODY = b'{"customer":"00000001"}'
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
SILENT = 'FROM {image}\nENTRYPOINT ["python3", "-c", "import time; time.sleep(600)"]\n'
FOR_A_GPU = "FROM {image}\nLABEL slipway.variant=gpu\n"
ITS_OWN_VOLUME = """
FROM {image}
USER 0:0
RUN ["python3", "-c", "import os; os.mkdir('/srv/own'); os.chown('/srv/own', 10001, 10001)"]
USER 10001:10001
VOLUME /srv/own
"""


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    containers.required()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Artefact]]:
    with containers.images(tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture
def derive(images: dict[str, Artefact]) -> Iterator[Callable[[str], Artefact]]:
    """Another image upon the first one, gone afterwards."""
    made: list[Artefact] = []

    def build(dockerfile: str) -> Artefact:
        made.append(containers.derived(images["one"], dockerfile))
        return made[-1]

    yield build
    for artefact in made:
        containers.client().images.remove(artefact.reference, force=True)


@dataclass
class Served:
    """An environment that serves the first image."""

    project: Project
    engine: DockerEngine
    one: Instance

    @property
    def live(self) -> Live:
        live = self.engine.live()
        assert live is not None
        return live


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, Artefact]
) -> Iterator[Served]:
    """One environment for all tests that leave it as it was."""
    project = containers.project(tmp_path_factory.mktemp("shared"), containers.name())
    engine = DockerEngine(project, "staging")
    try:
        one = engine.start(images["one"], version="v1.0.0")
        engine.switch(one)
        yield Served(project, engine, one)
    finally:
        engine.stop()
        assert containers.left(project.config.model.name) == []


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    """The shared environment; after the test only the first image serves, whatever it did."""
    yield shared
    shared.engine.switch(shared.one)
    shared.engine.clean(keep=lambda _: False)


def altered(served: Served, **settings: object) -> DockerEngine:
    """The same environment under other settings."""
    config = served.project.config
    other = replace(config.environments["staging"], **settings)  # type: ignore[arg-type]
    changed = replace(config, environments={"staging": other})
    return DockerEngine(replace(served.project, config=changed), "staging")


def serves_on(served: Served) -> None:
    """The first image serves as if nothing had been, and nothing is left beside it."""
    live = served.live
    assert (live.instance, live.healthy, live.canary) == (served.one, True, None)
    assert service.ask(live.url, "/recommend", BODY).digest == served.one.digest
    assert served.engine.clean(keep=lambda _: False) == []


def refused(error: SlipwayError, *words: str) -> None:
    registries.three_lines(error, *words)


# what can go wrong


def test_a_port_that_somebody_else_has_is_named_and_nothing_starts(
    tmp_path: Path, images: dict[str, Artefact]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        project = containers.project(tmp_path, containers.name(), port=port)
        engine = DockerEngine(project, "staging")
        try:
            with pytest.raises(ToolError) as failed:
                engine.start(images["one"], version="v1.0.0")
            refused(failed.value, f"port {port} is in use by pid {os.getpid()}")
            assert engine.place.containers() == []
        finally:
            engine.stop()


def test_a_service_that_never_answers_is_removed(
    served: Served, derive: Callable[[str], Artefact]
) -> None:
    with pytest.raises(ToolError) as failed:
        altered(served, ready_s=1.5).start(derive(SILENT), version="v2.0.0")
    refused(failed.value, "did not get ready", "after 1.5 s")
    serves_on(served)


def test_a_service_without_enough_memory_says_so(
    served: Served, images: dict[str, Artefact]
) -> None:
    with pytest.raises(ToolError) as failed:
        altered(served, memory_mb=24).start(images["two"], version="v2.0.0")
    refused(failed.value, "out of memory, allowed are 24 MB")
    serves_on(served)


def test_an_image_for_a_gpu_needs_the_runtime_for_it(
    served: Served, derive: Callable[[str], Artefact]
) -> None:
    if "nvidia" in containers.client().info()["Runtimes"]:
        pytest.fail("this engine has the runtime: run this test on one that has not")
    with pytest.raises(ToolError) as failed:
        served.engine.start(derive(FOR_A_GPU), version="v2.0.0")
    refused(failed.value, "no NVIDIA runtime", "container toolkit")
    serves_on(served)


def test_another_models_answers_are_found_out(served: Served, images: dict[str, Artefact]) -> None:
    service.check(served.one.url, images["one"])
    with pytest.raises(ToolError, match="off by"):
        service.check(served.one.url, replace(images["one"], samples=images["two"].samples))


@pytest.mark.parametrize("text", ["nonsense;", "pid /tmp/nginx.pid;\nevents {}\n"])
def test_a_configuration_that_nginx_refuses_or_does_not_serve_changes_nothing(
    served: Served, images: dict[str, Artefact], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    two = served.engine.start(images["two"], version="v2.0.0")
    mark = route.configuration(route.Route()).splitlines()[0]
    with monkeypatch.context() as planted:
        planted.setattr(route, "configuration", lambda _: f"{mark}\n{text}")
        planted.setattr(proxy, "MOVE_S", 1.0)
        with pytest.raises(ToolError) as failed:
            served.engine.switch(two)
    refused(failed.value, "nonsense" if "nonsense" in text else "does not answer at the address")
    assert [told.split()[1] for told in served.engine.clean(keep=lambda _: False)] == ["v2.0.0"]
    serves_on(served)


def test_a_version_that_means_something_to_nginx_is_refused(
    served: Served, images: dict[str, Artefact]
) -> None:
    odd = served.engine.start(images["two"], version="v2; }")
    with pytest.raises(ToolError, match="cannot stand"):
        served.engine.switch(odd)
    assert len(served.engine.clean(keep=lambda _: False)) == 1
    serves_on(served)


def test_an_engine_that_does_not_answer_is_an_error_of_three_lines(
    served: Served, images: dict[str, Artefact]
) -> None:
    nowhere = replace(served.project, docker_host=surroundings.NOWHERE)
    engine = DockerEngine(nowhere, "staging")
    for verb in (
        engine.live,
        engine.stop,
        lambda: engine.lease(1.0).__enter__(),
        lambda: engine.start(images["one"], version="v1.0.0"),
        lambda: engine.switch(served.one),
    ):
        with pytest.raises(ToolError) as failed:
            verb()
        refused(failed.value, "does not answer", surroundings.NOWHERE)
        assert failed.value.exit_code == 4


def test_an_address_that_only_another_machine_reaches_is_refused(tmp_path: Path) -> None:
    project = containers.project(
        tmp_path, containers.name(), docker_host="tcp://build.example:2375"
    )
    far = place.place_of(project, "staging")
    assert not far.near
    assert far.url("0.0.0.0", 80) == "http://build.example:80"
    assert far.url("10.1.2.3", 80) == "http://10.1.2.3:80"
    with pytest.raises(ConfigError, match="only that machine reaches"):
        far.url("127.0.0.1", 80)


# crashes

DEATHS = {
    "made": f"services.begin = lambda *_: {DIE}",
    "started": f"services.ready = lambda *_: {DIE}",
    "tested": f"proxy._follow = lambda *_: {DIE}",
    "written": f"proxy.reload = lambda *_: {DIE}",
}


@pytest.mark.parametrize("death", DEATHS)
def test_after_kill_9_the_next_command_works_and_leaves_no_orphan(
    death: str, served: Served, images: dict[str, Artefact]
) -> None:
    code = f"""
        {DEATHS[death]}
        with engine.lease(30):
            engine.switch(engine.start(artefact, version="v2.0.0"))
    """
    assert script(served, images["two"], code).wait(60) == -signal.SIGKILL
    with served.engine.lease(5.0):
        live = served.live
        assert live.healthy
        assert live.instance.version == ("v2.0.0" if death == "written" else "v1.0.0")
        assert service.ask(live.url, "/recommend", BODY).digest == live.instance.digest
        served.engine.clean(keep=lambda _: False)
        assert [found.instance for found in services.found(served.engine.place)] == [live.instance]
        if death == "written":  # the first one was replaced, so the next tests need it again
            again = served.engine.start(images["one"], version="v1.0.0")
            served.one = again


def script(served: Served, artefact: Artefact, code: str) -> "subprocess.Popen[str]":
    """A process with the same environment and an artefact at hand."""
    name, folder = served.project.config.model.name, served.project.home.parent
    begin = f"""
        import os, signal
        from pathlib import Path
        from slipway.tools.artefacts import Artefact
        from slipway.tools.engines.containers import DockerEngine, proxy, services, trial
        from tests import containers
        project = containers.project(Path({str(folder)!r}), {name!r})
        engine = DockerEngine(project, "staging")
        artefact = Artefact("local-image", {artefact.digest!r}, {artefact.digest!r}, "", (), {{}})
    """
    variables = {
        "DOCKER_HOST": surroundings.DOCKER_HOST,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        env={**os.environ, **variables},
        text=True,
    )


def test_a_lease_that_was_never_begun_is_taken_over(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = lease.proxy.ensure(served.project, surroundings.DOCKER_HOST)
    assert lease._created(served.engine.place, image)  # its holder dies here
    with pytest.raises(ToolError, match=f"process {os.getpid()} is changing staging"):
        served.engine.lease(0.2).__enter__()
    monkeypatch.setattr(lease, "UNSTARTED_S", 0.0)
    with served.engine.lease(5.0):
        pass


def test_a_service_that_was_started_again_is_found_at_its_address(served: Served) -> None:
    containers.client().api.restart(served.one.id, timeout=1)
    until = time.monotonic() + 30
    while not served.live.healthy:
        assert time.monotonic() < until
        time.sleep(0.05)
    again = served.live
    assert again.instance.id == served.one.id
    assert service.ready(again.instance.url).digest == served.one.digest
    served.one = again.instance


# what it is, and what it leaves alone


def test_a_service_has_the_limits_that_were_set_and_no_rights(
    served: Served, images: dict[str, Artefact]
) -> None:
    narrow = altered(served, memory_mb=256, cpus=0.5)
    started = narrow.start(images["two"], version="v2.0.0")
    facts = containers.client().api.inspect_container(started.id)
    host = facts["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (2**28, 2**28, 500_000_000)
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "10m", "max-file": "3"},
    }
    assert host["PidsLimit"] > 0
    assert host["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"
    assert facts["Config"]["User"] == "10001:10001"


def test_what_strangers_have_stays(tmp_path: Path, images: dict[str, Artefact]) -> None:
    api, name = containers.client().api, containers.name()
    engine = DockerEngine(containers.project(tmp_path, name), "staging")
    stranger = {"of": name}
    try:
        engine.switch(engine.start(images["one"], version="v1.0.0"))
        inside = api.create_container(
            images["one"].reference,
            labels=stranger,
            name=f"{engine.place.name}.stranger",
            host_config=api.create_host_config(network_mode=engine.place.name),
        )["Id"]
        api.start(inside)
        volume = api.create_volume(f"{engine.place.name}.stranger", labels=stranger)["Name"]
        apart = api.create_network(f"{engine.place.name}.stranger", labels=stranger)["Id"]
        engine.clean(keep=lambda _: False)
        engine.stop()
        assert api.inspect_container(inside)["State"]["Running"]
        assert api.inspect_volume(volume)
        assert api.inspect_network(apart)
        assert containers.left(name) == [engine.place.name]  # their network, while they are in it
    finally:
        for container in api.containers(all=True, filters={"label": f"of={name}"}):
            api.remove_container(container["Id"], force=True)
        for found in api.networks(filters={"label": f"of={name}"}):
            api.remove_network(found["Id"])
        for found in api.volumes(filters={"label": f"of={name}"})["Volumes"] or ():
            api.remove_volume(found["Name"])
        engine.stop()
        assert containers.left(name) == []


def test_a_volume_of_that_name_by_somebody_else_is_not_used(tmp_path: Path) -> None:
    here = place.place_of(containers.project(tmp_path, containers.name()), "staging")
    api = containers.client().api
    api.create_volume(here.name)
    try:
        with pytest.raises(ToolError, match="not by slipway"):
            network.ensure_volume(here)
        network.remove(here)
        assert api.inspect_volume(here.name)
    finally:
        api.remove_volume(here.name)


def test_two_environments_never_meet(tmp_path: Path, served: Served) -> None:
    for model, environment in (
        (served.project.config.model.name, "production"),
        (containers.name(), "staging"),
    ):
        config = containers.project(tmp_path, model).config
        both = {environment: config.environments["staging"]}
        other = replace(served.project, config=replace(config, environments=both))
        engine = DockerEngine(other, environment)
        assert engine.live() is None
        assert engine.clean(keep=lambda _: False) == []
        assert engine.stop() == []
        with served.engine.lease(5.0), engine.lease(5.0):
            pass
    serves_on(served)


def test_another_home_finds_the_same_environment(served: Served, tmp_path: Path) -> None:
    same = DockerEngine(containers.project(tmp_path, served.project.config.model.name), "staging")
    assert same.live() == served.live


def test_another_port_moves_the_address(served: Served) -> None:
    before, port = served.live.url, daemons.free_port("127.0.0.1")
    moved = altered(served, port=port)
    assert moved.live() == served.live  # looking moves nothing
    moved.switch(served.one)
    live = moved.live()
    assert live is not None
    assert (live.url, live.healthy) == (f"http://127.0.0.1:{port}", True)
    assert service.ready(before).status == 0


def test_another_host_moves_the_address_and_never_takes_its_own_port(served: Served) -> None:
    before = served.live.url
    port = int(before.rpartition(":")[2])
    with pytest.raises(ToolError, match=f"staging has port {port} at another host") as failed:
        altered(served, host="0.0.0.0", port=port).switch(served.one)
    refused(failed.value)
    serves_on(served)
    moved = altered(served, host="0.0.0.0")
    moved.switch(served.one)
    live = moved.live()
    assert live is not None
    assert (live.instance, live.healthy) == (served.one, True)
    assert service.ready(before).status == 0


def test_where_proxy_and_service_are_dead_a_deployment_mends_both(
    tmp_path: Path, images: dict[str, Artefact]
) -> None:
    engine = DockerEngine(containers.project(tmp_path, containers.name()), "staging")
    try:
        dead = engine.start(images["one"], version="v1.0.0")
        engine.switch(dead)
        engine.place.api.remove_container(dead.id, force=True)
        for standing in proxy.found(engine.place):
            engine.place.api.stop(standing.container, timeout=5)
        engine.switch(engine.start(images["two"], version="v2.0.0"))
        live = engine.live()
        assert live is not None
        assert (live.instance.version, live.healthy) == ("v2.0.0", True)
    finally:
        engine.stop()


# traffic


def test_a_request_that_arrives_slowly_across_a_switch_is_answered(
    served: Served, images: dict[str, Artefact]
) -> None:
    two = served.engine.start(images["two"], version="v2.0.0")
    served.engine.switch(two)
    head = b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    port = int(served.live.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head + BODY[:5])
        time.sleep(0.2)  # nginx has read it
        served.engine.switch(served.one)
        with ThreadPoolExecutor(1) as pool:
            retired = pool.submit(served.engine.retire, two, 20.0)
            time.sleep(1.0)
            connection.sendall(BODY[5:])
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
            retired.result()
    serves_on(served)


def test_many_switches_under_load_fail_no_request(
    served: Served, images: dict[str, Artefact]
) -> None:
    two = served.engine.start(images["two"], version="v2.0.0")
    url, ended = served.live.url, threading.Event()
    answers: list[service.Answer] = []

    def ask_on() -> None:
        while not ended.is_set():
            results = load_tool.run(url, [BODY], per_s=100, for_s=0.5)
            answers.extend(answer for _, answer in results)

    load = threading.Thread(target=ask_on)
    load.start()
    for to in (two, served.one, two, served.one):
        served.engine.switch(to)
        assert service.ask(url, "/recommend", BODY).digest == to.digest
    ended.set()
    load.join()
    assert len(answers) >= 50
    assert {answer.status for answer in answers} == {200}, {a.error for a in answers}
    assert {answer.digest for answer in answers} == {served.one.digest, two.digest}


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET http://example.org/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"NONSENSE\r\n\r\n", 400),
        (b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"GET //example.org/v2 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ],
)
def test_the_proxy_refuses_as_the_front_process_does(
    served: Served, head: bytes, status: int
) -> None:
    port = int(served.live.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        answer = b""
        while not answer.endswith(b"}") and (more := connection.recv(4096)):
            answer += more
    assert int(answer.split()[1]) == status
    assert b"X-Slipway-Digest: " in answer or b"x-slipway-digest: " in answer
    assert b'{"error"' in answer


def test_the_proxy_passes_on_what_it_gets(served: Served) -> None:
    for method, path, status in (
        ("HEAD", "/v2/health/live", 200),
        ("GET", "/v2/models/next%2Dbasket", 200),
        ("GET", "/v2/health/live?x=%20y", 200),
        ("OPTIONS", "/recommend", 405),
        ("GET", "/%2e%2e/etc", 400),  # the front process leaves that to the service,
    ):
        answer = service.ask(served.live.url, path, method=method)
        assert (answer.status, answer.digest) == (status, served.one.digest), path


def test_without_a_deployment_the_address_says_so(tmp_path: Path) -> None:
    engine = DockerEngine(containers.project(tmp_path, containers.name()), "staging")
    try:
        url = proxy.url(engine.place, proxy.ensure(engine.place))
        answer = service.ask(url, "/recommend", BODY)
        assert (answer.status, answer.release, answer.digest) == (503, "none", "none")
        assert answer.json() == {"error": "nothing is deployed here"}
    finally:
        engine.stop()


# another way to the engine


@pytest.fixture
def relay() -> Iterator[tuple[str, Callable[[], None]]]:
    """The engine's socket as an address with a port, and what cuts it off."""
    listening = socket.create_server(("127.0.0.1", 0))
    pairs: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while content := source.recv(65536):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(surroundings.DOCKER_HOST.removeprefix("unix://"))
            pairs.extend((near, far))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    def cut() -> None:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # or it would accept once more
        listening.close()
        for end in pairs:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    threading.Thread(target=accept, daemon=True).start()
    yield f"tcp://127.0.0.1:{listening.getsockname()[1]}", cut
    cut()
    for end in pairs:
        end.close()


def test_an_engine_at_an_address_with_a_port_does_the_same(
    served: Served, images: dict[str, Artefact], relay: tuple[str, Callable[[], None]]
) -> None:
    there = DockerEngine(replace(served.project, docker_host=relay[0]), "staging")
    with there.lease(5.0):
        with pytest.raises(ToolError, match="is changing staging"):
            served.engine.lease(0.1).__enter__()
        two = there.start(images["two"], version="v2.0.0")
        there.switch(two)
    live = served.live
    assert (live.instance, live.healthy) == (two, True)


def test_an_engine_that_goes_away_in_the_middle_is_an_error_of_three_lines(
    served: Served,
    images: dict[str, Artefact],
    relay: tuple[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = DockerEngine(replace(served.project, docker_host=relay[0]), "staging")
    begun, cut = services.begin, relay[1]
    monkeypatch.setattr(services, "begin", lambda *words: (begun(*words), cut()))
    with pytest.raises(ToolError) as failed:
        there.start(images["two"], version="v2.0.0")
    refused(failed.value, relay[0])
    assert len(served.engine.clean(keep=lambda _: False)) == 1
    serves_on(served)


# images of a registry


def test_an_image_is_pulled_by_its_digest_with_the_projects_login(
    served: Served, tmp_path: Path
) -> None:
    login = ("robot", "secret word")
    with registries.serving(
        tmp_path / "registry", auth=registries.htpasswd(tmp_path / "auth", *login)
    ) as server:
        small = containers.client().images.get(
            lease.proxy.ensure(served.project, surroundings.DOCKER_HOST)
        )
        name = f"{server.name}/small"
        small.tag(name, tag="pushed")
        try:
            auth = dict(zip(("username", "password"), login, strict=True))
            said = containers.client().api.push(
                name, tag="pushed", auth_config=auth, stream=True, decode=True
            )
            (digest,) = [line["aux"]["Digest"] for line in said if "aux" in line]
        finally:
            containers.client().images.remove(f"{name}:pushed")
        artefact = Artefact("image", digest, f"{name}@{digest}", "", (), {})
        here = served.engine.place
        mine = replace(here, project=replace(here.project, registry_login=login))
        wrong = replace(here.project, registry_login=("robot", "wrong"))
        with pytest.raises(ToolError) as failed:
            pulled.image(replace(here, project=wrong), artefact)
        refused(failed.value, "cannot have")
        missing = replace(artefact, reference=f"{name}@sha256:{'1' * 64}")
        with pytest.raises(EvidenceError, match="the image is not there"):
            pulled.image(mine, missing)
        try:
            assert pulled.image(mine, artefact).id == small.id
        finally:
            containers.client().images.remove(artefact.reference)


# throw-away containers


def test_a_trial_tells_what_an_image_takes_and_may_and_is_gone_with_its_block(
    served: Served, images: dict[str, Artefact]
) -> None:
    with trial.trial(served.project, images["one"]) as running:
        answer = service.ask(running.instance.url, "/recommend", BODY)
        assert (answer.status, answer.digest) == (200, images["one"].digest)
        assert 0 < running.cpu_s < 5
        assert 20e6 < running.memory_bytes() < 300e6
        assert running.uid == 10001
        assert (running.writable(), running.changed()) == ((), False)
        assert trial.sweep(served.project) == []
    assert served.engine.place.containers("trial") == []
    serves_on(served)


def test_a_trial_finds_what_an_image_may_write(
    served: Served, derive: Callable[[str], Artefact]
) -> None:
    with trial.trial(served.project, derive(ITS_OWN_VOLUME)) as running:
        assert running.writable() == ("/srv/own",)


def test_a_trial_that_a_crash_left_is_swept(served: Served, images: dict[str, Artefact]) -> None:
    code = f"""
        with trial.trial(project, artefact):
            {DIE}
    """
    assert script(served, images["one"], code).wait(60) == -signal.SIGKILL
    (told,) = trial.sweep(served.project)
    assert "trial container" in told
    assert served.engine.place.containers("trial") == []
