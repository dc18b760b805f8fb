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


def test_the_systems_own_python_finds_the_packages_where_they_are_installed(tmp_path: Path) -> None:
    """Debian's has another default for itself, outside of environments: `make env` ended there."""
    python = Path("/usr/bin/python3")
    tell = "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
    tell += "from ci.tools.environment import packages_of; print(packages_of(Path(sys.argv[2])))"
    version = "import sys; print(sys.version_info[:2] >= (3, 11), '%d.%d' % sys.version_info[:2])"
    asked = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True)
    recent, number = asked.stdout.split()
    if recent != "True":
        pytest.skip(f"the system's Python is {number}")
    done = subprocess.run(
        [python, "-c", tell, ROOT, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{tmp_path}/lib/python{number}/site-packages"
