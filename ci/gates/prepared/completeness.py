"""Is every table there and filled, from this data version, with little of it lost or made up?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...records import Finding
from .. import columns
from . import Cleaning, PreparedEvidence

GATE = "completeness"


@dataclass(frozen=True)
class Settings:
    """How much there has to be."""

    min_rows: dict[str, int]  # table → floor: its rows
    lines: tuple[str, ...] = ("lines",)  # the tables that the raw lines end in
    min_kept: float = 0.95  # floor: share of the raw lines that are left in it
    max_touched: float = 0.2  # ceiling: share of the raw lines that one cleaning rule touches


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a table, a column and a cleaning rule."""
    reading = evidence.reading
    for file, problem in sorted(reading.problems.items()):
        message = f"{file}: {problem}"
        yield Finding(GATE, "block", problem, "a readable file", message, file)
    tables = {name: columns.filled(table) for name, table in reading.tables.items()}
    for name, floor in settings.min_rows.items():
        rows = next(iter(tables[name].values())).rows if name in tables else 0
        good = name in tables and rows >= max(floor, 1)
        message = f"{name} has {rows} rows" if name in tables else f"there is no table {name}"
        expected = f"at least {max(floor, 1)}"
        yield Finding(GATE, "pass" if good else "block", rows, expected, message, f"{name} rows")
    for name, found in tables.items():
        yield from columns.judge(GATE, found, tuple(found), f"{name} ")
    if reading.cleaning is None:
        missing = "nothing says how the data was cleaned"
        yield Finding(GATE, "block", None, "cleaning.json", missing, "cleaning.json")
    else:
        yield from _cleaning(reading.cleaning, evidence, settings)


def _cleaning(
    cleaning: Cleaning, evidence: PreparedEvidence, settings: Settings
) -> Iterator[Finding]:
    same = cleaning.dataset == evidence.dataset
    yield Finding(
        GATE,
        "pass" if same else "block",
        cleaning.dataset,
        evidence.dataset,
        "prepared from the version in data.dvc" if same else "prepared from another data version",
        "dataset",
    )
    raw = cleaning.rows.get("raw", 0)
    left = sum(cleaning.rows.get(name, 0) for name in settings.lines)
    kept = left / raw if raw > 0 else float("nan")
    yield Finding(
        GATE,
        "pass" if settings.min_kept <= kept <= 1 else "block",
        kept,
        f"{settings.min_kept:g} to 1",
        f"{left} of {raw} raw lines were kept",
        "kept",
    )
    for rule, touched in cleaning.rules.items():
        share = touched / raw if raw > 0 else float("nan")
        yield Finding(
            GATE,
            "pass" if 0 <= share <= settings.max_touched else "block",
            share,
            f"at most {settings.max_touched:g}",
            f"the rule {rule} touched {touched} of {raw} raw lines",
            f"rule {rule}",
        )
