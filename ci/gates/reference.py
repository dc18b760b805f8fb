"""What the champion's data were like: what history questions about new data are judged by."""

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import EvidenceError
from ..records import canonical, seal
from ..typed import Mismatch, build, plain

WINDOW_DAYS = 28  # four whole weeks: every weekday is in it as often as any other


@dataclass(frozen=True)
class ColumnProfile:
    """One column: extremes over all rows, distributions over the last days alone.

    Attributes:
        kind: as `[data.columns]` declares it.
        nulls: share of all rows without a value.
        distinct: different values in all rows.
        minimum, maximum: a number, or the ISO date of a date; None for text, and for nothing.
        edges: inner limits of the number's classes, rising; class i is up to and with edge i.
        shares: class → share of the window's rows; "" is no value. Its keys are the places "0",
            "1" … among `edges`, the values of a text that has few of them, or their ranks "1",
            "2" … where the column is personal.
        ranking: the window's most frequent values with their shares; never of a personal column.
        largest: the share of the window's most frequent value.
        levels: ranked text column → its frequent value → this number's median there.
    """

    kind: str
    nulls: float
    distinct: int
    minimum: Any = None
    maximum: Any = None
    edges: tuple[float, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)
    ranking: dict[str, float] = field(default_factory=dict)
    largest: float = 0.0
    levels: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """A table of dated rows, in numbers that name nobody.

    Attributes:
        dataset: the md5 in `data.dvc`.
        days: ISO day → rows, over all days.
        window_days: how many days, the last one among them, the distributions are about.
    """

    dataset: str
    rows: int
    days: dict[str, int]
    columns: dict[str, ColumnProfile]
    window_days: int = WINDOW_DAYS


@dataclass(frozen=True)
class Reference:
    """The release that new data are compared with: its data, and what was expected of them.

    Attributes:
        suites: name → its expectations, each as the suite's file has it.
        gates: subject → gate → its settings; releases of an older slipway kept none.
    """

    version: str
    profile: Profile
    suites: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    gates: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def render(reference: Reference | None) -> bytes:
    """The bytes of `models/reference.json`: sealed, so that a changed byte shows."""
    content = plain(reference)
    return canonical(content and {**content, "seal": seal(content)})


def parse(content: bytes, where: str) -> Reference | None:
    """The reference in some bytes; None where they say that there is none yet.

    Raises:
        EvidenceError: the bytes are malformed or were altered.
    """
    todo = "run 'slipway repro gate-data', which takes it out of the ledger again"
    try:
        data = json.loads(content)
        if data is None:
            return None
        claimed = data.pop("seal", None) if isinstance(data, dict) else None
        if claimed is None or claimed != seal(data):
            raise EvidenceError("the reference was altered after it was written", where, todo)
        return build(Reference, data)
    except (ValueError, Mismatch, RecursionError) as error:
        raise EvidenceError(f"the reference is malformed: {error}", where, todo) from error
