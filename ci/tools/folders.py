"""What a folder holds, hashed as DVC hashes it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import ToolError


def hash_files(folder: Path, md5_of: Callable[[Path], str] | None = None) -> dict[str, str]:
    """Relative path → md5 of every file below a folder; empty where there is no such folder.

    Args:
        md5_of: gives the md5 of a file, as `md5` does.

    Raises:
        ToolError: a file cannot be read.
    """
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return {name: (md5_of or md5)(folder / name) for name in names}


def digest(files: Mapping[str, str]) -> str:
    """The digest that DVC gives a folder with these files: `md5:….dir`.

    Args:
        files: relative path → md5.
    """
    return f"md5:{hashlib.md5(listing(files), usedforsecurity=False).hexdigest()}.dir"


def listing(files: Mapping[str, str]) -> bytes:
    """What DVC keeps as the listing of a folder with these files.

    Source: dvc-data, `hashfile/tree.py`: JSON, sorted by path.
    """
    content = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return json.dumps(content, sort_keys=True).encode()


def total_bytes(folder: Path, files: Mapping[str, str]) -> int:
    """The size of these files of a folder."""
    return sum((folder / name).stat().st_size for name in files)


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What is missing, unexpected or changed in a folder, as one phrase a file."""
    phrases = []
    for name in sorted({*expected, *found}):
        if name not in found:
            phrases.append(f"{name} is missing")
        elif name not in expected:
            phrases.append(f"{name} is not part of it")
        elif expected[name] != found[name]:
            phrases.append(f"{name} has other bytes")
    return phrases


def md5(path: Path) -> str:
    """The md5 of a file.

    Raises:
        ToolError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, _new_md5).hexdigest()
    except OSError as error:
        raise ToolError(
            f"cannot read {path.name}: {error.strerror}", str(path), "mend it"
        ) from error


def _new_md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)
