"""SIGTERM, SIGINT and SIGHUP as an exception, so that what was begun is undone or finished."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from ..errors import ToolError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(ToolError):
    """Somebody asked this process to end."""


class Interrupts:
    """While it is entered, a signal raises `Interrupted`, at once or at the end of `held`."""

    def __init__(self) -> None:
        self._held = 0
        self._pending = ""
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._former = {number: signal.signal(number, self._arrived) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    @contextlib.contextmanager
    def held(self, *, forget: bool = False) -> Iterator[None]:
        """A block that a signal does not cut short; it raises when the block has ended well.

        Args:
            forget: do not raise then either: an error is on its way already.
        """
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        name, self._pending = self._pending, self._pending if self._held else ""
        if name and not self._held and not forget:
            raise _interrupted(name)

    def _arrived(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self._held:
            self._pending = name
        else:
            raise _interrupted(name)


def _interrupted(name: str) -> Interrupted:
    return Interrupted(f"interrupted by {name}", "slipway", "run the same command again to go on")
