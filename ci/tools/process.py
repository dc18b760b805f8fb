"""Starts processes and waits for them."""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolError


@dataclass(frozen=True)
class Finished:
    """What a process left."""

    code: int
    out: str
    err: str
    raw: bytes = b""  # standard output as it came


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float = 600.0,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Finished:
    """Runs a command to its end; its exit code is the caller's to judge.

    Args:
        env: the whole environment of the process; None inherits ours.

    Raises:
        ToolError: the program is not there, or it took longer than `timeout_s`.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ToolError(
            f"cannot start {words[0]}: {error.strerror}", f"{' '.join(words)}", "install it"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{words[0]} did not end within {timeout_s:g} s", " ".join(words), "look at its output"
        ) from error
    return Finished(done.returncode, _text(done.stdout), _text(done.stderr), done.stdout or b"")


def check(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float = 600.0,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> str:
    """What a command that must succeed wrote to standard output.

    Raises:
        ToolError: as `run`, or it ended with another code than 0.
    """
    done = run(command, cwd=cwd, timeout_s=timeout_s, env=env, stdin=stdin)
    if done.code:
        words = " ".join(str(word) for word in command)
        last = (done.err.strip() or done.out.strip() or "no output").splitlines()[-1]
        raise ToolError(
            f"{command[0]} failed with {done.code}: {last}", f"{words} (in {cwd})", "mend it"
        )
    return done.out


def watch(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float,
    line: Callable[[str], None],
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a long command and gives each line to `line` as it is written.

    The command and all that it starts end when this process does, whatever ends it.

    Args:
        env: the whole environment of the process; None inherits ours.

    Raises:
        ToolError: the program is not there, or it took longer than `timeout_s`.
    """
    words = [str(word) for word in command]
    guarded = [sys.executable, str(Path(__file__).with_name("guard.py")), *words]
    lines: list[str] = []
    with subprocess.Popen(
        guarded,
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as child:
        late = threading.Event()

        def end() -> None:
            late.set()
            if child.stdin:
                child.stdin.close()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            for text in child.stdout or ():
                lines.append(text)
                line(text.rstrip("\n"))
            code = child.wait()
        finally:
            timer.cancel()
            if child.poll() is None and child.stdin:
                child.stdin.close()
    if late.is_set():
        raise ToolError(
            f"{words[0]} did not end within {timeout_s:g} s", " ".join(words), "look at its output"
        )
    return Finished(code, "".join(lines), "")


_detached: dict[int, subprocess.Popen[bytes]] = {}


def detach(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
    """Starts a process that outlives this one and gives its number.

    It has a session of its own, none of our open files, and appends what it writes to `log`.

    Raises:
        ToolError: the program is not there, or the log cannot be written.
    """
    words = [str(word) for word in command]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            child = subprocess.Popen(
                words,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
    except OSError as error:
        raise ToolError(
            f"cannot start {words[0]}: {error.strerror}", f"{' '.join(words)}", "mend what it names"
        ) from error
    _detached[child.pid] = child
    return child.pid


def exit_code(pid: int) -> int | None:
    """How a process that we detached ended; None while it runs or where we did not start it."""
    child = _detached.get(pid)
    return child.poll() if child else None


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")
