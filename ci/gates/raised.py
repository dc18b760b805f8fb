"""What a gate raised instead of an answer: its type and its calls, nothing that it quotes."""

import traceback
from collections.abc import Iterator
from pathlib import Path

from ..records import Finding

MOST = 30  # calls
LONGEST = 500  # characters of a message
UNSAID = "its message is not shown, since it may quote personal data"


class Unsaid(Exception):
    """A bug whose message is not shown, since it may quote personal data."""


def unsaid(error: Exception) -> Unsaid:
    """The same bug, to be raised `from None`: its calls stay, its message and cause do not."""
    return Unsaid(f"{_named(error)}: {UNSAID}").with_traceback(error.__traceback__)


def finding(gate: str, error: Exception, *, personal: bool, where: str = "") -> Finding:
    """The blocked finding of a gate that raised.

    Args:
        personal: whether the message may quote personal data.
        where: what the last answer before was about.
    """
    said = UNSAID if personal else str(error)[:LONGEST] or "it says nothing"
    return Finding(
        gate,
        "block",
        f"raised {_named(error)}",
        "an answer",
        f"the gate raised {_named(error)}{f' at or after {where}' if where else ''}: {said}",
        "raised",
        traceback=tuple(frames(error)),
    )


def frames(error: BaseException) -> list[str]:
    """The calls that led to an exception and to its causes, `file:line in function`."""
    found = list(_frames(error))
    if len(found) > MOST:
        left = f"… {len(found) - MOST} calls more"
        found = [*found[: MOST // 3], left, *found[len(found) - (MOST - MOST // 3) :]]
    return found


def _frames(error: BaseException) -> Iterator[str]:
    seen = set[int]()
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        chain.insert(0, current)
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    for number, one in enumerate(chain):
        for frame, line in traceback.walk_tb(one.__traceback__):
            code = frame.f_code
            yield f"{short(code.co_filename)}:{line} in {code.co_name}"
        if number < len(chain) - 1:
            yield f"raised {_named(one)}, and then"


def _named(error: BaseException) -> str:
    return type(error).__name__[:100]


def short(name: str) -> str:
    """A source file's place in its package: no path of this machine."""
    path = Path(name)
    if "site-packages" in path.parts:
        last = len(path.parts) - path.parts[::-1].index("site-packages")
        return "/".join(path.parts[last:])
    return "/".join(path.parts[-2:])
