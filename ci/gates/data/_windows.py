"""Two windows of days side by side, and what can be measured of their most frequent values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from .. import profiles, shifts
from ..profiles import Window
from ..reference import ColumnProfile, Profile
from . import DataEvidence

SINCE, ROWS = "its first day", "its rows"  # made here; their names are no user's
MIXED = 1000  # values of a text whose mix is compared, at most
TOP = 10  # the very first values, each of which has rows enough to be looked at alone
KNOWN = 30  # rows before the window from which on it is known with what a value comes
BELONGS = 0.98  # share of these from which on another column's value belongs to it


@dataclass(frozen=True)
class Pair:
    """The last window of some data beside another one of as many days.

    Attributes:
        then: the other one's profile; its columns without values are not compared.
        whose: whose it is, for people.
        released: whether that is a release's.
        days: day → rows, of all the data.
        window: the last one.
    """

    evidence: DataEvidence
    then: Profile
    whose: str
    released: bool
    days: Mapping[date, int]
    window: Window

    @property
    def now(self) -> Profile:
        """The last window's profile."""
        return self.evidence.profile

    @property
    def table(self) -> Any:
        """All rows."""
        return self.evidence.reading.table

    @property
    def whole(self) -> bool:
        """Whether the data go back to the window's first day."""
        return self.window.first is not None and min(self.days) <= self.window.first

    @property
    def goes_back(self) -> bool:
        """Whether there is a window's worth of days before the last one."""
        return self.window.first is not None and _goes_back(self.evidence, self.days, self.window)

    def columns(self, wanted: Callable[[ColumnProfile], bool]) -> list[str]:
        """The columns of both windows of which something is wanted."""
        both = (name for name in self.then.columns if name in self.now.columns)
        return [name for name in both if wanted(self.then.columns[name])]


def last(evidence: DataEvidence) -> Window:
    """The window of the last days."""
    days, count = evidence.days.rows, evidence.window_days
    return profiles.last_days(evidence.reading.table, evidence.columns, days, count)


def pair_of(evidence: DataEvidence) -> Pair | None:
    """The last window beside the release's, else beside the one before; None: there is neither."""
    days, window = evidence.days.rows, last(evidence)
    reference = evidence.reference
    if reference and reference.profile.window_days == evidence.window_days:
        return Pair(evidence, reference.profile, reference.version, True, days, window)
    if window.first is None or not _goes_back(evidence, days, window):
        return None
    before = profiles.before(evidence.reading.table, evidence.columns, days, window.first)
    args = (evidence.columns, evidence.personal, evidence.expected, evidence.window_days)
    profile = profiles.profile_of(before.rows, *args)
    return Pair(evidence, profile, "the window before", False, days, window)


def _goes_back(evidence: DataEvidence, days: Mapping[date, int], window: Window) -> bool:
    first = window.first
    return first is not None and min(days) <= first - timedelta(days=evidence.window_days)


def ranked(column: ColumnProfile) -> bool:
    """Whether a column is a text with so many values that only the most frequent ones are kept."""
    return bool(column.ranking) and not column.shares


def first(ranking: Mapping[str, float], count: int) -> dict[str, float]:
    """The most frequent values of a ranking, those that sort first among equals."""
    order = sorted(ranking, key=lambda value: (-ranking[value], value))
    return {value: ranking[value] for value in order[:count]}


def followed(
    window: Window, tops: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Text → the shares that some values of it have in a window."""
    counts = profiles.counts_of(window, {name: list(top) for name, top in tops.items()})
    return {
        name: {value: rows / window.count for value, rows in found.items() if window.count}
        for name, found in counts.items()
    }


@dataclass(frozen=True)
class New:
    """Values that have rows in the window and none before.

    Attributes:
        rows: share of the window's rows that have one of them.
        most: the same for the most frequent one.
        values: an ibis table of them.
    """

    rows: float
    most: float
    values: Any


def new_values(pair: Pair, name: str) -> New:
    """What of a column's values was never seen before."""
    table, first_day = pair.table, pair.window.first
    known = table.filter(table[name].notnull())
    day = known[pair.evidence.days.column].date()
    seen = known.group_by(name).aggregate(**{SINCE: day.min(), ROWS: known.count()})
    new = seen.filter(seen[SINCE] >= first_day)
    found = new.aggregate(rows=new[ROWS].sum().fill_null(0), most=new[ROWS].max().fill_null(0))
    (counts,) = found.to_pyarrow().to_pylist()
    rows = pair.window.count
    return New(counts["rows"] / rows, counts["most"] / rows, new.select(name))


def mixes(pair: Pair, names: Sequence[str]) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """Text → its mix in the window before, and in the last one, by value.

    What a profile may not name can be compared here, since it stays here.
    """
    first_day, long = pair.window.first, timedelta(days=pair.evidence.window_days)
    if not names or first_day is None or not pair.goes_back:
        return {}
    args = (pair.table, pair.evidence.columns, pair.days)
    before = profiles.between(*args, first_day - long, first_day - timedelta(days=1))
    then, now = (_shares(window, names) for window in (before, pair.window))
    return {name: (then[name], now[name]) for name in names if then[name]}


def _shares(window: Window, names: Sequence[str]) -> dict[str, dict[str, float]]:
    counts = profiles.most_frequent(window, names, MIXED)
    return {n: {v: rows / window.count for v, rows in counts[n].items()} for n in names}


def then_window(pair: Pair) -> Window | None:
    """The days of the release's own window, in these data; None where they do not have them all."""
    days = [date.fromisoformat(day) for day in pair.then.days]
    if not (pair.released and days and pair.days):
        return None
    last = max(days)
    start = max(min(days), last - timedelta(days=pair.then.window_days - 1))
    if not min(pair.days) <= start <= last <= max(pair.days):
        return None
    return profiles.between(pair.table, pair.evidence.columns, pair.days, start, last)


def strangest(pair: Pair, name: str, others: Iterable[str]) -> tuple[float, str]:
    """How many of a frequent value's rows have another company than before, where that is worst.

    What a value comes with is known from the rows before the window: its class, its maker.

    Returns:
        The share of its rows, NaN where nothing is known, and what this is about.
    """
    top = list(first(pair.now.columns[name].ranking, TOP))
    worst: tuple[float, str] = (float("nan"), "")
    for other in others:
        for value, share in _strange(pair, name, other, top).items():
            if not share <= worst[0]:
                worst = (share, f"{other} of {name} {value}")
    return worst


def _strange(pair: Pair, name: str, other: str, top: list[str]) -> dict[str, float]:
    """Value → the share of its rows in the window that have another `other` than it has always."""
    rows = pair.table.filter(pair.table[name].isin(top), pair.table[other].notnull())
    late = rows[pair.evidence.days.column].date() >= pair.window.first
    asked = rows.group_by(value=rows[name], company=rows[other], late=late).aggregate(
        n=rows.count()
    )
    counts: dict[tuple[str, bool], dict[str, int]] = {}
    for row in asked.to_pyarrow().to_pylist():
        counts.setdefault((row["value"], bool(row["late"])), {})[row["company"]] = row["n"]
    found = {}
    for value in top:
        before, now = counts.get((value, False), {}), counts.get((value, True), {})
        usual = max(before, key=lambda c: (before[c], c), default="")
        total = sum(before.values())
        if total >= KNOWN and before[usual] >= BELONGS * total and now:
            found[value] = 1 - now.get(usual, 0) / sum(now.values())
    return found


def week(days: Mapping[date, int], count: int) -> float | None:
    """How much the days of a week differ in the last days; None where the data are shorter."""
    last = max(days, default=None)
    if last is None or min(days) > last - timedelta(days=count - 1):
        return None
    return shifts.weekly({d: n for d, n in days.items() if d > last - timedelta(days=count)})
