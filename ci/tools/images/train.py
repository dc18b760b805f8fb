"""The GPU training image: found again by the content of what goes into it, else built."""

import shutil
from pathlib import Path
from typing import Any

from ...config import Project
from ...records import canonical, digest_file, digest_of, digest_tree
from .. import docker_host
from . import archives, base, packages

REPOSITORY = "slipway/train"
REQUIREMENTS = "requirements/train-gpu.txt"
DOCKERFILE = "docker/train/Dockerfile"
PARAMS = "params.yaml"
KEY = "slipway.runtime"


def ensure(project: Project) -> str:
    """The tag of the training image of this checkout, built if the engine has it not.

    Raises:
        ToolError: the engine failed, or a package could not be had.
    """
    client, key = docker_host.connect(project.docker_host), _key(project)
    tag = f"{REPOSITORY}:{key}"
    if not _has(client, tag):
        with archives.workspace(project.cache) as context:
            _fill(context, project)
            _build(client, context, tag, base.ensure(project), key)
    return tag


def _has(client: Any, tag: str) -> bool:
    with docker_host.explained("the Docker engine lists no images", tag, "see its log"):
        return bool(client.images.list(filters={"reference": tag}))


def _key(project: Project) -> str:
    parts = {
        "base": base.identity(project),
        "python": vars(base.python(project)),
        "code": digest_tree(project.root / "ml"),
        **{name: digest_file(project.root / name) for name in (DOCKERFILE, REQUIREMENTS, PARAMS)},
    }
    return digest_of(canonical(parts)).removeprefix("sha256:")[:32]


def _fill(context: Path, project: Project) -> None:
    """The build's context: packages, code and parameters."""
    requirements, python = project.root / REQUIREMENTS, base.python(project)
    packages.lay(project, requirements, python, context / "packages", whole=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project.root / "ml", context / "ml", ignore=ignore)
    shutil.copy(project.root / PARAMS, context / PARAMS)
    shutil.copy(project.root / DOCKERFILE, context / "Dockerfile")


def _build(client: Any, context: Path, tag: str, below: str, key: str) -> None:
    labels = {KEY: key, "slipway.variant": "train-gpu"}
    todo = "look at the engine's log, and for room on its disk"
    with docker_host.explained("the training image cannot be built", DOCKERFILE, todo):
        client.images.build(
            path=str(context),
            tag=tag,
            buildargs={"BASE": below},
            labels=labels,
            rm=True,
            forcerm=True,
        )
