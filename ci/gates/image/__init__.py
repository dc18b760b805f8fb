"""Gates of the subject: image."""

from dataclasses import dataclass

from ..found import Samples


@dataclass(frozen=True)
class ImageEvidence:
    """What an artefact holds, and how a throw-away instance of it behaved.

    Attributes:
        stored: digest of the bytes that were started.
        answered: digest that the instance's answers carry.
        repacked: digest of its unpacked files, packed again.
        model, requirements: digests of what it holds; with `_recorded` those in `image.json`.
        bytes: its size; `memory_bytes` what the instance took after the samples.
        cpu_s: processor time from start to ready.
        writable: files and folders that its mode bits let it write.
        changed: whether its files changed while it ran.
    """

    kind: str
    digest: str
    stored: str
    answered: str
    repacked: str
    model: str
    model_recorded: str
    requirements: str
    requirements_recorded: str
    bytes: int
    memory_bytes: int
    cpu_s: float
    writable: tuple[str, ...]
    changed: bool
    samples: Samples
