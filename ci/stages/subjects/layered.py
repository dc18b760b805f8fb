"""What the gates read of an image with layers: taken apart, run, searched, listed, linted."""

from collections.abc import Sequence
from pathlib import Path

from ...config import Project
from ...errors import SlipwayError
from ...gates.image import (
    Confinement,
    GpuReport,
    ImageEvidence,
    Lint,
    LintFinding,
    Pair,
    Sbom,
    Secret,
    Secrets,
)
from ...records import Image, digest_of
from ...tools import docker_host, service
from ...tools.artefacts import Artefact
from ...tools.images import packages
from ...tools.scan import contents, filesystem, inside, layers, lint, pins, rules, sbom, syft
from ...tools.scan.contents import Contents
from ...tools.scan.filesystem import Files
from ...tools.scan.inside import Inside
from ...tools.scan.layers import Survey
from ...typed import Mismatch, build

CODE, MODEL = "srv", "srv/model"  # where an image has them
LABELS = {
    "model label": "slipway.model-digest",
    "data label": "slipway.data-digest",
    "code label": "slipway.tree-digest",
    "variant label": "slipway.variant",
}
MOST = 100  # secrets that are listed: the record stays small


def evidence(project: Project, image: Image, artefact: Artefact) -> ImageEvidence:
    """What an image holds, and how a container of it behaved.

    Raises:
        EvidenceError: it is not there, or not whole.
        ToolError: it does not start; the engine or the registry fails.
    """
    from ...tools.engines.containers.trial import trial
    from .image import answered, judged

    with contents.opened(project, image.kind, image.subject) as opened:
        surveys = [
            layers.survey(layer.digest, layer.open, cache(project)) for layer in opened.layers
        ]
        listed = _sbom(project, image, opened, filesystem.merge(surveys))
    files = filesystem.merge(surveys)
    with trial(project, artefact) as running:
        asked = service.ask_samples(running.instance.url, artefact.samples)
        changed, memory = running.changed(), running.memory_bytes()  # before anything is tried
        ran = inside.ask(docker_host.host_of(project), running.instance.id)
        loose = filesystem.writable(files, ran.uid, ran.gid)
        parts = compared(project, image, opened, surveys, files)
        return ImageEvidence(
            kind=image.kind,
            variant=image.variant,
            digest=image.subject,
            parts=parts | {"answers": Pair(answered(asked), image.subject)},
            bytes=sum(survey.bytes for survey in surveys),
            memory_bytes=memory,
            cpu_s=running.cpu_s,
            writable=tuple(dict.fromkeys((*loose, *running.writable())))[:MOST],
            changed=changed,
            samples=judged(asked, artefact.tolerance),
            confinement=confinement(opened, files, ran),
            secrets=secrets(opened, surveys, files),
            sbom=listed,
            lint=linted(project),
            gpu=_gpu(project, image, artefact),
        )


def cache(project: Project) -> Path:
    """Where this home keeps what was read of layers."""
    return project.home / "scans"


def compared(
    project: Project, image: Image, opened: Contents, surveys: Sequence[Survey], files: Files
) -> dict[str, Pair]:
    """What the image consists of, beside what names it: the record, the manifest, its labels."""
    labels = opened.said("Labels") or {}
    recorded = {
        "model label": image.model,
        "data label": image.dataset,
        "code label": image.tree,
        "variant label": image.variant,
    }
    code = filesystem.code_digest(files, CODE, project.config.artefact.code)
    return {
        "bytes": Pair(opened.stored, image.subject),
        "config": Pair(opened.config_digest, opened.config_named),
        "layers": Pair(
            _together([survey.diff for survey in surveys]),
            _together([layer.diff for layer in opened.layers]),
        ),
        "model": Pair(filesystem.tree_digest(files, MODEL), image.model),
        "code": Pair(code, image.tree),
        **{name: Pair(str(labels.get(key, "")), recorded[name]) for name, key in LABELS.items()},
    }


def _together(digests: Sequence[str]) -> str:
    return f"{len(digests)} layers, {digest_of(' '.join(digests).encode())}"


def confinement(opened: Contents, files: Files, ran: Inside) -> Confinement:
    """What its service may do: by its layers, its configuration, and a container's kernel."""
    asked = (opened.said("Healthcheck") or {}).get("Test") or ()
    return Confinement(
        user=str(opened.said("User") or ""),
        uid=ran.uid,
        gid=ran.gid,
        no_new_privileges=ran.no_new_privileges,
        capabilities=ran.capabilities,
        tried=ran.tried,
        setuid=filesystem.setuid(files)[:MOST],
        programs=files.programs[:1000],
        healthcheck=tuple(asked),
        entrypoint=tuple(opened.said("Entrypoint") or opened.said("Cmd") or ()),
        error=ran.error,
    )


def secrets(opened: Contents, surveys: Sequence[Survey], files: Files) -> Secrets:
    """What looks like a secret in layers, deleted files included, history, environment, labels."""
    found = []
    for number, (layer, survey) in enumerate(zip(opened.layers, surveys, strict=True)):
        for leak in survey.leaks:
            gone = files.present.get(leak.where.lstrip("/")) != number
            where = f"layer {number + 1} ({layer.digest[:19]}): {leak.where}"
            where += ", which a later layer hides" if gone else ""
            found.append(Secret("layers", leak.rule, where, leak.start))
    history = [str(step.get("created_by", "")) for step in opened.config.get("history") or ()]
    variables = [str(variable) for variable in opened.said("Env") or ()]
    labels = {str(k): str(v) for k, v in (opened.said("Labels") or {}).items()}
    texts = [("history", f"step {n}", text) for n, text in enumerate(history, 1)]
    texts += [("environment", text.partition("=")[0], text) for text in variables]
    texts += [("labels", name, f"{name}={value}") for name, value in labels.items()]
    for place, where, text in texts:
        leaks = [
            *rules.in_bytes(text.encode(), where),
            *rules.in_assignments(text, where, sure=True),
        ]
        found += [Secret(place, leak.rule, f"{place}: {where}", leak.start) for leak in leaks]
    return Secrets(
        scanner=rules.version(),
        searched={
            "layers": sum(len(survey.paths) for survey in surveys),
            "history": len(history),
            "environment": len(variables),
            "labels": len(labels),
        },
        found=tuple(found[:MOST]),
        more=max(0, len(found) - MOST),
    )


def _sbom(project: Project, image: Image, opened: Contents, files: Files) -> Sbom:
    """The list of what it contains; what stopped it from being made, where it could not be."""
    try:
        kept = sbom.ensure(project, image.kind, image.subject, opened, image.runtime)
        return listed_in(project, image, opened, files, kept)
    except SlipwayError as error:
        return Sbom(error=f"{error.what}; {error.todo}")


def listed_in(
    project: Project, image: Image, opened: Contents, files: Files, kept: sbom.Kept
) -> Sbom:
    """What a stored list says, of all that is known to be in the image."""
    listed = syft.parse(kept.content, kept.where)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(opened.config.get("architecture", ""), "")
    path = packages.file(project, image.variant)
    pinned = pins.pinned(path, pins.python_version(listed), machine)
    named = pins.named(listed, "deb") | pins.named(listed, "apk")
    both = {f"python {n}": v for n, v in pins.named(listed, "pypi").items() if n in pinned}
    both |= {f"system {n}": v for n, v in named.items() if n in files.packages}
    return Sbom(
        form=f"CycloneDX {listed['specVersion']}",
        digest=kept.digest,
        about=kept.about,
        runtime=kept.runtime,
        runtime_recorded=image.runtime,
        runtime_layers=kept.layers,
        components=len(listed["components"]),
        pinned={f"python {name}": version for name, version in pinned.items()},
        base={f"system {name}": version for name, version in files.packages.items()},
        named=both,
        stored=kept.where,
    )


def linted(project: Project) -> Lint:
    """What the linter says of the checkout's Dockerfiles; what stopped it, where it was stopped."""
    try:
        said = lint.lint(project.root)
        return Lint(said.linter, said.files, tuple(build(LintFinding, one) for one in said.found))
    except SlipwayError as error:
        return Lint(error=error.what)
    except Mismatch as error:
        return Lint(error=f"the linter's answer is malformed: {error}")


def _gpu(project: Project, image: Image, artefact: Artefact) -> GpuReport | None:
    """What the GPU variant has for a GPU, asked inside a container of its own."""
    if image.variant != "gpu":
        return None
    from ...tools.images import gpu

    settings = project.config.gates.get("image", {}).get("gpu", {})
    client = docker_host.connect(docker_host.host_of(project))
    labels = {docker_host.MODEL: project.config.model.name}
    try:
        answer = gpu.report(
            client, artefact.reference, with_gpu=settings.get("device") is True, labels=labels
        )
        return build(GpuReport, answer)
    except Mismatch as error:
        return GpuReport(error=f"the probe's answer is malformed: {error}")
