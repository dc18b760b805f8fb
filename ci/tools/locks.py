"""Locks between processes; the kernel lets go of one when its holder ends, whatever ends it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from ..errors import ToolError


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """The lock file `path`, held within the block; waits for whoever holds it.

    Raises:
        ToolError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        raise ToolError(
            f"cannot write a lock file: {error.strerror}", str(path), "free space or mend rights"
        ) from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
