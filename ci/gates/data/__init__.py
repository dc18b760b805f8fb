"""Gates of the subject: data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from ...errors import ConfigError
from ...typed import Mismatch
from ..profiles import profile_of
from ..reference import WINDOW_DAYS, Profile, Reference
from ..suites import Custom, Suite
from . import _days


@dataclass(frozen=True)
class RawFile:
    """One file of the raw data, as it was found.

    Attributes:
        name: its path below the data folder.
        header: the names in its first line.
        problem: why it cannot be read, without any of its values; empty if it can.
        rows, first, last: its lines, its first and last day (ISO), where it can be read.
    """

    name: str
    md5: str = ""
    header: tuple[str, ...] = ()
    ends_with_newline: bool = False
    problem: str = ""
    rows: int = 0
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class Reading:
    """What reading the raw files gave.

    Attributes:
        table: an ibis table of all files that can be read: those of the declared columns that are
            there, typed as declared; what is empty or not of its kind is null. Where a column has
            values of another kind, `<name> (text)` holds it as it was written.
        malformed: column → values that are not of its kind.
    """

    files: tuple[RawFile, ...]
    table: Any
    malformed: Mapping[str, int]


@dataclass(frozen=True)
class DataEvidence:
    """What the gates of raw data read.

    Attributes:
        read: reads the files; called once, and not at all where no gate has to judge again.
        found: the digest of what is there, as DVC computes it.
        expected: the digest that `data.dvc` names.
        columns: the declared header, in order, and what each column holds.
        suite: the expectations of the raw table, or None where the file is missing.
        listing: file → md5 of the version that `data.dvc` names, where it is known.
        reference: what production's data were like; None: nothing was released before.
        gates: gate → how it is asked, all of them.
        window_days: how many of the last days stand for what the data are like now.
        custom: the project's own kinds of expectations.
    """

    read: Callable[[], Reading]
    found: str
    expected: str
    columns: Mapping[str, str]
    suite: Suite | None
    listing: Mapping[str, str] = field(default_factory=dict)
    personal: tuple[str, ...] = ()
    reference: Reference | None = None
    gates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    window_days: int = WINDOW_DAYS
    custom: Custom = field(default_factory=Custom)

    @cached_property
    def reading(self) -> Reading:
        """The files as they were read."""
        return self.read()

    @cached_property
    def days(self) -> _days.Days:
        """What each day holds, counted once for all gates."""
        return _days.read(self.reading.table, self.columns)

    @cached_property
    def champion_days(self) -> Mapping[date, int]:
        """Day → lines of the champion's data; nothing where nothing was released yet."""
        days = self.reference.profile.days if self.reference else {}
        return {date.fromisoformat(day): rows for day, rows in days.items()}

    def lines_per_day(self, days: Iterable[date]) -> Any:
        """An ibis table of some days, each with its number of lines."""
        table, name = self.reading.table, self.days.column
        those = table.filter(table[name].date().isin(list(days)))
        return those.group_by(name).aggregate(lines=those.count())

    @cached_property
    def profile(self) -> Profile:
        """What the data are like."""
        return profile_of(
            self.reading.table,
            self.columns,
            self.personal,
            self.expected,
            self.window_days,
            self.days.rows,
        )


def check(gates: Iterable[Any], columns: Mapping[str, str]) -> None:
    """Refuses settings that ask about columns which are not declared, before any gate is asked.

    Args:
        gates: configured ones; settings that name columns have a `check(columns)` of their own.

    Raises:
        ConfigError: a gate's settings do not fit the columns.
    """
    for gate in gates:
        try:
            if hasattr(gate.settings, "check"):
                gate.settings.check(columns)
        except Mismatch as error:
            raise ConfigError(str(error), "delivery.toml", "see docs/reference/gates.md") from error
