"""A verdict and a delivery as text for a terminal."""

import textwrap
import unicodedata
from collections.abc import Sequence

from ..records import Finding, Verdict
from . import rows, words

COLORS = {"pass": "32", "warn": "33", "block": "31", "skip": "2", "not_applicable": "2"}
ANSWERS = {"blocked": "31", "delivered": "32", "failed": "31"}  # beside the outcomes
WIDTH = 100  # columns of a page
MOST = 20  # findings of one verdict
GAP = "  "
ROWS, COLUMNS, CALLS = 3, 6, 5  # of one finding
INDENT = " " * 8


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
            _show_rows(finding)
    if len(loud) > MOST:
        print(f"  … and {words.count(len(loud) - MOST)} more, in the verdict's record")
    if verdict.quarantine:
        print(f"  the rows as they are, for those who may see them: {rows.how_to_get(verdict)}")
    passed = sum(f.outcome == "pass" for f in verdict.findings)
    print(
        f"{verdict.subject_kind}: {paint(verdict.outcome, color)} "
        f"({passed} of {words.plural(len(verdict.findings), 'finding')} passed) {verdict.of}",
        flush=True,
    )


def _show_rows(finding: Finding) -> None:
    """The first rows of a finding, moved in, or the calls that ended in an exception."""
    if finding.rows:
        shown = rows.table(finding, ROWS, COLUMNS, 24)
        text = table(shown.cells, shown.header, width=WIDTH - len(INDENT))
        print(textwrap.indent(f"{text}\n{shown.said}", INDENT))
    for call in rows.called(finding.traceback, CALLS):
        print(f"{INDENT}{call}")


def paint(outcome: str, color: bool) -> str:
    """An outcome, coloured for a terminal that shows colours."""
    code = COLORS.get(outcome) or ANSWERS.get(outcome)
    return f"\x1b[{code}m{outcome}\x1b[0m" if color and code else outcome


def table(
    lines: Sequence[Sequence[object]],
    header: Sequence[str],
    *,
    color: bool = False,
    width: int = WIDTH,
) -> str:
    """Lines in aligned columns below a header, so wide at most where words can be cut.

    Numbers and times, which end in a digit or a unit behind one, stand at the right of a column
    whose cells are all such. Outcomes are coloured.
    """
    cells = [[words.tidy(cell) for cell in line] for line in lines]
    widths = _widths([list(header), *cells], width)
    right = [_figures([line[i] for line in cells]) for i in range(len(header))]
    shown = [
        _line(list(header), widths, right),
        GAP.join("─" * width for width in widths),
        *(_line(line, widths, right, color=color) for line in cells),
    ]
    return "\n".join(shown)


def delivery_table(steps: Sequence[tuple[str, str, float, str]], *, color: bool = False) -> str:
    """The steps of a delivery: name, answer, seconds, digest; and all seconds together."""
    total = sum(seconds for _, _, seconds, _ in steps)
    shown = [
        (step, said, f"{took:.1f} s", words.short(about) if about else "")
        for step, said, took, about in steps
    ]
    done = (words.plural(len(steps), "step"), "", f"{total:.1f} s", "")
    lines = table([*shown, done], ("step", "answer", "time", "about"), color=color).split("\n")
    return "\n".join([*lines[:-1], lines[1], lines[-1]])


def columns(text: str) -> int:
    """How many columns a terminal needs for a text: some characters take two, some none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _widths(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """Each column as wide as its widest cell; the widest give way until all fit."""
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    room = width - len(GAP) * (len(widths) - 1)
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
