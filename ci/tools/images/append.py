"""Appends a model to a runtime in the registry, over HTTP alone: no engine, no build."""

from ...config import Project
from ...errors import EvidenceError
from ...records import digest_of
from ..registry import Descriptor, Registry, manifests
from . import model
from .model import Made, Model
from .runtime import CONFIG, Runtime, layer_of, repository


def build(project: Project, registry: Registry, runtime: Runtime, upon: Model) -> Made:
    """The image of a runtime and a model; nothing is sent that the registry has.

    Raises:
        EvidenceError: the model's folder holds another model, or the runtime is in no registry.
        ToolError: the registry fails or refuses.
    """
    if runtime.manifest is None:
        todo = "run 'slipway image' again"
        raise EvidenceError("the runtime is in no registry", runtime.key, todo)
    name, layer = repository(project), model.layer(project, upon)
    config = model.config(project, runtime, upon, layer)
    described = Descriptor(CONFIG, digest_of(config), len(config))
    layers = [*runtime.manifest.layers, layer_of(layer.digest, layer.size)]
    manifest = manifests.build(described, layers)
    new = registry.digest(name, manifest.digest) is None
    if new:
        registry.put_blob(name, layer.path, layers[-1].media_type)
        registry.put_blob(name, config, CONFIG)
        registry.put_manifest(name, manifest, tag_of(manifest.digest))
    reference = registry.reference(name, manifest.digest)
    return Made(manifest.digest, reference, sum(each.size for each in layers), new)


def tag_of(digest: str) -> str:
    """The tag that keeps an image from being collected, made of its digest."""
    return f"image-{digest.removeprefix('sha256:')[:32]}"
