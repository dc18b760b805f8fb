"""One repository of a registry: the images, SBOMs and runtimes of this model that nothing needs.

A tag that slipway did not make holds its image: somebody else wants it. What neither the ledger nor
this home has made is left alone, whatever it is: another model may share the repository.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ...errors import EvidenceError
from ..images.append import tag_of
from ..registry import Manifest, Registry
from . import InRegistry, Known, Made, Piece, Survey

RUNTIME = re.compile(r"runtime-[0-9a-f]+")
SBOM = re.compile(r"sha256-([0-9a-f]{64})\.sbom")
UNWANTED = "no environment and no rollback window needs it"


@dataclass(frozen=True)
class Repository:
    """What is in one repository now."""

    registry: Registry
    name: str
    tags: Mapping[str, str]  # tag → digest
    manifests: Mapping[str, Manifest]  # digest → what is there, tagged or known

    @property
    def where(self) -> str:
        """Its address for people."""
        return f"{self.registry.address.name}/{self.name}"

    def tags_of(self, digest: str) -> list[str]:
        """The tags of an image."""
        return [tag for tag, named in self.tags.items() if named == digest]


def survey(registry: Registry, name: str, known: Known) -> Survey:
    """What a repository holds of this model.

    Raises:
        ToolError: the registry does not answer.
    """
    repository = _read(registry, name, known)
    stays: dict[str, Piece] = {}
    goes: dict[str, Piece] = {}
    for made in known.made.values():
        if made.kind == "image" and made.digest in repository.manifests:
            why = known.why(made.digest, made.at) or _held(repository, made)
            label = made.version or made.digest[:19]
            (stays if why else goes)[made.digest] = _piece(
                repository, "image", label, made.digest, why
            )
    for digest, label, why in _runtimes(repository, known, goes):
        (stays if why else goes)[digest] = _piece(repository, "runtime", label, digest, why)
    for digest, label, why in _sboms(repository, known, goes):
        if digest not in goes:
            (stays if why else goes)[digest] = _piece(repository, "sbom", label, digest, why)
    return Survey(tuple(stays.values()), tuple(_weighed(repository, goes)))


def _read(registry: Registry, name: str, known: Known) -> Repository:
    digests = {tag: registry.digest(name, tag) for tag in registry.tags(name)}
    tags = {tag: digest for tag, digest in digests.items() if digest}
    asked = {*tags.values(), *(m.digest for m in known.made.values() if m.kind == "image")}
    manifests = {}
    for digest in sorted(asked):
        if digest in tags.values() or registry.digest(name, digest):
            try:
                manifests[digest] = registry.manifest(name, digest)
            except EvidenceError:
                continue  # an index or something foreign: its tag is not ours
    return Repository(registry, name, tags, manifests)


def _held(repository: Repository, made: Made) -> str:
    """The tag of somebody else that holds an image, as a reason; empty: there is none."""
    ours = {made.version, tag_of(made.digest)}
    foreign = [tag for tag in repository.tags_of(made.digest) if tag not in ours]
    return f"the tag {foreign[0]} is not slipway's" if foreign else ""


def _runtimes(
    repository: Repository, known: Known, gone: Mapping[str, Piece]
) -> Iterator[tuple[str, str, str]]:
    """Each runtime below an image that we made: digest, tag, and why it stays."""
    for digest in sorted({m.runtime for m in known.made.values() if m.runtime}):
        tags = repository.tags_of(digest)
        if not any(RUNTIME.fullmatch(tag) for tag in tags):
            continue
        above = [m for m in known.made.values() if m.runtime == digest]
        needed = [m for m in above if m.digest not in gone and known.why(m.digest, m.at)]
        foreign = [tag for tag in tags if not RUNTIME.fullmatch(tag)]
        users = [other for other in _built_on(repository, digest) if other not in gone]
        why = ""
        if needed:
            why = f"below {needed[0].version or needed[0].digest[:19]}"
        elif users:
            why = f"below {users[0][:19]}"
        elif foreign:
            why = f"the tag {foreign[0]} is not slipway's"
        yield digest, tags[0], why


def _built_on(repository: Repository, runtime: str) -> Iterator[str]:
    """The images that begin with all layers of a runtime, whoever made them."""
    layers = repository.manifests[runtime].layers
    for digest, manifest in repository.manifests.items():
        if digest != runtime and layers and manifest.layers[: len(layers)] == layers:
            yield digest


def _sboms(
    repository: Repository, known: Known, gone: Mapping[str, Piece]
) -> Iterator[tuple[str, str, str]]:
    """The SBOM of each image or runtime that we made: digest, tag, and why it stays."""
    ours = {*known.made, *(m.runtime for m in known.made.values() if m.runtime)}
    subjects = {tag: f"sha256:{found[1]}" for tag in repository.tags if (found := SBOM.match(tag))}
    for tag, subject in subjects.items():
        digest = repository.tags[tag]
        if subject not in ours or digest not in repository.manifests:
            continue
        staying = [
            other
            for other in repository.tags_of(digest)
            if not _is_gone(repository, subjects.get(other, ""), known, gone)
        ]
        yield digest, tag, f"of {subjects.get(staying[0], staying[0])[:19]}" if staying else ""


def _is_gone(repository: Repository, subject: str, known: Known, gone: Mapping[str, Piece]) -> bool:
    made = known.made.get(subject)
    wanted = made is not None and known.why(subject, made.at)
    return subject in gone or (subject not in repository.manifests and bool(subject) and not wanted)


def _piece(repository: Repository, what: InRegistry, name: str, digest: str, why: str) -> Piece:
    remove = partial(_remove, repository.registry, repository.name, digest)
    return Piece(what, name, repository.where, digest, 0, why or UNWANTED, None if why else remove)


def _remove(registry: Registry, name: str, digest: str) -> None:
    registry.delete(name, digest)


def _weighed(repository: Repository, goes: Mapping[str, Piece]) -> Iterator[Piece]:
    """The pieces with the bytes that no manifest beside them needs, each counted once."""
    kept = (m for digest, m in repository.manifests.items() if digest not in goes)
    counted = {blob.digest for manifest in kept for blob in manifest.blobs}
    for digest, piece in goes.items():
        own = _uncounted(repository.manifests[digest], counted)
        yield replace(piece, bytes=sum(own.values()))
        counted |= set(own)


def _uncounted(manifest: Manifest, counted: Iterable[str]) -> dict[str, int]:
    return {blob.digest: blob.size for blob in manifest.blobs if blob.digest not in counted}
