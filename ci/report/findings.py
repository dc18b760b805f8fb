"""Every finding of every verdict, grouped, blocks first, cut where a page would grow too long."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Finding, Verdict
from . import steps, words
from .sources import Sources

SHOWN_FIRST = ("block", "warn", "skip")  # in full; the others fold away
CELL = 16  # bytes of markup around one cell
ROW = 440  # bytes of markup around one finding


@dataclass(frozen=True)
class Group:
    """One verdict with the findings that the page shows."""

    record: str
    title: str
    verdict: Verdict
    loud: tuple[Finding, ...]
    quiet: tuple[Finding, ...]
    loud_left: int  # how many more there are
    quiet_left: int
    passed: int


def groups(sources: Sources, room: int) -> tuple[Group, ...]:
    """One group a verdict, in the order of the steps, what blocked before the rest.

    Args:
        room: bytes that all findings may take. What did not pass takes it first.
    """
    verdicts = sorted(sources.verdicts().items(), key=lambda pair: pair[1].outcome != "block")
    loud = {name: _loud(verdict) for name, verdict in verdicts}
    quiet = {name: _quiet(verdict) for name, verdict in verdicts}
    shown: dict[str, tuple[Finding, ...]] = {}
    folded: dict[str, tuple[Finding, ...]] = {}
    for found, kept in ((loud, shown), (quiet, folded)):
        for name, answers in found.items():
            kept[name], room = _fitting(answers, room)
    return tuple(
        Group(
            name,
            steps.STEP_OF.get(name, name).capitalize(),
            verdict,
            shown[name],
            folded[name],
            len(loud[name]) - len(shown[name]),
            len(quiet[name]) - len(folded[name]),
            sum(f.outcome == "pass" for f in verdict.findings),
        )
        for name, verdict in verdicts
    )


def _loud(verdict: Verdict) -> list[Finding]:
    found = [f for f in verdict.findings if f.outcome in SHOWN_FIRST]
    return sorted(found, key=lambda f: SHOWN_FIRST.index(f.outcome))


def _quiet(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.findings if f.outcome not in SHOWN_FIRST]


def _fitting(findings: Sequence[Finding], room: int) -> tuple[tuple[Finding, ...], int]:
    """The first findings that fit, at least one; and the room that is left."""
    kept: list[Finding] = []
    for finding in findings:
        values = words.value(finding.measured), words.value(finding.expected)
        texts = (*values, words.tidy(finding.message), words.asked(finding))
        room -= ROW + sum(map(escaped, texts)) + _rows(finding)
        if kept and room < 0:
            break
        kept.append(finding)
    return tuple(kept), max(room, 0)


def _rows(finding: Finding) -> int:
    """How many bytes its rows and calls take."""
    cells = [str(value)[:60] for row in finding.rows for value in row.values()]
    return sum(CELL + escaped(text) for text in (*cells, *finding.traceback))


def escaped(text: str) -> int:
    """How long a text is as HTML, in bytes."""
    return len(text.encode("utf-8", "replace")) + 5 * sum(map(text.count, "<>&'\"_/"))
