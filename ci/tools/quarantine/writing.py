"""The quarantine of a verdict while its gates are asked: rows go in, a folder comes out."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...config import Project
from ...records import Finding, Verdict, canonical, write_atomically
from .. import folders
from ..dvc import access
from ..locks import held
from . import INDEX, Entry, explained, swap

CAP = 1_000_000  # rows of one verdict
GATE, WHERE = "slipway gate", "slipway where"  # the columns beside those of the data


@contextlib.contextmanager
def opened(project: Project, folder: Path) -> Iterator["Writer"]:
    """A quarantine to be filled, which `close` makes this folder; another one waits meanwhile."""
    mode = int(project.config.data.quarantine_mode, 8)
    place = project.scratch / access.QUARANTINE
    access.make(place, mode)
    aside = place / f"{folder.name}.partial"
    with held(place / f"{folder.name}.lock"):
        try:
            _remove(aside)
            access.make(aside, mode)
            yield Writer(folder, aside, mode)
        finally:
            _remove(aside)


def _remove(folder: Path) -> None:
    with explained(folder):
        if folder.exists():
            shutil.rmtree(folder)


class Writer:
    """A quarantine that is being filled: `take` writes rows aside, `close` makes it the folder."""

    def __init__(self, folder: Path, aside: Path, mode: int) -> None:
        self._folder, self._aside, self._mode = folder, aside, mode
        self._files, self._rows = 0, 0

    def take(self, finding: Finding, table: Any) -> Finding:
        """Writes a finding's rows, as many as there is room for; the finding says how many."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        part = _plain(table.slice(0, CAP - self._rows))
        if not part.num_rows:
            return finding
        self._rows, self._files = self._rows + part.num_rows, self._files + 1
        for name, value in ((GATE, finding.gate), (WHERE, finding.where)):
            said = value.encode("utf-8", "backslashreplace").decode()
            part = part.append_column(name, pa.array([said] * part.num_rows, pa.string()))
        safe = "".join(c if c.isalnum() and c.isascii() else "-" for c in finding.gate)[:40]
        name = f"{self._files:03d}-{safe}.parquet"
        with explained(self._aside / name):
            pq.write_table(part, self._aside / name, compression="zstd")
            (self._aside / name).chmod(self._mode & 0o666)
        return replace(finding, quarantined=part.num_rows, file=name)

    def close(self, verdict: Verdict) -> Verdict:
        """Puts the folder into its place; the verdict says its digest if it holds rows."""
        index = [
            Entry(f.file, f.gate, f.where, f.outcome, f.quarantined, f.offending)
            for f in verdict.findings
            if f.file
        ]
        write_atomically(self._aside / INDEX, canonical(index))
        with explained(self._folder):
            (self._aside / INDEX).chmod(self._mode & 0o666)
            access.make(self._folder.parent, self._mode)
            swap(self._aside, self._folder)
        digest = folders.digest(folders.hash_files(self._folder)) if self._rows else ""
        return replace(verdict, quarantine=digest)


def _plain(table: Any) -> Any:
    """The table in types that every engine's rows come down to, without an engine's own notes."""
    import pyarrow as pa

    return pa.table(
        {
            name: table[name].cast(_type(table.schema.field(name).type), safe=False)
            for name in table.column_names
        }
    )


def _type(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_large_string(kind) else kind
