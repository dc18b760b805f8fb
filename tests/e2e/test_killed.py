"""Killed at every step boundary, and in the middle of steps; the next run goes on and finishes."""

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from slipway.stages.run import STEPS
from tests.projects import Checkout, small_project


def leftovers(project: Checkout) -> list[str]:
    """Processes of this project that are not its environments' services."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or [])
        if (process.info["cwd"] or "").startswith(str(project.root)):
            found.append(words)
    return found


def kill(child: "subprocess.Popen[str]") -> None:
    """As a machine ends that loses its power."""
    child.send_signal(signal.SIGKILL)


def abort(child: "subprocess.Popen[str]") -> None:
    """As Jenkins aborts a build: everything that the step started is asked to end, at once."""
    asked = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()


def end_when(
    project: Checkout, said: str, after_s: float = 0.0, end: Callable[..., None] = kill
) -> bool:
    """Runs a delivery and ends it when it says something; False if it never did."""
    with project.start("run", "--yes") as child:
        assert child.stderr is not None
        for line in child.stderr:
            if re.search(said, line):
                time.sleep(after_s)
                end(child)
                child.communicate(timeout=60)
                return True
        child.wait()
    return False


def test_a_delivery_killed_at_every_step_boundary_is_finished(small: Checkout) -> None:
    killed = [name for name in STEPS if end_when(small, rf"^▸ {re.escape(name)}:")]
    assert killed == list(STEPS)
    end = time.monotonic() + 20
    while leftovers(small):
        assert time.monotonic() < end, leftovers(small)
        time.sleep(0.1)
    done = small.slipway("run", "--yes")
    assert "release" in done.out
    small.slipway("verify")
    assert small.slipway("status").code == 0


ENDS: tuple[tuple[str, float, Callable[..., None]], ...] = (
    ("Running stage 'train'", 1.5, kill),
    ("Running stage 'evaluate'", 0.5, abort),
    (r"^▸ image gate:", 0.6, abort),
    (r"^▸ staging:", 0.8, abort),
    (r"^▸ staging:", 0.6, kill),
    (r"^▸ production:", 0.7, abort),
    (r"^▸ production:", 0.9, kill),
)


def test_a_delivery_that_is_ended_in_the_middle_of_its_steps_is_finished(
    months: dict[str, bytes], tmp_path: Path
) -> None:
    project = small_project(tmp_path, months)
    try:
        for said, after_s, end in ENDS:
            assert end_when(project, said, after_s, end), f"it never said {said}"
        project.slipway("run", "--yes")
        project.slipway("verify")
        project.slipway("status")
    finally:
        project.slipway("stop", "--all")
