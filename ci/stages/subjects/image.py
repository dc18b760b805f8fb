"""What the image's gates read: the artefact's bytes, and how a throw-away instance behaves."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ...config import Project
from ...gates.found import Samples
from ...gates.image import ImageEvidence, Pair
from ...records import Image, Probe, digest_file, digest_tree, read, write
from ...tools import artefacts, git, service, store
from ...tools.artefacts import Artefact
from ...tools.engines import backends
from ...tools.engines.trial import trial
from .. import measured
from . import Subject

NAME = "image-probe"


def collect(project: Project, _: argparse.Namespace) -> Subject:
    """The artefact of this delivery as a subject; measured once, then taken from the record."""
    image = read(project.delivery, "image", Image)
    on = digest_file(project.delivery / "image.json")
    probe = measured.standing(project, NAME, on=on, verdict="image-verdict")
    if probe is None:
        probe = _measure(project, image, on)
    return Subject(
        kind="image",
        of=image.subject,
        name="image-verdict",
        evidence=measured.evidence(ImageEvidence, probe, NAME),
        files={f"{NAME}.json": digest_file(project.delivery / f"{NAME}.json")},
        on=on,
        unproven=image.unproven,
    )


def _measure(project: Project, image: Image, on: str) -> Probe:
    artefact = artefacts.open_artefact(project, image.kind, image.subject, model=image.model)
    if image.kind == "bundle":
        evidence = _bundle(project, image, artefact)
    else:
        from . import layered

        evidence = layered.evidence(project, image, artefact)
    record = Probe(
        subject=image.subject,
        on=on,
        commit=git.commit(project.root),
        environment="trial",
        version="trial",
        url="",
        measured=asdict(evidence),
    )
    return write(project.delivery, NAME, record)


def _bundle(project: Project, image: Image, artefact: Artefact) -> ImageEvidence:
    with trial(project, artefact) as running:
        asked = service.ask_samples(running.instance.url, artefact.samples)
        requirements = digest_file(running.folder / backends.REQUIREMENTS)
        repacked = store.digest_packed(store.tree_files(running.folder))
        model = digest_tree(running.folder / store.MODEL)
        return ImageEvidence(
            kind=image.kind,
            variant=image.variant,
            digest=image.subject,
            parts={
                "bytes": Pair(digest_file(Path(artefact.reference)), image.subject),
                "answers": Pair(answered(asked), image.subject),
                "packed again": Pair(repacked, image.subject),
                "model": Pair(model, image.model),
                "requirements": Pair(requirements, image.requirements),
            },
            bytes=image.bytes,
            memory_bytes=running.memory_bytes(),
            cpu_s=running.cpu_s,
            writable=running.writable(),
            changed=running.changed(),
            samples=judged(asked, artefact.tolerance),
        )


def answered(asked: list[service.Sample]) -> str:
    """The digests that answers carry: one, if all come from one artefact."""
    return ", ".join(sorted({sample.digest for sample in asked}))


def judged(asked: list[service.Sample], tolerance: float) -> Samples:
    """Asked samples as the gates read them."""
    wrong = [
        f"sample {number}: {sample.error or f'off by {sample.difference:g}'}"
        for number, sample in enumerate(asked, 1)
        if not sample.difference <= tolerance
    ]
    worst = max((sample.difference for sample in asked), default=float("nan"))
    return Samples(len(asked), worst, tolerance, measured.phrases(wrong))
