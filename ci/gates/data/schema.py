"""Is the header as declared, in UTF-8, and every value of its column's kind, form and range?"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...records import Finding
from ...typed import Mismatch
from ..offending import Offending
from . import DataEvidence, RawFile, _limits, _values
from ._days import TEXT

GATE = "schema"
MARK = "\ufeff"
NAME = re.compile(r"[^\W\d][\w .()-]*")  # what is shown of a header: a value would be no name


@dataclass(frozen=True)
class Column:
    """What a column's values have to be, beyond their kind; what is empty is not asked."""

    pattern: str = ""  # text: the regular expression that all of it matches
    allowed: tuple[str, ...] = ()  # text: the only values
    range: tuple[float, ...] = ()  # numbers: floor and ceiling of every value
    usual: tuple[float, ...] = ()  # numbers: floor and ceiling of nearly every value
    max_unusual: float = 0.001  # ceiling: share of values outside `usual`
    median: tuple[float, ...] = ()  # numbers: floor and ceiling of each month's median


@dataclass(frozen=True)
class Settings:
    """What the declared kinds do not say."""

    columns: dict[str, Column] = field(default_factory=dict)  # column → what its values have to be
    min_rows_for_median: int = 1_000  # a month with fewer lines has no median of its own

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            key = f"{GATE}.columns.{name}"
            _limits.refuse_no_pattern(f"{key}.pattern", column.pattern)
            for limits in ("range", "usual", "median"):
                _limits.refuse_odd_range(f"{key}.{limits}", getattr(column, limits))
            _limits.refuse_no_share(key, max_unusual=column.max_unusual)
        _limits.refuse_negative(GATE, min_rows_for_median=self.min_rows_for_median)

    def check(self, columns: Mapping[str, str]) -> None:
        """Refuses columns that are not declared, and questions that their kind does not have."""
        _limits.refuse_unknown(f"{GATE}.columns", self.columns, columns)
        for name, column in self.columns.items():
            _limits.refuse_foreign_pattern(f"{GATE}.columns.{name}.pattern", column.pattern)
            text = columns[name] == "text"
            asked = replace(column, max_unusual=0.0)
            wrong = ("range", "usual", "median") if text else ("pattern", "allowed")
            if columns[name] not in ("text", "integer", "number"):
                wrong = (*wrong, "range", "usual", "median")
            for key in wrong:
                if getattr(asked, key):
                    said = f"no question for a column of the kind '{columns[name]}'"
                    raise Mismatch(f"gates.data.{GATE}.columns.{name}.{key}", said)


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding a file's header, one or more a column."""
    for file in evidence.reading.files:
        yield _header(file, tuple(evidence.columns))
    for name, kind in evidence.columns.items():
        if kind != "text":
            yield _kind(evidence, name, kind)
    yield from _values.texts(GATE, evidence, settings.columns)
    yield from _values.numbers(GATE, evidence, settings.columns, settings.min_rows_for_median)


def _header(file: RawFile, declared: tuple[str, ...]) -> Finding:
    where, expected = f"header {file.name}", ", ".join(declared)
    if file.header == declared and not file.problem:
        message = f"{file.name} has the declared columns"
        return Finding(GATE, "pass", expected, expected, message, where)
    said = "; ".join(_differences(file.header, declared)) if file.header else "it has no header"
    text = file.problem or said
    return Finding(GATE, "block", text, expected, f"{file.name}: {text}", where)


def _differences(found: tuple[str, ...], declared: tuple[str, ...]) -> Iterator[str]:
    if any(MARK in name for name in found):
        yield "its header begins with a byte order mark"
    names = [name.replace(MARK, "") for name in found]
    if not set(names) & set(declared):  # a line of values, perhaps: nothing of it is shown
        yield f"its first line, of {len(names)} cells, names none of the columns"
        return
    if missing := [name for name in declared if name not in names]:
        yield f"its header misses {', '.join(missing)}"
    if unknown := [name for name in names if name not in declared]:
        shown = [name if NAME.fullmatch(name) else "what is no name" for name in unknown]
        if missing and 2 * len(missing) >= len(declared):  # values, perhaps, but for some names
            shown = [f"{len(unknown)} others"]
        yield f"its header names {', '.join(dict.fromkeys(shown))[:200]}, which is not declared"
    if sorted(names) == sorted(declared) and tuple(names) != declared:
        yield "its header has the columns in another order"


def _kind(evidence: DataEvidence, name: str, kind: str) -> Finding | Offending:
    count = evidence.reading.malformed.get(name)
    said = "were not read" if count is None else f"{count:,} values are none"
    message = f"every value of {name} is of the kind '{kind}'"
    if count != 0:
        message = f"{name}: {said} ('{kind}')"
    finding = _limits.within(GATE, f"values of {name}", count, (0, 0), message, column=name)
    table: Any = evidence.reading.table
    if f"{name}{TEXT}" not in table.columns:
        return finding
    return Offending(finding, table.filter(table[name].isnull() & table[f"{name}{TEXT}"].notnull()))
