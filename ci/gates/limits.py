"""Findings that any file can hold: plain values, texts that end, all of them below a megabyte."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from ..records import Finding, Outcome, canonical, digest_of
from ..typed import plain

TEXT = 2_000  # characters of a message
CELL = 100  # characters of a cell of a row
ENTRIES = 100  # of a list or a table
COLUMNS = 40  # of a row
VALUE = 8_000  # bytes of a measured or expected value
SHOWN = 20  # rows of a finding
BARE, ROWS = 500_000, 300_000  # bytes of all findings, and of all their rows
FILES = 100_000  # bytes of the names and digests of what answers rest on
DEEPEST = 6


def clean(finding: Finding) -> Finding:
    """A finding whose texts, values and rows are plain and not too long."""
    return replace(
        finding,
        measured=_fitting(finding.measured),
        expected=_fitting(finding.expected),
        message=_text(str(finding.message), TEXT),
        where=_text(str(finding.where), 300),
        rows=tuple(_row(row) for row in finding.rows[:SHOWN]),
        traceback=finding.traceback[:60],
    )


def fit(findings: Sequence[Finding], rank: Mapping[Outcome, int]) -> tuple[Finding, ...]:
    """The findings as far as all of them fit: the worst first, and as many of their rows.

    Args:
        rank: outcome → how bad it is.
    """
    bare = [replace(f, rows=()) for f in findings]
    order = sorted(range(len(bare)), key=lambda place: (-rank[bare[place].outcome], place))
    room, kept = BARE, dict[int, Finding]()
    for place in order:
        room -= _size(bare[place])
        if room < 0 and kept:
            break
        kept[place] = bare[place]
    room = ROWS
    for place in (place for place in order if place in kept and findings[place].rows):
        size = _size(findings[place]) - _size(bare[place])
        if size <= room:
            room, kept[place] = room - size, findings[place]
    left = [bare[place] for place in order if place not in kept]
    return (*(kept[place] for place in sorted(kept)), *([_left(left)] if left else []))


def files(files: Mapping[str, str]) -> dict[str, str]:
    """File → sha256; where there are very many, one digest over all of them."""
    held = {_utf8(name): digest for name, digest in files.items()}
    content = canonical(held)
    if len(content) <= FILES:
        return held
    return {f"{len(files)} files": digest_of(content)}


def _left(findings: Sequence[Finding]) -> Finding:
    """What stands for findings that do not fit: as bad as the worst of them."""
    count = f"{len(findings)} findings more"
    said = f"{count} than a verdict can hold; the first is {findings[0].gate} {findings[0].where}"
    return Finding(
        "verdict", findings[0].outcome, len(findings), "fewer findings", said, "too many"
    )


def _size(finding: Finding) -> int:
    return len(canonical(finding))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The first columns of a row, each cell short."""
    cells = {_text(str(name), CELL): _plain(value, CELL) for name, value in row.items()}
    left = len(cells) - COLUMNS
    shown = dict(list(cells.items())[:COLUMNS])
    return {**shown, "…": f"{left} columns more"} if left > 0 else shown


def _fitting(value: Any) -> Any:
    """A value as JSON has it, at most so long."""
    found = _plain(value, TEXT)
    text = json.dumps(plain(found), ensure_ascii=False)
    return found if len(text.encode()) <= VALUE else _text(text, TEXT)


def _plain(value: Any, longest: int, depth: int = 0) -> Any:
    """A value as JSON has it, whatever array, date or object it is."""
    if hasattr(value, "tolist"):  # of numpy and pandas
        value = value.tolist()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**18 else f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping) and depth < DEEPEST:
        entries = list(value.items())[:ENTRIES]
        found = {_text(str(key), CELL): _plain(held, longest, depth + 1) for key, held in entries}
        return found if len(value) <= ENTRIES else {**found, "…": f"{len(value)} in all"}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
        held = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        found_ = [_plain(one, longest, depth + 1) for one in held[:ENTRIES]]
        return found_ if len(held) <= ENTRIES else [*found_, f"… {len(held)} in all"]
    return _text(str(value), longest)


def _text(text: str, longest: int) -> str:
    """A text that UTF-8 can hold, cut between two words: half a value would not be known as one."""
    whole = _utf8(text[: longest + 1])
    if len(text) <= longest:
        return whole
    return re.sub(r"\w+$", "", whole[:longest]).rstrip() + "…"


def _utf8(text: str) -> str:
    """A text that UTF-8 can hold: a file's name may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()
