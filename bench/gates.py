"""Gates over data beside plain Great Expectations and one DuckDB scan: cpu, wall, peak memory.

Every run is a process of its own, import included; the ways take turns, in another order each
round, and the median counts. Each way has to answer every expectation the same.
"""

import dataclasses
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .timing import BIN, ROOT, Cost, cost

ROUNDS = 3
MANY = 12_000_000  # rows
ROOM_GB = 10.0  # of free memory, for as many
ASKING = ("plain", "ours", "scan")  # the raw suite's expectations alone
MORE: Mapping[str, Any] = {
    "gates/data/completeness/max_rows_per_month": 6_000_000,
    "gates/data/completeness/max_rows_per_day": 500_000,
}


def measure() -> Iterator[tuple[str, dict[str, Any]]]:
    """The real data, then many rows made of them, where there is room."""
    import psutil

    yield from _of(ROOT / "data", "818 k rows", {})
    free = psutil.virtual_memory().available / 1e9
    if free < ROOM_GB:
        print(f"left out: {MANY:,} rows want {ROOM_GB:.0f} GB of free memory, {free:.0f} are there")
        return
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name) / "raw"
        cost([sys.executable, "-m", "bench", "rows", str(MANY), str(folder)])
        yield from _of(folder, "12 M rows", MORE)
        once = _asked("spark", folder, Path(name))
        yield "12 M rows: the same on Spark, local[2]", dataclasses.asdict(once[0])


def _of(
    folder: Path, size: str, settings: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        checkout = _project(Path(name), folder, settings)
        runs: dict[str, list[Cost]] = {way: [] for way in (*ASKING, "gate")}
        answers: dict[str, dict[str, bool]] = {}
        for number in range(ROUNDS):
            order = [*ASKING[number:], *ASKING[:number]]
            for way in order:
                spent, answers[way] = _asked(way, folder, Path(name))
                runs[way].append(spent)
            runs["gate"].append(_whole(checkout))
    medians = {way: median(costs) for way, costs in runs.items()}
    for way, spent in medians.items():
        same = answers[way] == answers["plain"] if way in answers else None
        yield f"{size}: {way}", {**spent, **_beside(spent, medians["plain"]), "same_answers": same}


def _asked(way: str, folder: Path, out: Path) -> tuple[Cost, dict[str, bool]]:
    """One way's cost, and what it answered."""
    path = out / f"{way}.json"
    spent = cost([sys.executable, "-m", "bench.gate_ways", way, str(folder), str(path)])
    answers: dict[str, bool] = json.loads(path.read_bytes())
    return spent, answers


def _project(place: Path, folder: Path, settings: Mapping[str, Any]) -> Path:
    """A checkout whose data version is this folder's."""
    from slipway.tools import folders
    from tests.datasets import data_project

    root = data_project(place, None, settings=settings).root
    (root / "data").symlink_to(folder)
    md5 = folders.digest(folders.hash_files(folder)).removeprefix("md5:")
    (root / "data.dvc").write_text(f"outs:\n- md5: {md5}\n  hash: md5\n  path: data\n")
    return root


def _whole(root: Path) -> Cost:
    """`slipway gate data`, every gate of it; where there are too many rows, it may block."""
    command = [str(BIN / "slipway"), "gate", "data", "--out", str(root / "verdict.json")]
    return cost(command, root, codes=(0, 3))


def median(costs: Sequence[Cost]) -> dict[str, float]:
    """The median of each figure."""
    names = [field.name for field in dataclasses.fields(Cost)]
    return {n: round(statistics.median(getattr(one, n) for one in costs), 2) for n in names}


def _beside(ours: Mapping[str, float], plain: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_by_plain": round(ours[name] / plain[name], 2) for name in plain}
