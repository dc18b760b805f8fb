"""What is promoted, whatever its kind: opened by digest, with the samples that it should answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from ..config import Project
from ..errors import EvidenceError
from ..records import Kind
from . import store


@dataclass(frozen=True)
class Artefact:
    """One artefact that is there, its digest verified.

    Attributes:
        reference: the bundle's file, `host/repository@sha256:…`, or the id of a local image.
        model: the digest of the model that it holds.
        samples: real requests with the model's own answers.
        signature: the model's inputs, outputs and tolerance.
        path: the file of a bundle.
    """

    kind: Kind
    digest: str
    reference: str
    model: str
    samples: tuple[Mapping[str, Any], ...]
    signature: Mapping[str, Any]
    path: Path | None = None

    @property
    def tolerance(self) -> float:
        """How far a score may be off."""
        tolerance: float = self.signature["tolerance"]
        return tolerance

    @property
    def name(self) -> str:
        """The model's name on the wire."""
        name: str = self.signature["name"]
        return name


def open_artefact(
    project: Project, kind: str, digest: str, *, model: str, environment: str = ""
) -> Artefact:
    """The artefact of a digest, where the environment takes it from.

    Args:
        kind: as a record or the ledger has it.
        model: the digest of the model in it.

    Raises:
        EvidenceError: it is missing, was altered, or its samples or signature are malformed.
        ToolError: the registry or the engine does not answer.
    """
    if kind not in get_args(Kind):
        raise EvidenceError(f"'{kind}' is no kind of artefact", digest, "deliver it again")
    if kind == "bundle":
        path = store.bundle(project.home, digest)
        reference = str(path)

        def read(name: str) -> bytes:
            return store.member(path, f"{store.MODEL}/{name}")
    else:
        from .images import stored

        place = stored.Place(project, cast(Kind, kind), digest, model, environment)
        path, reference = None, stored.reference(place)

        def read(name: str) -> bytes:
            return stored.read_model_file(place, name)

    samples, signature = _parsed(read("samples.json"), read("signature.json"), reference)
    return Artefact(cast(Kind, kind), digest, reference, model, samples, signature, path)


def model_file(project: Project, kind: str, digest: str, name: str, *, model: str) -> bytes:
    """The content of one file of the model in an artefact.

    Raises:
        EvidenceError: the artefact is missing or was altered, or its model has no such file.
        ToolError: the registry or the engine does not answer.
    """
    if kind == "bundle":
        return store.member(store.bundle(project.home, digest), f"{store.MODEL}/{name}")
    from .images import stored

    place = stored.Place(project, cast(Kind, kind), digest, model)
    return stored.read_model_file(place, name)


def _parsed(
    samples: bytes, signature: bytes, where: str
) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    try:
        asked = tuple(dict(sample) for sample in json.loads(samples))
        said = dict(json.loads(signature))
        said = {**said, "tolerance": float(said["tolerance"]), "name": str(said["name"])}
    except (ValueError, TypeError, KeyError) as error:
        raise EvidenceError(
            f"the model's samples or signature are malformed: {error!r}",
            where,
            "train the model again",
        ) from error
    return asked, said
