"""`slipway image`: packs the candidate with the code that serves it, once it has passed."""

import argparse
import time
from pathlib import Path

from ..config import Project
from ..records import Candidate, Image, Kind, digest_file, digest_tree, read, read_if_there, write
from ..settings import FILE
from ..tools import bundles, git, made, store
from ..tools.engines import choice
from ..tools.images.model import Made, Model
from ..tools.images.runtime import Runtime
from ..tools.registry import Registry
from . import Done, repro, say, tickets

UNPROVEN: dict[Kind, tuple[str, ...]] = {
    "image": (),
    "local-image": ("that it can be had anywhere else: it is in this engine alone",),
    "bundle": (
        "the Python and the system below it: a bundle brings neither",
        "a user without rights, a read-only root: it runs as whoever deploys it",
        "what its packages contain: they are pinned by hash, there is no SBOM",
    ),
}


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Makes the artefact of the kind that the environments take, unless it is there already."""
    evidence = tickets.require(project, "image")
    candidate = read(project.delivery, "candidate", Candidate)
    kind = choice.kind(project)
    standing = read_if_there(project.delivery, "image", Image)
    with made.making(project.home):  # what is being made, `slipway prune` does not remove
        record, new = _made(project, kind, candidate, evidence)
        made.note(project.home, record)
    write(project.delivery, "image", record)
    if not new and standing and standing.evidence == evidence:
        say(f"nothing to build: {record.reference} holds this model")
        return Done("already built", record.subject)
    found = "" if new else ", found again"
    say(f"{kind}, {record.bytes / 1e6:.1f} MB: {record.reference}{found}")
    say(f"  kind: {_why(project, kind)}")
    for doubt in record.unproven:
        say(f"  unproven: {doubt}")
    return Done("built", record.subject)


def _why(project: Project, kind: Kind) -> str:
    """What decided the kind."""
    if project.config.artefact.kind != "auto":
        return f"{FILE} [artefact] kind"
    if kind == "image":
        return "every environment is on a Docker engine, and there is a registry"
    if kind == "local-image" and project.passing:
        return "a build of another branch or of a pull request, which pushes nothing"
    if kind == "local-image":
        return "every environment is on a Docker engine, and there is no registry"
    lacking, host = choice.lacking(project), project.docker_host
    if not choice.usable(host):
        return f"no Docker engine answers at {host}"
    missing = f"; images would want {lacking}" if lacking else ""
    return f"an environment is on the process engine{missing}"


def _made(
    project: Project, kind: Kind, candidate: Candidate, evidence: dict[str, str]
) -> tuple[Image, bool]:
    """The record of an artefact that is there, and whether it had to be made."""
    upon = Model(candidate.subject, candidate.dataset, _model(project, candidate.subject))
    variant = project.config.image.variant
    if kind == "bundle":
        requirements, runtime = project.root / project.config.artefact.requirements, ""
        made = bundles.build(project, upon.folder)
        variant = "cpu"
    else:
        from ..tools.images import packages

        requirements = packages.file(project, variant)
        made, runtime = _image(project, kind, upon)
    record = Image(
        subject=made.digest,
        on=evidence["model-verdict"],
        commit=git.commit(project.root),
        kind=kind,
        reference=made.reference,
        model=candidate.subject,
        dataset=candidate.dataset,
        tree=git.tree_digest(project.root, project.config.artefact.code),
        requirements=digest_file(requirements),
        bytes=made.bytes,
        variant=variant,
        runtime=runtime,
        evidence=evidence,
        unproven=UNPROVEN[kind],
    )
    return record, made.new


def _image(project: Project, kind: Kind, upon: Model) -> tuple[Made, str]:
    """An image of the candidate, and the digest of the runtime below it."""
    from ..tools.images import append, local
    from ..tools.registry import local as local_registry
    from ..tools.registry import open_registry

    if kind == "local-image":
        below = _runtime(project, None)
        return local.build(project, below, upon), below.digest
    begins = not project.config.image.registry and not local_registry.running(project)
    with open_registry(project) as registry:
        if begins:
            say(f"started a registry for this machine's images: {registry.address.name}")
        below = _runtime(project, registry)
        return append.build(project, registry, below, upon), below.digest


def _runtime(project: Project, registry: Registry | None) -> Runtime:
    """The runtime below the model; says where it was found, or how long it took."""
    from ..tools.images import runtime

    began = time.monotonic()
    found = runtime.ensure(project, project.config.image.variant, registry)
    where = f"found again in the {found.found}"
    if found.found == "built":
        where = f"built in {time.monotonic() - began:.0f} s"
    say(f"runtime {found.key[:12]}: {where}")
    return found


def _model(project: Project, digest: str) -> Path:
    """The candidate's folder: this checkout's, else one from the store.

    A store that never had it belongs to another agent's home; then DVC has it.
    """
    if not (_holds(project, digest) or store.has_model(project.home, digest)):
        repro.restore(project, project.config.model.candidate)
    if _holds(project, digest):
        return project.candidate
    folder = project.scratch / "models" / digest.removeprefix("sha256:")
    store.fetch_model(project.home, digest, folder)
    return folder


def _holds(project: Project, digest: str) -> bool:
    return project.candidate.is_dir() and digest_tree(project.candidate) == digest
