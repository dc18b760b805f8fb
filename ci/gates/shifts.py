"""How far two windows of days are apart: numbers from profiles, each with its good direction."""

import math
from collections.abc import Mapping
from datetime import date
from statistics import median

LEAST_SHARE = 1e-4  # of a class in an index of stability: an empty one would make it endless
LEAST_LEVELS = 20  # values that both windows have; fewer say nothing about prices in general


def psi(then: Mapping[str, float], now: Mapping[str, float]) -> float:
    """The population stability index of two mixes: 0 if they are the same, then growing.

    Source: the sum over all classes of (a - b) × ln(a / b).
    """
    total = 0.0
    for name in sorted({*then, *now}):  # a sum of floats depends on the order
        before, after = (max(mix.get(name, 0.0), LEAST_SHARE) for mix in (then, now))
        total += (after - before) * math.log(after / before)
    return total


def kept(then: Mapping[str, float], now: Mapping[str, float]) -> float:
    """What the first values of a ranking still have of the share that they had; NaN: no ranking."""
    had = sum(then.values())
    return sum(now.get(value, 0.0) for value in then) / had if had else math.nan


def level(then: Mapping[str, float], now: Mapping[str, float]) -> float:
    """By which factor levels have moved: the median over all values; NaN where too few are known.

    Half of all values, and not their mean, decides: bargains and rounding leave it at 1.
    """
    factors = [now[value] / was for value, was in then.items() if was and value in now]
    return median(factors) if len(factors) >= LEAST_LEVELS else math.nan


def farthest(then: Mapping[str, float], now: Mapping[str, float]) -> float:
    """By which part of its share a value has moved, the one that moved most; NaN: there is none."""
    moved = [abs(now.get(value, 0.0) / share - 1) for value, share in then.items() if share]
    return max(moved, default=math.nan)


def weekly(days: Mapping[date, int]) -> float:
    """How much the days of a week differ, 0 to 1: the part of the rows that is spread unevenly."""
    total, shares = sum(days.values()), [0] * 7
    for day, rows in days.items():
        shares[day.weekday()] += rows
    return sum(abs(rows / total - 1 / 7) for rows in shares) / 2 if total else math.nan
