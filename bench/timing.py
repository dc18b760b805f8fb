"""How long a command takes, and how much memory."""

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def environment() -> dict[str, str]:
    """Ours, with the project's programs first."""
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def timed(
    command: Sequence[str], root: Path = ROOT, env: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Cpu seconds of a command and all that it waits for, and its wall seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    given = env or environment()
    subprocess.run(command, cwd=root, env=given, check=True, capture_output=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        peak_mb: the most memory that it and all that it started had resident at once.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float


def cost(
    command: Sequence[str],
    root: Path = ROOT,
    *,
    env: Mapping[str, str] | None = None,
    codes: Sequence[int] = (0,),
) -> Cost:
    """What a command costs; its memory is looked at every 20 ms.

    Args:
        codes: the exit codes that it may have.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=root,
        env=env or environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        peak = 0
        while child.poll() is None:
            peak = max(peak, _resident(child.pid))
            time.sleep(0.02)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode not in codes:
        raise subprocess.CalledProcessError(child.returncode, command)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall, peak / 1e6)


def _resident(pid: int) -> int:
    """Bytes of memory that a process and its children have."""
    import psutil

    total = 0
    with contextlib.suppress(psutil.Error):
        own = psutil.Process(pid)
        for process in (own, *own.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total
