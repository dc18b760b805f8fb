"""Rows that a finding is about: named by a gate, shown and set apart by whoever asks it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..records import Finding
from . import masks
from .limits import SHOWN

CAP = 100_000  # rows of a finding that are set apart
Keep = Callable[
    [Finding, Any], Finding
]  # sets rows (an Arrow table) apart; says which and how many


@dataclass(frozen=True)
class Offending:
    """A finding, and the rows that it is about.

    Attributes:
        rows: an ibis table with the subject's own columns; looked at only where the finding does
            not pass.
    """

    finding: Finding
    rows: Any


def named(answer: Offending, personal: Sequence[str], keep: Keep | None) -> Finding:
    """A finding with the first of its rows, as they are: unmasked. All of them go to `keep`.

    Rows stand in the order of all their columns, the personal ones last: what is shown first says
    nothing of whose it is.
    """
    if answer.finding.outcome not in ("warn", "block"):
        return answer.finding
    table, count = _taken(answer.rows, personal)
    finding = replace(
        answer.finding, rows=tuple(table.slice(0, SHOWN).to_pylist()), offending=count
    )
    return keep(finding, table) if keep and count else finding


def _taken(rows: Any, personal: Sequence[str]) -> tuple[Any, int]:
    """The first rows as an Arrow table, and how many there are."""
    names = sorted(rows.columns, key=lambda name: bool(masks.about(name, personal)))
    found = rows.order_by([rows[name].asc() for name in names]).limit(CAP + 1).to_pyarrow()
    if found.num_rows <= CAP:
        return found, found.num_rows
    return found.slice(0, CAP), int(rows.count().execute())
