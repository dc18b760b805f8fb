"""What no environment and no rollback window needs: found place by place, removed one by one.

A place is surveyed first, as a whole and without a change. What its survey says may go is removed
later, each piece only after the caller has asked the ledger once more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

InRegistry = Literal["image", "runtime", "sbom"]
InEngine = Literal["local image", "local runtime"]
InHome = Literal["bundle", "model", "layer", "copies", "data", "quarantine"]
What = InRegistry | InEngine | InHome


@dataclass(frozen=True)
class Piece:
    """One thing that can be removed.

    Attributes:
        name: what people call it: its version if it has one.
        where: the registry, the engine's address or the folder that has it.
        digest: what it is needed by, or not.
        bytes: what its removal frees, as far as that is known before.
        why: why it stays, or why it may go.
    """

    what: What
    name: str
    where: str
    digest: str
    bytes: int
    why: str
    remove: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Survey:
    """What a place holds of this model: what stays, and what may go, in the order of removal."""

    stays: tuple[Piece, ...] = ()
    goes: tuple[Piece, ...] = ()

    def __add__(self, other: "Survey") -> "Survey":
        return Survey(self.stays + other.stays, self.goes + other.goes)


@dataclass(frozen=True)
class Made:
    """An artefact that this model's ledger or this home has made."""

    digest: str
    kind: str
    version: str = ""  # empty: never registered
    runtime: str = ""  # digest or id of the runtime below it
    at: float = 0.0  # when it was last made or mentioned, in seconds since 1970


@dataclass(frozen=True)
class Known:
    """What decides about every piece: what is needed, what is ours, and what counts as young."""

    needed: Mapping[str, str]  # digest of an artefact or a model → why
    made: Mapping[str, Made]  # digest of an artefact → what is known of it
    before: float  # what was made after this moment stays, whoever needs it

    def why(self, digest: str, at: float) -> str:
        """Why something stays; empty where nothing speaks for it.

        Args:
            at: when it was made, in seconds since 1970.
        """
        reason = self.needed.get(digest, "")
        return reason or ("too young to tell" if at > self.before else "")
