"""Builds an image with the engine, and makes of it one that content alone decides."""

import contextlib
import json
import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ToolError
from .. import docker_host, store
from . import archives
from .archives import Content, Layer

if TYPE_CHECKING:
    from docker import DockerClient

BUILD_S = 3600
BUILDING = "slipway.building"  # a label of what is not finished: the content key
BUILDER = f"{BUILDING}.by"  # the same: which build; another home may build that key just now


@dataclass(frozen=True)
class Recipe:
    """What an image is built of."""

    dockerfile: str  # its path, for messages
    files: Mapping[str, Path]  # path in the context → file; `Dockerfile` is one of them
    base: str  # what the engine knows the base by
    key: str
    labels: Mapping[str, str]


def build(host: str, recipe: Recipe, folder: Path) -> Content:
    """An image as files in `folder`, without times: the same recipe gives the same id.

    Raises:
        ToolError: the engine refuses or fails; nothing of it keeps a name.
    """
    context = folder / "context.tar"
    with context.open("wb") as stream:
        store.write_tar(stream, recipe.files)
    client, own = docker_host.connect(host), secrets.token_hex(8)
    _sweep(client, BUILDING, before=time.time() - BUILD_S)  # of commands that were killed
    try:
        image = _built(client, recipe, own, context)
        context.unlink()
        below = client.images.get(recipe.base).attrs["RootFS"]["Layers"]
        return _timeless(archives.export(client, image, folder), len(below), folder)
    finally:
        with contextlib.suppress(ToolError):
            _sweep(client, f"{BUILDER}={own}")


def _built(client: "DockerClient", recipe: Recipe, own: str, context: Path) -> str:
    from docker import errors

    with (
        docker_host.explained("the image cannot be built", recipe.dockerfile, "mend what it says"),
        context.open("rb") as stream,
    ):
        try:
            image, _ = client.images.build(
                fileobj=stream,
                custom_context=True,
                buildargs={"BASE": recipe.base},
                labels={BUILDING: recipe.key, BUILDER: own, **recipe.labels},
                rm=True,
                forcerm=True,
                pull=False,
                timeout=BUILD_S,
            )
        except errors.BuildError as error:
            said = [str(part.get("stream", "")).strip() for part in error.build_log]
            last = " / ".join([line for line in said if line][-2:])
            what = f"the image cannot be built: {error.msg} ({last})"
            raise ToolError(what[:500], recipe.dockerfile, "mend what it says") from error
    return str(image.id)


def _sweep(client: "DockerClient", label: str, *, before: float = math.inf) -> None:
    """Removes the unfinished images of a label that were made before a moment."""
    from docker import errors

    with docker_host.explained("cannot remove an unfinished image", label, "see the engine's log"):
        for image in client.api.images(filters={"label": label}, all=True):
            if image["Created"] < before:
                with contextlib.suppress(errors.APIError):  # gone, or something uses it
                    client.images.remove(image["Id"], force=False)


def _timeless(built: Content, below: int, folder: Path) -> Content:
    """The same image; layers that are not the base's have no times."""
    config: dict[str, Any] = json.loads(built.config)
    layers: list[Layer] = list(built.layers[:below])
    for layer in built.layers[below:]:
        layers.append(archives.normalise(layer.path, folder / f"plain-{len(layers)}.tar"))
        layer.path.unlink()
    said = dict(config.get("config", {}))
    labels = {k: v for k, v in (said.get("Labels") or {}).items() if not k.startswith(BUILDING)}
    diff_ids = [layer.digest for layer in layers]
    steps = [e for e in config.get("history", []) if BUILDING not in e.get("created_by", "")]
    config |= {"rootfs": {"diff_ids": diff_ids}, "history": steps}
    raw = archives.extend(config, layers=[], said={**said, "Labels": labels})
    return Content(raw, tuple(layers))
