"""Lays a model upon a runtime in an engine, where there is no registry: the same image."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import Project
from ...errors import ToolError
from ...records import digest_of
from .. import docker_host
from ..locks import held
from . import archives, model
from .archives import Content, Layer
from .model import Made, Model
from .runtime import Runtime

if TYPE_CHECKING:
    from docker.models.images import Image

    from docker import DockerClient


def build(project: Project, runtime: Runtime, upon: Model) -> Made:
    """The image of a runtime and a model in the engine that builds; one that is there is found.

    Raises:
        EvidenceError: the model's folder holds another model.
        ToolError: the engine fails.
    """
    layer = model.layer(project, upon)
    config = model.config(project, runtime, upon, layer)
    client, own = docker_host.connect(project.docker_host), digest_of(config)
    with held(project.cache / "images" / "local.lock"):
        there = find(client, own)
        if there is None:
            _load(client, project.cache, runtime, Content(config, (layer,)))
    image = there or find(client, own)
    if image is None:
        raise ToolError("the image vanished from the engine", own, "run the same command again")
    return Made(own, own, int(image.attrs["Size"]), there is None)


def find(client: "DockerClient", own: str) -> "Image | None":
    """An engine's image of an id.

    Raises:
        ToolError: the engine fails.
    """
    from docker import errors

    with docker_host.explained("the engine lists no images", own, "see the engine's log"):
        try:
            return client.images.get(own)
        except errors.ImageNotFound:
            return None


def _load(client: "DockerClient", cache: Path, runtime: Runtime, top: Content) -> None:
    """Brings the model's layer; all layers, where the engine wants those that it has too."""
    with archives.workspace(cache) as folder:
        below = [Layer(digest, 0, Path()) for digest in archives.layers_of(runtime.config)]
        known = [layer.digest for layer in below]
        try:
            bring(client, Content(top.config, (*below, *top.layers)), folder, known=known)
        except ToolError:
            whole = archives.export(client, runtime.id, folder)
            bring(client, Content(top.config, (*whole.layers, *top.layers)), folder)


def bring(
    client: "DockerClient", content: Content, folder: Path, *, known: Sequence[str] = ()
) -> None:
    """Loads an image without the layers that are known to be there."""
    tag = f"slipway/image:{content.id.removeprefix('sha256:')[:32]}"
    archives.load(client, content, tag, folder, known=known)
