"""Are the last days like those of the release in production, but for what always changes?

What is compared are windows of as many days: the last ones of these data beside the last ones of
the data that were released, or, where nothing was released, beside the window before. Data that do
not fill a window are compared too, and only warn where time itself may be the reason.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from ...records import Finding, Outcome
from ...typed import Mismatch
from .. import profiles, shifts
from ..masks import about
from ..offending import Offending
from ..reference import ColumnProfile
from . import DataEvidence, _limits, _windows
from ._windows import Pair

GATE = "drift"
FLAT = 0.05  # a week of which less than this is spread unevenly has no rhythm to lose
QUESTIONS = (
    *("psi", "ranking", "new", "largest", "constant", "level"),
    *("weekdays", "rewritten", "company"),
)
Answers = Iterator[Finding | Offending]


@dataclass(frozen=True)
class Settings:
    """How far a window may move: floors and ceilings, themselves allowed."""

    max_psi: float = 0.1  # ceiling: how far a column's mix is off (population stability index)
    top: int = 50  # the most frequent values of then, whose shares are followed:
    min_kept: float = 0.25  # floor: what they still have of the share that they had
    usual_kept: float = 0.5  # below that it warns
    # ranked column → ceiling: how far the mix of its `top` values and the rest is off (PSI)
    max_ranked_psi: dict[str, float] = field(default_factory=dict)
    max_new: float = 0.2  # ceiling: share of rows with a value that was never seen before
    max_new_value: float = 0.01  # ceiling: the same for the most frequent of these values
    max_gain: float = 0.02  # ceiling: what the most frequent value's share may gain, or else
    max_gain_part: float = 0.2  # the same as a part of what it had
    # column → ceiling: the share of its most frequent value, whatever it was before
    max_largest: dict[str, float] = field(default_factory=dict)
    max_level: float = 0.01  # ceiling: by what part a number's typical level may be off
    min_rhythm: float = 0.2  # floor: what is left of the difference between the days of a week
    max_rewritten: float = 0.3  # ceiling: by what part a share of days of the release may be off
    max_rewritten_psi: float = 0.001  # ceiling: the same for the mix of a number (PSI)
    max_strange: float = 0.1  # ceiling: share of a value's rows that come with another than ever
    only_warn: tuple[str, ...] = ()  # the questions that never block, by the first word of `where`

    def check(self, columns: Mapping[str, str]) -> None:
        """Refuses columns that are not declared."""
        _limits.refuse_unknown(f"{GATE}.max_largest", self.max_largest, columns)

    def __post_init__(self) -> None:
        numbers = {k: v for k, v in vars(self).items() if isinstance(v, float)}
        _limits.refuse_negative(GATE, **numbers)
        ceilings = {f"max_largest.{name}": share for name, share in self.max_largest.items()}
        _limits.refuse_no_share(GATE, **ceilings)
        if not self.top >= 1:
            raise Mismatch(f"gates.data.{GATE}.top", "not at least 1")
        for name in self.only_warn:
            if name not in QUESTIONS:
                known = ", ".join(QUESTIONS)
                raise Mismatch(f"gates.data.{GATE}.only_warn", f"no '{name}'; known: {known}")


@dataclass(frozen=True)
class _Asked:
    """Two windows, and how far apart they may be."""

    pair: Pair
    settings: Settings

    def otherwise(self, question: str, *, timely: bool = False) -> Outcome:
        """What an answer is that is not good; too few days alone may be the reason of some."""
        short = timely and not self.pair.whole
        return "warn" if short else _worst(self.settings, question)


def _worst(settings: Settings, question: str) -> Outcome:
    return "warn" if question in settings.only_warn else "block"


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding a question and column."""
    pair = _windows.pair_of(evidence)
    rows, days = _windows.last(evidence).count, evidence.window_days
    message = f"the last {days} days have {rows:,} rows"
    yield _limits.within(GATE, "window", rows, (1, None), message)
    if not rows > 0:
        return
    for name in evidence.profile.columns:
        then = pair.then.columns.get(name) if pair else None
        released = pair is not None and pair.released
        yield from _concentration(evidence, name, then, settings, known=released)
    if pair is None:
        why = "nothing was released, and the data go back less than two windows"
        yield _skip("past", why)
        return
    asked = _Asked(pair, settings)
    for question in (_psi, _ranking, _new, _level, _rewritten, _company):
        yield from question(asked)
    yield _rhythm(asked)


def _concentration(
    evidence: DataEvidence,
    name: str,
    then: ColumnProfile | None,
    settings: Settings,
    *,
    known: bool,
) -> Answers:
    """Does one value take too much, or all?

    Args:
        known: a release tells whether the column always had one value.
    """
    now, ceiling = evidence.profile.columns[name], settings.max_largest.get(name, 1.0)
    if now.kind.startswith("date "):
        return
    was = then.largest if then else 1.0
    most = min(ceiling, was + max(settings.max_gain, settings.max_gain_part * was))
    message = f"the most frequent {name} has {now.largest:.2%} of the rows"
    message += f", {was:.2%} were usual" if then else ""
    finding = _limits.within(
        *(GATE, f"largest {name}", now.largest, (None, most), message),
        column=name,
        otherwise=_worst(settings, "largest"),
    )
    yield Offending(finding, profiles.with_most_frequent(_windows.last(evidence), name))
    constant = _constant(now)
    if constant and known and then and _constant(then):
        yield _skip(f"constant {name}", f"{name} has always had one value", name)
        return
    said = "one value only" if constant else "several values"
    yield _limits.within(
        *(GATE, f"constant {name}", 1 if constant else 2, (2, None), f"{name} has {said}"),
        column=name,
        otherwise=_worst(settings, "constant") if known else "warn",
    )


def _constant(column: ColumnProfile) -> bool:
    """Whether every row of the window that has a value has the same one."""
    filled = 1 - column.shares.get("", 0.0)
    return not column.largest < filled - 1e-9


def _psi(asked: _Asked) -> Answers:
    """Has a column's mix moved?"""
    pair = asked.pair
    names = pair.columns(lambda column: bool(column.shares))
    edges = {n: c.edges for n in names if (c := pair.then.columns[n]).kind != "text"}
    numbers = profiles.class_shares(pair.window, edges)
    hidden = [name for name in names if about(name, pair.evidence.personal)]
    mixes = _windows.mixes(pair, hidden)  # a profile has but their ranks
    for name in names:
        now = numbers.get(name, pair.now.columns[name].shares)
        index = shifts.psi(pair.then.columns[name].shares, now)
        if name in mixes:
            index = max(index, shifts.psi(*mixes[name]))
        message = f"the mix of {name} is {index:.4f} off (PSI) from {pair.whose}"
        yield _limits.within(
            *(GATE, f"psi {name}", index, (None, asked.settings.max_psi), message),
            column=name,
            otherwise=asked.otherwise("psi", timely=True),
        )


def _ranking(asked: _Asked) -> Answers:
    """Are the most frequent values still frequent?"""
    pair, settings = asked.pair, asked.settings
    tops = {
        name: _windows.first(pair.then.columns[name].ranking, settings.top)
        for name in pair.columns(_windows.ranked)
    }
    for name, now in _windows.followed(pair.window, tops).items():
        if name in settings.max_ranked_psi:
            yield _ranked_psi(asked, name, (tops[name], now))
        kept = shifts.kept(tops[name], now)
        lost = sorted(tops[name], key=lambda v: (now.get(v, 0.0) - tops[name][v], v))[:3]
        told = (f"{v} {tops[name][v]:.2%} → {now.get(v, 0.0):.2%}" for v in lost)
        message = f"{kept:.0%} of what the first {len(tops[name])} {name} of {pair.whose} had is "
        message += f"theirs now; most lost: {', '.join(told)}"
        worse = asked.otherwise("ranking", timely=True)
        yield _limits.within(
            *(GATE, f"ranking {name}", kept, (settings.usual_kept, None), message),
            column=name,
            otherwise="warn" if kept >= settings.min_kept else worse,
        )


def _ranked_psi(
    asked: _Asked, name: str, mixes: tuple[Mapping[str, float], Mapping[str, float]]
) -> Finding:
    """Has the mix of the most frequent values and all others moved?"""
    then, now = ({**mix, "": max(0.0, 1 - sum(mix.values()))} for mix in mixes)
    index = shifts.psi(then, now)
    message = f"the mix of {name} is {index:.4f} off (PSI of its first {len(mixes[0])} values) "
    message += f"from {asked.pair.whose}"
    return _limits.within(
        *(GATE, f"psi {name}", index, (None, asked.settings.max_ranked_psi[name]), message),
        column=name,
        otherwise=asked.otherwise("psi", timely=True),
    )


def _new(asked: _Asked) -> Answers:
    """Are there more values than usual that nobody ever saw, or one of them far too often?"""
    pair, settings = asked.pair, asked.settings
    for name in pair.columns(_windows.ranked):
        if not pair.goes_back:
            message = "the data do not go back far enough to tell what is new"
            yield _skip(f"new {name}", message, name)
            continue
        new = _windows.new_values(pair, name)
        rows = pair.window.rows.semi_join(new.values, name)
        for where, share, most, what in (
            (f"new {name}", new.rows, settings.max_new, f"a {name}"),
            (f"new value {name}", new.most, settings.max_new_value, f"one {name}"),
        ):
            finding = _limits.within(
                *(GATE, where, share, (None, most)),
                f"{share:.2%} of the rows have {what} that was never seen before",
                column=name,
                otherwise=asked.otherwise("new"),
            )
            yield Offending(finding, rows)


def _level(asked: _Asked) -> Answers:
    """Is what things cost what it was?"""
    pair, most = asked.pair, asked.settings.max_level
    for name in pair.columns(lambda column: bool(column.levels)):
        then, now = pair.then.columns[name], pair.now.columns[name]
        for by, levels in then.levels.items():
            factor = shifts.level(levels, now.levels.get(by, {}))
            if math.isnan(factor):
                message = f"too few {by} are frequent in both windows"
                yield _skip(f"level {name}", message, name)
                continue
            message = f"{name} of the same {by} is {factor:.4f} times what it was in {pair.whose}"
            yield _limits.within(
                *(GATE, f"level {name}", factor, (1 - most, 1 + most), message),
                column=name,
                otherwise=asked.otherwise("level", timely=True),
            )


def _rhythm(asked: _Asked) -> Finding:
    """Do the days of a week differ as they did?"""
    pair, least = asked.pair, asked.settings.min_rhythm
    count = pair.then.window_days
    then = _windows.week({date.fromisoformat(d): n for d, n in pair.then.days.items()}, count)
    now = _windows.week(pair.days, count)
    if then is None or now is None or not then >= FLAT:
        return _skip("weekdays", "there is no window of whole weeks that has a rhythm")
    part = now / then
    message = f"{now:.1%} of the rows are spread unevenly over the week, {then:.1%} in {pair.whose}"
    otherwise = asked.otherwise("weekdays")
    return _limits.within(GATE, "weekdays", part, (least, None), message, otherwise=otherwise)


def _rewritten(asked: _Asked) -> Answers:
    """Do the days that were released hold what they held then?"""
    pair, most = asked.pair, asked.settings.max_rewritten
    tops = {
        name: _windows.first(pair.then.columns[name].ranking, _windows.TOP)
        for name in pair.columns(lambda column: bool(column.ranking))
    }
    numbers = pair.columns(lambda column: bool(column.edges))
    edges = {name: pair.then.columns[name].edges for name in numbers}
    window = _windows.then_window(pair)
    if window is None or not window.count > 0:
        why = f"the days of {pair.whose} are not in these data" if pair.released else "no release"
        yield from (_skip(f"rewritten {name}", why, name) for name in (*tops, *edges))
        return
    for name, shares in profiles.class_shares(window, edges).items():
        index = shifts.psi(pair.then.columns[name].shares, shares)
        message = f"on the days of {pair.whose}, the mix of {name} is {index:.4f} off (PSI)"
        yield _limits.within(
            *(GATE, f"rewritten {name}", index, (None, asked.settings.max_rewritten_psi), message),
            column=name,
            otherwise=asked.otherwise("rewritten"),
        )
    for name, now in _windows.followed(window, tops).items():
        moved = shifts.farthest(tops[name], now)
        message = f"on the days of {pair.whose}, a share of its first {len(tops[name])} {name} is "
        message += f"{moved:.1%} off"
        yield _limits.within(
            *(GATE, f"rewritten {name}", moved, (None, most), message),
            column=name,
            otherwise=asked.otherwise("rewritten"),
        )


def _company(asked: _Asked) -> Answers:
    """Do the most frequent values come with what they always came with?"""
    pair, most = asked.pair, asked.settings.max_strange
    names = pair.columns(lambda column: bool(column.ranking))
    for name in pair.columns(_windows.ranked) if pair.goes_back else ():
        share, what = _windows.strangest(pair, name, [other for other in names if other != name])
        if math.isnan(share):
            yield _skip(f"company {name}", "nothing belongs to its most frequent values", name)
            continue
        message = f"{share:.1%} of the rows have another {what} than before"
        yield _limits.within(
            *(GATE, f"company {name}", share, (None, most), message),
            column=name,
            otherwise=asked.otherwise("company"),
        )


def _skip(where: str, message: str, column: str = "") -> Finding:
    return Finding(GATE, "skip", None, "something to compare with", message, where, column)
