"""Tables that gates ask: ibis expressions over an engine that holds the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ..config import Project
from . import tables


@dataclass(frozen=True)
class Part:
    """One raw file's rows, typed as declared.

    Attributes:
        held: the rows, in the engine's own way.
        names: the columns that it has, `<name> (text)` among them.
        rows: how many lines it has, whatever its columns.
        malformed: column → values that are not of its kind.
        first, last: the ends of its days, by the first date column; None where it has none.
    """

    held: Any
    names: tuple[str, ...]
    rows: int
    malformed: Mapping[str, int]
    first: datetime | None = None
    last: datetime | None = None


class Engine(Protocol):
    """Whatever holds rows and answers ibis expressions; each gives the same answers."""

    def csv(self, path: Path, columns: Mapping[str, str]) -> Part:
        """A raw file's declared columns. Raises `tables.Unreadable`."""

    def raw(self, parts: Sequence[Part], columns: Mapping[str, str]) -> Any:
        """All raw files' rows under each other; a column that a file lacks is null there."""

    def parquet(self, path: Path) -> Any:
        """A Parquet file's table. Raises `tables.Unreadable`."""


def engine(project: Project) -> Engine:
    """The engine that `delivery.toml` names, started.

    Raises:
        ToolError: it cannot be started.
    """
    if project.config.data.engine == "spark":
        from .frames_spark import Spark

        return Spark(project)
    return Duck()


def names_of(parts: Sequence[Part]) -> list[str]:
    """The columns that any part has, in the order in which they come up."""
    return list(dict.fromkeys(name for part in parts for name in part.names))


def dated(columns: Mapping[str, str]) -> str:
    """The column that days are counted by: the first of dates; empty where there is none."""
    return next((name for name, kind in columns.items() if kind.startswith("date ")), "")


class Duck:
    """DuckDB in this process, over Arrow tables that it does not copy."""

    def __init__(self) -> None:
        import ibis

        self._engine = ibis.duckdb.connect()
        self._engine.con.execute("SET enable_progress_bar = false")

    def csv(self, path: Path, columns: Mapping[str, str]) -> Part:
        """As `Engine.csv`."""
        import pyarrow.compute as pc

        found = tables.read_csv(path)
        table, malformed = tables.typed(found, columns)
        names = tuple(table.column_names)
        ends = {"min": None, "max": None}
        if dated(columns) in names:
            ends = pc.min_max(table[dated(columns)]).as_py()
        return Part(table, names, found.num_rows, malformed, ends["min"], ends["max"])

    def raw(self, parts: Sequence[Part], columns: Mapping[str, str]) -> Any:
        """As `Engine.raw`."""
        import pyarrow as pa

        held = [part.held for part in parts if part.names]
        if not held:
            return self.table("raw", tables.nothing(columns))
        whole = pa.concat_tables(held, promote_options="default")
        return self.table("raw", whole.unify_dictionaries())

    def parquet(self, path: Path) -> Any:
        """As `Engine.parquet`."""
        return self.table(path.stem, tables.read_parquet(path))

    def table(self, name: str, rows: Any) -> Any:
        """An ibis table of an Arrow table's rows.

        Args:
            name: one that this engine has not seen yet; columns may not differ by case alone.
        """
        self._engine.con.register(name, rows)
        return self._engine.table(name)
