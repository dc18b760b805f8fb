"""What was around the tests when they began, before `conftest` hid it from them."""

import os
from pathlib import Path

from slipway import config

CACHE = config.cache()  # where the environment of these tests came from
HOME = config.home()  # where the delivery that is being tested keeps its own
DOCKER_HOST = os.environ.get("DOCKER_HOST") or config.LOCAL_DOCKER
NOWHERE = "unix:///nowhere/docker.sock"


def project(root: Path) -> config.Project:
    """The project at `root` as it was around the tests: its own home, the machine's engine."""
    from dataclasses import replace

    loaded = config.load(root)
    home = HOME / loaded.config.model.name
    return replace(loaded, home=home, docker_host=DOCKER_HOST)
