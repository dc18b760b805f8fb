"""Gates of the subject: image."""

import math
from dataclasses import dataclass, field

from ...records import Finding
from ..found import Samples


@dataclass(frozen=True)
class GpuReport:
    """What the probe found inside an image for a GPU; a default says that it found nothing.

    Attributes:
        runtime: whose GPU side was asked: "onnxruntime" or "tensorflow".
        built_for_cuda, built_for_cudnn: versions that the runtime was built for.
        libraries: how many CUDA libraries are there; `broken`: those missing, cut, or not loading.
        waiting: libraries that lack the host's driver and nothing else.
        driver: whether the host's driver was there.
        cuda, cudnn: what the libraries say, as 1000 * major + 10 * minor and 10000 * major + ….
        device_error: status of counting the devices; 35 is the runtime's word for "no driver".
        asked_device: whether a step on a device was asked for; its times are medians.
        error: why the probe, or a part of it, gave no answer.
    """

    runtime: str = ""
    version: str = ""
    build_info: str = ""
    cuda_build: bool = False
    built_for_cuda: str = ""
    built_for_cudnn: str = ""
    providers: tuple[str, ...] = ()
    libraries: int = 0
    broken: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    driver: bool = False
    cuda: int = 0
    cudnn: int = 0
    device_error: int = -1
    devices: int = 0
    asked_device: bool = False
    device: str = ""
    inference_ms: float = math.nan
    training_ms: float = math.nan
    error: str = ""


@dataclass(frozen=True)
class Pair:
    """What was found, beside what the record says."""

    measured: str
    expected: str


@dataclass(frozen=True)
class Confinement:
    """What an image lets its service do, found in its layers and by trying it in a container.

    Attributes:
        user: configured in the image; `uid`, `gid` are those that the service really ran with.
        capabilities: the service's rights of root, effective and bounding, in hexadecimal.
        tried: path → what came of writing there: "written", or the name of the refusal.
        setuid: files that run with their owner's rights.
        programs: commands, and Python packages that install others, by path.
        error: why nothing could be tried.
    """

    user: str = ""
    uid: int = -1
    gid: int = -1
    no_new_privileges: bool = False
    capabilities: str = ""
    tried: dict[str, str] = field(default_factory=dict)
    setuid: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Secret:
    """A secret that was found; of itself it shows its first characters alone.

    Attributes:
        place: "layers", "history", "environment" or "labels".
        where: layer and path, or the name of the variable or label.
    """

    place: str
    rule: str
    where: str
    start: str


@dataclass(frozen=True)
class Secrets:
    """What was searched for secrets, and what was found; `searched` counts entries by place."""

    scanner: str = ""
    searched: dict[str, int] = field(default_factory=dict)
    found: tuple[Secret, ...] = ()
    more: int = 0  # secrets beyond those that are listed
    error: str = ""


@dataclass(frozen=True)
class Sbom:
    """The list of what an image contains, as it is stored beside the image.

    Attributes:
        form: format and version, e.g. "CycloneDX 1.6"; empty where it does not parse.
        digest: of the list; `about`: what it is stored for; `runtime`: what was scanned.
        runtime_layers: layers of the runtime, if they are the image's lowest; else 0.
        pinned, base: name → version, as the requirements pin and the base's database says.
        named: name → versions in the list, of what is in `pinned` or `base`.
    """

    form: str = ""
    digest: str = ""
    about: str = ""
    runtime: str = ""
    runtime_recorded: str = ""
    runtime_layers: int = 0
    components: int = 0
    pinned: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stored: str = ""
    error: str = ""


@dataclass(frozen=True)
class LintFinding:
    """What the linter says of one line."""

    file: str
    line: int
    code: str
    level: str  # error, warning, info or style
    message: str


@dataclass(frozen=True)
class Lint:
    """What the linter says of all Dockerfiles; `files`: path → sha256."""

    linter: str = ""
    files: dict[str, str] = field(default_factory=dict)
    found: tuple[LintFinding, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class ImageEvidence:
    """What an artefact holds, and how a throw-away instance of it behaved.

    Attributes:
        parts: what it consists of, each with its digest in the record or in itself.
        bytes: its size, unpacked; `memory_bytes` what the instance took after the samples.
        cpu_s: processor time from start to ready.
        writable: files and folders that its mode bits let its user write.
        changed: whether its files changed while it ran.
        confinement, secrets, sbom, lint: of images alone.
    """

    kind: str
    digest: str
    parts: dict[str, Pair]
    bytes: int
    memory_bytes: int
    cpu_s: float
    writable: tuple[str, ...]
    changed: bool
    samples: Samples
    variant: str = ""  # "cpu" or "gpu"
    confinement: Confinement | None = None
    secrets: Secrets | None = None
    sbom: Sbom | None = None
    lint: Lint | None = None
    gpu: GpuReport | None = None  # of the GPU variant alone


# kind → question → why it cannot be asked of that kind; every other one has to be answered
NOT_ASKED = {
    "bundle": {
        "non-root": "a bundle does not bring the user it runs as",
        "read-only root": "a bundle does not bring the system around it",
        "no new privileges": "a bundle does not bring the system around it",
        "programs": "a bundle does not bring the system around it",
        "setuid": "unpacking a bundle sets no such bit",
        "health check": "a bundle's engine asks it itself",
        "entry point": "a bundle's engine starts it without a shell",
        "secrets": "a bundle has no layers, no history and no environment",
        "SBOM": "a bundle does not bring a list of what it contains",
        "lint": "no Dockerfile makes a bundle",
    },
    "image": {},
    "local-image": {},
}


def not_asked(gate: str, kind: str, question: str) -> Finding | None:
    """The finding for a question that cannot be asked of a kind; None where it has to be."""
    why = NOT_ASKED.get(kind, {}).get(question)
    return Finding(gate, "not_applicable", None, "proof", why, question) if why else None
