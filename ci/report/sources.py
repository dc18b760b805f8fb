"""What there is to report on: records, or what a plain `dvc repro` left, and what is wrong with it.

Nothing here raises over a file's content. A file that cannot be relied on is named, and why.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..config import Project
from ..errors import EvidenceError
from ..records import (
    Approval,
    Candidate,
    Dataset,
    Deployment,
    Drill,
    Evaluation,
    Image,
    Plan,
    Probe,
    Record,
    Release,
    Reproduction,
    Rollback,
    Verdict,
    digest_of,
    parse,
)
from ..typed import build

RECORDS: Mapping[str, type[Record]] = {
    "drill": Drill,
    "reproduction": Reproduction,
    "plan": Plan,
    "lint": Verdict,
    "tests-unit": Verdict,
    "dataset": Dataset,
    "data-verdict": Verdict,
    "prepared-verdict": Verdict,
    "tests-integration": Verdict,
    "candidate": Candidate,
    "evaluation": Evaluation,
    "model-verdict": Verdict,
    "image": Image,
    "image-probe": Probe,
    "image-verdict": Verdict,
    "tests-e2e": Verdict,
    "staging": Deployment,
    "staging-probe": Probe,
    "staging-verdict": Verdict,
    "approval": Approval,
    "canary": Deployment,
    "canary-probe": Probe,
    "canary-verdict": Verdict,
    "production": Deployment,
    "production-probe": Probe,
    "production-verdict": Verdict,
    "release": Release,
    "rollback": Rollback,
}
BARE = {  # record name → what a DVC stage leaves
    "data-verdict": "verdicts/data.json",
    "prepared-verdict": "verdicts/prepared.json",
    "model-verdict": "verdicts/model.json",
}
LARGEST = 20_000_000  # bytes of one JSON file
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Sources:
    """All that a report is made of.

    Attributes:
        records: record name → record, the sound ones.
        digests: record name → sha256 of its file.
        details: `evaluation`, `cleaning`, `history`, … → what that JSON file holds.
        broken: file → why it cannot be relied on.
        notes: what was left out, and why.
        raw: file → its bytes, kept beside the page.
        plots: the folder with this delivery's pictures, or None.
        bare: whether these are the verdicts of a plain `dvc repro`.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    raw: Mapping[str, bytes] = field(default_factory=dict)
    plots: Path | None = None
    bare: bool = False

    def get(self, name: str, cls: type[R]) -> R | None:
        """A sound record, or None."""
        record = self.records.get(name)
        return record if isinstance(record, cls) else None

    def verdicts(self) -> dict[str, Verdict]:
        """Record name → verdict, in the order of the steps."""
        return {n: r for n, r in self.records.items() if isinstance(r, Verdict)}

    @property
    def empty(self) -> bool:
        """Whether there is nothing at all to report on."""
        return not (self.records or self.broken or self.details)


@dataclass
class Found:
    """What has been read so far."""

    records: dict[str, Record] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    raw: dict[str, bytes] = field(default_factory=dict)

    def blocked(self, *names: str) -> bool:
        """Whether one of these verdicts says no."""
        verdicts = (self.records.get(name) for name in names)
        return any(isinstance(v, Verdict) and v.outcome == "block" for v in verdicts)


def records(project: Project) -> tuple[Found, bool]:
    """The records in `delivery/`, else the verdicts that a plain `dvc repro` left (True)."""
    found = Found()
    for name, cls in RECORDS.items():
        path = f"delivery/{name}.json"
        content = content_of(project.delivery / f"{name}.json", path, found.broken)
        if content is None:
            continue
        found.raw[path] = content
        try:
            found.records[name] = parse(content, cls, path)
            found.digests[name] = digest_of(content)
        except EvidenceError as error:
            found.broken[path] = error.what
    bare = not (found.records or found.broken)
    if bare:
        _bare_verdicts(found, project)
    return found, bare


def _bare_verdicts(found: Found, project: Project) -> None:
    """The verdicts of `dvc repro`; none after a block, since DVC runs nothing behind one."""
    for name, path in BARE.items():
        if found.blocked(*BARE):
            if (project.root / path).exists():
                found.notes.append(f"{path} is of an earlier run: the data is blocked now")
            continue
        content = content_of(project.root / path, path, found.broken)
        if content is None:
            continue
        found.raw[path] = content
        try:
            found.records[name] = build(Verdict, json.loads(content))
        except (ValueError, RecursionError) as error:  # a Mismatch is a ValueError
            found.broken[path] = f"a verdict is malformed: {error}"


def content_of(path: Path, shown: str, broken: dict[str, str]) -> bytes | None:
    """A file's bytes; None where it is not there, or cannot be read, which `broken` then says."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            broken[shown] = f"too large to read: {size:,} bytes"
            return None
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        broken[shown] = f"cannot be read: {error.strerror}"
        return None
