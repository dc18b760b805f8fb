"""What files hashed to, remembered as git's index does: what has not moved is not read again.

A memo is a help and never a witness: docs/adr/0016-a-memo-of-hashes.md says who may use it.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolError
from ..records import canonical, digest_of, write_atomically
from ..typed import build, plain
from . import folders

FILE = "hashes.json"
SETTLED_NS = 2_000_000_000  # a younger file may change once more within one tick of its clock


@dataclass(frozen=True)
class Hashed:
    """The md5 of a file, and what its inode said then.

    Attributes:
        inode: device, number, size, times of modification and of change in ns. Nobody can set the
            last one, which every write moves, through whatever name of the file.
    """

    md5: str
    inode: tuple[int, ...]


@dataclass(frozen=True)
class Memo:
    """Absolute path → what the file hashed to."""

    files: dict[str, Hashed]


@contextlib.contextmanager
def remembered(path: Path) -> Iterator[Callable[[Path], str]]:
    """Gives an md5 that reads only the files which may have changed since it last did.

    Args:
        path: where the memo is. One that cannot be read or written is not used; a file that
            changes while it is read, or did so a moment before, is not remembered.
    """
    known, found = _load(path), dict[str, Hashed]()

    def md5(file: Path) -> str:
        now, inode = time.time_ns(), _inode(file)
        said = known.get(str(file))
        if said and inode and said.inode == inode:
            return said.md5
        value = folders.md5(file)
        if inode and inode[-1] < now - SETTLED_NS and inode == _inode(file):
            found[str(file)] = Hashed(value, inode)
        return value

    yield md5
    if found:
        _save(path, {**_load(path), **found})  # another process may have written meanwhile


def _inode(file: Path) -> tuple[int, ...]:
    """What a file's inode says now; nothing where it cannot be asked."""
    try:
        now = file.stat()
    except OSError:
        return ()
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _load(path: Path) -> dict[str, Hashed]:
    """What is remembered; nothing where the memo is not there, or not as it was written."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
        whole = digest_of(content).encode() == digest
        return build(Memo, json.loads(content)).files if whole else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _save(path: Path, files: Mapping[str, Hashed]) -> None:
    """Writes what is remembered of files that are still there."""
    with contextlib.suppress(ToolError, OSError, UnicodeError):  # then the next one hashes again
        kept = {name: said for name, said in files.items() if Path(name).exists()}
        content = canonical(plain(Memo(kept)))
        write_atomically(path, digest_of(content).encode() + b"\n" + content)
