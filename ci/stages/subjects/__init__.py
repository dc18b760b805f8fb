"""What each subject's gates read, collected: one module a subject, each with `collect`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Subject:
    """One thing to be judged.

    Attributes:
        kind: one of `gates.SUBJECTS`.
        of: its content digest.
        name: the verdict's record name, e.g. `data-verdict`.
        evidence: what the gates of this kind read.
        files: file → sha256 of what the answers rest on.
        on: digest of the record that the verdict stands on.
    """

    kind: str
    of: str
    name: str
    evidence: Any
    files: Mapping[str, str] = field(default_factory=dict)
    on: str | None = None
    unproven: tuple[str, ...] = ()
