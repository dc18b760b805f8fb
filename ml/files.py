"""Files that are whole or not there, with bytes that only their content decides."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

PREPARED = Path("prepared")
CANDIDATE = Path("models/candidate")
WINDOW = "window.json"  # among the prepared tables: the first and last day of the test window


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """An empty folder that takes `target`'s place when the block ends without an error."""
    partial = target.with_name(f".{target.name}.partial")
    former = target.with_name(f".{target.name}.former")
    for leftover in (partial, former):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if target.exists():
            target.replace(former)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)


def canonical(value: Any) -> bytes:
    """The JSON bytes of `value`: sorted keys, NaN as null, final newline."""
    text = json.dumps(_plain(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write(path: Path, content: bytes) -> None:
    """Writes a whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(path: Path, todo: str) -> Any:
    """What a JSON file holds.

    Raises:
        InputError: it is missing or not JSON; `todo` says what writes it.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"there is no {path.name}", str(path), todo) from error
    except ValueError as error:
        raise InputError(f"{path.name} is not JSON: {error}", str(path), todo) from error


def model_digest(folder: Path) -> str:
    """The sha256 over a model's files: sorted relative paths, each with its own sha256."""
    total = hashlib.sha256()
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name in sorted(paths):
        if paths[name].is_file() and "__pycache__" not in paths[name].parts:
            with paths[name].open("rb") as stream:
                own = hashlib.file_digest(stream, "sha256").hexdigest()
            total.update(f"{name}\0{own}\n".encode())
    return "sha256:" + total.hexdigest()
