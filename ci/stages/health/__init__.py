"""What a checkup finds: one check a line, each with what was measured, what is needed, the cure."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warn", "missing"]


@dataclass(frozen=True)
class Check:
    """One thing that a delivery needs, and whether it is there."""

    section: str  # of the report
    name: str
    outcome: Outcome
    measured: str
    needed: str
    mend: str = ""  # one line; empty: nothing is to be done


def check(
    section: str,
    name: str,
    good: bool,
    *,
    measured: str,
    needed: str,
    mend: str,
    otherwise: Outcome = "missing",
) -> Check:
    """A check that is fine if `good`, and else `otherwise`, with its cure."""
    outcome: Outcome = "ok" if good else otherwise
    return Check(section, name, outcome, measured, needed, "" if good else mend)


def unseen(section: str, name: str, why: str, needed: str, mend: str) -> Check:
    """A check that nobody could make: that is no reason to call the thing missing."""
    return Check(section, name, "warn", f"cannot see: {why}", needed, mend)


def version_of(text: str) -> tuple[int, ...]:
    """The numbers that a version begins with: `2.2277.v00573e` → (2, 2277)."""
    numbers = []
    for part in text.replace("-", ".").split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
