"""This machine's own registry: started once, found again, ended."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from slipway import settings
from slipway.config import Project
from slipway.errors import ToolError
from slipway.tools.registry import Registry, local, open_registry, parse
from tests import needs
from tests.registries import QUICK, free_port, push, serving, three_lines

SETTINGS = """
[model]
name = "m"
[tests.unit]
paths = ["u"]
[tests.integration]
paths = ["i"]
[tests.e2e]
paths = ["e"]
[environments.staging]
"""


def project_in(folder: Path, model: str, text: str = "") -> Project:
    home = folder / "state" / model
    return Project(folder, settings.parse(SETTINGS + text), home, folder / "cache", "")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    needs.needs(needs.REGISTRY)
    monkeypatch.setattr(local, "PORT", free_port())
    made = project_in(tmp_path, "m")
    yield made
    local.stop(made)
    assert not local.find(tmp_path / "state" / "registry")


def pids(project: Project) -> list[int]:
    return [daemon.pid for daemon in local.find(project.home.parent / "registry")]


def test_it_is_started_once_and_shared_by_all_models(project: Project, tmp_path: Path) -> None:
    assert local.running(project) == ""
    address = local.ensure(project)
    assert address == f"127.0.0.1:{local.PORT}"
    started = pids(project)
    assert len(started) == 1
    assert local.ensure(project_in(tmp_path, "another")) == address
    assert local.running(project) == address
    assert pids(project) == started


def test_commands_at_the_same_time_start_one(project: Project) -> None:
    with ThreadPoolExecutor(6) as pool:
        addresses = set(pool.map(lambda _: local.ensure(project), range(6)))
    assert len(addresses) == 1
    assert len(pids(project)) == 1


@pytest.mark.parametrize("how", ["kill", "suspend"])
def test_after_a_crash_it_comes_back_with_what_it_stored(
    project: Project, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "ANSWER_S", 0.3)
    monkeypatch.setattr(local, "STOP_S", 0.2)
    address = local.ensure(project)
    with open_registry(project) as registry:
        pushed = push(registry, "m", b"layer")
    (before,) = pids(project)
    getattr(psutil.Process(before), how)()
    assert local.ensure(project) == address
    (after,) = pids(project)
    assert after != before
    with open_registry(project) as registry:
        assert registry.manifest("m", pushed.digest) == pushed


def test_an_upload_survives_that_it_is_ended_and_started(project: Project) -> None:
    local.ensure(project)
    secret = (project.home.parent / "registry" / "config.yml").read_text()
    assert local.stop(project)
    assert not local.stop(project)
    local.ensure(project)
    assert (project.home.parent / "registry" / "config.yml").read_text() == secret


def test_a_port_that_is_taken_is_left_and_another_one_kept(project: Project) -> None:
    with socket.create_server(("127.0.0.1", local.PORT)):
        address = local.ensure(project)
        assert address != f"127.0.0.1:{local.PORT}"
    local.stop(project)
    assert local.ensure(project) == address, "it keeps the port it had"


def test_somebody_elses_registry_is_not_taken_for_it(project: Project, tmp_path: Path) -> None:
    address = local.ensure(project)
    local.stop(project)
    with serving(tmp_path / "foreign", port=int(address.rpartition(":")[2])):
        assert local.running(project) == ""
        assert local.ensure(project) != address


def test_its_secret_is_the_users_alone(project: Project) -> None:
    local.ensure(project)
    folder = project.home.parent / "registry"
    for name in ("config.yml", "registry.json"):
        assert (folder / name).stat().st_mode & 0o077 == 0


def test_a_storage_that_is_no_folder_is_told_by_the_first_push(project: Project) -> None:
    folder = project.home.parent / "registry"
    folder.mkdir(parents=True)
    (folder / "data").write_text("this is no folder")
    # docker-registry looks at its storage when it is asked for something
    address = parse(local.ensure(project))
    with Registry(address, patience=QUICK) as registry, pytest.raises(ToolError) as error:
        push(registry, "m", b"layer")
    three_lines(error.value, "500")


def test_a_registry_that_cannot_start_says_why(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "HOST", "192.0.2.1")  # an address that no machine has
    monkeypatch.setattr(local, "ANSWER_S", 0.2)
    monkeypatch.setattr(local, "_taken", lambda port: port != local.PORT)
    monkeypatch.setattr(local.daemons, "free_port", lambda host: local.PORT)
    with pytest.raises(ToolError) as error:
        local.ensure(project)
    three_lines(
        error.value, "the registry ended", "cannot assign requested address", "registry.log"
    )


def test_without_the_program_it_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not local.available()
    with pytest.raises(ToolError) as error:
        local.ensure(project)
    three_lines(error.value, "no docker-registry", "apt-get install")


def test_a_registry_that_is_named_is_used_and_none_started(tmp_path: Path) -> None:
    with serving(tmp_path / "own") as own:
        project = project_in(tmp_path, "m", f'[image]\nregistry = "{own.name}"\n')
        with open_registry(project) as registry:
            pushed = push(registry, "m", b"layer")
            assert registry.reference("m", pushed.digest) == f"{own.name}/m@{pushed.digest}"
    assert not (tmp_path / "state" / "registry").exists()
