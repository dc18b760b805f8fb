"""Runs a command that must not outlive its starter, even when that is killed.

`python guard.py COMMAND…` reads standard input, on which nothing ever comes: its end means that
the starter is gone, and then everything below this process is ended.
"""

import os
import signal
import subprocess
import sys
import threading


def _end_with_starter() -> None:
    while os.read(0, 4096):
        continue
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Runs the command in a session of its own and gives its exit code."""
    if os.getpgrp() != os.getpid():
        os.setsid()
    threading.Thread(target=_end_with_starter, daemon=True).start()
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
