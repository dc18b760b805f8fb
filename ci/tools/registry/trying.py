"""How often, how long and with which pauses a failing request is tried again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from .failures import InterruptedRequest


@dataclass(frozen=True)
class Patience:
    """The bounds of trying again; counted anew after progress."""

    tries: int = 4
    first_pause_s: float = 0.3  # each next one is three times as long
    longest_pause_s: float = 10.0  # also where the registry asks for more
    total_s: float = 30.0  # no further try after that
    connect_s: float = 5.0
    answer_s: float = 10.0  # for a registry to begin its answer
    transfer_s: float = 60.0  # the same where it has stored or sent a blob
    sleep: Callable[[float], None] = time.sleep


class Trying:
    """Counts the failures of one piece of work."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.progressed()

    def progressed(self) -> None:
        """Forgets earlier failures."""
        self._failures, self._since = 0, time.monotonic()

    def failed(self, interrupted: InterruptedRequest) -> None:
        """Pauses before another try.

        Raises:
            ToolError: it was tried often or long enough.
        """
        patience = self._patience
        pause = max(patience.first_pause_s * 3**self._failures, interrupted.wait_s)
        pause = min(pause, patience.longest_pause_s)
        self._failures += 1
        late = time.monotonic() - self._since + pause > patience.total_s
        if late or self._failures >= patience.tries:
            raise interrupted.error from interrupted.__cause__
        patience.sleep(pause)
