"""How many lines a day or a month has, beside what its weekdays usually have."""

import math
import statistics
from collections.abc import Mapping
from datetime import date

from ._days import month_of

LEAST_DAYS = 14  # two whole weeks: fewer say nothing about what is usual
NORMAL = 1.4826  # a median of deviations times this is a normal distribution's deviation
LEAST_SPREAD = 0.1  # days that hardly differ: a tenth more or less is no anomaly


def usual(day: date, history: Mapping[date, int]) -> float:
    """The lines that a day should have: the median of its weekday, or of all days where it has
    fewer than two; NaN without history. A strange day among them does not move it.
    """
    same = [rows for other, rows in history.items() if other.weekday() == day.weekday()]
    chosen = same if len(same) > 1 else list(history.values())
    return statistics.median(chosen) if chosen else math.nan


def month_ratios(days: Mapping[date, int], history: Mapping[date, int]) -> dict[str, float]:
    """Month → its lines over those that its days should have by the history of other months.

    NaN where the other months have too few days to say.
    """
    ratios = {}
    for month in sorted({month_of(day) for day in days}):
        own = {day: rows for day, rows in days.items() if month_of(day) == month}
        others = {day: rows for day, rows in history.items() if month_of(day) != month}
        enough = len(others) >= LEAST_DAYS
        expected = sum(usual(day, others) for day in own) if enough else math.nan
        ratios[month] = sum(own.values()) / expected if expected else math.nan
    return ratios


def deviations(days: Mapping[date, int], history: Mapping[date, int]) -> dict[date, float]:
    """Day → how far its lines are from its weekday's usual ones, in robust standard deviations.

    Volumes multiply: what counts is the ratio's logarithm. The deviation is that of all days, so
    that a holiday week does not widen its own limits. Empty where there are too few days.
    """
    if len(history) < LEAST_DAYS:
        return {}
    logs = {}
    for day, rows in days.items():
        others = {other: n for other, n in history.items() if other != day}
        logs[day] = math.log(max(rows, 1) / max(usual(day, others), 1))
    middle = statistics.median(logs.values())
    spread = NORMAL * statistics.median(abs(value - middle) for value in logs.values())
    return {day: (value - middle) / max(spread, LEAST_SPREAD) for day, value in logs.items()}
