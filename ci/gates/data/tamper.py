"""Are the raw files, byte for byte, the version that `data.dvc` names?"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from . import DataEvidence

GATE = "tamper"


@dataclass(frozen=True)
class Settings:
    """Nothing to set: bytes are the same or they are not."""


def judge(evidence: DataEvidence, _: Settings) -> Iterable[Finding]:
    """One finding on the version as a whole, one a file where its listing is known."""
    same = evidence.found == evidence.expected
    yield Finding(
        GATE,
        "pass" if same else "block",
        evidence.found,
        evidence.expected,
        "the bytes are those of data.dvc" if same else "the bytes are not those of data.dvc",
        "version",
    )
    if not evidence.listing:
        message = "neither DVC's cache nor a record knows the files of this version"
        yield Finding(GATE, "skip", None, "a listing", message, "listing")
        return
    found = {file.name: file.md5 for file in evidence.reading.files}
    for name in sorted({*found, *evidence.listing}):
        yield _file(name, found.get(name), evidence.listing.get(name))


def _file(name: str, found: str | None, known: str | None) -> Finding:
    if known is None:
        message = f"{name} is not part of the version that data.dvc names"
    elif found is None:
        message = f"{name} of the version that data.dvc names is missing"
    elif found != known:
        message = f"{name}: its bytes are not those of data.dvc"
    else:
        return Finding(GATE, "pass", found, known, f"{name} is as data.dvc says", name)
    return Finding(GATE, "block", found or "no file", known or "no file", message, name)
