"""What a test needs of the machine: missing, it is skipped; where nothing may be, it fails."""

import os
import shutil

import pytest

from slipway.tools import docker_host
from tests import surroundings

DOCKER, REGISTRY, MAKER = "docker", "docker-registry", "mmdebstrap"
SYSTEM = "/usr/sbin"  # where some systems keep what a user's PATH does not name


def needs(*names: str) -> None:
    """Goes on where the Docker engine and each program that is named is there."""
    missing = [name for name in names if not _there(name)]
    if not missing:
        return
    said = f"not here: {', '.join(missing)}"
    if os.environ.get("SLIPWAY_NO_SKIPS"):
        pytest.fail(said, pytrace=False)
    pytest.skip(said, allow_module_level=True)


def _there(name: str) -> bool:
    if name == DOCKER:
        return docker_host.answers(surroundings.DOCKER_HOST)
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}{SYSTEM}") is not None
