"""Are the last days like those of the release in production, but for what always changes?

What is compared are windows of as many days: the last ones of these data, and the last ones of the
data that were released; where nothing was released, the window before in the same data.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from ...records import Finding, Outcome
from .. import profiles, shifts
from ..offending import Offending
from ..profiles import Window
from ..reference import ColumnProfile, Profile
from . import DataEvidence

GATE = "drift"
LEAST_WEEKLY = 0.05  # below, the days of a week were alike already
KNOWN = 50  # rows from which on a value's company is known
Answers = Iterator[Finding | Offending]


@dataclass(frozen=True)
class Settings:
    """How far a window may move: floors and ceilings, themselves allowed."""

    max_psi: float = 0.1  # ceiling: population stability index of a column's mix
    top: int = 50  # how many of the former most frequent values are followed
    min_kept: float = 0.25  # floor: the part of their share that they still have
    usual_kept: float = 0.25  # below, it warns
    max_new: float = 0.2  # ceiling: share of rows with a value that was never seen before
    max_new_value: float = 0.01  # ceiling: share of rows of one value that was never seen before
    max_largest_plus: float = 0.02  # ceiling: what the most frequent value's share may gain, or
    max_largest_times: float = 1.25  # what it may be multiplied by, whichever allows more
    max_level: float = 0.01  # ceiling: by which part the typical level, such as a price, may move
    min_weekly: float = 0.4  # floor: how much of the week's rhythm is left
    max_rewritten: float = 0.3  # ceiling: how far a value's share may move in days released before
    max_strange: float = 0.1  # ceiling: share of a frequent value's rows in other company than ever
    warn: tuple[str, ...] = ()  # questions that only warn, e.g. "psi"
    ignore: dict[str, tuple[str, ...]] = field(default_factory=dict)  # question → columns left out


@dataclass(frozen=True)
class _Compared:
    """Two windows of the same length, and what is known of them."""

    evidence: DataEvidence
    settings: Settings
    now: Profile
    then: Profile
    whose: str  # the other window's, for people
    days: Mapping[date, int]
    window: Window

    def columns(self, question: str, wanted: Callable[[ColumnProfile], bool]) -> list[str]:
        """The columns that a question is about."""
        ignored = self.settings.ignore.get(question, ())
        return [
            name
            for name, column in self.then.columns.items()
            if name in self.now.columns and wanted(column) and name not in ignored
        ]

    @property
    def goes_back(self) -> bool:
        """Whether there is a window's worth of days before this one."""
        first, long = self.window.first, timedelta(days=self.now.window_days)
        return first is not None and min(self.days) <= first - long

    @property
    def whole(self) -> bool:
        """Whether there are days for all of the window."""
        return self.window.first is not None and min(self.days) <= self.window.first


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding a question and column."""
    now, table = evidence.profile, evidence.reading.table
    days = {date.fromisoformat(day): rows for day, rows in now.days.items()}
    window = profiles.last_days(table, evidence.columns, days, now.window_days)
    found = _then(evidence, days, window)
    if found is None:
        why = "nothing was released, and the data go back less than two windows"
        yield Finding(GATE, "skip", f"{len(days)} days", "days to compare with", why, "window")
        return
    if not window.count > 0:
        yield Finding(GATE, "block", 0, "rows", "there is no row in the last days", "window")
        return
    two = _Compared(evidence, settings, now, *found, days, window)
    for question in (_psi, _ranking, _new, _largest, _constant, _level, _weekly, _rewritten, _top):
        yield from question(two)


def _then(
    evidence: DataEvidence, days: Mapping[date, int], window: Window
) -> tuple[Profile, str] | None:
    """What the window is compared with, and whose that is."""
    reference = evidence.reference
    if reference and reference.profile.window_days == evidence.window_days:
        return reference.profile, reference.version
    long = timedelta(days=evidence.window_days)
    if window.first is None or min(days) > window.first - long:
        return None
    before = profiles.between(
        evidence.reading.table, evidence.columns, days, min(days), window.first - timedelta(days=1)
    )
    args = (evidence.columns, evidence.personal, evidence.expected, evidence.window_days)
    return profiles.profile_of(before.rows, *args), "the window before"


def _psi(two: _Compared) -> Answers:
    """Has a column's mix moved?"""
    names = two.columns("psi", lambda column: bool(column.shares))
    edges = {n: two.then.columns[n].edges for n in names if two.then.columns[n].kind != "text"}
    classes = profiles.class_shares(two.window, edges)
    for name in names:
        now = classes.get(name, two.now.columns[name].shares)
        index = shifts.psi(two.then.columns[name].shares, now)
        good = index <= two.settings.max_psi
        message = f"the mix of {name} is {index:.4f} (PSI) from that of {two.whose}"
        limit = f"at most {two.settings.max_psi:g}"
        yield _finding(two, "psi", name, good=good, measured=index, expected=limit, message=message)


def _many(column: ColumnProfile) -> bool:
    """Whether a column is a text of which only the most frequent values are known."""
    return bool(column.ranking) and not column.shares


def _ranking(two: _Compared) -> Answers:
    """Are the most frequent values still frequent?"""
    names = two.columns("ranking", _many)
    tops = {name: _first(two.then.columns[name].ranking, two.settings.top) for name in names}
    counts = profiles.counts_of(two.window, {name: list(top) for name, top in tops.items()})
    for name, top in tops.items():
        now = {value: rows / two.window.count for value, rows in counts[name].items()}
        kept = shifts.kept(top, now)
        outcome: Outcome = "pass" if kept >= two.settings.usual_kept else "warn"
        good = kept >= two.settings.min_kept
        lost = sorted(top, key=lambda v: (now.get(v, 0.0) - top[v], v))[:3]
        told = ", ".join(f"{v} {top[v]:.2%} → {now.get(v, 0.0):.2%}" for v in lost)
        message = (
            f"the {len(top)} most frequent {name} of {two.whose} have {kept:.1%} of the share that "
            f"they had; most lost: {told}"
        )
        expected = f"at least {two.settings.usual_kept:g}, warns down to {two.settings.min_kept:g}"
        found = _finding(
            two, "ranking", name, good=good, measured=kept, expected=expected, message=message
        )
        yield _softened(found, outcome) if good else found


def _new(two: _Compared) -> Answers:
    """Are there more values than usual that nobody ever saw, or one of them far too often?"""
    names = two.columns("new", _many)
    if not two.goes_back:
        why = "the data do not go back far enough to know what is new"
        yield from (_skip("new", name, why) for name in names)
        return
    for name in names:
        strangers = _strangers(two, name)
        share, most = (strangers[key] / two.window.count for key in ("rows", "most"))
        limit, one = two.settings.max_new, two.settings.max_new_value
        rows = two.window.rows.filter(
            two.window.rows[name].notin(_before(two).select(name).distinct()[name])
        )
        message = f"{share:.2%} of the rows have a {name} that was never seen before"
        finding = _finding(
            *(two, "new", name),
            good=share <= limit,
            measured=share,
            expected=f"at most {limit:g}",
            message=message,
        )
        yield Offending(finding, rows)
        message = f"the most frequent {name} that was never seen before has {most:.2%} of the rows"
        finding = _finding(
            *(two, "new value", name),
            good=most <= one,
            measured=most,
            expected=f"at most {one:g}",
            message=message,
        )
        yield Offending(finding, rows)


def _before(two: _Compared) -> Any:
    """All rows before the window."""
    table, last = two.evidence.reading.table, two.window.first
    return table.filter(table[profiles.date_column(two.evidence.columns)].date() < last)
