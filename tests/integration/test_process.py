"""Processes that we start: their output, their end, and ours."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from slipway.errors import ToolError
from slipway.tools import process


def test_a_command_gives_its_output_and_code(tmp_path: Path) -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"], cwd=tmp_path)
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")


def test_a_failed_command_is_named_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="sh failed with 3: why"):
        process.check(["sh", "-c", "echo why >&2; exit 3"], cwd=tmp_path)


def test_a_missing_program_and_a_slow_one_are_tool_failures(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot start"):
        process.run(["no-such-program"], cwd=tmp_path)
    with pytest.raises(ToolError, match=r"did not end within 0\.2 s"):
        process.run(["sleep", "30"], cwd=tmp_path, timeout_s=0.2)


def test_output_that_is_not_text_is_no_crash(tmp_path: Path) -> None:
    assert "\ufffd" in process.run(["printf", "\\377"], cwd=tmp_path).out


def test_watched_lines_arrive_as_they_are_written(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "echo one; echo two >&2; exit 7"
    done = process.watch(["sh", "-c", script], cwd=tmp_path, timeout_s=30, line=lines.append)
    assert done.code == 7
    assert sorted(lines) == ["one", "two"]


def test_a_watched_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="did not end within"):
        process.watch(["sleep", "60"], cwd=tmp_path, timeout_s=0.5, line=print)


def test_nothing_survives_a_starter_that_is_killed(tmp_path: Path) -> None:
    marker = f"slipway-orphan-{time.monotonic_ns()}"
    script = (
        "from pathlib import Path; from slipway.tools import process; "
        f"process.watch(['sh', '-c', 'sleep 300 & sleep 300; : {marker}'], "
        "cwd=Path('.'), timeout_s=600, line=print)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)

    def alive() -> list[psutil.Process]:
        found = []
        for each in psutil.process_iter(["cmdline"]):
            if (
                any(marker in word for word in each.info["cmdline"] or [])
                and each.pid != starter.pid
            ):
                found.append(each)
        return found

    _until(lambda: len(alive()) >= 2)  # the guard and the shell
    group = [p for each in alive() for p in (each, *each.children(recursive=True))]
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    _until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in group))


def _until(condition: object, limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
