"""Bundles: the model, the code that serves it and the pinned requirements, as one tar."""

from pathlib import Path

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..settings import FILE
from . import git, store
from .engines import backends
from .images.model import Made


def build(project: Project, model: Path) -> Made:
    """The bundle of a model's folder, in the store.

    Raises:
        ConfigError: `delivery.toml` names code or requirements that are not there.
    """
    contents = contents_of(project, model)
    digest = store.digest_packed(contents)
    new = not _is_stored(project, digest)
    if new:
        digest = store.put_bundle(project.home, contents)
    path = store.bundle(project.home, digest)
    return Made(digest, str(path), path.stat().st_size, new)


def contents_of(project: Project, model: Path) -> dict[str, Path]:
    """Path in the bundle → file.

    Raises:
        ConfigError: `delivery.toml` names code or requirements that are not there.
    """
    artefact = project.config.artefact
    contents: dict[str, Path] = {}
    for path in artefact.code:
        listed = git.files(project.root, path)
        names = [name for name in listed if "__pycache__" not in name]
        if not names:
            raise ConfigError(f"there is no {path}", f"{FILE} [artefact] code", "mend the path")
        contents |= {name: project.root / name for name in names}
    requirements = project.root / artefact.requirements
    if not requirements.is_file():
        where = f"{FILE} [artefact] requirements"
        raise ConfigError(f"there is no {artefact.requirements}", where, "mend the path")
    contents[backends.REQUIREMENTS] = requirements
    installer = requirements.with_name("uv.txt")
    if installer.is_file():
        contents[str(Path(backends.REQUIREMENTS).with_name(installer.name))] = installer
    files = store.tree_files(model)
    return contents | {f"{store.MODEL}/{name}": path for name, path in files.items()}


def _is_stored(project: Project, digest: str) -> bool:
    try:
        return store.bundle(project.home, digest).is_file()
    except EvidenceError:
        return False  # not there, or altered: it is written again
