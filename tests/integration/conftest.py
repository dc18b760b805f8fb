"""What tests of promotions share: checkouts with a home and a ledger, and what they started."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.config import Project
from slipway.tools import engines
from tests import deliveries
from tests.engines import thread_engines

Projects = Callable[..., Project]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository that stands for a git server."""
    folder = tmp_path / "server.git"
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    return folder


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs environments inside the test, where the engine is not what is tested."""
    monkeypatch.setattr(engines, "engine_of", thread_engines())


@pytest.fixture
def projects(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Projects]:
    """Makes projects by the name of checkout and home; ends what they started.

    A module's own `SETTINGS` stand for those of `deliveries`.
    """
    settings = getattr(request.module, "SETTINGS", deliveries.SETTINGS)
    made: list[Project] = []

    def make(name: str = "one", home: str = "home", remote: Path | str = "") -> Project:
        root = tmp_path / name
        if not root.exists():
            deliveries.checkout(root, settings)
        made.append(deliveries.project_at(root, tmp_path / home, str(remote)))
        return made[-1]

    yield make
    for project in made:
        for environment in project.config.environments:
            engines.engine_of(project, environment).stop()


@pytest.fixture
def project(projects: Projects) -> Project:
    """One project of its own."""
    return projects()
