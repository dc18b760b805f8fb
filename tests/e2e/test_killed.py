"""Killed at every step boundary, and in the middle of steps; the next run goes on and finishes."""

import re
import signal
import time

import psutil
import pytest

from slipway.stages.run import STEPS
from tests.projects import Checkout


def leftovers(project: Checkout) -> list[str]:
    """Processes of this project that are not its environments' services."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or [])
        if (process.info["cwd"] or "").startswith(str(project.root)):
            found.append(words)
    return found


def kill_when(project: Checkout, said: str, after_s: float = 0.0) -> bool:
    """Runs a delivery and kills it when it says something; False if it never did."""
    with project.start("run", "--yes") as child:
        assert child.stderr is not None
        for line in child.stderr:
            if re.search(said, line):
                time.sleep(after_s)
                child.send_signal(signal.SIGKILL)
                child.wait()
                return True
        child.wait()
    return False


def test_a_delivery_killed_at_every_step_boundary_is_finished(small: Checkout) -> None:
    killed = [name for name in STEPS if kill_when(small, rf"^▸ {re.escape(name)}:")]
    assert killed == list(STEPS)
    end = time.monotonic() + 20
    while leftovers(small):
        assert time.monotonic() < end, leftovers(small)
        time.sleep(0.1)
    done = small.slipway("run", "--yes")
    assert "release" in done.out
    small.slipway("verify")
    assert small.slipway("status").code == 0


@pytest.mark.parametrize(
    ("said", "after_s"),
    [("Running stage 'train'", 1.5), (r"^▸ staging:", 0.6), (r"^▸ production:", 0.9)],
)
def test_a_delivery_killed_in_the_middle_of_a_step_is_finished(
    delivered_again: Checkout, said: str, after_s: float
) -> None:
    kill_when(delivered_again, said, after_s)
    delivered_again.slipway("run", "--yes")
    delivered_again.slipway("verify")


@pytest.fixture(scope="module")
def delivered_again(months: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    from tests.projects import small_project

    checkout = small_project(tmp_path_factory.mktemp("killed"), months)
    yield checkout
    checkout.slipway("stop", "--all")
