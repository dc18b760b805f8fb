"""A model as the last layer of an image, and what the whole image says then."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config import Project
from ...records import digest_file
from .. import store
from . import archives
from .archives import Layer
from .runtime import Runtime

BELOW = "srv/model"  # where the server looks for it
MODEL, DATA = "slipway.model-digest", "slipway.data-digest"
TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True)
class Model:
    """What is laid upon a runtime."""

    digest: str  # of the model
    dataset: str  # digest of the data that it learned from
    folder: Path


@dataclass(frozen=True)
class Made:
    """An image that is there.

    Attributes:
        digest: what is promoted.
        reference: what an engine takes it by.
        bytes: its size, unpacked.
        new: whether it had to be made; else it was found again.
    """

    digest: str
    reference: str
    bytes: int
    new: bool


def layer(project: Project, model: Model) -> Layer:
    """The model's layer; the same model gives the same bytes anywhere.

    Raises:
        EvidenceError: the folder holds another model.
    """
    path = store.put_layer(project.home, model.digest, model.folder, BELOW)
    return Layer(digest_file(path), path.stat().st_size, path)


def config(project: Project, runtime: Runtime, model: Model, upon: Layer) -> bytes:
    """The configuration of a runtime with a model upon it."""
    below = json.loads(runtime.config)
    said = below.get("config", {})
    labels = {
        **(said.get("Labels") or {}),
        TITLE: project.config.model.name,
        MODEL: model.digest,
        DATA: model.dataset,
    }
    how = f"slipway image: {model.digest} in /{BELOW}"
    return archives.extend(below, layers=[(upon.digest, how)], said={**said, "Labels": labels})


def labels_of(config: dict[str, Any]) -> dict[str, str]:
    """The labels in an image's configuration."""
    return dict((config.get("config") or {}).get("Labels") or {})
