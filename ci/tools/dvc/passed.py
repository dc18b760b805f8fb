"""What a gate that lets something pass leaves to the DVC stage behind it.

It names what was judged, and nothing of how: so other settings of a gate make nothing behind it
run again, and what it will be is known before the gate is asked again.
"""

import hashlib
from pathlib import Path

from .. import folders


def beside(verdict: Path) -> Path:
    """Where it stands: `verdicts/data.passed` beside `verdicts/data.json`."""
    return verdict.with_suffix(".passed")


def content(digest: str) -> bytes:
    """Its bytes; `digest` is what DVC gives the path that was judged, as `md5:…`."""
    return f"{digest}\n".encode()


def md5(digest: str) -> str:
    """The md5 of these bytes."""
    return hashlib.md5(content(digest), usedforsecurity=False).hexdigest()


def of_folder(folder: Path) -> bytes:
    """What is left after a folder passed.

    Raises:
        ToolError: a file in it cannot be read.
    """
    return content(folders.digest(folders.hash_files(folder)))
