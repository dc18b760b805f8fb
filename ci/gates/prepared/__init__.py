"""Gates of the subject: prepared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..reference import Reference
from ..suites import Custom, Suite


@dataclass(frozen=True)
class Cleaning:
    """What preparing says it did, from `cleaning.json`."""

    dataset: str | None  # the data version that was prepared
    rows: Mapping[str, int]  # `raw` and each table → rows
    rules: Mapping[str, int]  # cleaning rule → rows that it touched


@dataclass(frozen=True)
class Reading:
    """What reading the prepared folder gave.

    Attributes:
        tables: name → ibis table of each Parquet file that can be read.
        problems: file → why it cannot be read.
    """

    tables: Mapping[str, Any]
    problems: Mapping[str, str]
    cleaning: Cleaning | None


@dataclass(frozen=True)
class PreparedEvidence:
    """What the gates of prepared data read.

    Attributes:
        read: reads the folder; called once, and not at all where no gate has to judge again.
        dataset: the data version that `data.dvc` names.
        suites: table → its expectations, where they are there.
        reference: what production's data were like; None: nothing was released before.
        gates: gate → how it is asked, all of them.
        custom: the project's own kinds of expectations.
    """

    read: Callable[[], Reading]
    dataset: str
    suites: Mapping[str, Suite] = field(default_factory=dict)
    personal: tuple[str, ...] = ()
    reference: Reference | None = None
    gates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    custom: Custom = field(default_factory=Custom)

    @cached_property
    def reading(self) -> Reading:
        """The folder as it was read."""
        return self.read()
