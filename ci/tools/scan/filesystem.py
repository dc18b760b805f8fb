"""What an image's layers make together: the files that a container sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...records import digest_of
from .layers import SETUID, Mark, Survey

HIDES, HIDES_ALL = ".wh.", ".wh..wh..opq"
STICKY = 0o1000  # a folder like /tmp: each may remove only what is theirs


@dataclass(frozen=True)
class Files:
    """The files of an image.

    Attributes:
        present: path → number of the layer that it is from.
        hashes: path below `srv/` → sha256, in hexadecimal.
        packages: of the system's package database, name → version.
    """

    present: Mapping[str, int]
    hashes: Mapping[str, str]
    marks: Mapping[str, Mark]
    programs: tuple[str, ...]
    packages: Mapping[str, str]


def merge(surveys: Sequence[Survey]) -> Files:
    """The layers one on another, lowest first, with what later ones hide or replace."""
    present: dict[str, int] = {}
    packages: dict[str, str] = {}
    for number, survey in enumerate(surveys):
        for path in survey.paths:
            folder, _, name = path.rpartition("/")
            below = f"{folder}/" if folder else ""
            if name == HIDES_ALL:
                _drop(present, below, number)
            elif name.startswith(HIDES):
                hidden = below + name.removeprefix(HIDES)
                present.pop(hidden, None)
                _drop(present, f"{hidden}/", number)
        present |= {p: number for p in survey.paths if HIDES not in p.rpartition("/")[2][:4]}
        packages = dict(survey.packages) or packages
    return Files(
        present=present,
        hashes={
            p: v for n, s in enumerate(surveys) for p, v in s.hashes.items() if present.get(p) == n
        },
        marks={
            p: m for n, s in enumerate(surveys) for p, m in s.marks.items() if present.get(p) == n
        },
        programs=tuple(
            sorted(p for n, s in enumerate(surveys) for p in s.programs if present.get(p) == n)
        ),
        packages=packages,
    )


def _drop(present: dict[str, int], below: str, number: int) -> None:
    """Takes away what lower layers have below a folder."""
    for path in [p for p, n in present.items() if n < number and p.startswith(below)]:
        del present[path]


def tree_digest(files: Files, folder: str) -> str:
    """The digest of a folder below `srv/`, as `records.digest_tree` gives it; empty without one."""
    below = f"{folder.strip('/')}/"
    names = sorted(
        path.removeprefix(below)
        for path in files.hashes
        if path.startswith(below) and "__pycache__" not in path.split("/")
    )
    lines = [f"{name}\0{files.hashes[below + name]}\n" for name in names]
    return digest_of("".join(lines).encode()) if lines else ""


def code_digest(files: Files, folder: str, code: Sequence[str]) -> str:
    """The digest of the code below a folder, as `git.tree_digest` gives it; empty without any."""
    below = f"{folder.strip('/')}/"
    wanted = tuple(path.rstrip("/") for path in code)
    names = sorted(
        name
        for name in (path.removeprefix(below) for path in files.hashes if path.startswith(below))
        if any(name == path or name.startswith(f"{path}/") for path in wanted)
        and "__pycache__" not in name.split("/")
    )
    lines = [f"{name}\0sha256:{files.hashes[below + name]}\n" for name in names]
    return digest_of("".join(lines).encode()) if lines else ""


def writable(files: Files, uid: int, gid: int) -> tuple[str, ...]:
    """What the mode bits let a user write, sticky folders apart."""
    return tuple(
        sorted(
            path
            for path, mark in files.marks.items()
            if not (mark.folder and mark.mode & STICKY) and _may_write(mark, uid, gid)
        )
    )


def _may_write(mark: Mark, uid: int, gid: int) -> bool:
    if mark.uid == uid:
        return bool(mark.mode & 0o200)
    return bool(mark.mode & (0o020 if mark.gid == gid else 0o002))


def setuid(files: Files) -> tuple[str, ...]:
    """The files that run with their owner's or group's rights."""
    return tuple(sorted(p for p, m in files.marks.items() if m.mode & SETUID and not m.folder))
