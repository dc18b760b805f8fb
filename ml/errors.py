"""How a command of this package says that its input is wrong."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """A wrong or missing input, in three lines: what, where, what to do."""

    exit_code = 2

    def __init__(self, what: str, where: str, todo: str) -> None:
        self.what, self.where, self.todo = what, where, todo
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  to do: {self.todo}"


class EngineError(InputError):
    """What the work runs on cannot be had, or failed."""

    exit_code = 4


def exit_code(work: Callable[[], None]) -> int:
    """Runs `work`: 0, or an input error's message on stderr and its code."""
    try:
        work()
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = error.filename or "the disk"
        todo = "mend it and run the command again"
        print(InputError(error.strerror or str(error), str(where), todo), file=sys.stderr)
        return InputError.exit_code
    return 0


def say(text: str) -> None:
    """Prints one line of progress at once."""
    print(text, flush=True)
