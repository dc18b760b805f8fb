"""What every engine has to do, and what the process engine promises besides.

The first part knows the `Engine` protocol alone: another engine joins by a line in `ENGINES`.
"""

import contextlib
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from slipway.config import Project, load
from slipway.errors import EvidenceError, ToolError
from slipway.records import digest_tree
from slipway.settings import Environment
from slipway.tools import daemons, service, store
from slipway.tools import load as load_tool
from slipway.tools.artefacts import Artefact, open_artefact
from slipway.tools.engines import Canary, Engine, Instance, backends, engine_of, releases, route
from slipway.tools.engines.containers import DockerEngine
from slipway.tools.engines.process import ProcessEngine
from slipway.tools.engines.trial import sweep, trial
from tests import containers, deliveries, surroundings, tiny

BODY = b'{"customer":"00000001"}'
ENGINES = {"process": ProcessEngine, "docker": DockerEngine}
# The Docker engine's environments belong to the machine, so a test has a model's name of its own.
SETTINGS = {
    "process": "",
    "docker": 'engine = "docker"\nrequires = "local-image"\nready_s = 60\n',
}


@pytest.fixture(scope="module")
def store_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def bundles(store_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two artefacts that answer with other scores, and one that never gets ready: digests."""
    made = {}
    for name, weight in (("one", 1.0), ("two", 2.0)):
        folder = tiny.write_model(tmp_path_factory.mktemp(name), weight=weight)
        files = {f"model/{n}": p for n, p in store.tree_files(folder).items()}
        made[name] = store.put_bundle(store_home, {**files, **serving()})
    broken = {n: p for n, p in {**files, **serving()}.items() if n != "ml/features.py"}
    made["broken"] = store.put_bundle(store_home, broken)
    return made


def opened(home: Path, digest: str) -> Artefact:
    """A bundle of a store, as deployments take it."""
    stored = replace(load(deliveries.ROOT), home=home)
    return open_artefact(stored, "bundle", digest, model="sha256:model")


def serving() -> dict[str, Path]:
    root = deliveries.ROOT
    names = ["ml/__init__.py", "ml/features.py", "requirements/serve.txt", "requirements/uv.txt"]
    code = {f"ml/serving/{n}": p for n, p in store.tree_files(root / "ml/serving").items()}
    return {**{name: root / name for name in names}, **code}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Artefact]]:
    """The same three as images in the machine's Docker engine."""
    with containers.images(tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture(params=ENGINES)
def kind(request: pytest.FixtureRequest) -> str:
    """The engine of a test that every engine has to pass."""
    if request.param == "docker":
        containers.required()
    return str(request.param)


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    every = "kind" in request.fixturenames
    return project_in(tmp_path, request.getfixturevalue("kind") if every else "process")


def project_in(folder: Path, kind: str = "process") -> Project:
    text = deliveries.SETTINGS.replace(
        "[environments.staging]\n", f"[environments.staging]\n{SETTINGS[kind]}"
    )
    (folder / "checkout").mkdir()
    (folder / "checkout" / "delivery.toml").write_text(
        text.replace("next-basket", containers.name())
    )
    loaded = replace(load(folder / "checkout"), home=folder / "home")
    if kind == "process":
        return loaded
    shutil.copytree(deliveries.ROOT / "docker", loaded.root / "docker")  # what a proxy is made of
    return replace(loaded, docker_host=surroundings.DOCKER_HOST)


@pytest.fixture
def engine(kind: str, project: Project) -> Iterator[Engine]:
    engine = engine_of(project, "staging")
    assert isinstance(engine, ENGINES[kind])
    assert engine.name == kind
    yield engine
    engine.stop()


@pytest.fixture
def made(kind: str, request: pytest.FixtureRequest) -> dict[str, Artefact]:
    """The artefacts of this engine's kind."""
    if kind == "docker":
        return dict(request.getfixturevalue("images"))
    home, bundles = (request.getfixturevalue(name) for name in ("store_home", "bundles"))
    return {name: opened(home, digest) for name, digest in bundles.items()}


@pytest.fixture
def start(engine: Engine, made: dict[str, Artefact]) -> Callable[..., Instance]:
    def begin(name: str, version: str = "v1.0.0") -> Instance:
        return engine.start(made[name], version=version)

    return begin


def url_of(engine: Engine) -> str:
    live = engine.live()
    assert live is not None
    return live.url


def ask(url: str) -> service.Answer:
    return service.ask(url, "/recommend", BODY)


@contextlib.contextmanager
def loaded(url: str, keys: Sequence[str] = ("",) * 50) -> Iterator[list[service.Answer]]:
    """An address asked 100 times a second while the block runs, and a little longer."""
    answers: list[service.Answer] = []
    ended = threading.Event()

    def ask_on() -> None:
        while not ended.is_set():
            planned = load_tool.plan(url, [BODY], keys, per_s=100)
            answers.extend(answer for _, answer in load_tool.send(url, planned)[0])

    load = threading.Thread(target=ask_on)
    load.start()
    try:
        time.sleep(0.2)
        yield answers
    finally:
        time.sleep(0.2)
        ended.set()
        load.join()


# every engine


def test_nothing_is_live_at_first_and_stopping_it_does_no_harm(engine: Engine) -> None:
    assert engine.live() is None
    assert engine.stop() == []
    assert engine.clean(keep=lambda _: True) == []


def test_a_started_instance_answers_but_has_no_traffic(
    engine: Engine, start: Callable[..., Instance], made: dict[str, Artefact]
) -> None:
    instance = start("one")
    assert (instance.digest, instance.version) == (made["one"].digest, "v1.0.0")
    service.check(instance.url, made["one"])
    assert engine.live() is None


def test_after_the_switch_the_address_leads_to_the_instance(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    instance = start("one")
    assert 0 < engine.switch(instance) < 5000
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy) == (instance, True)
    answer = ask(live.url)
    assert (answer.status, answer.digest, answer.release) == (200, instance.digest, "v1.0.0")
    service.watch(live.url, digest=instance.digest, seconds=0.1)


def test_switching_there_and_back_under_load_fails_no_request(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first = start("one", "v1.0.0")
    engine.switch(first)
    url = url_of(engine)
    with loaded(url) as answers:
        second = start("two", "v2.0.0")
        engine.switch(second)
        flipped = ask(url)
        engine.retire(first, drain_s=5)
        back = start("one", "v1.0.0")  # a rollback: the earlier digest, from the store
        engine.switch(back)
        returned = ask(url)
        engine.retire(second, drain_s=5)
    assert len(answers) >= 100
    assert {answer.status for answer in answers} == {200}, {a.error for a in answers}
    assert {answer.digest for answer in answers} == {first.digest, second.digest}
    assert (flipped.digest, returned.digest) == (second.digest, first.digest)
    for answer in answers:  # each answer is that of the model it names
        most = 1.0 if answer.digest == first.digest else 2.0
        assert answer.json()["scores"][0] == pytest.approx(1.0 + most)


def test_a_digest_can_be_live_twice_and_one_of_them_retired(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first, second = start("one", "v1.0.0"), start("one", "v1.0.0")
    assert first.id != second.id
    engine.switch(second)
    engine.retire(first, drain_s=1)
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy) == (second, True)


def test_an_artefact_that_does_not_get_ready_leaves_everything_as_it_was(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first = start("one")
    engine.switch(first)
    with pytest.raises(ToolError, match="features") as failed:
        start("broken", "v2.0.0")
    assert failed.value.exit_code == 4
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy) == (first, True)
    assert engine.clean(keep=lambda _: False) == []


def test_an_altered_artefact_is_refused_before_anything_starts(
    engine: Engine, made: dict[str, Artefact], tmp_path: Path
) -> None:
    artefact = made["one"]
    if artefact.path:
        altered = tmp_path / "altered.tar"
        altered.write_bytes(artefact.path.read_bytes() + b"\0")
        artefact = replace(artefact, path=altered)
    else:
        digest = "sha256:" + "1" * 64
        artefact = replace(artefact, digest=digest, reference=digest)
    with pytest.raises(EvidenceError):
        engine.start(artefact, version="v1.0.0")
    assert engine.live() is None


def test_an_artefact_of_another_kind_is_refused(
    engine: Engine, made: dict[str, Artefact], tmp_path: Path
) -> None:
    bundle = "bundle" in engine.kinds
    other = replace(
        made["one"],
        kind="local-image" if bundle else "bundle",
        path=None if bundle else tmp_path,
    )
    with pytest.raises(EvidenceError, match=f"this is a {other.kind}"):
        engine.start(other, version="v1.0.0")
    assert engine.live() is None


def test_what_a_crash_left_beside_the_live_instance_is_cleaned(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    live, kept, left = start("one", "v1.0.0"), start("two", "v2.0.0"), start("two", "v3.0.0")
    engine.switch(live)
    told = engine.clean(keep=lambda instance: instance.version == "v2.0.0")
    assert len(told) == 1
    assert "v3.0.0" in told[0]
    assert service.ready(left.url).status == 0
    assert service.ready(kept.url).status == 200
    assert ask(url_of(engine)).digest == live.digest


def test_a_dead_instance_shows_and_another_takes_its_place(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first = start("one")
    engine.switch(first)
    url = url_of(engine)
    kill(first)
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy) == (first, False)
    assert ask(url).status == 502
    engine.switch(start("one"))
    live = engine.live()
    assert live is not None
    assert (live.url, live.healthy) == (url, True)
    engine.retire(first, drain_s=1)


def kill(instance: Instance) -> None:
    """As `kill -9` does; a container that its engine kills is not started again."""
    if instance.id.startswith("slipway."):
        containers.client().api.kill(instance.id)
        return
    port = instance.url.rpartition(":")[2]
    for process in psutil.process_iter(["cmdline"]):
        if port in (process.info["cmdline"] or []) and "ml.serving" in process.info["cmdline"]:
            process.kill()
            process.wait(10)


def test_an_instance_that_is_hurt_says_so_or_is_gone_and_stays_what_it_is(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first = start("one")
    engine.switch(first)
    url = url_of(engine)
    with loaded(url):  # what closes down answers as long as somebody asks
        engine.hurt(first, mortally=False)
        until = time.monotonic() + 5
        while (answer := service.ready(url)).status == 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert (answer.status, answer.digest) == (503, first.digest)
        assert ask(url).status == 200
        engine.switch(second := start("one"))
    engine.hurt(second, mortally=True)
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy) == (second, False)
    engine.switch(start("one"))
    engine.clean(keep=lambda _: False)
    with pytest.raises(ToolError, match="does not run"):
        engine.hurt(second, mortally=True)


def test_stopping_ends_everything_and_the_address_stays_the_same(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    engine.switch(start("one"))
    url = url_of(engine)
    assert len(engine.stop()) == 2
    assert engine.live() is None
    assert ask(url).status == 0
    assert engine.stop() == []
    engine.switch(start("two"))
    assert url_of(engine) == url


def test_only_one_at_a_time_may_change_an_environment(engine: Engine, project: Project) -> None:
    other = engine_of(project, "staging")
    with engine.lease(1.0):
        with pytest.raises(ToolError, match=f"process {os.getpid()} is changing") as refused:
            other.lease(0.2).__enter__()
        assert refused.value.exit_code == 4
    with other.lease(0.2):
        pass


def test_the_lease_of_a_killed_holder_is_free(engine: Engine, project: Project) -> None:
    with holder(project) as child:
        with pytest.raises(ToolError, match=f"process {child.pid}"):
            engine.lease(0.1).__enter__()
        child.kill()
        child.wait()
        with engine.lease(5.0):
            pass


def test_who_waits_for_the_lease_gets_it(engine: Engine, project: Project) -> None:
    with holder(project) as child:
        threading.Timer(0.3, child.terminate).start()
        with engine.lease(10.0):
            pass


def holder(project: Project) -> "subprocess.Popen[str]":
    """A process that holds the lease until it is ended."""
    child = script(project, "with engine.lease(5): print('held', flush=True); time.sleep(60)")
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def script(project: Project, code: str) -> "subprocess.Popen[str]":
    """A process with this project's engine at hand."""
    begin = f"""
        import os, signal, time
        from dataclasses import replace
        from pathlib import Path
        from slipway.config import load
        from slipway.tools import artefacts, daemons
        from slipway.tools.engines import backends, engine_of, route
        project = replace(load(Path({str(project.root)!r})), home=Path({str(project.home)!r}))
        engine = engine_of(project, "staging")
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code)],
        env={
            **os.environ,
            "DOCKER_HOST": project.docker_host,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "BUILD_ID": "17",
        },
        stdout=subprocess.PIPE,
        text=True,
    )


# every engine: a split


@pytest.fixture
def split(engine: Engine, start: Callable[..., Instance]) -> tuple[Instance, Instance]:
    """Champion and canary, the canary with 20 % of the requests."""
    champion = start("one", "v1.0.0")
    engine.switch(champion)
    canary = start("two", "v2.0.0")
    assert 0 < engine.split(canary, 20) < 5000
    return champion, canary


def sides_of(url: str, count: int) -> dict[str, str]:
    return load_tool.sides(url, [f"customer {number}" for number in range(count)])


def test_live_tells_a_split(engine: Engine, split: tuple[Instance, Instance]) -> None:
    champion, canary = split
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy, live.canary) == (champion, True, Canary(canary, 20))
    engine.split(canary, 60)
    again = engine.live()
    assert again is not None
    assert (again.instance, again.canary) == (champion, Canary(canary, 60))


def test_a_split_gives_a_canary_its_part_of_2000_requests_by_key_and_by_chance(
    engine: Engine, split: tuple[Instance, Instance]
) -> None:
    champion, canary = split
    url, count = url_of(engine), 2000
    keyless = [load_tool.Planned(0.0, "/recommend", BODY)] * count
    (results,) = load_tool.send(url, keyless)
    by_chance = [answer.digest for _, answer in results]
    assert {answer.status for _, answer in results} == {200}
    by_key = list(sides_of(url, count).values())
    for answered in (by_chance, by_key):
        assert set(answered) == {champion.digest, canary.digest}
        off = 4 * (0.2 * 0.8 / count) ** 0.5
        assert answered.count(canary.digest) / count == pytest.approx(0.2, abs=off)


def test_in_a_split_a_key_leads_to_the_same_side_every_time(
    engine: Engine, split: tuple[Instance, Instance]
) -> None:
    url = url_of(engine)
    first = sides_of(url, 200)
    assert len(set(first.values())) == 2
    assert sides_of(url, 200) == first
    for key, digest in list(first.items())[:40]:
        assert service.ask(url, "/recommend", BODY, key=key).digest == digest


def test_a_greater_split_leaves_the_canary_its_keys(
    engine: Engine, split: tuple[Instance, Instance]
) -> None:
    _, canary = split
    url = url_of(engine)
    before = {key for key, digest in sides_of(url, 200).items() if digest == canary.digest}
    engine.split(canary, 50)
    after = {key for key, digest in sides_of(url, 200).items() if digest == canary.digest}
    assert before < after


@pytest.mark.parametrize("winner", [0, 1])
def test_a_switch_ends_a_split(
    engine: Engine, split: tuple[Instance, Instance], winner: int
) -> None:
    stays, goes = split[winner], split[1 - winner]
    engine.switch(stays)
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy, live.canary) == (stays, True, None)
    engine.retire(goes, drain_s=1)
    assert set(sides_of(live.url, 100).values()) == {stays.digest}


def test_a_split_begun_and_ended_under_load_fails_no_request(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    champion = start("one", "v1.0.0")
    engine.switch(champion)
    url = url_of(engine)
    keys = [f"customer {number % 50}" if number % 2 else "" for number in range(50)]
    with loaded(url, keys) as answers:
        taken_back = start("two", "v2.0.0")
        engine.split(taken_back, 50)
        time.sleep(0.5)
        engine.switch(champion)
        engine.retire(taken_back, drain_s=5)
        canary = start("two", "v3.0.0")
        engine.split(canary, 30)
        time.sleep(0.5)
        engine.switch(canary)
        engine.retire(champion, drain_s=5)
    assert len(answers) >= 100
    assert {answer.status for answer in answers} == {200}, {a.error for a in answers}
    assert {answer.release for answer in answers} == {"v1.0.0", "v2.0.0", "v3.0.0"}


def test_who_has_a_part_of_a_split_is_neither_cleaned_nor_retired(
    engine: Engine, split: tuple[Instance, Instance], start: Callable[..., Instance]
) -> None:
    for instance in split:
        with pytest.raises(ValueError, match="traffic"):
            engine.retire(instance, 1.0)
    left = start("two", "v3.0.0")
    (told,) = engine.clean(keep=lambda _: False)
    assert "v3.0.0" in told
    assert service.ready(left.url).status == 0
    assert [service.ready(instance.url).status for instance in split] == [200, 200]
    assert len(set(sides_of(url_of(engine), 100).values())) == 2


def test_stopping_ends_a_split(engine: Engine, split: tuple[Instance, Instance]) -> None:
    assert len(engine.stop()) == 3
    assert engine.live() is None
    assert [service.ready(instance.url).status for instance in split] == [0, 0]


def test_a_split_needs_somebody_beside_it_and_a_part(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first = start("one")
    with pytest.raises(ToolError, match="nothing is live beside"):
        engine.split(first, 10)
    assert engine.live() is None
    engine.switch(first)
    with pytest.raises(ToolError, match="nothing is live beside"):
        engine.split(first, 10)
    for percent in (0, 100, -1):
        with pytest.raises(ValueError, match="no part"):
            engine.split(first, percent)
    live = engine.live()
    assert live is not None
    assert (live.instance, live.canary) == (first, None)


def test_a_canary_that_is_dead_gets_no_split(
    engine: Engine, start: Callable[..., Instance]
) -> None:
    first, dead = start("one", "v1.0.0"), start("two", "v2.0.0")
    engine.switch(first)
    kill(dead)
    with pytest.raises(ToolError, match="does not answer at the address"):
        engine.split(dead, 50)
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy, live.canary) == (first, True, None)
    assert {answer.status for answer in (ask(live.url) for _ in range(20))} == {200}


def test_while_one_side_of_a_split_is_dead_the_other_answers_for_it(
    engine: Engine, split: tuple[Instance, Instance]
) -> None:
    champion, canary = split
    url = url_of(engine)
    kill(canary)
    assert set(sides_of(url, 50).values()) == {champion.digest}
    live = engine.live()
    assert live is not None
    assert (live.instance, live.healthy, live.canary) == (champion, True, Canary(canary, 20))


# the process engine

DIE = "os.kill(os.getpid(), signal.SIGKILL)"
DEATHS = {
    "front started": f"route._start, kept = lambda a: (kept(a), {DIE}), route._start",
    "service started": f"backends._await_ready = lambda *_: {DIE}",
    "ready": f"after_start = lambda: {DIE}",
    "route written": f"route.route_to, kept = lambda *a: (kept(*a), {DIE}), route.route_to",
    "switched": f"after_switch = lambda: {DIE}",
    "retiring": f"daemons._signal, kept = lambda *a: (kept(*a), {DIE}), daemons._signal",
}


@pytest.mark.parametrize("death", DEATHS)
def test_after_kill_9_the_next_command_works_and_leaves_no_orphan(
    death: str, project: Project, store_home: Path, bundles: dict[str, str]
) -> None:
    engine = ProcessEngine(project, "staging")
    try:
        first = engine.start(opened(store_home, bundles["one"]), version="v1.0.0")
        engine.switch(first)
        if death == "front started":
            for front in route.find(engine.state):
                psutil.Process(front.pid).kill()
        code = f"""
            after_start = after_switch = lambda: None
            {DEATHS[death]}
            with engine.lease(5):
                live = engine.live().instance
                stored = replace(project, home=Path({str(store_home)!r}))
                two = artefacts.open_artefact(stored, "bundle", {bundles["two"]!r}, model="")
                new = engine.start(two, version="v2.0.0")
                after_start()
                engine.switch(new)
                after_switch()
                engine.retire(live, 5)
        """
        child = script(project, code)
        assert child.wait(timeout=60) == -signal.SIGKILL
        with engine.lease(5):
            live = engine.live()
            assert live is not None
            moved = death in ("route written", "switched", "retiring")
            assert live.instance.digest == bundles["two" if moved else "one"]
            assert live.healthy
            engine.clean(keep=lambda _: False)
            assert [b.instance for b in backends.running(engine.state)] == [live.instance]
            assert len(route.find(engine.state)) == 1
        assert ask(live.url).digest == live.instance.digest
    finally:
        engine.stop()
    assert processes_of(engine.state) == []


def processes_of(state: Path) -> list[int]:
    return [d.pid for d in daemons.find(lambda argv: any(str(state) in word for word in argv))]


@pytest.fixture
def process_engine(project: Project) -> Iterator[ProcessEngine]:
    engine = ProcessEngine(project, "staging")
    yield engine
    engine.stop()


@pytest.fixture
def live(process_engine: ProcessEngine, store_home: Path, bundles: dict[str, str]) -> Instance:
    instance = process_engine.start(opened(store_home, bundles["one"]), version="v1.0.0")
    process_engine.switch(instance)
    return instance


def test_a_front_that_died_is_started_again_at_the_same_address(
    process_engine: ProcessEngine, live: Instance
) -> None:
    url = url_of(process_engine)
    (front,) = route.find(process_engine.state)
    psutil.Process(front.pid).kill()
    assert ask(url).status == 0
    again = process_engine.live()
    assert again is not None
    assert (again.url, again.healthy) == (url, True)
    assert ask(url).status == 200


def test_commands_at_the_same_time_start_one_front_process(
    process_engine: ProcessEngine, live: Instance
) -> None:
    for front in route.find(process_engine.state):
        psutil.Process(front.pid).kill()
    found: list[bool] = []

    def look() -> None:
        now = process_engine.live()
        found.append(now is not None and now.healthy)

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert found == [True] * 4
    assert len(route.find(process_engine.state)) == 1


def test_a_port_that_somebody_else_has_is_named_before_anything_starts(
    project: Project, store_home: Path, bundles: dict[str, str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fixed = replace(project.config, environments={"staging": Environment(port=port)})
        engine = ProcessEngine(replace(project, config=fixed), "staging")
        with pytest.raises(ToolError) as refused:
            engine.start(opened(store_home, bundles["one"]), version="v1.0.0")
        assert f"port {port} is in use by pid {os.getpid()}" in refused.value.what
        assert refused.value.exit_code == 4
        assert processes_of(engine.state) == []


def test_another_port_in_delivery_toml_moves_the_address(
    process_engine: ProcessEngine, live: Instance, project: Project
) -> None:
    before = url_of(process_engine)
    port = daemons.free_port("127.0.0.1")
    moved = replace(project.config, environments={"staging": Environment(port=port)})
    engine = ProcessEngine(replace(project, config=moved), "staging")
    assert url_of(engine) == before  # looking moves nothing
    engine.switch(live)
    assert url_of(engine) == f"http://127.0.0.1:{port}"
    assert ask(url_of(engine)).status == 200
    assert ask(before).status == 0


def test_services_inherit_nothing_of_the_build(
    project: Project, store_home: Path, bundles: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_PSW", "secret")
    monkeypatch.setenv("JENKINS_NODE_COOKIE", "this build")
    monkeypatch.chdir(project.root)
    engine = ProcessEngine(project, "staging")
    try:
        with (project.root / "open").open("w") as stream:
            os.set_inheritable(stream.fileno(), True)
            engine.switch(engine.start(opened(store_home, bundles["one"]), version="v1.0.0"))
        found = [*route.find(engine.state), *(b.daemon for b in backends.running(engine.state))]
        assert len(found) == 2
        for daemon in found:
            process = psutil.Process(daemon.pid)
            assert os.getsid(daemon.pid) == daemon.pid != os.getsid(0)
            assert process.environ()["JENKINS_NODE_COOKIE"] == "dontKillMe"
            assert process.environ()["BUILD_ID"] == "dontKillMe"
            assert "secret" not in process.environ().values()
            assert not Path(process.cwd()).is_relative_to(project.root)
            assert str(project.root / "open") not in {f.path for f in process.open_files()}
            held = {str(p.readlink()) for p in Path(f"/proc/{daemon.pid}/fd").iterdir()}
            assert not any(str(project.root) in target or "lease" in target for target in held)
    finally:
        engine.stop()


def test_a_process_that_has_the_number_of_a_dead_one_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            assert daemons.end(daemons.Daemon(stranger.pid, created=1.0), patience_s=0.0)
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_process_that_does_not_listen_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(60)"], stdout=subprocess.PIPE
    ) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        daemon = daemons.of(deaf.pid)
        assert daemon is not None
        assert not daemons.end(daemon, patience_s=0.1)
        assert deaf.wait(10) == -signal.SIGKILL


def test_unpacked_files_are_read_only_and_restored_where_they_were_altered(
    process_engine: ProcessEngine, live: Instance, store_home: Path
) -> None:
    folder = process_engine.state / "releases" / live.digest.removeprefix("sha256:")
    tree = digest_tree(folder)
    modes = {path.stat().st_mode & 0o222 for path in [folder, *folder.rglob("*")]}
    assert modes == {0}
    altered = folder / "ml" / "features.py"
    altered.chmod(0o644)
    altered.write_text("raise SystemExit")
    again = process_engine.start(opened(store_home, live.digest), version="v1.0.0")
    assert digest_tree(folder) == tree
    assert service.ready(again.url).status == 200


def test_where_the_state_folder_is_removed_everything_ends_by_itself(
    process_engine: ProcessEngine, live: Instance
) -> None:
    releases.remove(process_engine.state)
    until = time.monotonic() + 60
    while processes_of(process_engine.state):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_malformed_route_is_named(process_engine: ProcessEngine, live: Instance) -> None:
    (process_engine.state / "route.json").write_text("{")
    with pytest.raises(ToolError, match="malformed"):
        process_engine.live()


def test_the_instance_with_the_traffic_cannot_be_retired(
    process_engine: ProcessEngine, live: Instance
) -> None:
    with pytest.raises(ValueError, match="traffic"):
        process_engine.retire(live, 1.0)


def test_a_trial_ends_with_its_block_and_after_a_crash_with_the_next(
    project: Project, store_home: Path, bundles: dict[str, str]
) -> None:
    digest = bundles["one"]
    with trial(project, opened(store_home, digest)) as running:
        assert ask(running.instance.url).digest == digest
        assert 0 < running.cpu_s < 3
        assert running.memory_bytes() > 1e6
        assert (running.writable(), running.changed()) == ((), False)
        assert sweep(project.home) == []
    assert list((project.home / "trials").glob("[0-9]*")) == []
    code = f"""
        from slipway.tools.engines.trial import trial
        stored = replace(project, home=Path({str(store_home)!r}))
        one = artefacts.open_artefact(stored, "bundle", {digest!r}, model="")
        with trial(project, one): {DIE}
    """
    assert script(project, code).wait(60) == -signal.SIGKILL
    assert len(processes_of(project.home / "trials")) == 1
    assert len(sweep(project.home)) == 1
    assert processes_of(project.home / "trials") == []


def test_the_keys_of_a_split_outlive_the_front_process(
    process_engine: ProcessEngine, live: Instance, store_home: Path, bundles: dict[str, str]
) -> None:
    canary = process_engine.start(opened(store_home, bundles["two"]), version="v2.0.0")
    process_engine.split(canary, 30)
    before = sides_of(url_of(process_engine), 200)
    (front,) = route.find(process_engine.state)
    psutil.Process(front.pid).kill()
    again = process_engine.live()
    assert again is not None
    assert (again.healthy, again.canary) == (True, Canary(canary, 30))
    assert [other.pid for other in route.find(process_engine.state)] != [front.pid]
    assert sides_of(again.url, 200) == before


def test_a_champion_that_died_beside_its_canary_shows(
    process_engine: ProcessEngine, live: Instance, store_home: Path, bundles: dict[str, str]
) -> None:
    canary = process_engine.start(opened(store_home, bundles["two"]), version="v2.0.0")
    process_engine.split(canary, 1)
    kill(live)
    now = process_engine.live()
    assert now is not None
    assert (now.instance, now.healthy) == (live, False)
    assert ask(now.url).digest == canary.digest


# the front process


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory, store_home: Path, bundles: dict[str, str]
) -> Iterator[str]:
    """The address of a front process with a service behind it."""
    engine = ProcessEngine(project_in(tmp_path_factory.mktemp("front")), "staging")
    engine.switch(engine.start(opened(store_home, bundles["one"]), version="v1.0.0"))
    yield url_of(engine)
    engine.stop()


def test_the_front_passes_on_what_it_gets(front: str, bundles: dict[str, str]) -> None:
    for method, path, status in (
        ("HEAD", "/v2/health/live", 200),
        ("GET", "/v2/models/next%2Dbasket", 200),
        ("GET", "/v2/health/live?x=%20y", 200),
        ("OPTIONS", "/recommend", 405),
        ("GET", "/%2e%2e/etc", 404),
    ):
        answer = service.ask(front, path, method=method)
        assert (answer.status, answer.digest) == (status, bundles["one"]), path


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET http://example.org/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET //example.org/v2 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"NONSENSE\r\n\r\n", 400),
        (b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
    ],
)
def test_the_front_leads_nowhere_else(front: str, head: bytes, status: int) -> None:
    port = int(front.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        if status == 413:
            connection.sendall(b" " * (5 << 20))
        assert int(connection.recv(4096).split()[1]) == status


@pytest.mark.parametrize("key", [b"", b"\xff\xfe", "é\u20ac".encode(), b"k" * 4000])
def test_an_odd_key_of_a_split_does_no_harm(front: str, key: bytes) -> None:
    port = int(front.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\nX-Slipway-Key: "
        connection.sendall(head + key + b"\r\n\r\n")
        assert int(connection.recv(4096).split()[1]) == 200


def test_the_keys_of_a_split_are_hashed_the_same_way_for_ever() -> None:
    from slipway.tools.front import PARTS, chosen, part_of

    parts = {key: part_of(key) for key in ("a", "01104905", "é")}
    assert parts == {"a": 3343, "01104905": 3752, "é": 3743}
    assert len({part_of("") for _ in range(50)}) > 1
    both = [{"id": "champion", "weight": 90}, {"id": "canary", "weight": 10}]
    led = [chosen(both, "", part)["id"] for part in range(PARTS)]  # type: ignore[index]
    assert led.index("champion") == led.count("canary") == 1000
    asked = [chosen(both, name, 5000)["id"] for name in ("canary", "champion")]  # type: ignore[index]
    assert asked == ["canary", "champion"]
    assert chosen([], "a", 5) is None


def test_a_compressed_body_is_not_unpacked_on_the_way(front: str) -> None:
    body = gzip.compress(b" " * (64 << 20))
    head = "POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
    port = int(front.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert int(connection.recv(4096).split()[1]) == 400


def test_without_a_deployment_the_address_says_so(process_engine: ProcessEngine) -> None:
    process_engine._address()
    facts = json.loads((process_engine.state / "front.json").read_text())
    answer = ask(f"http://127.0.0.1:{facts['port']}")
    assert (answer.status, answer.release) == (503, "none")
    assert answer.json() == {"error": "nothing is deployed here"}


def test_a_request_whose_service_is_killed_is_answered_by_the_next(
    process_engine: ProcessEngine, live: Instance, store_home: Path, bundles: dict[str, str]
) -> None:
    """The old service is killed before it is retired: no request of a kept-alive client fails."""
    url = url_of(process_engine)
    client = service.Client(url)
    assert client.ask("POST", "/recommend", BODY).status == 200
    digest = bundles["two"]
    other = process_engine.start(opened(store_home, digest), version="v2.0.0")
    route.route_to(process_engine.state, route.Traffic(other))
    kill(live)
    answers = [client.ask("POST", "/recommend", BODY) for _ in range(20)]
    assert {(a.status, a.digest) for a in answers} == {(200, digest)}


def test_logs_are_cut_to_their_last_lines(tmp_path: Path) -> None:
    from slipway.tools.front import trim_logs

    path = tmp_path / "service.log"
    path.write_text("".join(f"line {n}\n" for n in range(1000)))
    with path.open("a") as writer:
        trim_logs(tmp_path, max_bytes=1000)
        writer.write("after\n")
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["line 999", "after"]
    assert path.stat().st_size < 300
    assert all(line.startswith(("line ", "after")) for line in lines)
