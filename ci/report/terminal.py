"""A verdict and a delivery as text for a terminal."""

import unicodedata
from collections.abc import Sequence

from ..records import Verdict
from . import words

COLORS = {"pass": "32", "warn": "33", "block": "31", "skip": "2", "not_applicable": "2"}
ANSWERS = {"blocked": "31", "delivered": "32", "failed": "31"}  # beside the outcomes
WIDTH = 100  # columns of a page
MOST = 20  # findings of one verdict
GAP = "  "


def show(verdict: Verdict, *, color: bool) -> None:
    """Prints a verdict: what did not pass in full, blocks first, what passed as a count."""
    loud = [
        f
        for outcome in ("block", "warn", "skip", "not_applicable")
        for f in verdict.findings
        if f.outcome == outcome
    ]
    for finding in loud[:MOST]:
        where = f" [{words.tidy(finding.where)}]" if finding.where else ""
        said = words.tidy(finding.message)
        print(f"  {paint(finding.outcome, color)} {finding.gate}{where}: {said}")
        if finding.outcome in ("warn", "block"):
            figures = words.value(finding.measured), words.value(finding.expected)
            print(f"        measured {figures[0]}, expected {figures[1]}")
    if len(loud) > MOST:
        print(f"  … and {words.count(len(loud) - MOST)} more, in the verdict's record")
    passed = sum(f.outcome == "pass" for f in verdict.findings)
    print(
        f"{verdict.subject_kind}: {paint(verdict.outcome, color)} "
        f"({passed} of {words.plural(len(verdict.findings), 'finding')} passed) {verdict.of}",
        flush=True,
    )


def paint(outcome: str, color: bool) -> str:
    """An outcome, coloured for a terminal that shows colours."""
    code = COLORS.get(outcome) or ANSWERS.get(outcome)
    return f"\x1b[{code}m{outcome}\x1b[0m" if color and code else outcome


def table(rows: Sequence[Sequence[object]], header: Sequence[str], *, color: bool = False) -> str:
    """Rows in aligned columns below a header, at most 100 columns wide where words can be cut.

    Numbers and times, which end in a digit or a unit behind one, stand at the right of a column
    whose cells are all such. Outcomes are coloured.
    """
    cells = [[words.tidy(cell) for cell in row] for row in rows]
    widths = _widths([list(header), *cells])
    right = [_figures([row[i] for row in cells]) for i in range(len(header))]
    lines = [
        _line(list(header), widths, right),
        GAP.join("─" * width for width in widths),
        *(_line(row, widths, right, color=color) for row in cells),
    ]
    return "\n".join(lines)


def delivery_table(rows: Sequence[tuple[str, str, float, str]], *, color: bool = False) -> str:
    """The steps of a delivery: name, answer, seconds, digest; and all seconds together."""
    total = sum(seconds for _, _, seconds, _ in rows)
    shown = [
        (step, said, f"{took:.1f} s", words.short(about) if about else "")
        for step, said, took, about in rows
    ]
    done = (words.plural(len(rows), "step"), "", f"{total:.1f} s", "")
    lines = table([*shown, done], ("step", "answer", "time", "about"), color=color).split("\n")
    return "\n".join([*lines[:-1], lines[1], lines[-1]])


def columns(text: str) -> int:
    """How many columns a terminal needs for a text: some characters take two, some none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Each column as wide as its widest cell; the widest give way until all fit."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    room = WIDTH - len(GAP) * (len(widths) - 1)
    while sum(widths) > room and max(widths) > 12:
        widest = widths.index(max(widths))
        widths[widest] -= min(sum(widths) - room, widths[widest] - 12)
    return widths


def _line(
    row: Sequence[str], widths: Sequence[int], right: Sequence[bool], *, color: bool = False
) -> str:
    parts = []
    for text, width, at_right in zip(row, widths, right, strict=True):
        fitting = _cut(text, width)
        space = " " * (width - columns(fitting))
        painted = paint(fitting, color)
        parts.append(space + painted if at_right else painted + space)
    return GAP.join(parts).rstrip()


def _cut(text: str, width: int) -> str:
    """As much of a text as fits."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _figures(cells: Sequence[str]) -> bool:
    """Whether every cell is a number, with or without a unit."""
    heads = [cell.split(" ")[0].replace(",", "").replace(".", "") for cell in cells if cell]
    short = all(cell.count(" ") <= 1 for cell in cells)
    return bool(heads) and short and all(head.lstrip("+-−").isdigit() for head in heads)
