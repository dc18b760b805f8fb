"""An image taken apart: configuration and layers as files, every byte as its digest says."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ...config import Project
from ...errors import EvidenceError
from ...records import digest_of
from .. import docker_host
from ..images import archives, runtime
from ..registry import Manifest, open_registry


@dataclass(frozen=True)
class Layer:
    """One layer as it is stored, and the digest that its plain tar has to have."""

    digest: str
    diff: str
    path: Path

    def open(self) -> BinaryIO:
        """The layer as it is stored."""
        return self.path.open("rb")


@dataclass(frozen=True)
class Contents:
    """An image's parts.

    Attributes:
        stored: digest of the bytes that name it: the manifest, or a local image's configuration.
        config_digest: of the configuration's bytes; `config_named`: as whoever names it says.
        manifest: of an image in a registry.
        folder: where the layers are, for as long as the image is open.
    """

    stored: str
    config: dict[str, Any]
    config_digest: str
    config_named: str
    layers: tuple[Layer, ...]
    folder: Path
    manifest: Manifest | None = field(default=None, repr=False)

    def said(self, key: str) -> Any:
        """What the image says about running it: `User`, `Env`, `Labels`, …"""
        return (self.config.get("config") or {}).get(key)


@contextlib.contextmanager
def opened(project: Project, kind: str, digest: str) -> Iterator[Contents]:
    """The image of a digest, taken from the registry or the engine; gone with the block.

    Raises:
        EvidenceError: it is not there, or its bytes are others than its digests say.
        ToolError: the registry or the engine fails, or the disk is full.
    """
    with archives.workspace(project.cache) as folder:
        if kind == "image":
            yield _from_registry(project, digest, folder)
        else:
            yield _from_engine(project, digest, folder)


def _from_registry(project: Project, digest: str, folder: Path) -> Contents:
    repository = runtime.repository(project)
    with open_registry(project) as registry:
        manifest = registry.manifest(repository, digest)
        raw = registry.read_blob(repository, manifest.config.digest)
        config, diffs = _config(raw, digest)
        if len(diffs) != len(manifest.layers):
            raise _odd(
                f"{len(diffs)} layers in its configuration, {len(manifest.layers)} in its manifest",
                digest,
            )
        layers = []
        for blob, diff in zip(manifest.layers, diffs, strict=True):
            path = folder / blob.digest.removeprefix("sha256:")
            if not path.exists():
                registry.fetch_blob(repository, blob.digest, path)
            if path.stat().st_size != blob.size:
                raise _odd(f"layer {blob.digest} has another size than its manifest says", digest)
            layers.append(Layer(blob.digest, diff, path))
    return Contents(
        manifest.digest,
        config,
        digest_of(raw),
        manifest.config.digest,
        tuple(layers),
        folder,
        manifest,
    )


def _from_engine(project: Project, digest: str, folder: Path) -> Contents:
    saved = archives.export(docker_host.connect(project.docker_host), digest, folder)
    config, diffs = _config(saved.config, digest)
    if diffs != tuple(layer.digest for layer in saved.layers):
        raise _odd("the engine gave other layers than its configuration names", digest)
    layers = []
    for layer in saved.layers:
        path = folder / layer.digest.removeprefix("sha256:")
        layer.path.replace(path)
        layers.append(Layer(layer.digest, layer.digest, path))
    return Contents(saved.id, config, saved.id, digest, tuple(layers), folder)


def shared_layers(project: Project, kind: str, runtime_digest: str) -> tuple[str, ...]:
    """The digests of a runtime's layers as they are stored, lowest first; none for no runtime.

    Raises:
        EvidenceError: it is not there any more.
    """
    if not runtime_digest:
        return ()
    if kind == "image":
        with open_registry(project) as registry:
            manifest = registry.manifest(runtime.repository(project), runtime_digest)
        return tuple(layer.digest for layer in manifest.layers)
    client = docker_host.connect(project.docker_host)
    with docker_host.explained(
        "cannot look at the runtime", runtime_digest, "run 'slipway image' again", lost="no runtime"
    ):
        attributes = client.images.get(runtime_digest).attrs
    return tuple(attributes.get("RootFS", {}).get("Layers") or ())


def _config(raw: bytes, where: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        config = dict(json.loads(raw))
        diffs = tuple(str(diff) for diff in config["rootfs"]["diff_ids"])
    except (ValueError, TypeError, KeyError) as error:
        raise _odd("its configuration is malformed", where) from error
    return config, diffs


def _odd(what: str, where: str) -> EvidenceError:
    return EvidenceError(f"the image is not whole: {what}", where, "run 'slipway image' again")
