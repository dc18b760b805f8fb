"""`slipway image`: packs the candidate with the code that serves it, once it has passed."""

import argparse
from pathlib import Path

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..records import Candidate, Image, digest_file, digest_tree, read, read_if_there, write
from ..settings import FILE
from ..tools import git, store
from ..tools.engines import backends
from . import Done, say, tickets

UNPROVEN = (
    "the Python and the system below it: a bundle brings neither",
    "a user without rights, a read-only root: it runs as whoever deploys it",
    "what its packages contain: they are pinned by hash, there is no SBOM",
)


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Packs and stores the bundle, unless the same one stands already."""
    evidence = tickets.require(project, "image")
    candidate = read(project.delivery, "candidate", Candidate)
    standing = read_if_there(project.delivery, "image", Image)
    contents = contents_of(project, candidate.subject)
    if standing and _is_stored(project, standing) and standing.model == candidate.subject:
        same = (standing.tree, standing.requirements) == _code(project)
        if same and standing.evidence == evidence:
            say(f"nothing to build: {standing.reference} holds this model")
            return Done("already built", standing.subject)
    digest = store.put_bundle(project.home, contents)
    path = store.bundle(project.home, digest)
    record = _record(project, candidate, digest, path, evidence)
    write(project.delivery, "image", record)
    say(f"bundle of {len(contents)} files, {record.bytes / 1e6:.1f} MB: {record.reference}")
    for doubt in UNPROVEN:
        say(f"  unproven: {doubt}")
    return Done("built", digest)


def contents_of(project: Project, model: str) -> dict[str, Path]:
    """Path in the bundle → file: serving code, model, and the pinned requirements.

    Raises:
        ConfigError: `delivery.toml` names code or requirements that are not there.
        EvidenceError: the model is neither in this checkout nor in the store.
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
    folder = _model(project, model)
    files = store.tree_files(folder)
    return contents | {f"{store.MODEL}/{name}": path for name, path in files.items()}


def _model(project: Project, digest: str) -> Path:
    """The candidate's folder: this checkout's, else one from the store."""
    if project.candidate.is_dir() and digest_tree(project.candidate) == digest:
        return project.candidate
    folder = project.scratch / "models" / digest.removeprefix("sha256:")
    store.fetch_model(project.home, digest, folder)
    return folder


def _is_stored(project: Project, image: Image) -> bool:
    try:
        return store.bundle(project.home, image.subject).is_file()
    except EvidenceError:
        return False  # lost or altered: it is built again


def _code(project: Project) -> tuple[str, str]:
    """What decides a bundle beside the model: digests of the code and of the requirements."""
    artefact = project.config.artefact
    tree = git.tree_digest(project.root, artefact.code)
    return tree, digest_file(project.root / artefact.requirements)


def _record(
    project: Project, candidate: Candidate, digest: str, path: Path, evidence: dict[str, str]
) -> Image:
    tree, requirements = _code(project)
    return Image(
        subject=digest,
        on=evidence["model-verdict"],
        commit=git.commit(project.root),
        kind="bundle",
        reference=str(path),
        model=candidate.subject,
        dataset=candidate.dataset,
        tree=tree,
        requirements=requirements,
        bytes=path.stat().st_size,
        evidence=evidence,
        unproven=UNPROVEN,
    )
