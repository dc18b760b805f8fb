"""What one layer of an image holds, read once: secrets, rights, programs, the system's packages."""

import gzip
import hashlib
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from ...errors import EvidenceError
from ...records import canonical, digest_of, write_atomically
from ...typed import Mismatch, build
from . import rules
from .rules import Leak

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PIECE = 1 << 23  # bytes of a large file that are searched at once
SERVED = "srv/"  # below it every file's digest is kept
WRITES = 0o022  # by the group or by others; the owner's bit counts where that is not root
SETUID = 0o6000
MANAGERS = ("ensurepip", "pip", "uv")  # Python packages that install others
DPKG = re.compile(r"var/lib/dpkg/(status|status\.d/[^/]+)")
APK = "lib/apk/db/installed"


@dataclass(frozen=True)
class Mark:
    """A file or folder that not root alone may write, or that runs with its owner's rights."""

    uid: int
    gid: int
    mode: int
    folder: bool = False


@dataclass(frozen=True)
class Survey:
    """What one layer holds.

    Attributes:
        diff: digest of the layer without compression.
        bytes: its size without compression.
        paths: everything in it, what it hides of the layers below included.
        hashes: path below `srv/` → sha256, in hexadecimal.
        programs: what can be started, by path.
        packages: of the system's package database, name → version.
    """

    diff: str
    bytes: int
    paths: tuple[str, ...]
    hashes: dict[str, str] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()


def survey(digest: str, opened: Callable[[], BinaryIO], cache: Path) -> Survey:
    """What a layer holds; known from the cache where these rules have read it before.

    Args:
        digest: of the layer as it is stored.
        opened: gives the layer as it is stored.

    Raises:
        EvidenceError: it is no tar, or compressed by something that cannot be read here.
    """
    path = cache / f"{digest.removeprefix('sha256:')}.json"
    rules_now = digest_of(_sources() + rules.version().encode())
    try:
        known = json.loads(path.read_bytes())
        if known.get("rules") == rules_now:
            return build(Survey, known["survey"])
    except (OSError, ValueError, KeyError, AttributeError, Mismatch):
        pass  # not read yet, or by other rules, or damaged
    with opened() as stream:
        found = read(stream, digest)
    write_atomically(path, canonical({"rules": rules_now, "survey": asdict(found)}))
    return found


def _sources() -> bytes:
    """Two modules decide what a survey says; changed, they read every layer again."""
    names = (Path(__file__), Path(__file__).with_name("rules.py"))
    return b"".join(name.read_bytes() for name in names)


class _Counted:
    """A stream that knows what went through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.sha256, self.bytes = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """Some bytes of it."""
        content = self._stream.read(size)
        self.sha256.update(content)
        self.bytes += len(content)
        return content


def read(stream: BinaryIO, where: str) -> Survey:
    """What the layer in a stream holds.

    Raises:
        EvidenceError: it is no tar, or compressed by something that cannot be read here.
    """
    begin = stream.read(4)
    stream.seek(0)
    if begin == ZSTD:
        raise _odd("it is compressed by zstd", where)
    plain = cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if begin[:2] == GZIP else stream
    counted = _Counted(plain)
    notes = _Notes()
    try:
        with tarfile.open(fileobj=cast(Any, counted), mode="r|", bufsize=1 << 20) as tar:
            for member in tar:
                notes.take(member, tar)
        while counted.read(1 << 20):
            pass
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _odd(f"it cannot be read: {error}", where) from error
    return Survey(
        diff="sha256:" + counted.sha256.hexdigest(),
        bytes=counted.bytes,
        paths=tuple(notes.paths),
        hashes=notes.hashes,
        marks=notes.marks,
        programs=tuple(notes.programs),
        packages=notes.packages,
        leaks=tuple(dict.fromkeys(notes.leaks)),
    )


class _Notes:
    """What is noted while a layer is read, once."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.hashes: dict[str, str] = {}
        self.marks: dict[str, Mark] = {}
        self.programs: list[str] = []
        self.packages: dict[str, str] = {}
        self.leaks: list[Leak] = []

    def take(self, member: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
        """Notes one entry; the stream stands right behind it afterwards."""
        path = member.name.removeprefix("./").strip("/")
        self.paths.append(path)
        if not member.issym():
            loose = member.mode & WRITES or (member.uid and member.mode & 0o200)
            if loose or (member.mode & SETUID and not member.isdir()):
                self.marks[path] = Mark(member.uid, member.gid, member.mode, member.isdir())
        if is_program(path, member):
            self.programs.append(path)
        if member.isreg():
            content = cast(BinaryIO, tar.extractfile(member))
            self._content(path, member.size, content)

    def _content(self, path: str, size: int, content: BinaryIO) -> None:
        sha256, shown = hashlib.sha256(), f"/{path}"
        piece, known = content.read(PIECE), path.startswith(SERVED)
        if size <= PIECE:
            self.leaks += rules.in_file(piece, shown)
            if DPKG.fullmatch(path) or path == APK:
                self.packages |= _packages(piece.decode("utf-8", "replace"), apk=path == APK)
        tail = b""
        while piece:
            if known:
                sha256.update(piece)
            if size > PIECE:
                self.leaks += rules.in_bytes(tail + piece, shown)
                tail = piece[-rules.AROUND :]
            piece = content.read(PIECE) if size > PIECE else b""
        if known:
            self.hashes[path] = sha256.hexdigest()


def is_program(path: str, member: tarfile.TarInfo) -> bool:
    """Whether an entry is a command, or a Python package that installs others."""
    place = PurePosixPath(path)
    if place.name == "__main__.py" and place.parent.name in MANAGERS:
        return True
    commands = place.parent.name in ("bin", "sbin")
    return commands and (
        member.issym() or member.islnk() or (member.isreg() and member.mode & 0o111 > 0)
    )


def _packages(text: str, *, apk: bool) -> dict[str, str]:
    """Name → version of what a package database calls installed."""
    found = {}
    keys = ("P:", "V:") if apk else ("Package: ", "Version: ")
    for entry in text.split("\n\n"):
        lines = entry.splitlines()
        status = next((line for line in lines if line.startswith("Status: ")), "")
        if status and not status.endswith(" installed"):
            continue
        name, version = (
            next((line.removeprefix(key) for line in lines if line.startswith(key)), "")
            for key in keys
        )
        if name:
            found[name] = version
    return found


def _odd(why: str, where: str) -> EvidenceError:
    return EvidenceError(
        f"a layer of the image cannot be judged: {why}",
        where,
        "make the image with gzip or plain tar",
    )
