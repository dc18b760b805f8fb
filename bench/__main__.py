"""Measures what the README and `bench/README.md` claim, on the project as it stands.

Needs a delivered project (`make deliver`). Each pair is run alternately, `ROUNDS` times; the
median counts, since machines are noisy.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ROUNDS = 5


def cpu_seconds(command: Sequence[str]) -> tuple[float, float]:
    """User and system seconds, and wall seconds, of a command and all that it waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=environment())
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def environment() -> dict[str, str]:
    """Ours, with the project's programs first."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def side_by_side(ours: Sequence[str], other: Sequence[str]) -> dict[str, float]:
    """Median cpu and wall seconds of two commands run in turns, and what ours costs more."""
    pairs = [(cpu_seconds(ours), cpu_seconds(other)) for _ in range(ROUNDS)]
    return {
        "ours_cpu_s": round(statistics.median(a[0] for a, _ in pairs), 3),
        "other_cpu_s": round(statistics.median(b[0] for _, b in pairs), 3),
        "more_cpu_s": round(statistics.median(a[0] - b[0] for a, b in pairs), 3),
        "ours_wall_s": round(statistics.median(a[1] for a, _ in pairs), 3),
        "other_wall_s": round(statistics.median(b[1] for _, b in pairs), 3),
    }


def help_against_bare_python() -> dict[str, float]:
    """`slipway --help` against a Python that does nothing."""
    return side_by_side([str(BIN / "slipway"), "--help"], [sys.executable, "-c", "pass"])


def nothing_changed_against_dvc() -> dict[str, float]:
    """`slipway run --yes` with nothing changed against `dvc repro` with nothing changed."""
    return side_by_side([str(BIN / "slipway"), "run", "--yes"], [str(BIN / "dvc"), "repro"])


def server_start() -> dict[str, float]:
    """Cpu and wall seconds from a server's start to its first ready answer, and its memory."""
    import psutil

    from slipway import config
    from slipway.records import Image, read
    from slipway.tools import environment as environments
    from slipway.tools import service, store

    project = config.load(ROOT)
    image = read(project.delivery, "image", Image)
    requirements = ROOT / project.config.artefact.requirements
    python = environments.ensure(requirements, project.cache) / "bin/python"
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        store.unpack(Path(image.reference), Path(folder) / "bundle")
        for port in range(18200, 18200 + ROUNDS):
            started = time.perf_counter()
            command = [str(python), "-m", project.config.artefact.module, "model"]
            server = subprocess.Popen([*command, "--port", str(port)], cwd=f"{folder}/bundle")
            while service.ready(f"http://127.0.0.1:{port}").status != 200:
                time.sleep(0.005)
            wall = time.perf_counter() - started
            group = [psutil.Process(server.pid), *psutil.Process(server.pid).children(True)]
            cpu = sum(p.cpu_times().user + p.cpu_times().system for p in group)
            memory = sum(p.memory_info().rss for p in group) / 1e6
            figures.append((cpu, wall, memory))
            server.terminate()
            server.wait()
    cpu, wall, memory = (statistics.median(values) for values in zip(*figures, strict=True))
    return {"cpu_s": round(cpu, 3), "wall_s": round(wall, 3), "rss_mb": round(memory, 1)}


def switch() -> dict[str, float]:
    """Milliseconds of the last switch to each environment, from the records."""
    names = ("staging", "production")
    paths = {name: ROOT / "delivery" / f"{name}.json" for name in names}
    return {name: json.loads(path.read_bytes())["switch_ms"] for name, path in paths.items()}


FIGURES: dict[str, Callable[[], dict[str, float]]] = {
    "slipway --help / python -c pass": help_against_bare_python,
    "slipway run, nothing changed / dvc repro, nothing changed": nothing_changed_against_dvc,
    "server, start to ready": server_start,
    "switch, ms": switch,
}


def main() -> int:
    """Prints each figure as it is measured."""
    for name, measure in FIGURES.items():
        print(f"{name}: {json.dumps(measure())}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
