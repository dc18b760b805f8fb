"""Is it, byte for byte, what its record says, and does it say so itself?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ImageEvidence, Pair

OF_IMAGES = (
    "bytes",
    "config",
    "layers",
    "answers",
    "model",
    "code",
    "model label",
    "data label",
    "code label",
    "variant label",
)
# kind → what has to be compared: a part that nobody compared is not proven
PARTS = {
    "bundle": ("bytes", "answers", "packed again", "model", "requirements"),
    "image": OF_IMAGES,
    "local-image": OF_IMAGES,
}


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


def judge(evidence: ImageEvidence, _: Settings) -> Iterable[Finding]:
    """One finding a part of its kind; nothing at all where the kind is unknown."""
    for where in PARTS.get(evidence.kind, ()):
        pair = evidence.parts.get(where, Pair("", "a comparison"))
        good = bool(pair.expected) and pair.measured == pair.expected
        yield found("digest", where, good=good, measured=pair.measured, expected=pair.expected)
