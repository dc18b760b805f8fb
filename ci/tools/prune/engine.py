"""The images in a Docker engine that this model's ledger or home made, and nothing needs.

An engine is shared: by other models, other homes, other people. So an image goes only if it is one
that we made (by its id or by the digest under which it was pulled), carries our labels, has no name
that somebody else gave it, and no container, running or not, is of it.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import EvidenceError
from .. import docker_host
from . import InEngine, Known, Piece, Survey

if TYPE_CHECKING:
    from docker import DockerClient

OURS = "slipway/"  # how the names begin that slipway gives
UNWANTED = "no environment and no rollback window needs it"
TODO = "see that the engine runs, then prune again"


@dataclass(frozen=True)
class Held:
    """One image of an engine.

    Attributes:
        digests: its id, and the digests under which it was pulled or pushed.
        names: what has to be taken from it until it is gone.
        foreign: a name that slipway did not give it.
    """

    id: str
    labelled: bool
    digests: frozenset[str]
    names: tuple[str, ...]
    foreign: str
    layers: tuple[str, ...]
    bytes: int
    at: float


Judged = tuple[Held, str, InEngine, str, str]  # with its digest, its name, and why it is needed


def survey(host: str, repositories: frozenset[str], known: Known) -> Survey:
    """What an engine holds of this model.

    Args:
        repositories: `host/repository`, as pulled images are named.

    Raises:
        ToolError: the engine does not answer.
    """
    client = docker_host.connect(host)
    with docker_host.explained("cannot look at the engine's images", host, TODO):
        images = [_held(attributes, repositories) for attributes in _inspected(client)]
        used = {entry["ImageID"] for entry in client.api.containers(all=True)}
    stays: dict[str, Piece] = {}
    goes: dict[str, Piece] = {}
    for held, digest, what, name, needed in (*_artefacts(images, known), *_runtimes(images, known)):
        below = [other.id for other in images if _is_below(held, other) and other.id not in goes]
        why = (
            needed
            or (f"{held.foreign} is not slipway's name" if held.foreign else "")
            or ("a container is of it" if held.id in used else "")
            or (f"below {below[0][:19]}" if below else "")
        )
        remove = None if why else partial(_remove, client, host, held)
        piece = Piece(what, name, host, digest, held.bytes, why or UNWANTED, remove)
        (stays if why else goes)[held.id] = piece
    return Survey(tuple(stays.values()), tuple(_weighed(images, goes)))


def _inspected(client: "DockerClient") -> Iterator[dict[str, Any]]:
    """What the engine says of each image, one that somebody removes meanwhile left out."""
    from docker import errors

    for entry in client.api.images():
        with contextlib.suppress(errors.NotFound):
            yield client.api.inspect_image(entry["Id"])


def _held(attributes: Mapping[str, Any], repositories: frozenset[str]) -> Held:
    tags, pulled = attributes.get("RepoTags") or [], attributes.get("RepoDigests") or []
    ours = {name: name.partition("@")[0] in repositories for name in pulled} | {
        name: name.startswith(OURS) or name.rpartition(":")[0] in repositories for name in tags
    }
    labels = (attributes.get("Config") or {}).get("Labels") or {}
    times = (attributes.get("Created"), (attributes.get("Metadata") or {}).get("LastTagTime"))
    return Held(
        attributes["Id"],
        any(label.startswith(docker_host.LABEL) for label in labels),
        frozenset({attributes["Id"], *(n.partition("@")[2] for n in pulled if ours[n])}),
        tuple(ours),
        next((name for name, own in ours.items() if not own), ""),
        tuple((attributes.get("RootFS") or {}).get("Layers") or ()),
        int(attributes.get("Size") or 0),
        max((_seconds(time) for time in times if time), default=0.0),
    )


def _artefacts(images: list[Held], known: Known) -> Iterator[Judged]:
    for held in images:
        made = next((known.made[d] for d in sorted(held.digests) if d in known.made), None)
        if held.labelled and made and made.kind in ("image", "local-image"):
            why = known.why(made.digest, max(made.at, held.at))
            yield held, made.digest, "local image", made.version or made.digest[:19], why


def _runtimes(images: list[Held], known: Known) -> Iterator[Judged]:
    for held in images:
        above = [m for m in known.made.values() if m.runtime in held.digests]
        if held.labelled and above:
            needed = (m for m in above if known.why(m.digest, m.at))
            user = next(needed, None)
            why = f"below {user.version or user.digest[:19]}" if user else known.why("", held.at)
            yield held, held.id, "local runtime", (held.names or (held.id[:19],))[0], why


def _is_below(held: Held, other: Held) -> bool:
    depth = len(held.layers)
    return bool(depth) and len(other.layers) > depth and other.layers[:depth] == held.layers


def _weighed(images: list[Held], goes: Mapping[str, Piece]) -> Iterator[Piece]:
    """The pieces with the bytes that they do not share with an image below them."""
    for held in images:
        if held.id in goes:
            below = [other.bytes for other in images if _is_below(other, held)]
            yield replace(goes[held.id], bytes=held.bytes - max(below, default=0))


def _remove(client: "DockerClient", host: str, held: Held) -> None:
    """Takes each name off an image; with the last one the engine removes it."""
    for name in held.names or (held.id,):
        with (
            contextlib.suppress(EvidenceError),  # somebody was quicker
            docker_host.explained("the engine keeps an image", host, TODO, lost="gone"),
        ):
            client.images.remove(name)


def _seconds(time: str) -> float:
    """A moment as Docker writes it (with nanoseconds) in seconds since 1970; none before."""
    with contextlib.suppress(ValueError):
        whole = time.removesuffix("Z").partition(".")[0]
        return max(0.0, datetime.fromisoformat(whole + "+00:00").timestamp())
    return 0.0
