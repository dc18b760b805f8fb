"""Measures `python -m ml.prepare` on each engine, and looks that both prepare the same bytes."""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import rows
from .timing import ROOT, environment

MANY, SEED = 12_000_000, 7
ENGINES = (("duckdb", 2048), ("duckdb", 512), ("spark", 4096))  # with how much memory, MB
PAUSE_S = 0.1


def measure() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each engine on the real rows and on many; what it took, and what came of it."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as name:
        many = Path(name) / "many"
        source = rows.read(ROOT / "data")
        list(rows.write(source, rows.make(source, MANY, SEED), many))
        del source
        for raw in (ROOT / "data", many):
            for engine, memory in ENGINES:
                folder = Path(name) / f"{raw.name}-{engine}-{memory}"
                yield (
                    f"prepare {raw.name}, {engine}, {memory} MB",
                    prepared(folder, raw, engine, memory),
                )


def prepared(folder: Path, raw: Path, engine: str, memory: int) -> dict[str, Any]:
    """What preparing takes there, and a digest of the tables."""
    folder.mkdir()
    (folder / "data").symlink_to(raw, target_is_directory=True)
    changes = {"name": engine, "memory_mb": memory}
    lines = (ROOT / "params.yaml").read_text().splitlines()
    keys = [line.partition(":")[0].strip() for line in lines]
    changed = [
        f"  {key}: {changes[key]}" if key in changes else line
        for key, line in zip(keys, lines, strict=True)
    ]
    (folder / "params.yaml").write_text("\n".join(changed) + "\n")
    figures = _watched(folder)
    total = hashlib.sha256()
    for path in sorted((folder / "prepared").glob("*.parquet")):
        total.update(path.read_bytes())
    return {**figures, "tables": total.hexdigest()[:12]}


def _watched(folder: Path) -> dict[str, Any]:
    """Cpu seconds, wall seconds and the largest memory of the command and what it started."""
    import psutil

    started, cpu, memory = time.perf_counter(), 0.0, 0
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ml.prepare"]
    work = psutil.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
    while work.poll() is None:
        try:
            own = [work, *work.children(recursive=True)]
            memory = max(memory, sum(process.memory_info().rss for process in own))
            cpu = max(cpu, sum(sum(process.cpu_times()[:2]) for process in own))
        except psutil.Error:
            pass  # one of them ended meanwhile
        time.sleep(PAUSE_S)
    if work.returncode:
        return {"failed": work.returncode}
    wall = time.perf_counter() - started
    load = round(os.getloadavg()[0], 1)
    return {"cpu_s": round(cpu, 1), "wall_s": round(wall, 1), "mb": memory // 10**6, "load": load}
