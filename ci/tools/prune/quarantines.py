"""Rows that verdicts set apart so long ago that nobody acts on them any more.

They hold what is personal, so they go after a while, from caches and from a remote on a disk. What
a branch, a tag or a release names stays: there it is an out of a DVC stage.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from ...config import Project
from ...errors import ToolError
from ..dvc import access
from ..dvc.places import OBJECT, path_of
from ..quarantine.keeping import NOTES
from . import Piece

UNWANTED = "rows set apart so long ago"


def noted(project: Project, caches: Iterable[Path]) -> list[Path]:
    """The notes about quarantines that are old enough, in these caches, one's own, and a remote."""
    known = access.folders(project)
    places = [*caches, *(known[name][0] for name in ("DVC cache", "DVC remote") if name in known)]
    before = _before(project)
    found = [n for p in dict.fromkeys(p.resolve() for p in places) for n in (p / NOTES).glob("*")]
    return sorted(note for note in found if _at(note) <= before)


def pieces(project: Project, notes: Iterable[Path], named: set[str]) -> Iterator[Piece]:
    """What may go: each noted quarantine that nothing names, and those fetched into this checkout.

    Args:
        named: the objects that git and releases name.
    """
    for note in notes:
        place = note.parent.parent.parent
        objects = [place / path_of(md5) for md5 in _objects(note) - named]
        size = sum(path.stat().st_size for path in objects if path.is_file())
        remove = partial(_remove, (*objects, note))
        yield Piece("quarantine", note.stem[:12], str(place), "", size, UNWANTED, remove)
    for folder in sorted((project.scratch / access.QUARANTINE).glob("[!.]*/")):
        if _at(folder) <= _before(project):
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            where, remove = str(folder.parent), partial(_remove, (folder,))
            yield Piece("quarantine", folder.name, where, "", size, UNWANTED, remove)


def _before(project: Project) -> float:
    return time.time() - project.config.retention.quarantine_days * 86400


def _at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return float("inf")  # gone meanwhile, or not ours to see


def _objects(note: Path) -> set[str]:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return set(filter(OBJECT.fullmatch, map(str, json.loads(note.read_bytes()))))
    return set()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            todo = "mend its rights, then prune again"
            raise ToolError(f"cannot remove: {error.strerror}", str(path), todo) from error
