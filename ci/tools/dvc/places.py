"""Where DVC's objects are: a cache or a remote, each with the same few questions.

An object is named by the md5 of its bytes; a folder's listing is one too, with `.dir` behind it.
A run record says which outs a command once made of which dependencies.
"""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from ...errors import EvidenceError
from .. import folders
from .setup import Sections, remote_folder

T = TypeVar("T")
Opened = tuple[Any, str]  # DVC's file system, and the path in it
OBJECT = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


class Place(Protocol):
    """A cache or a remote."""

    @property
    def name(self) -> str:
        """What people call it."""

    def has(self, md5s: Iterable[str]) -> set[str]:
        """Those of some objects that are there."""

    def read(self, path: str) -> bytes | None:
        """A small file of it."""

    def records(self, key: str) -> list[str]:
        """The paths of the run records of a key, the newest first."""

    def get(self, md5: str, into: Path) -> None:
        """Copies an object into a file."""

    def put(self, source: Path, path: str) -> None:
        """Copies a file to a path: whole or not at all."""


def path_of(md5: str) -> str:
    """Where a place keeps an object.

    Raises:
        EvidenceError: that is no name of one, and could lead anywhere.
    """
    if not OBJECT.fullmatch(md5):
        where, todo = "dvc.lock or a .dvc file", "restore it from git"
        raise EvidenceError(f"'{md5}' is no name of an object of DVC's", where, todo)
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def runs_of(key: str) -> str:
    """Where a place keeps the run records of a key."""
    return f"runs/{key[:2]}/{key}"


def entries(listing: bytes | None) -> dict[str, str] | None:
    """Relative path → md5, as a folder's listing says; None where it is none or leads astray."""
    try:
        content = json.loads(listing or b"")
        found = {str(entry["relpath"]): str(entry["md5"]) for entry in content}
    except (ValueError, KeyError, TypeError):
        return None
    well = all(OBJECT.fullmatch(md5) and _inside(name) for name, md5 in found.items())
    return found if well else None


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def whole(path: Path, md5: str) -> bool:
    """Whether a file's bytes are what it is named after."""
    return path.is_file() and folders.md5(path) == md5.removesuffix(".dir")


class Folder:
    """A place that is a folder: a cache, or a remote on a disk."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path

    def has(self, md5s: Iterable[str]) -> set[str]:
        """Those of some objects that are there."""
        return {md5 for md5 in md5s if (self.path / path_of(md5)).is_file()}

    def read(self, path: str) -> bytes | None:
        """A small file of it."""
        try:
            return (self.path / path).read_bytes()
        except OSError:
            return None

    def records(self, key: str) -> list[str]:
        """The paths of the run records of a key, the newest first."""
        found = [path for path in (self.path / runs_of(key)).glob("*") if len(path.name) == 64]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [f"{runs_of(key)}/{path.name}" for path in found]

    def get(self, md5: str, into: Path) -> None:
        """Copies an object into a file."""
        shutil.copyfile(self.path / path_of(md5), into)

    def put(self, source: Path, path: str) -> None:
        """Copies a file to a path: whole or not at all."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            shutil.copyfile(source, partial)
            partial.chmod(0o444)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def keep(self, md5: str, place: Place, name: str) -> None:
        """Takes an object from another place, if its bytes are what it is named after.

        Args:
            name: what people call it.

        Raises:
            EvidenceError: the other place has other bytes under this name.
        """
        target = self.path / path_of(md5)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            place.get(md5, partial)
            if not whole(partial, md5):
                raise EvidenceError(
                    f"{name} has other bytes in {place.name} than its name {md5} says",
                    path_of(md5),
                    "remove it there, and 'dvc push' where the right one is",
                )
            partial.chmod(0o444)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def drop(self, md5: str) -> None:
        """Forgets an object."""
        (self.path / path_of(md5)).unlink(missing_ok=True)


@dataclass(frozen=True)
class Patience:
    """How long a remote may leave us waiting; our own work meanwhile, as imports are, counts not.

    Attributes:
        all_s: with all of its answers together.
        first_s: with the first one, which shows that it answers at all; None: as long as that.
    """

    all_s: float
    first_s: float | None = None


class Cloud:
    """A place that is reached over a network, through DVC's own file systems.

    Attributes:
        silent: why it is not asked any more; empty while it answers.
    """

    ATOMIC = ("s3", "gs", "azure", "oss", "http", "https")  # a put arrives whole or not at all

    def __init__(self, name: str, opened: Callable[[], Opened], patience: Patience) -> None:
        self.name, self.silent = name, ""
        self._open, self._opened = opened, list[Opened]()
        self._patience, self._waited_s, self._answered = patience, 0.0, False

    def has(self, md5s: Iterable[str]) -> set[str]:
        """Those of some objects that are there."""
        wanted = sorted(md5s)

        def ask(fs: Any, root: str) -> set[str]:
            there = fs.exists([fs.join(root, path_of(md5)) for md5 in wanted])
            return {md5 for md5, is_there in zip(wanted, there, strict=True) if is_there}

        return self._ask(ask, set()) if wanted else set()

    def read(self, path: str) -> bytes | None:
        """A small file of it."""

        def ask(fs: Any, root: str) -> bytes | None:
            try:
                return bytes(fs.cat_file(fs.join(root, path)))
            except FileNotFoundError:
                return None

        return self._ask(ask, None)

    def records(self, key: str) -> list[str]:
        """The paths of the run records of a key, the newest first where the remote tells."""

        def ask(fs: Any, root: str) -> list[str]:
            try:
                found = fs.ls(fs.join(root, runs_of(key)), detail=True)
            except (FileNotFoundError, NotImplementedError):  # plain HTTP has no folders
                return []
            found = [entry for entry in found if entry.get("type") != "directory"]
            found.sort(key=lambda entry: str(entry.get("LastModified", "")), reverse=True)
            return [f"{runs_of(key)}/{fs.name(entry['name'])}" for entry in found]

        return self._ask(ask, [])

    def get(self, md5: str, into: Path) -> None:
        """Copies an object into a file."""
        fs, root = self._there()
        fs.get_file(fs.join(root, path_of(md5)), str(into))

    def put(self, source: Path, path: str) -> None:
        """Copies a file to a path: whole or not at all."""
        fs, root = self._there()
        target = fs.join(root, path)
        if fs.protocol in self.ATOMIC:
            fs.put_file(str(source), target)
            return
        partial = f"{target}.{os.getpid()}"
        fs.makedirs(fs.parent(target), exist_ok=True)
        fs.put_file(str(source), partial)
        fs.mv(partial, target)

    def _there(self) -> Opened:
        if not self._opened:
            self._opened.append(self._open())
        return self._opened[0]

    def _ask(self, question: Callable[[Any, str], T], nothing: T) -> T:
        """An answer within what is left of our patience; `nothing` where there is none."""
        if self.silent:
            return nothing
        answers, errors = list[T](), list[Exception]()

        def answer() -> None:
            try:
                answers.append(question(*self._there()))
            except Exception as error:
                errors.append(error)

        asked = threading.Thread(target=answer, daemon=True)  # ends with us, whatever it waits for
        first_s, all_s = self._patience.first_s, self._patience.all_s
        limit_s = all_s if self._answered or first_s is None else min(first_s, all_s)
        self._waited_s += _waited(asked, limit_s - self._waited_s, all_s)
        if answers:
            self._answered = True
            return answers[0]
        said = " ".join(str(errors[0]).split())[:200] if errors else ""
        late = f"did not answer within {limit_s:g} s"
        self.silent = f"{self.name} {f'cannot be read: {said}' if errors else late}"
        return nothing


def _waited(asked: threading.Thread, limit_s: float, longest_s: float) -> float:
    """Lets a question be asked, and gives the seconds in which this process had nothing to do.

    Args:
        limit_s: of those; then nobody waits for it any more.
        longest_s: of all seconds, whatever was done in them.
    """
    started, worked = time.monotonic(), time.process_time()
    passed_s = waited_s = 0.0
    asked.start()
    while asked.is_alive() and waited_s < limit_s and passed_s < longest_s:
        asked.join(limit_s - waited_s)
        passed_s = time.monotonic() - started
        waited_s = max(0.0, passed_s - (time.process_time() - worked))
    return waited_s


def remote_of(repo: Any, settings: Sections, patience: Patience) -> Place:
    """The default remote of a DVC project that is open."""
    return _remote(Path(repo.root_dir), lambda: repo, settings, patience)


def remote_at(root: Path, settings: Sections, patience: Patience) -> Place:
    """The default remote of the DVC project in a folder; DVC opens it only where it has to be."""

    def opened() -> Any:
        from dvc.repo import Repo

        return Repo(str(root))

    return _remote(root, opened, settings, patience)


def _remote(
    root: Path,
    project: Callable[[], Any],
    settings: Sections,
    patience: Patience,
) -> Place:
    folder = remote_folder(root, settings)
    if folder:
        return Folder("the remote", folder)

    def opened() -> Opened:
        remote = project().cloud.get_remote()
        return remote.fs, remote.path

    return Cloud("the remote", opened, patience)
