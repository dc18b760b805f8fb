"""The runtime of serving images: found again by the content of what decides it, else built."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...config import Project
from ...errors import ConfigError, EvidenceError
from ...records import digest_file, digest_of
from ...settings import FILE
from .. import docker_host, git, store
from ..locks import held
from ..registry import Descriptor, Manifest, Registry, manifests
from . import archives, base, building, packages, systems
from .archives import Content
from .building import Recipe

FOLDER = "docker/serve"
FILES = ("Dockerfile", "healthcheck.py")
RECIPE = "1"  # another number builds every runtime anew
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
KEY, VARIANT, TREE = "slipway.runtime", "slipway.variant", "slipway.tree-digest"
BASE_DIGEST = "org.opencontainers.image.base.digest"
Found = Literal["registry", "engine", "built"]


@dataclass(frozen=True)
class Runtime:
    """What all images of a variant share.

    Attributes:
        config: the image's configuration; its digest is what an engine calls it.
        manifest: of the registry that has it; None where there is none.
        found: where it was found again, or that it was built.
    """

    key: str
    config: bytes = field(repr=False)
    manifest: Manifest | None
    found: Found

    @property
    def id(self) -> str:
        """What an engine calls it."""
        return digest_of(self.config)

    @property
    def digest(self) -> str:
        """The digest of its manifest; without a registry its id."""
        return self.manifest.digest if self.manifest else self.id


def repository(project: Project) -> str:
    """The repository of this project's images."""
    return project.config.image.repository or project.config.model.name


def key(project: Project, variant: str) -> str:
    """The content key of all that decides a runtime.

    Raises:
        ConfigError: a file that decides it is not there.
    """
    parts: dict[str, Any] = {
        "base": base.identity(project),
        "architecture": systems.architecture(),
        "code": git.tree_digest(project.root, project.config.artefact.code),
        "requirements": digest_file(packages.file(project, variant)),
        "recipe": RECIPE,
        "variant": variant,
        **{name: digest_file(_own(project, name)) for name in FILES},
    }
    return hashlib.sha256(archives.compact(parts)).hexdigest()[:32]


def _own(project: Project, name: str) -> Path:
    path = project.root / FOLDER / name
    if not path.is_file():
        todo = "restore it, or set [artefact] kind to bundle"
        raise ConfigError(f"there is no {FOLDER}/{name}", str(path), todo)
    return path


def ensure(project: Project, variant: str, registry: Registry | None) -> Runtime:
    """The runtime of this checkout, brought to the registry where there is one.

    Raises:
        ConfigError: a file that decides it is not there, or is not what delivery.toml says.
        ToolError: a package cannot be had; the engine or the registry fails.
        EvidenceError: the registry holds something else under its tag.
    """
    own = key(project, variant)
    there = _in_registry(project, own, registry)
    if there:
        return there
    with held(project.cache / "images" / f"runtime-{own}.lock"):
        there = _in_registry(project, own, registry)  # another command was quicker
        if there:
            return there
        with archives.workspace(project.cache) as folder:
            found: Found = "engine" if _in_engine(project, own) else "built"
            if found == "engine" and registry is None:
                return Runtime(own, _config(project, own, folder), None, found)
            if found == "engine":
                content = archives.export(_client(project), _tag(own), folder)
            else:
                content = _build(project, variant, own, folder)
            store.put_blob(project.home, content.config)
            manifest = _push(project, registry, own, content) if registry else None
            return Runtime(own, content.config, manifest, found)


def _in_registry(project: Project, own: str, registry: Registry | None) -> Runtime | None:
    name = repository(project)
    digest = registry.digest(name, _registry_tag(own)) if registry else None
    if registry is None or digest is None:
        return None
    manifest = read_manifest(project, registry, name, digest)
    config = read_config(project, registry, name, manifest)
    labels = (json.loads(config).get("config") or {}).get("Labels") or {}
    if labels.get(KEY) != own:
        where = f"{registry.address.name}/{name}:{_registry_tag(own)}"
        todo = "find out who pushed it; remove the tag and run the same command again"
        raise EvidenceError("the registry's runtime is that of other inputs", where, todo)
    return Runtime(own, config, manifest, "registry")


def read_manifest(project: Project, registry: Registry, name: str, digest: str) -> Manifest:
    """A manifest by its digest, from this user's store or from the registry.

    Raises:
        EvidenceError: it is not there, or not one image's.
    """
    kept = store.read_blob(project.home, digest)
    if kept is None:
        manifest = registry.manifest(name, digest)
        store.put_blob(project.home, manifest.raw)
        return manifest
    kind = str(json.loads(kept).get("mediaType", manifests.OCI))
    return manifests.parse(kept, kind, digest, digest)


def read_config(project: Project, registry: Registry, name: str, manifest: Manifest) -> bytes:
    """An image's configuration, from this user's store or from the registry.

    Raises:
        EvidenceError: it is not there.
    """
    kept = store.read_blob(project.home, manifest.config.digest)
    if kept is None:
        kept = registry.read_blob(name, manifest.config.digest)
        store.put_blob(project.home, kept)
    return kept


def _in_engine(project: Project, own: str) -> bool:
    from docker import errors

    todo = "see the engine's log"
    with docker_host.explained("the engine lists no images", project.docker_host, todo):
        try:
            return bool(_client(project).images.get(_tag(own)))
        except errors.ImageNotFound:
            return False


def _config(project: Project, own: str, folder: Path) -> bytes:
    """The configuration of the engine's runtime."""
    image = _client(project).images.get(_tag(own))
    kept = store.read_blob(project.home, str(image.id))
    if kept is None:
        kept = archives.export(_client(project), _tag(own), folder).config
        store.put_blob(project.home, kept)
    return kept


def _build(project: Project, variant: str, own: str, folder: Path) -> Content:
    below = base.ensure(project)
    laid = folder / "packages"
    laid.mkdir()
    packages.lay(project, packages.file(project, variant), base.python(project), laid)
    recipe = Recipe(
        dockerfile=f"{FOLDER}/Dockerfile",
        files=_files(project, laid),
        base=below,
        key=own,
        labels={
            BASE_DIGEST: base.digest(project, below),
            KEY: own,
            VARIANT: variant,
            TREE: git.tree_digest(project.root, project.config.artefact.code),
        },
    )
    content = building.build(project.docker_host, recipe, folder)
    _check_module(project, content)
    archives.load(_client(project), content, _tag(own), folder)
    return content


def _files(project: Project, laid: Path) -> dict[str, Path]:
    """Path in the context → file."""
    files = {name: project.root / FOLDER / name for name in FILES}
    code = git.files(project.root, *project.config.artefact.code)
    if not code:
        named = ", ".join(project.config.artefact.code)
        raise ConfigError(f"there is no {named}", f"{FILE} [artefact] code", "mend the paths")
    files |= {f"code/{n}": project.root / n for n in code if "__pycache__" not in n}
    return files | {f"packages/{name}": path for name, path in store.tree_files(laid).items()}


def _check_module(project: Project, content: Content) -> None:
    module = project.config.artefact.module
    entry = (json.loads(content.config)["config"].get("Entrypoint")) or []
    if module not in entry:
        what = f"the image starts {' '.join(entry) or 'nothing'}, and [artefact] module is {module}"
        raise ConfigError(what, f"{FOLDER}/Dockerfile ENTRYPOINT", "make the two the same")


def _push(project: Project, registry: Registry, own: str, content: Content) -> Manifest:
    name = repository(project)
    layers = [registry.put_blob(name, layer.path, LAYER) for layer in content.layers]
    config = registry.put_blob(name, content.config, CONFIG)
    manifest = manifests.build(config, layers)
    registry.put_manifest(name, manifest, _registry_tag(own))
    store.put_blob(project.home, manifest.raw)
    return manifest


def layer_of(digest: str, size: int) -> Descriptor:
    """A plain layer as manifests name it."""
    return Descriptor(LAYER, digest, size)


def _client(project: Project) -> Any:
    return docker_host.connect(project.docker_host)


def _tag(own: str) -> str:
    return f"slipway/runtime:{own}"


def _registry_tag(own: str) -> str:
    return f"runtime-{own}"
