"""Which engine and which kind of artefact a project gets, with and without a Docker engine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slipway import stages
from slipway.config import Project, load
from slipway.errors import EvidenceError, ToolError
from slipway.tools import docker_host
from slipway.tools.engines import choice
from tests import containers, deliveries, needs, surroundings

Make = Callable[..., Project]


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH on which both programs are; a test takes away what it wants missing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (choice.MAKER, choice.REGISTRY):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    choice.usable.cache_clear()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A project on the machine's engine, or on none; `settings` change its environments."""

    def made(
        *,
        docker: bool = True,
        kind: str = "auto",
        change: str = "",
        built: str = "",
        **settings: str,
    ) -> Project:
        if docker:
            needs.needs(needs.DOCKER)
        (tmp_path / "delivery.toml").write_text(deliveries.SETTINGS)
        project = load(tmp_path)
        environments = {
            name: replace(environment, **{"engine": "auto", **settings})
            for name, environment in project.config.environments.items()
        }
        config = replace(
            project.config,
            environments=environments,
            artefact=replace(project.config.artefact, kind=kind),
        )
        host = surroundings.DOCKER_HOST if docker else surroundings.NOWHERE
        return replace(
            project,
            config=config,
            home=tmp_path / "home",
            docker_host=host,
            change=change,
            branch=built,
        )

    return made


def test_docker_is_taken_where_it_answers(make: Make) -> None:
    project = make()
    assert choice.engine(project, "staging") == "docker"
    assert choice.kind(project) == "image"


def test_without_an_engine_bundles_run_as_processes(make: Make) -> None:
    project = make(docker=False)
    assert choice.engine(project, "staging") == "process"
    assert choice.kind(project) == "bundle"


def test_a_pull_request_makes_no_image_that_outlives_it(make: Make) -> None:
    assert choice.kind(make(change="7")) == "local-image"


def test_a_build_of_another_branch_makes_no_image_that_outlives_it(make: Make) -> None:
    assert choice.kind(make(built="feature/x", branch="main")) == "local-image"
    assert choice.kind(make(built="main", branch="main")) == "image"
    assert choice.kind(make(built="feature/x")) == "image"  # any branch may go live


def test_without_a_registry_images_stay_local(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bin" / choice.REGISTRY).unlink()
    assert choice.kind(make()) == "local-image"


def test_what_cannot_make_images_gets_bundles_and_says_why(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bin" / choice.MAKER).unlink()
    project = make()
    assert choice.MAKER in choice.lacking(project)
    assert choice.engine(project, "staging") == "process"
    assert choice.kind(project) == "bundle"
    pinned = replace(
        project.config.image, base="b@sha256:" + "0" * 64, proxy="p@sha256:" + "1" * 64
    )
    configured = replace(project, config=replace(project.config, image=pinned))
    assert choice.lacking(configured) == ""
    assert choice.kind(configured) == "image"


def test_an_environment_stays_on_its_engine_until_it_is_stopped(make: Make) -> None:
    choice.keep(make(), "staging", "docker")
    gone = make(docker=False)
    choice.usable.cache_clear()
    assert choice.engine(gone, "staging") == "docker"  # down for a minute: no other takes its place
    choice.forget(gone, "staging")
    assert choice.engine(gone, "staging") == "process"


def test_one_environment_on_processes_keeps_the_delivery_on_bundles(make: Make) -> None:
    project = make()
    choice.keep(project, "production", "process")
    assert choice.kind(project) == "bundle"


@pytest.mark.parametrize(
    ("settings", "kind", "refused"),
    [
        ({"engine": "docker"}, "image", False),
        ({"engine": "docker"}, "local-image", True),
        ({"engine": "docker"}, "bundle", True),
        ({"engine": "docker", "requires": "local-image"}, "local-image", False),
        ({"engine": "docker", "requires": "bundle"}, "bundle", True),
        ({"engine": "process"}, "bundle", False),
        ({"engine": "process"}, "image", True),
        ({"engine": "process", "requires": "image"}, "image", True),
        ({}, "image", False),
        ({}, "local-image", False),
        ({}, "bundle", True),
    ],
)
def test_what_an_environment_does_not_take_is_refused(
    make: Make, settings: dict[str, str], kind: str, refused: bool
) -> None:
    project = make(**settings)
    if not refused:
        choice.refuse_kind(project, "staging", kind)
        return
    with pytest.raises(EvidenceError, match=f"artefact is a {kind}") as failed:
        choice.refuse_kind(project, "staging", kind)
    assert failed.value.exit_code == 5


def test_an_engine_that_does_not_answer_is_told_in_three_lines() -> None:
    with pytest.raises(Exception, match="does not answer") as failed:
        docker_host.connect(surroundings.NOWHERE)
    assert len(str(failed.value).splitlines()) == 3
    assert not docker_host.answers("tcp://127.0.0.1:9")
    assert not docker_host.answers("unix:///etc/hostname")


def test_stopping_processes_wants_no_image_of_an_engine_that_is_only_there(make: Make) -> None:
    project = make(kind="bundle")
    nowhere = replace(project.config.image, proxy=f"127.0.0.1:9/nginx@sha256:{'0' * 64}")
    model = replace(project.config.model, name=containers.name())
    project = replace(project, config=replace(project.config, image=nowhere, model=model))
    assert stages.execute(["stop", "staging"], project).answer == "ended 0 processes"


@pytest.mark.parametrize("host", ["tcp://[::1", "tcp://host:abc", "tcp://127.0.0.1:99999"])
def test_what_is_no_address_is_told_in_three_lines(host: str) -> None:
    assert not docker_host.answers(host)
    with pytest.raises(ToolError, match="does not answer") as failed:
        docker_host.connect(host)
    assert len(str(failed.value).splitlines()) == 3
