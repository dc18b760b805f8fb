"""Python environments: made once, shared, thin in each checkout."""

import multiprocessing
import subprocess
from pathlib import Path

import pytest

from slipway.errors import ConfigError, ToolError
from slipway.tools import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def requirements(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Requirements that need nothing from the network, with a content of their own."""
    folder = tmp_path / "requirements"
    folder.mkdir()
    (folder / "none.txt").write_text(f"# nothing for {request.node.name}\n")
    (folder / environment.INSTALLER).write_bytes((ROOT / "requirements/uv.txt").read_bytes())
    return folder / "none.txt"


def test_an_environment_is_made_once_and_again_after_a_kill(
    requirements: Path, cache: Path
) -> None:
    made = environment.ensure(requirements, cache)
    assert (made / "bin/python").exists()
    (made / "witness").touch()
    assert environment.ensure(requirements, cache) == made
    assert (made / "witness").exists()
    (made / ".complete").unlink()  # as a kill half-way would leave it
    assert environment.ensure(requirements, cache) == made
    assert not (made / "witness").exists()


def test_two_at_once_make_one(requirements: Path, cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.starmap(environment.ensure, [(requirements, cache)] * 2)
    assert made[0] == made[1]
    assert (made[0] / ".complete").exists()


def test_a_package_that_cannot_be_had_is_a_tool_failure(requirements: Path, cache: Path) -> None:
    requirements.write_text("no-such-package-anywhere==1.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(ToolError, match="cannot install the packages"):
        environment.ensure(requirements, cache)


def test_missing_requirements_are_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the requirements"):
        environment.ensure(tmp_path / "nowhere.txt", cache)


def test_a_thin_environment_runs_its_own_checkout(
    requirements: Path, tmp_path: Path, cache: Path
) -> None:
    shared = environment.ensure(requirements, cache)
    tool = shared / "bin" / "tool"
    tool.write_text(f"#!{shared}/bin/python\nimport slipway\nprint(slipway.__file__)\n")
    tool.chmod(0o755)
    for name in ("one", "two with a space"):
        (tmp_path / name / "ci").mkdir(parents=True)
        (tmp_path / name / "ci/__init__.py").touch()
        thin = environment.attach(tmp_path / name, shared)
        out = subprocess.run([thin / "bin/tool"], capture_output=True, text=True, check=True).stdout
        assert str(tmp_path / name) in out
        assert (thin / "bin/slipway").exists()
