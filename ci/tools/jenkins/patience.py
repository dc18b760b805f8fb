"""How long a controller is waited for, and with which pauses."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import SlipwayError

GRACE_S = 60.0  # after an outage, in which a 401 means that Jenkins is still starting


@dataclass(frozen=True)
class Patience:
    """The bounds of waiting."""

    restart_s: float = 300.0  # for a controller that is known to be there
    first_s: float = 5.0  # for one that has never answered, and for an error that may pass
    connect_s: float = 5.0
    answer_s: float = 30.0
    poll_s: float = 1.0  # between two looks
    longest_pause_s: float = 5.0
    sleep: Callable[[float], None] = time.sleep


class Outage:
    """Counts how long a controller has not answered, and says so once."""

    def __init__(self, patience: Patience, tell: Callable[[str], None]) -> None:
        self._patience, self._tell = patience, tell
        self._since: float | None = None
        self._last = -GRACE_S
        self._pauses, self._told = 0, False

    @property
    def recent(self) -> bool:
        """Whether it did not answer a moment ago."""
        return time.monotonic() - self._last < GRACE_S

    def over(self) -> None:
        """The controller has answered."""
        if self._told:
            self._tell("jenkins: the controller is back")
        self._since, self._pauses, self._told = None, 0, False

    def wait(self, error: SlipwayError, longest_s: float, *, down: bool = True) -> None:
        """Pauses before another try.

        Args:
            error: what to say if it never comes back.
            down: nothing like a controller's own answer came.

        Raises:
            SlipwayError: `error`, once it has lasted for `longest_s`.
        """
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        left = longest_s - (now - self._since)
        if left <= 0:
            raise error
        if not self._told and longest_s >= self._patience.restart_s:
            self._tell(f"jenkins: {error.what}; waiting for it, up to {longest_s:g} s")
            self._told = True
        pause = min(self._patience.poll_s * 2**self._pauses, self._patience.longest_pause_s)
        self._pauses += 1
        self._patience.sleep(max(0.0, min(pause, left)))
        if down:
            self._last = time.monotonic()
