"""What every table has to answer: each column is there, is not all null, holds finite numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..records import Finding


def judge(gate: str, table: Any, names: Sequence[str], prefix: str = "") -> Iterator[Finding]:
    """One finding a column.

    Args:
        table: an Arrow table.
        names: the columns that have to be there.
        prefix: what stands before the column in a finding's place.
    """
    for name in names:
        problem = problem_of(table, name)
        filled = 0 if name not in table.column_names else len(table[name]) - table[name].null_count
        yield Finding(
            gate,
            "block" if problem else "pass",
            f"{filled} of {table.num_rows} filled",
            "values, every number finite",
            problem or f"{name} has values",
            f"{prefix}column {name}",
        )


def problem_of(table: Any, name: str) -> str:
    """Why no answer about a column would mean anything, or nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name not in table.column_names:
        return f"there is no column {name}"
    column = table[name]
    if not column.null_count < len(column):
        return f"{name} has no value at all"
    if pa.types.is_floating(column.type):
        finite = pc.sum(pc.is_finite(column)).as_py()
        wrong = len(column) - column.null_count - (finite or 0)
        if wrong != 0:
            return f"{name} holds {wrong} times NaN or infinity"
    return ""
