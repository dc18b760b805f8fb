"""Times plan and repro beside DVC itself, on a small pipeline with a local and an S3 remote."""

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import buckets, pipelines
from tests.pipelines import fresh
from tests.projects import Checkout

from . import timing

ROUNDS = 5
DVC = str(timing.BIN / "dvc")
SLIPWAY = str(timing.BIN / "slipway")
Figures = dict[str, Any]


def measure() -> Iterator[tuple[str, Figures]]:
    """Each figure's name and its numbers."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        folder = Path(name)
        made = pipelines.delivered_once(folder / "local")
        yield "slipway plan / dvc status", side_by_side(made, ("plan",), ("status", "--json"))
        yield (
            "slipway repro / dvc repro, nothing changed",
            side_by_side(made, ("repro",), ("repro",)),
        )
        yield "slipway plan in fresh shallow clones", clones(made, folder / "clones")
        yield "slipway repro in one / dvc repro --pull", restored(made, folder / "restored")
        with buckets.deaf() as env:
            unheard = replace(made, env=env)
            figures = clones(unheard, folder / "deaf-clones", {"data/remote": "s3://bucket/bench"})
            yield "the same, remote that never answers", figures
        with buckets.s3(folder) as env:
            remote = {**pipelines.SETTINGS, "data/remote": f"s3://{buckets.BUCKET}/bench"}
            in_s3 = replace(pipelines.pipeline_project(folder / "s3", remote), env=env)
            in_s3.slipway("repro")
            in_s3.commit("Lock what ran")
            in_s3.run("git", "push", "-q", "origin", "main")
            yield "the same, remote in S3", clones(in_s3, folder / "s3-clones")


def timed(checkout: Checkout, command: Sequence[str]) -> tuple[float, float]:
    """Cpu and wall seconds of a command in a checkout, with that checkout's own home."""
    path = f"{timing.BIN}:{checkout.environment()['PATH']}"
    return timing.timed(command, checkout.root, {**checkout.environment(), "PATH": path})


def side_by_side(
    checkout: Checkout,
    ours: Sequence[str],
    other: Sequence[str],
    before: Callable[[], Checkout] | None = None,
) -> Figures:
    """Both in turns; `before` makes the checkout of each run."""
    pairs = [
        (
            timed(before() if before else checkout, (SLIPWAY, *ours)),
            timed(before() if before else checkout, (DVC, *other)),
        )
        for _ in range(ROUNDS)
    ]
    cpu, dvc_cpu, wall, dvc_wall = (
        statistics.median(pair[which][unit] for pair in pairs)
        for unit in (0, 1)
        for which in (0, 1)
    )
    return {
        "ours_cpu_s": round(cpu, 2),
        "dvc_cpu_s": round(dvc_cpu, 2),
        "more_cpu_s": round(statistics.median(a[0] - b[0] for a, b in pairs), 2),
        "times_cpu": round(cpu / dvc_cpu, 2),
        "ours_wall_s": round(wall, 2),
        "dvc_wall_s": round(dvc_wall, 2),
    }


def clones(checkout: Checkout, folder: Path, settings: Mapping[str, Any] | None = None) -> Figures:
    """Seconds of a plan where nothing is there but one commit: the median, and the worst."""
    runs = []
    for number in range(ROUNDS):
        clone = fresh(checkout, folder / str(number))
        clone.settings(settings or {})
        runs.append(timed(clone, (SLIPWAY, "plan")))
    walls = [wall for _, wall in runs]
    return {
        "cpu_s": round(statistics.median(cpu for cpu, _ in runs), 2),
        "wall_s": round(statistics.median(walls), 2),
        "worst_s": round(max(walls), 2),
    }


def restored(checkout: Checkout, folder: Path) -> Figures:
    """A fresh clone brought up to date from the remote, ours and DVC's own way."""
    count = iter(range(1000))
    local = (checkout.root / ".dvc" / "config.local").read_text()

    def before() -> Checkout:
        clone = fresh(checkout, folder / str(next(count)))
        (clone.root / ".dvc" / "config.local").write_text(local)
        return clone

    figures = side_by_side(checkout, ("repro",), ("repro", "--pull"), before)
    shutil.rmtree(folder)
    return figures
