"""How a build that is followed looks: plain lines, or on a terminal the stages below the log."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol

from ...report import terminal, words
from ...tools.jenkins.builds import Stage
from . import outcome

COLORS = {
    "passed": "green",
    "passed, with warnings": "yellow",
    "failed": "red",
    "aborted": "red",
    "running": "cyan",
    "waits for a person": "bold yellow",
}
ROWS = 14  # stages that are shown at once
LINES = 500  # of a log, in one go


class View(Protocol):
    """Shows what is new."""

    def __enter__(self) -> "View":
        """Begins."""

    def __exit__(self, *_: Any) -> None:
        """Ends."""

    def lines(self, lines: Sequence[str]) -> None:
        """Shows lines of the log."""

    def stages(self, stages: Sequence[Stage]) -> None:
        """Shows how the stages stand."""

    def note(self, text: str) -> None:
        """Shows something that the reader should know."""


class Plain:
    """A line for each line of the log, and one for each stage that begins or ends."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._seen: dict[str, str] = {}

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *_: Any) -> None:
        sys.stdout.flush()

    def lines(self, lines: Sequence[str]) -> None:
        """Prints them."""
        if not self._quiet and lines:
            print("\n".join(lines), flush=True)

    def stages(self, stages: Sequence[Stage]) -> None:
        """Prints those that stand otherwise than before."""
        for stage, word in outcome.told(stages):
            if self._seen.get(stage.key) != word:
                self._seen[stage.key] = word
                took = "" if word in ("running", "left out") else f", {seconds(stage)}"
                print(f"── {words.tidy(stage.name)}: {word}{took}", flush=True)

    def note(self, text: str) -> None:
        """Prints it."""
        print(f"── {text}", flush=True)


class Lively:
    """The log scrolls; the stages stand below it, and once more at the end."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._quiet = quiet
        self._console = Console(markup=False, highlight=False, emoji=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._last: Sequence[Stage] = ()

    def __enter__(self) -> "Lively":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._live.stop()
        rows = [(stage.name, word, seconds(stage)) for stage, word in outcome.told(self._last)]
        if rows:
            print(terminal.table(rows, ("stage", "", "time")), flush=True)

    def lines(self, lines: Sequence[str]) -> None:
        """Prints them above the stages."""
        if self._quiet:
            return
        for start in range(0, len(lines), LINES):
            text = "\n".join(lines[start : start + LINES])
            self._console.print(text, soft_wrap=True)

    def stages(self, stages: Sequence[Stage]) -> None:
        """Draws them anew."""
        from rich.table import Table
        from rich.text import Text

        self._last = stages
        table = Table.grid(padding=(0, 2))
        for stage, word in outcome.told(stages)[-ROWS:]:
            color = COLORS.get(word, "dim")
            table.add_row(
                Text(words.tidy(stage.name)), Text(word, style=color), Text(seconds(stage))
            )
        self._live.update(table)

    def note(self, text: str) -> None:
        """Prints it above the stages."""
        self._console.print(f"── {text}", style="bold", soft_wrap=True)


def view(*, quiet: bool) -> View:
    """The view that fits where the output goes."""
    return Lively(quiet=quiet) if sys.stdout.isatty() else Plain(quiet=quiet)


def seconds(stage: Stage) -> str:
    """How long a stage took."""
    return words.duration(stage.duration_ms / 1000)
