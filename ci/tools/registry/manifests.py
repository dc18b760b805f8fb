"""Image manifests: what a registry says an image is made of, believed only by its digest."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...errors import EvidenceError
from ...records import digest_of
from .address import DIGEST

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
FOREIGN = {
    "application/vnd.oci.image.index.v1+json": "an index of several images",
    "application/vnd.docker.distribution.manifest.list.v2+json": "a list of several images",
    "application/vnd.docker.distribution.manifest.v1+json": "a manifest of schema 1",
    "application/vnd.docker.distribution.manifest.v1+prettyjws": "a manifest of schema 1",
}
ACCEPT = ", ".join((OCI, DOCKER, *FOREIGN))  # the foreign ones, so as to name them
MAX_BYTES = 4 << 20  # what registries take at most


@dataclass(frozen=True)
class Descriptor:
    """One blob that a manifest names."""

    media_type: str
    digest: str
    size: int  # bytes


@dataclass(frozen=True)
class Manifest:
    """One image: its configuration and its layers, lowest first."""

    raw: bytes = field(repr=False)  # what the digest is of
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest of the manifest's bytes: the image's."""
        return digest_of(self.raw)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """All that it needs, each once."""
        return tuple(dict.fromkeys((self.config, *self.layers)))


def build(
    config: Descriptor,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
    media_type: str = OCI,
) -> Manifest:
    """A manifest of these blobs; the same ones give the same bytes."""
    content: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _written(config),
        "layers": [_written(layer) for layer in layers],
    }
    if annotations:
        content["annotations"] = dict(annotations)
    raw = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return Manifest(raw, media_type, config, tuple(layers), dict(annotations or {}))


def parse(raw: bytes, media_type: str, where: str, digest: str = "") -> Manifest:
    """The manifest in some bytes.

    Args:
        media_type: as the registry calls it; it has to call it as the bytes do.
        digest: what the bytes have to be; empty where that is not known.

    Raises:
        EvidenceError: they are not, or they are not one image's manifest.
    """
    if digest and digest_of(raw) != digest:
        raise _odd(f"the registry gave other bytes than {digest}", where)
    media_type = media_type.partition(";")[0].strip()
    if len(raw) > MAX_BYTES:
        raise _odd("the manifest is larger than any registry takes", where)
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _odd("the manifest is no JSON", where) from error
    if not isinstance(content, dict):
        raise _odd("the manifest is no JSON object", where)
    called = content.get("mediaType", media_type)
    if media_type in FOREIGN or called in FOREIGN:
        raise _odd(f"it is {FOREIGN.get(media_type) or FOREIGN[called]}, not one image", where)
    if media_type not in (OCI, DOCKER) or called != media_type:
        raise _odd(f"the manifest is called '{media_type}', and calls itself '{called}'", where)
    if content.get("schemaVersion") != 2 or "manifests" in content or "fsLayers" in content:
        raise _odd("the manifest is not of schema 2, or more than one thing at once", where)
    layers, notes = content.get("layers"), content.get("annotations") or {}
    if not isinstance(layers, list) or not isinstance(notes, dict):
        raise _odd("the manifest's layers or annotations are malformed", where)
    read = tuple(_descriptor(entry, where) for entry in (content.get("config"), *layers))
    named = {str(key): str(value) for key, value in notes.items()}
    return Manifest(raw, media_type, read[0], read[1:], named)


def _descriptor(entry: Any, where: str) -> Descriptor:
    values = entry if isinstance(entry, dict) else {}
    media_type, digest, size = (values.get(k) for k in ("mediaType", "digest", "size"))
    if not (isinstance(media_type, str) and isinstance(digest, str) and isinstance(size, int)):
        raise _odd("the manifest names a blob without type, digest or size", where)
    if not DIGEST.fullmatch(digest) or isinstance(size, bool) or size < 0:
        raise _odd("the manifest names a blob whose digest or size cannot be", where)
    return Descriptor(media_type, digest, size)


def _written(descriptor: Descriptor) -> dict[str, Any]:
    fields = asdict(descriptor)
    return {"mediaType": fields["media_type"], "digest": fields["digest"], "size": fields["size"]}


def _odd(what: str, where: str) -> EvidenceError:
    return EvidenceError(what, where, "name the digest of one image that slipway or Docker pushed")
