"""The image that is live with a sick model in place of its own: the same layers below it."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from ...config import Project
from ...errors import EvidenceError, ToolError
from ...records import Kind, digest_tree
from .. import docker_host, made, store
from ..artefacts import Artefact
from ..interrupts import Interrupted
from ..registry import Descriptor, Manifest, Registry, manifests, open_registry
from . import append, archives, local, model, runtime
from .archives import Content
from .model import Model
from .runtime import Runtime

TODO = "see the engine's log"


def lay(project: Project, live: Artefact, environment: str, folder: Path, scratch: Path) -> str:
    """The digest of the live image with a sick model, where the environment takes it from.

    Args:
        folder: the sick model.
        scratch: a folder for large files.

    Raises:
        EvidenceError: the live image is not there.
        ToolError: the registry, the engine or the disk fails.
    """
    upon = Model(digest_tree(folder), "", folder)
    if live.kind == "local-image":
        return _in_engine(project, live, upon, docker_host.host_of(project, environment), scratch)
    with open_registry(project) as registry:
        digest = append.build(project, registry, _below(project, registry, live), upon).digest
    made.remember(project.home, digest, "image")
    return digest


def drop(project: Project, kind: Kind, environment: str, digest: str) -> list[str]:
    """Removes a sick image wherever a deployment brought it; tells why, where that is refused."""
    host = docker_host.host_of(project, environment)
    try:
        if kind == "local-image":
            _drop_from_engine(host, digest)
        else:
            _drop_from_registry(project, environment, host, digest)
        made.forget(project.home, digest)
    except Interrupted:
        raise
    except ToolError as error:
        return [f"{digest[:19]}: {error.what}"]
    return []


def _below(project: Project, registry: Registry, live: Artefact) -> Runtime:
    """What is below the model of a live image in the registry."""
    name = runtime.repository(project)
    manifest = runtime.read_manifest(project, registry, name, live.digest)
    config = runtime.read_config(project, registry, name, manifest)
    return Runtime("", _without_model(config), _naming(manifest.layers[:-1]), "registry")


def _naming(layers: Sequence[Descriptor]) -> Manifest:
    """A manifest of layers alone: of what it is appended to, an image needs no more."""
    return manifests.build(Descriptor(runtime.CONFIG, "", 0), layers)


def _without_model(config: bytes) -> bytes:
    """An image's configuration without its last layer, the model's."""
    content = json.loads(config)
    content["rootfs"]["diff_ids"].pop()
    if content.get("history"):
        content["history"].pop()
    return archives.compact(content)


def _in_engine(project: Project, live: Artefact, upon: Model, host: str, scratch: Path) -> str:
    """Loads the sick image into the engine that has the live one; only its model is sent."""
    client = docker_host.connect(host)
    saved = scratch / "saved"
    saved.mkdir()
    whole = archives.export(client, live.digest, saved)
    below = Runtime("", _without_model(whole.config), None, "engine")
    layer = model.layer(project, upon)
    config = model.config(project, below, upon, layer)
    content = Content(config, (*whole.layers[:-1], layer))
    made.remember(project.home, content.id, "local-image")
    known = [each.digest for each in whole.layers[:-1]]
    try:
        local.bring(client, content, scratch, known=known)
    except Interrupted:
        raise
    except ToolError:  # it wants the layers that it has, too
        local.bring(client, content, scratch)
    return content.id


def _drop_from_engine(host: str, image: str) -> None:
    """Removes an image that no container is of, under all its names; one that is gone is none."""
    client = docker_host.connect(host)
    with (
        contextlib.suppress(EvidenceError),
        docker_host.explained("the engine keeps the drill's image", host, TODO, lost="gone"),
    ):
        client.images.remove(image, force=True)


def _drop_from_registry(project: Project, environment: str, host: str, digest: str) -> None:
    """Removes an image from the repositories and the engine that a deployment brought it to."""
    own = project.environment(environment).repository
    names = dict.fromkeys((runtime.repository(project), *([own] if own else ())))
    with open_registry(project) as registry:
        for name in names:
            _drop_from_engine(host, registry.reference(name, digest))
            with contextlib.suppress(EvidenceError):
                manifest = runtime.read_manifest(project, registry, name, digest)
                store.drop_blob(project.home, manifest.config.digest)
            registry.delete(name, digest)
    store.drop_blob(project.home, digest)
