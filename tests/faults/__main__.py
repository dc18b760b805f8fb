"""Plants every fault of the catalogue and says what stopped it: `python -m tests.faults`.

Exit 0 only if all is as the catalogue says: nothing escaped, no good version was blocked, and what
stops each fault is what its entry names. Else 3, as any gate that blocks.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from slipway.records import write_atomically

from .catalogue import FAMILIES
from .good import GOOD
from .harness import SEED, Answer, Passed
from .report import HEADER, Report, markdown, record, rows
from .workers import Job, answered

PLACE = re.compile(r"(<!-- measured: faults -->\n).*?(<!-- /measured: faults -->)", re.S)


def main(words: Sequence[str] | None = None) -> int:
    """Runs what is asked for, shows it, writes it down."""
    args = _arguments(words)
    chosen = [family for family in FAMILIES if not args.family or family.name in args.family]
    jobs = [("good", good.name) for good in GOOD] if not args.family else []
    jobs += [("fault", fault.name) for family in chosen for fault in family.faults]
    started, console = time.monotonic(), Console()
    report, cpu_s = _run(jobs, args.seed, args.workers, console)
    seconds = time.monotonic() - started
    _show(report, console)
    console.print(f"{report.conclusion} {seconds:.0f} s, {cpu_s:.0f} cpu s.", highlight=False)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        write_atomically(args.out / "faults.json", record(report, seconds=seconds, cpu_s=cpu_s))
        write_atomically(args.out / "faults.md", f"{markdown(report)}\n".encode())
    if args.page and not args.family:
        text = args.page.read_text(encoding="utf-8")
        filled = PLACE.sub(lambda m: f"{m[1]}\n{markdown(report)}\n\n{m[2]}", text)
        write_atomically(args.page, filled.encode())
    return 0 if report.good else 3


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    names = [family.name for family in FAMILIES]
    parser.add_argument("family", nargs="*", help=f"only these: {', '.join(names)}")
    parser.add_argument("--seed", type=int, default=SEED, help="what chance is drawn from")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="faults.json and faults.md go there"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into this page")
    args = parser.parse_args(words)
    if unknown := sorted(set(args.family) - set(names)):
        parser.error(f"no family '{unknown[0]}': use one of {', '.join(names)}")
    return args


def _run(jobs: Sequence[Job], seed: int, workers: int, console: Console) -> tuple[Report, float]:
    """Every job's answer, in the catalogue's order, and the cpu seconds of all workers."""
    found: dict[Job, Answer | Passed] = {}
    cpu_s = 0.0
    with _progress(len(jobs), console) as went:
        for answers, cost in answered(jobs, seed, workers):
            found |= answers
            cpu_s += cost
            went(len(answers))
    every = [found[job] for job in jobs]
    answers = tuple(one for one in every if isinstance(one, Answer))
    return Report(answers, tuple(one for one in every if isinstance(one, Passed)), seed), cpu_s


@contextmanager
def _progress(total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """A bar where somebody watches, nothing elsewhere."""
    columns = (TextColumn("faults"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown:
        task = shown.add_task("", total=total)
        yield lambda count: shown.advance(task, count)


def _show(report: Report, console: Console) -> None:
    """The table, family by family, then what is not as it should be."""
    table = Table(*HEADER, box=None, pad_edge=False)
    for row in rows(report):
        table.add_row(*row, style="red" if row[-1] != "0" else "")
    console.print(table)
    for one in report.answers:
        for problem in one.problems:
            console.print(f"{one.fault.name}: {problem}", style="red", markup=False)
        if one.problems:
            said = ", ".join(f"{f.gate} '{f.where}'" for f in one.findings) or "nothing"
            console.print(f"{one.fault.name}: what says so is {said}", markup=False)
    for version in report.passed:
        for problem in version.problems:
            console.print(f"{version.good.name}: {problem}", style="red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
