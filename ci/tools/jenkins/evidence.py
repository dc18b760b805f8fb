"""What a build left: archived files, and the test results."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from ...errors import EvidenceError, ToolError
from .builds import Build
from .connection import Connection, whole

RECORD = 2 << 20  # bytes; a record stays below 1 MB
MOST_BYTES = 512 << 20
MOST_FILES = 10_000
PAGE = "Delivery/"  # as `publishHTML` in the Jenkinsfile names it
REPORT = "delivery/report/index.html"
FAILED = ("FAILED", "REGRESSION")


@dataclass(frozen=True)
class Failed:
    """A test that failed."""

    name: str
    message: str
    details: tuple[str, ...]


def content(connection: Connection, build: Build, name: str, most: int = RECORD) -> bytes:
    """An archived file's bytes.

    Raises:
        ToolError: it is longer than `most` bytes.
    """

    def take(_: Mapping[str, str], pieces: Iterator[bytes]) -> bytes:
        return whole(pieces, most, f"{build.url}artifact/{name}")

    return connection.get(_path(build, name), take=take).body


def report(connection: Connection, build: Build) -> str:
    """The address of the page that a build has published or archived; empty where there is none.

    The page is there before the files are archived: while the build waits for its approval.
    """
    if connection.get(f"{build.path}{PAGE}", accept=(200, 404)).status == 200:
        return f"{build.url}{PAGE}"
    return f"{build.url}artifact/{REPORT}" if REPORT in build.artifacts else ""


def failed_tests(connection: Connection, build: Build) -> tuple[Failed, ...]:
    """The tests that failed in a build; none where it has no test results."""
    fields = "className,name,status,errorDetails,errorStackTrace"
    tree = {"tree": f"suites[cases[{fields}]]"}
    answer = connection.get(f"{build.path}testReport/api/json", params=tree, accept=(200, 404))
    suites = answer.json(dict).get("suites") or () if answer.status == 200 else ()
    return tuple(
        Failed(
            f"{case.get('className')}: {case.get('name')}",
            str(case.get("errorDetails") or ""),
            tuple(str(case.get("errorStackTrace") or "").splitlines()[:2]),
        )
        for suite in suites
        for case in suite.get("cases") or ()
        if case.get("status") in FAILED
    )


def fetch(connection: Connection, build: Build, names: Sequence[str], into: Path) -> int:
    """Puts archived files into a folder, all of them or none; gives their bytes.

    Args:
        into: does not exist yet, or is an empty folder, or one that an earlier fetch left.

    Raises:
        EvidenceError: a name leads out of the folder.
        ToolError: it is too much, or cannot be written.
    """
    for name in names:
        refuse_outside(name, build.url)
    if len(names) > MOST_FILES:
        raise ToolError(f"{len(names)} files are too many", build.url, "fetch them in Jenkins")
    partial = into.with_name(f".{into.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        left = MOST_BYTES
        for name in names:
            left -= _fetch_one(connection, build, name, partial / name, left)
        _put(partial, into)
    except OSError as error:
        raise _unwritten(error, into) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return MOST_BYTES - left


def refuse_outside(name: str, where: str) -> None:
    """Refuses a name that does not stay below the folder that it is put into.

    Raises:
        EvidenceError: it does not.
    """
    parts = name.split("/")
    odd = "\\" in name or not name.isprintable() or any(part in ("", ".", "..") for part in parts)
    if odd or PurePosixPath(name).is_absolute():
        shown = name.encode("unicode_escape").decode()[:200]
        raise EvidenceError(f"an archived file is called '{shown}'", where, "look who made it")


def _fetch_one(connection: Connection, build: Build, name: str, path: Path, left: int) -> int:
    size = 0

    def take(_: Mapping[str, str], pieces: Iterator[bytes]) -> bytes:
        nonlocal size
        size = 0
        with _own_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with _own_errors(path), path.open("wb") as stream:
            for piece in pieces:
                size += len(piece)
                if size > left:
                    raise _too_much(MOST_BYTES, build.url)
                stream.write(piece)
        return b""

    if connection.get(_path(build, name), accept=(200, 404), take=take).status == 404:
        todo = "the build was deleted, or is still archiving; try again"
        raise EvidenceError(f"{name} is gone", build.url, todo)
    return size


@contextlib.contextmanager
def _own_errors(path: Path) -> Iterator[None]:
    """Tells a disk that fails from a connection that breaks: only the one heals by itself."""
    import requests

    try:
        yield
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise
        raise _unwritten(error, path) from error


def _put(partial: Path, into: Path) -> None:
    """Renames a whole folder into its place; what an earlier fetch left gives way."""
    into.parent.mkdir(parents=True, exist_ok=True)
    old = into.with_name(f".{into.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if into.exists():
        into.rename(old)
    partial.rename(into)
    shutil.rmtree(old, ignore_errors=True)


def _path(build: Build, name: str) -> str:
    return f"{build.path}artifact/{quote(name)}"


def _too_much(most: int, where: str) -> ToolError:
    return ToolError(f"more than {most >> 20} MB are archived", where, "fetch it in Jenkins")


def _unwritten(error: OSError, path: Path) -> ToolError:
    todo = "free space there, or mend the rights"
    return ToolError(f"cannot write: {error.strerror or error}", str(path), todo)
