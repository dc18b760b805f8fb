"""How many lines a day or a month has, beside what its weekdays usually have."""

import math
import statistics
from collections.abc import Iterable, Mapping
from datetime import date

from ._days import month_of

LEAST_DAYS = 14  # two whole weeks: fewer say nothing about what is usual
NORMAL = 1.4826  # a median of deviations times this is a normal distribution's deviation
LEAST_SPREAD = 0.1  # days that hardly differ: a tenth more or less is no anomaly


def usual(days: Iterable[date], history: Mapping[date, int]) -> dict[date, float]:
    """Day → the lines that it should have: the median of its weekday in the rest of the history.

    One strange day does not move a median. Where a weekday has fewer than two other days, the
    median of all days stands for it; NaN without any.
    """
    same: dict[int, list[int]] = {weekday: [] for weekday in range(7)}
    for day, rows in history.items():
        same[day.weekday()].append(rows)
    every = statistics.median(history.values()) if history else math.nan
    found = {}
    for day in days:
        rest = list(same[day.weekday()])
        if day in history:
            rest.remove(history[day])
        found[day] = statistics.median(rest) if len(rest) > 1 else every
    return found


def month_ratios(days: Mapping[date, int], history: Mapping[date, int]) -> dict[str, float]:
    """Month → its lines over those that its days should have by the history of other months.

    NaN where the other months have too few days to say.
    """
    ratios = {}
    for month in sorted({month_of(day) for day in days}):
        own = {day: rows for day, rows in days.items() if month_of(day) == month}
        others = {day: rows for day, rows in history.items() if month_of(day) != month}
        enough = len(others) >= LEAST_DAYS
        expected = sum(usual(own, others).values()) if enough else math.nan
        ratios[month] = sum(own.values()) / expected if expected else math.nan
    return ratios


def deviations(days: Mapping[date, int], history: Mapping[date, int]) -> dict[date, float]:
    """Day → how far its lines are from its weekday's usual ones, in robust standard deviations.

    Volumes multiply: what counts is the ratio's logarithm. The deviation is that of all days, so
    that a holiday week does not widen its own limits. Empty where there are too few days.
    """
    if len(history) < LEAST_DAYS:
        return {}
    should = usual(days, history)
    logs = {day: math.log(max(rows, 1) / max(should[day], 1)) for day, rows in days.items()}
    middle = statistics.median(logs.values())
    spread = NORMAL * statistics.median(abs(value - middle) for value in logs.values())
    return {day: (value - middle) / max(spread, LEAST_SPREAD) for day, value in logs.items()}
