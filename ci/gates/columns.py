"""What every table has to answer: each column is there, is not all null, holds finite numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Finding


@dataclass(frozen=True)
class Filled:
    """How far a column is filled."""

    rows: int
    values: int  # not null, NaN and infinity among them
    endless: int = 0  # NaN and infinity

    @property
    def problem(self) -> str:
        """Why no answer about it would mean anything, or nothing."""
        if not self.values > 0:
            return "has no value at all"
        return f"holds {self.endless} times NaN or infinity" if self.endless else ""


def filled(table: Any) -> dict[str, Filled]:
    """How far each column of a table is filled, in one look at it.

    Args:
        table: an ibis table.
    """
    wanted = {"rows": table.count()}
    for number, (name, kind) in enumerate(table.schema().items()):
        wanted[f"values {number}"] = table[name].count()
        if kind.is_floating():
            endless = table[name].isnan() | table[name].isinf()
            wanted[f"endless {number}"] = endless.sum().fill_null(0)
    (found,) = table.aggregate(**wanted).to_pyarrow().to_pylist()
    return {
        name: Filled(found["rows"], found[f"values {n}"], found.get(f"endless {n}", 0))
        for n, name in enumerate(table.columns)
    }


def problem_of(columns: Mapping[str, Filled], name: str) -> str:
    """Why no answer about a column would mean anything, or nothing."""
    if name not in columns:
        return f"there is no column {name}"
    problem = columns[name].problem
    return problem and f"{name} {problem}"


def judge(
    gate: str, columns: Mapping[str, Filled], names: Sequence[str], prefix: str = ""
) -> Iterator[Finding]:
    """One finding a column.

    Args:
        names: the columns that have to be there.
        prefix: what stands before the column in a finding's place.
    """
    for name in names:
        problem = problem_of(columns, name)
        found = columns.get(name, Filled(0, 0))
        yield Finding(
            gate,
            "block" if problem else "pass",
            f"{found.values} of {found.rows} filled",
            "values, every number finite",
            problem or f"{name} has values",
            f"{prefix}column {name}",
            column=name,
        )
