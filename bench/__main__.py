"""Measures what the README and `bench/README.md` claim, on the project as it stands.

`python -m bench [delivery] [stages] [plan] [preparation] [images] [gates] [process] [docker]`: all
by default. The first two need a delivered project (`make deliver`), images and docker an engine and
a registry to start: what is missing is said, and the rest goes on. Each pair is run alternately,
`ROUNDS` times; the median counts, since machines are noisy.
`python -m bench rows COUNT FOLDER` makes raw data of any size (`bench/rows.py`).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .timing import BIN, ROOT, timed

Figures = dict[str, Any]
ROUNDS = 5


def side_by_side(ours: Sequence[str], other: Sequence[str]) -> dict[str, float]:
    """Median cpu and wall seconds of two commands run in turns, and what ours costs more."""
    pairs = [(timed(ours), timed(other)) for _ in range(ROUNDS)]
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
    if image.kind != "bundle":
        return {}  # `images` measures how a container starts
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


def delivery() -> Iterator[tuple[str, Figures]]:
    """The figures of the delivery that is here."""
    for name, measure in FIGURES.items():
        figures = measure()
        if figures:
            yield name, figures


def plan() -> Iterator[tuple[str, Figures]]:
    """The figures of plan and repro beside DVC itself."""
    from . import plan

    yield from plan.measure()


def stages() -> Iterator[tuple[str, Figures]]:
    """The figures of the Jenkinsfile's lines beside the tools that they call."""
    from . import stages

    yield from stages.measure()


def preparation() -> Iterator[tuple[str, Figures]]:
    """The figures of preparing the real data, and twelve million rows made from them."""
    from . import preparation

    yield from preparation.measure()


def images() -> Iterator[tuple[str, Figures]]:
    """The figures of making and starting images."""
    from . import images, workplace

    with workplace.opened("docker") as place:
        yield from images.measure(place)


def gates() -> Iterator[tuple[str, Figures]]:
    """The figures of gates over data beside plain Great Expectations and one scan."""
    from . import gates

    yield from gates.measure()


def deploys(engine: str) -> Iterator[tuple[str, Figures]]:
    """The figures of releases under load on one engine."""
    from . import deploys, workplace

    with workplace.opened(engine) as place:
        yield from deploys.measure(place, engine)


SECTIONS: dict[str, Callable[[], Iterator[tuple[str, Figures]]]] = {
    "delivery": delivery,
    "stages": stages,
    "plan": plan,
    "preparation": preparation,
    "images": images,
    "gates": gates,
    "process": partial(deploys, "process"),
    "docker": partial(deploys, "docker"),
}


def lacking(section: str) -> str:
    """What a section cannot be measured without; empty: nothing is missing."""
    if section in ("delivery", "stages"):
        there = (ROOT / "delivery" / "release.json").is_file()
        return "" if there else "nothing is delivered here: make deliver"
    if section == "preparation":
        return "" if any((ROOT / "data").glob("*.csv")) else "no data/*.csv: slipway data pull"
    from . import workplace

    return "" if section in ("plan", "process") else workplace.lacking()


def main(wanted: Sequence[str]) -> int:
    """Prints each figure as it is measured, or makes rows."""
    if wanted[:1] == ["rows"]:
        from . import rows

        return rows.main(wanted[1:])
    unknown = set(wanted) - set(SECTIONS)
    if unknown:
        print(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
        return 2
    for section in wanted or SECTIONS:
        missing = lacking(section)
        if missing:
            print(f"{section}: not measured, {missing}", flush=True)
            continue
        print(f"{section}: load average {os.getloadavg()[0]:.1f} of {os.cpu_count()} cpus")
        for name, figures in SECTIONS[section]():
            print(f"{name}: {json.dumps(figures)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
