"""Who uses a shared cache: a lock that builds share and pruning has alone, and what they used."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...errors import ToolError
from ...records import write_atomically

USED = "slipway/used"
LOCK = "slipway/lock"


@contextlib.contextmanager
def together(cache: Path) -> Iterator[None]:
    """Within the block nobody prunes the cache; waits for one who does."""
    with _opened(cache) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def alone(cache: Path) -> Iterator[bool]:
    """Whether no build uses the cache; if so, none begins within the block."""
    with _opened(cache) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def _opened(cache: Path) -> Iterator[int]:
    path = cache / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a")
    except OSError as error:
        raise ToolError(
            f"cannot write the cache: {error.strerror}", str(path), "free space or mend rights"
        ) from error
    with stream:
        yield stream.fileno()


def note(cache: Path, md5s: Iterable[str]) -> None:
    """Writes down that these objects were used now."""
    content = json.dumps(sorted(md5s)).encode()
    name = hashlib.sha256(content).hexdigest()[:32]
    write_atomically(cache / USED / f"{name}.json", content)
