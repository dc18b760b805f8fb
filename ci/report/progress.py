"""What a long command is at: a bar where somebody watches, plain lines elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator

Step = Callable[[str], None]  # says what begins now


@contextlib.contextmanager
def steps(total: int) -> Iterator[Step]:
    """Tells the beginning of each of so many steps."""
    if sys.stdout.isatty():
        with _bar(total) as told:
            yield told
        return
    began = 0

    def tell(what: str) -> None:
        nonlocal began
        began += 1
        print(f"[{began}/{total}] {what}", flush=True)

    yield tell


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Step]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(20), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), transient=True) as shown:
        task, begun = shown.add_task("", total=total), 0

        def tell(what: str) -> None:
            nonlocal begun
            begun += 1
            shown.update(task, completed=begun - 1, description=what)
            shown.console.print(f"[{begun}/{total}] {what}", markup=False, highlight=False)

        yield tell
