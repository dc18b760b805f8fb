"""Does it run from files it cannot write, without rights that it does not need?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ImageEvidence

OF_IMAGES = {
    "non-root": "the user it runs as",
    "read-only root": "the system around it",
    "SBOM": "a list of what it contains",
}


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


def judge(evidence: ImageEvidence, _: Settings) -> Iterable[Finding]:
    """Its own files for every kind; what only an image can bring is not applicable to a bundle."""
    writable = ", ".join(evidence.writable[:3])
    yield found(
        "confined",
        "mode bits",
        good=not evidence.writable,
        measured=len(evidence.writable),
        expected="0 writable files",
        what=f"{len(evidence.writable)} of its files are writable"
        + (f": {writable}" * bool(writable)),
    )
    yield found(
        "confined",
        "unchanged",
        good=not evidence.changed,
        measured="changed" if evidence.changed else "unchanged",
        expected="unchanged",
        what="its files after the samples: " + ("changed" if evidence.changed else "as before"),
    )
    for where, what in OF_IMAGES.items():
        yield Finding(
            "confined",
            "not_applicable" if evidence.kind == "bundle" else "block",
            None,
            "proof",
            f"{where}: a bundle does not bring {what}"
            if evidence.kind == "bundle"
            else f"{where}: not measured for kind {evidence.kind}",
            where,
        )
