"""Personal values in findings, masked: `CUSTOMER_ID 1` stands for the same one all over a finding.

A number says nothing of a value, and nobody can try values until one fits, as with a hash. What a
column calls personal is masked by its name. Beyond that, every word that a finding says is looked
for in the personal columns of the subject: a gate may quote one without knowing it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..records import Finding

SHORTEST = 5  # characters of what is looked for inside a text: a shorter one is nobody's name
WORDS = 5  # words of a value that is looked for
WORD = re.compile(r"\w+")
Told = Mapping[str, str]  # a value that stands in a personal column → that column


@dataclass
class Labels:
    """What stands for each value, within one finding."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, column: str, value: Any) -> str:
        """What stands for a column's value."""
        number = sum(name == column for name, _ in self.known) + 1
        return self.known.setdefault((column, str(value)), f"{column} {number}")


@dataclass(frozen=True)
class Scope:
    """What is masked in a part of a finding.

    Attributes:
        inside: the values that are looked for inside of texts.
        whole: those that a text may be as a whole.
    """

    personal: Sequence[str]
    labels: Labels
    inside: Told
    whole: Told = field(default_factory=dict)


def about(name: str, personal: Sequence[str]) -> str:
    """The personal column that a name or a text is about; empty: none."""
    found = (one for one in personal if re.search(_alone(one), name, re.IGNORECASE))
    return max(found, key=len, default="")


def _alone(text: str) -> str:
    """The pattern of a text that is no part of a longer word; `_` parts words."""
    return rf"(?<![^\W_]){re.escape(text)}(?![^\W_])"


def mask(
    findings: Sequence[Finding], personal: Sequence[str], tables: Callable[[], Sequence[Any]]
) -> list[Finding]:
    """The findings without a personal value.

    Args:
        tables: the ibis tables of the subject; asked only where there are personal columns.
    """
    if not personal:
        return list(findings)
    told = _told({text for f in findings for text in _candidates(f, personal)}, personal, tables)
    return [_masked(finding, personal, told) for finding in findings]


def _masked(finding: Finding, personal: Sequence[str], told: Told) -> Finding:
    labels = Labels()
    long = {text: column for text, column in told.items() if len(text) >= SHORTEST}
    said = Scope(personal, labels, long)
    found = replace(said, whole=told) if _is_personal(finding, personal) else said
    wanted = {text: column for text, column in long.items() if any(map(str.isdigit, text))}
    return replace(
        finding,
        rows=tuple(_hidden(row, said, everything=True) for row in finding.rows),
        measured=_hidden(finding.measured, found),
        expected=_hidden(finding.expected, replace(said, inside=wanted)),
        message=_said(finding.message, said),
        where=_said(finding.where, said),
    )


def _hidden(value: Any, scope: Scope, column: str = "", *, everything: bool = False) -> Any:
    """A value without personal ones.

    Args:
        column: the personal column whose value it is, or is a table of.
        everything: whether numbers of such a column are masked too: they may be counts elsewhere.
    """
    if isinstance(value, Mapping):
        return {
            _said(str(key), scope): _hidden(
                held, scope, about(str(key), scope.personal) or column, everything=everything
            )
            for key, held in value.items()
        }
    if isinstance(value, list | tuple):
        return [_hidden(held, scope, column, everything=everything) for held in value]
    if column and value is not None and (everything or isinstance(value, str)):
        return scope.labels.of(column, value)
    return _said(value, scope) if isinstance(value, str) else value


def _said(text: str, scope: Scope) -> str:
    """A text with labels for the values in it, the longest first."""
    if text in scope.whole:
        return scope.labels.of(scope.whole[text], text)
    found = {value for value in _phrases(text) if value in scope.inside}
    for value in sorted(found, key=lambda value: (-len(value), text.find(value))):
        label = scope.labels.of(scope.inside[value], value)
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", label.replace("\\", r"\\"), text)
    return text


def _is_personal(finding: Finding, personal: Sequence[str]) -> bool:
    return bool(about(finding.column, personal) or about(finding.where, personal))


def _candidates(finding: Finding, personal: Sequence[str]) -> Iterator[str]:
    """All that a finding says and that may be a personal value."""
    rows = [{k: v for k, v in row.items() if not about(k, personal)} for row in finding.rows]
    said = [finding.message, finding.where, finding.measured, finding.expected, rows]
    for text in _texts(said):
        yield from _phrases(text)
    if _is_personal(finding, personal):
        yield from _texts(finding.measured)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, the keys of its tables among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, held in value.items():
            yield str(key)
            yield from _texts(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _texts(held)


def _phrases(text: str) -> Iterator[str]:
    """Each word of a text, and each few words that follow each other, as they stand there."""
    spans = [match.span() for match in WORD.finditer(text)]
    for first in range(len(spans)):
        for _, end in spans[first : first + WORDS]:
            if end - spans[first][0] >= SHORTEST:
                yield text[spans[first][0] : end]


def _told(
    candidates: Iterable[str], personal: Sequence[str], tables: Callable[[], Sequence[Any]]
) -> Told:
    """Which candidates stand in a personal column; all of them where nobody can tell."""
    import pyarrow as pa

    asked = sorted(set(candidates))
    found: dict[str, str] = {}
    if not asked:
        return found
    try:
        for table in tables():
            for name, kind in table.schema().items():
                column = about(name, personal) if kind.is_string() else ""
                if column:
                    for value in _standing(table, name, pa.table({"said": asked})):
                        found.setdefault(value, column)
    except Exception:  # of any engine: whatever it could not answer is not shown
        return dict.fromkeys(asked, personal[0])
    return found


def _standing(table: Any, name: str, asked: Any) -> list[str]:
    """Those of some texts that a column holds, sorted."""
    import ibis

    said = ibis.memtable(asked)
    held = table.select(held=table[name].cast("string")).distinct()
    found = said.semi_join(held, said.said == held.held).to_pyarrow()
    return sorted(found["said"].to_pylist())
