"""Processes that outlive a command: started, found by their command line, ended by identity."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolError
from .process import detach, exit_code

CLOCK_STEP_S = 5.0  # how far the clock may be set while a process runs


@dataclass(frozen=True)
class Daemon:
    """One process; the time of its start tells it from a later one with the same number."""

    pid: int
    created: float
    argv: tuple[str, ...] = ()


def start(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path) -> Daemon:
    """Starts a detached process.

    Raises:
        ToolError: it cannot be started.
    """
    pid = detach(command, cwd=cwd, env=env, log=log)
    return of(pid) or Daemon(pid, time.time(), tuple(map(str, command)))


def of(pid: int) -> Daemon | None:
    """The process with this number, or None where there is none or it only awaits burial."""
    import psutil

    exit_code(pid)
    try:
        process = psutil.Process(pid)
        argv = tuple(process.cmdline())
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else Daemon(pid, process.create_time(), argv)
    except psutil.Error:
        return None


def alive(daemon: Daemon) -> bool:
    """Whether this very process still runs."""
    now = of(daemon.pid)
    return now is not None and abs(now.created - daemon.created) <= CLOCK_STEP_S


def variable(daemon: Daemon, name: str) -> str:
    """A variable of a process's environment, or nothing where it cannot be read."""
    import psutil

    try:
        return str(psutil.Process(daemon.pid).environ().get(name, ""))
    except psutil.Error:
        return ""


def find(ours: Callable[[tuple[str, ...]], bool]) -> list[Daemon]:
    """All processes whose command line is ours, this one left out."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline", "create_time"]):
        argv = tuple(process.info["cmdline"] or ())
        if process.pid != os.getpid() and ours(argv):
            found.append(Daemon(process.pid, process.info["create_time"], argv))
    return found


def end(daemon: Daemon, patience_s: float) -> bool:
    """Asks a process to end, and after `patience_s` kills it and its group; whether it went itself.

    A process that has its number by now is left alone.
    """
    if not alive(daemon):
        return True
    _signal(daemon.pid, signal.SIGTERM)
    until = time.monotonic() + patience_s
    while alive(daemon):
        if time.monotonic() >= until:
            _signal_group(daemon.pid)
            _await_end(daemon)
            return False
        time.sleep(0.01)
    return True


def hurt(daemon: Daemon, *, mortally: bool) -> None:
    """Asks a process to end without waiting for it, or kills it."""
    if alive(daemon):
        _signal(daemon.pid, signal.SIGKILL if mortally else signal.SIGTERM)


def _await_end(daemon: Daemon) -> None:
    until = time.monotonic() + 10
    while alive(daemon):
        if time.monotonic() > until:
            raise ToolError("a process does not end", f"pid {daemon.pid}", "end it by hand")
        time.sleep(0.01)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _signal_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def listener(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return "a process of another user"
    return "a process of another user"


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def cpu_s(daemon: Daemon) -> float:
    """The processor time that a process has taken, in seconds; NaN where it is gone."""
    import psutil

    try:
        times = psutil.Process(daemon.pid).cpu_times()
        return float(times.user + times.system)
    except psutil.Error:
        return float("nan")


def memory_bytes(daemon: Daemon) -> int:
    """The memory that a process takes; 0 where it is gone."""
    import psutil

    try:
        return int(psutil.Process(daemon.pid).memory_info().rss)
    except psutil.Error:
        return 0
