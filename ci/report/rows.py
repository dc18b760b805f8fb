"""The rows that a finding is about, as every report shows them; personal values come masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Finding, Verdict
from . import words

CELL = 40  # characters
FETCH = "slipway quarantine"


@dataclass(frozen=True)
class Table:
    """Some of the rows, in columns: that which the finding is about first."""

    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    said: str  # how many of how many, and what is set apart


def table(finding: Finding, rows: int, columns: int, longest: int = CELL) -> Table:
    """The first rows and columns of a finding's rows.

    Args:
        longest: characters of a cell.
    """
    shown = finding.rows[:rows]
    names = list(dict.fromkeys(name for row in shown for name in row))
    names.sort(key=lambda name: name != finding.column)
    kept = names[:columns]
    left = len(names) - len(kept)
    more = ("…",) if left else ()
    return Table(
        header=(*(words.tidy(name, longest) for name in kept), *more),
        cells=tuple(
            (*(words.tidy(_cell(row.get(name)), longest) for name in kept), *more) for row in shown
        ),
        said=said(finding, len(shown)),
    )


def _cell(value: Any) -> str:
    """A value as it stands in the data: no thousands apart, no digit less."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value).removesuffix("T00:00:00") or "empty"


def said(finding: Finding, shown: int) -> str:
    """How many rows offend, how many of them are shown, how many are set apart."""
    total = max(finding.offending, len(finding.rows))
    count = words.plural(total, "row")
    if shown < total:
        count = f"{words.count(shown)} of {count}"
    if not finding.quarantined:
        return count
    kept = "all" if finding.quarantined >= total else words.count(finding.quarantined)
    return f"{count}; {kept} in the quarantine, {finding.file}"


def how_to_get(verdict: Verdict) -> str:
    """The command that fetches what a verdict set apart; empty where it set nothing apart."""
    return f"{FETCH} {words.tidy(verdict.quarantine)}" if verdict.quarantine else ""


def called(traceback: Sequence[str], most: int) -> list[str]:
    """The last calls before a gate raised, the innermost last."""
    left = len(traceback) - most
    first = [f"… {left} calls before"] if left > 0 else []
    return [*first, *(words.tidy(call, 160) for call in traceback[-most:])]
