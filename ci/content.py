"""Bytes that content alone decides: canonical JSON, digests, files that are whole or not there."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from .errors import EvidenceError, ToolError
from .typed import plain


def canonical(value: Any) -> bytes:
    """The JSON bytes of `value`: sorted keys, no NaN, final newline."""
    text = json.dumps(plain(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def digest_of(content: bytes) -> str:
    """The sha256 of some bytes, with its algorithm."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """The sha256 of a file, with its algorithm.

    Raises:
        EvidenceError: the file is not there.
    """
    try:
        with path.open("rb") as stream:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise EvidenceError(
            f"{path.name} is missing", str(path), "run the step that writes it again"
        ) from error


def digest_tree(root: Path) -> str:
    """One sha256 over every file below `root`: sorted relative paths with their own sha256."""
    lines = [
        f"{path.relative_to(root).as_posix()}\0{digest_file(path).removeprefix('sha256:')}\n"
        for path in sorted(root.rglob("*"), key=lambda p: p.relative_to(root).as_posix())
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return digest_of("".join(lines).encode("utf-8", "surrogateescape"))  # a name is any bytes


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a whole file or nothing; one that is there already keeps its rights.

    Raises:
        ToolError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            with contextlib.suppress(FileNotFoundError):  # it may hold credentials
                os.fchmod(stream.fileno(), path.stat().st_mode & 0o777)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ToolError(
            f"cannot write {path.name}: {error.strerror}", str(path), "free space or mend rights"
        ) from error
