"""Quarantine: the offending rows of a verdict as a folder, kept where DVC keeps its objects.

A folder holds a Parquet file a finding, rows as they are, and `index.json`. The same rows give the
same bytes. DVC takes the folder of a gate that passed as an out of its stage, and nothing of one
that blocked. So slipway itself puts each into cache and remote, under DVC's own names.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import ToolError
from ...records import Outcome

INDEX = "index.json"


@dataclass(frozen=True)
class Entry:
    """What one file of a quarantine is about: a finding, masked, and how many of its rows."""

    file: str
    gate: str
    where: str
    outcome: Outcome
    rows: int
    of: int


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Says what could not be written; never what should have been: Arrow's messages quote it.

    Raises:
        ToolError: the disk is full, a folder cannot be written, or rows are of no known type.
    """
    import pyarrow as pa

    try:
        yield
    except OSError as error:
        said = f"cannot write the quarantine: {error.strerror or 'the disk does not take it'}"
        raise ToolError(said, str(path), "free space or mend rights") from error
    except pa.ArrowException as error:
        said = f"cannot write the quarantine: {type(error).__name__}"
        raise ToolError(said, str(path), "see which columns the gate names rows by") from None


def swap(made: Path, folder: Path) -> None:
    """Puts a whole folder where another one may be: there is never half of it."""
    former = made.with_name(f"{folder.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(former)
    made.rename(folder)
    shutil.rmtree(former, ignore_errors=True)
