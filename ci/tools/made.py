"""What this home has made: one small file an artefact, as young as its last making.

The ledger knows what was registered. This knows the rest: what a gate stopped, or what is still on
its way, so that `slipway prune` can tell rubbish from work.
"""

import contextlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ..records import Image, canonical, write_atomically
from . import locks


@dataclass(frozen=True)
class Note:
    """One artefact of this home."""

    digest: str
    kind: str
    runtime: str
    at: float  # seconds since 1970


def making(home: Path) -> AbstractContextManager[None]:
    """The right to make or to remove artefacts of this home; one process at a time has it."""
    return locks.held(home / "made" / ".lock")


def note(home: Path, image: Image) -> None:
    """Remembers that an artefact was made, or was wanted again, just now."""
    remember(home, image.subject, image.kind, image.runtime)


def remember(home: Path, digest: str, kind: str, runtime: str = "") -> None:
    """Remembers an artefact that no record tells of."""
    content = {"digest": digest, "kind": kind, "runtime": runtime}
    write_atomically(_file(home, digest), canonical(content))


def notes(home: Path) -> Iterator[Note]:
    """Every artefact that this home has made and not removed."""
    folder = home / "made"
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # gone, or cut off
            content = json.loads(path.read_bytes())
            fields = {key: str(content[key]) for key in ("digest", "kind", "runtime")}
            yield Note(**fields, at=path.stat().st_mtime)


def forget(home: Path, digest: str) -> None:
    """Forgets an artefact that was removed."""
    _file(home, digest).unlink(missing_ok=True)


def _file(home: Path, digest: str) -> Path:
    return home / "made" / f"{digest.removeprefix('sha256:')}.json"
