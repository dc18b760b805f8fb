"""Times each line of the Jenkinsfile that calls a tool beside that tool, on the delivered project.

What a gate judged is forgotten first, so that both judge: beside `slipway gate` stand DVC, which
looks for what is stale, and the bare judgement. A line without a tool is timed by itself.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from slipway import config

from .timing import BIN, ROOT, timed

ROUNDS = 3
SLIPWAY, DVC = str(BIN / "slipway"), str(BIN / "dvc")
ALONE = (  # lines whose work is slipway's own
    *(("image",), ("gate", "image"), ("deploy", "staging"), ("report",), ("describe",)),
)


def measure() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's name and its figures."""
    for words in ALONE:  # before anything is judged again: that makes new evidence
        cpu, wall = median([timed([SLIPWAY, *words]) for _ in range(ROUNDS)])
        yield f"slipway {' '.join(words)}", {"cpu_s": cpu, "wall_s": wall}
    yield pair("plan", [DVC, "status", "--json"])
    yield pair("lint", list(config.load(ROOT).config.lint.tools["ruff"]))
    yield pair("data pull", [DVC, "pull", "data.dvc"])
    yield pair("repro train", [DVC, "repro", "train"])
    yield unit_tests()
    for name in ("data", "prepared", "model"):
        both_tools = f"dvc repro gate-{name} && slipway gate {name} --out .slipway/bench.json"
        yield pair(f"gate {name}", ["sh", "-c", both_tools], partial(forget, name))


def forget(name: str) -> None:
    """Takes away what this checkout judged: the next gate judges anew."""
    shutil.rmtree(config.load(ROOT).home / "judged", ignore_errors=True)
    (ROOT / "delivery" / f"{name}-verdict.json").unlink(missing_ok=True)


def pair(
    line: str, tool: Sequence[str], before: Callable[[], None] = lambda: None
) -> tuple[str, dict[str, Any]]:
    """A line of ours and its tool in turns."""
    ours, other = [], []
    for _ in range(ROUNDS):
        before()
        ours.append(timed([SLIPWAY, *line.split()]))
        other.append(timed(tool))
    return f"slipway {line} / {Path(tool[0]).name} {' '.join(tool[1:4])}", both(ours, other)


def unit_tests() -> tuple[str, dict[str, Any]]:
    """One module of tests, by slipway in a small project, and by pytest with the same options."""
    from tests import deliveries

    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        root = deliveries.checkout(Path(name) / "project")
        (root / "tests").mkdir()
        (root / "tests" / "test_one.py").write_text("def test_one() -> None:\n    assert True\n")
        ours, other = [], []
        for _ in range(ROUNDS):
            shutil.rmtree(root / "delivery", ignore_errors=True)
            ours.append(timed([SLIPWAY, "test", "unit"], root))
            pytest = [sys.executable, "-m", "pytest", "-q", "--junitxml=x.xml", "tests"]
            other.append(timed(pytest, root))
    return "slipway test unit / pytest", both(ours, other)


def median(runs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The median of cpu and of wall seconds."""
    cpu, wall = zip(*runs, strict=True)
    return round(statistics.median(cpu), 2), round(statistics.median(wall), 2)


def both(ours: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> Any:
    """Ours, the tool's, and what ours costs more."""
    more = statistics.median(a[0] - b[0] for a, b in zip(ours, other, strict=True))
    mine, tool = median(ours), median(other)
    return {"ours_cpu_s": mine[0], "tool_cpu_s": tool[0], "more_cpu_s": round(more, 2)}
