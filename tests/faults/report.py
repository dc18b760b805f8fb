"""What became of the faults: a table for people, Markdown for the docs, JSON for tools."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.records import canonical

from .catalogue import FAMILIES
from .harness import Answer, Passed

HEADER = ("family", "planted", "stopped", "by", "escaped")


@dataclass(frozen=True)
class Report:
    """All answers of one run.

    Attributes:
        seed: what chance was drawn from.
    """

    answers: tuple[Answer, ...]
    passed: tuple[Passed, ...]
    seed: int

    @property
    def escaped(self) -> list[Answer]:
        """The faults that no finding stopped, or another than the one that should."""
        return [answer for answer in self.answers if not answer.stopped]

    @property
    def false_blocks(self) -> list[Passed]:
        """The good versions that were blocked."""
        return [one for one in self.passed if one.outcome == "block"]

    @property
    def good(self) -> bool:
        """Whether all is as the catalogue says, and something was asked."""
        every = (*self.answers, *self.passed)
        return bool(self.answers) and not any(one.problems for one in every)

    @property
    def conclusion(self) -> str:
        """The two rates in words."""
        planted, good = len(self.answers), len(self.passed)
        return (
            f"{planted} faults planted, {planted - len(self.escaped)} stopped by the finding that "
            f"should, {len(self.escaped)} escaped. {good} good versions, "
            f"{len(self.false_blocks)} blocked."
        )


def rows(report: Report) -> list[tuple[str, str, str, str, str]]:
    """A row a family, and one for all."""
    found = {answer.fault.name: answer for answer in report.answers}
    parts = [
        (family.name, [found[f.name] for f in family.faults if f.name in found])
        for family in FAMILIES
    ]
    return [_row(name, part) for name, part in (*parts, ("all", list(report.answers))) if part]


def _row(name: str, answers: Sequence[Answer]) -> tuple[str, str, str, str, str]:
    stopped = [answer for answer in answers if answer.stopped]
    gates = Counter(answer.fault.stopped_by[0] for answer in stopped)
    by = ", ".join(f"{gate} {count}" for gate, count in sorted(gates.items(), key=_most))
    return name, str(len(answers)), str(len(stopped)), by, str(len(answers) - len(stopped))


def _most(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def markdown(report: Report) -> str:
    """The tables for docs/reference/faults.md; the same answers, the same text."""
    found = [
        (
            answer.fault.name,
            f"{answer.fault.how.does}: {answer.fault.how.to}",
            f"{answer.fault.stopped_by[0]}: `{answer.fault.stopped_by[1]}`",
            ", ".join(answer.fault.also),
            answer.outcome if answer.stopped else f"**escaped** ({answer.outcome})",
        )
        for answer in report.answers
    ]
    good = [
        (
            one.good.name,
            "**blocked**" if one.outcome == "block" else one.outcome,
            "; ".join(f.message for f in one.findings),
        )
        for one in report.passed
    ]
    columns = ("fault", "what was done", "stopped by", "and by", "verdict")
    return "\n\n".join(
        (
            report.conclusion,
            table(HEADER, rows(report)),
            "## Every fault",
            table(columns, found),
            "## Good versions",
            table(("version", "verdict", "what was said of it"), good),
        )
    )


def table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    cells = [tuple(header), *(tuple(c.replace("|", "\\|") for c in line) for line in lines)]
    cells.insert(1, tuple("---" for _ in cells[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def record(report: Report, *, seconds: float, cpu_s: float) -> bytes:
    """The run as JSON, in the form of slipway's records."""
    content = {
        "schema": "faults/1",
        "seed": report.seed,
        "planted": len(report.answers),
        "escape_rate": _rate(report.escaped, report.answers),
        "false_block_rate": _rate(report.false_blocks, report.passed),
        "families": [dict(zip(HEADER, row, strict=True)) for row in rows(report)],
        "faults": [_fault(answer) for answer in report.answers],
        "good": [
            {"name": one.good.name, "outcome": one.outcome, "problems": one.problems}
            for one in report.passed
        ],
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
    }
    return canonical(content)


def _fault(answer: Answer) -> dict[str, Any]:
    fault = answer.fault
    return {
        "name": fault.name,
        "does": fault.how.does,
        "to": fault.how.to,
        "severity": fault.severity,
        "stopped_by": list(fault.stopped_by),
        "outcome": answer.outcome,
        "stopped": answer.stopped,
        "by": list(answer.by),
        "problems": answer.problems,
    }


def _rate(part: Sequence[Any], whole: Sequence[Any]) -> float | None:
    return len(part) / len(whole) if whole else None
