"""The list of what an image contains: made once a runtime, kept beside each image that has it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config import Project
from ...errors import EvidenceError
from ...records import canonical, digest_of, write_atomically
from ..images import runtime
from ..registry import Descriptor, Manifest, Registry, manifests, open_registry
from . import syft
from .contents import Contents, Layer, shared_layers

CYCLONEDX = "application/vnd.cyclonedx+json"
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"


@dataclass(frozen=True)
class Kept:
    """A list as it is stored.

    Attributes:
        content: its bytes, as they came from where they are kept.
        about: the image that it is stored for.
        runtime: what was scanned, by its own words; `layers`: of the runtime, below the image.
        where: its file, or its address in the registry.
    """

    content: bytes
    about: str
    runtime: str
    layers: int
    where: str

    @property
    def digest(self) -> str:
        """The digest of the list."""
        return digest_of(self.content)


def ensure(project: Project, kind: str, digest: str, contents: Contents, below: str) -> Kept:
    """The list for an image: found for its runtime, else made, and kept for the image.

    Args:
        below: the digest of the image's runtime.

    Raises:
        ToolError: syft is missing or failed; the registry failed.
        EvidenceError: the runtime is gone, or what is kept is no such list.
    """
    wanted = shared_layers(project, kind, below)
    shared = contents.layers[: len(wanted)]
    if not wanted or tuple(layer.digest for layer in shared) != wanted:
        raise EvidenceError(
            "its lowest layers are not those of its runtime", below, "run 'slipway image'"
        )
    path = project.home / "store" / "sboms" / f"{below.removeprefix('sha256:')}.cdx.json"
    if kind != "image":
        raw = path.read_bytes() if path.is_file() else _made(project, contents, shared, below, path)
        return Kept(raw, digest, _scanned(raw, str(path)), len(wanted), str(path))
    repository = runtime.repository(project)
    with open_registry(project) as registry:
        for about in (below, digest):
            if registry.digest(repository, tag(about)) is None:
                raw = _known(registry, repository, below, path) or _made(
                    project, contents, shared, below, path
                )
                _push(registry, repository, raw, about)
        about, raw = _pull(registry, repository, digest)
    where = f"{registry.address.name}/{repository}:{tag(digest)}"
    return Kept(raw, about, _scanned(raw, where), len(wanted), where)


def tag(digest: str) -> str:
    """The tag under which the list for an image is kept beside it."""
    return digest.replace(":", "-") + ".sbom"


def _known(registry: Registry, repository: str, below: str, path: Path) -> bytes | None:
    """The runtime's list, from the registry or from this home."""
    if registry.digest(repository, tag(below)):
        return _pull(registry, repository, below)[1]
    return path.read_bytes() if path.is_file() else None


def _made(
    project: Project, contents: Contents, shared: Sequence[Layer], below: str, path: Path
) -> bytes:
    name = f"{runtime.repository(project)}-runtime"
    raw = syft.make(contents, shared, name, below)
    write_atomically(path, raw)
    return raw


def _push(registry: Registry, repository: str, raw: bytes, about: str) -> None:
    subject = registry.manifest(repository, about)
    config = registry.put_blob(repository, EMPTY, EMPTY_TYPE)
    listed = registry.put_blob(repository, raw, CYCLONEDX)
    content = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI,
        "artifactType": CYCLONEDX,
        "config": _written(config),
        "layers": [_written(listed)],
        "subject": _written(Descriptor(subject.media_type, subject.digest, len(subject.raw))),
    }
    manifest = Manifest(canonical(content), manifests.OCI, config, (listed,))
    registry.put_manifest(repository, manifest, tag(about))


def _written(blob: Descriptor) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}


def _pull(registry: Registry, repository: str, about: str) -> tuple[str, bytes]:
    """What the stored list says it is about, and the list.

    Raises:
        EvidenceError: it is not there, or is no list.
    """
    manifest = registry.manifest(repository, tag(about))
    where = f"{registry.address.name}/{repository}:{tag(about)}"
    lists = [blob for blob in manifest.layers if blob.media_type == CYCLONEDX]
    subject = json.loads(manifest.raw).get("subject")
    if len(lists) != 1 or not isinstance(subject, dict):
        raise EvidenceError("this is no SBOM of an image", where, "remove the tag and gate again")
    return str(subject.get("digest", "")), registry.read_blob(repository, lists[0].digest)


def _scanned(raw: bytes, where: str) -> str:
    """What a list says it was made from."""
    listed = syft.parse(raw, where)
    component = listed.get("metadata", {}).get("component", {})
    return str(component.get("version", "")) if isinstance(component, dict) else ""
