"""Rows that a finding is about: named by a gate, shown and set apart by whoever asks it."""

from dataclasses import dataclass
from typing import Any

from ..records import Finding


@dataclass(frozen=True)
class Offending:
    """A finding, and the rows that it is about.

    Attributes:
        rows: an ibis table with the subject's own columns; looked at only where the finding does
            not pass.
    """

    finding: Finding
    rows: Any
