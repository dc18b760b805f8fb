"""A number within its limits as a finding, and limits of which no answer could come."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from ...records import Finding, Outcome
from ...typed import Mismatch

NAN = float("nan")


def within(
    gate: str,
    where: str,
    value: float | None,
    limits: tuple[float | None, float | None],
    message: str,
    *,
    column: str = "",
    otherwise: Outcome = "block",
) -> Finding:
    """A finding that passes only if a number lies between a floor and a ceiling, both allowed.

    Args:
        value: None and NaN lie nowhere.
        limits: floor and ceiling; None: there is none.
        otherwise: the outcome where it does not lie there.
    """
    low, high = limits
    good = value is not None and (low is None or value >= low) and (high is None or value <= high)
    good = good and value == value
    shown = round(value, 6) if isinstance(value, float) and value == value else value
    return Finding(
        gate, "pass" if good else otherwise, shown, between(limits), message, where, column
    )


def between(limits: tuple[float | None, float | None]) -> str:
    """Limits in words."""
    low, high = (
        v if v is None else f"{v:,}" if isinstance(v, int) else f"{v:,.12g}" for v in limits
    )
    if low is None or high is None:
        return f"at least {low}" if high is None else f"at most {high}"
    return low if low == high else f"{low} to {high}"


def absent(gate: str, where: str, names: Iterable[str]) -> Finding:
    """A finding on a question whose columns are not there."""
    missing = f"there is no column {', no '.join(filter(None, names)) or 'of dates'}"
    return Finding(gate, "block", None, "its columns", missing, where)


def refuse_no_share(gate: str, **values: float) -> None:
    """Refuses what is no share of anything.

    Raises:
        Mismatch: a value is not between 0 and 1.
    """
    for key, value in values.items():
        if not 0 <= value <= 1:
            raise Mismatch(f"gates.data.{gate}.{key}", "not a share between 0 and 1")


def refuse_negative(gate: str, **values: float) -> None:
    """Refuses what is below nothing.

    Raises:
        Mismatch: a value is negative, or no number.
    """
    for key, value in values.items():
        if not value >= 0:
            raise Mismatch(f"gates.data.{gate}.{key}", "not a number of 0 or more")


def refuse_odd_range(key: str, limits: tuple[float, ...]) -> None:
    """Refuses what is no pair of a floor and a ceiling; nothing at all is allowed.

    Raises:
        Mismatch: it is another number of values, or the floor is above the ceiling.
    """
    if limits and not (len(limits) == 2 and limits[0] <= limits[1]):
        raise Mismatch(f"gates.data.{key}", "not a floor and a ceiling")


def refuse_no_day(gate: str, **values: str) -> None:
    """Refuses what is no day; an empty text is allowed.

    Raises:
        Mismatch: a text is no ISO date.
    """
    for key, value in values.items():
        try:
            date.fromisoformat(value or "2000-11-01")
        except ValueError as error:
            said = f"'{value}' is no day, as 2001-02-28"
            raise Mismatch(f"gates.data.{gate}.{key}", said) from error


def refuse_no_pattern(key: str, pattern: str) -> None:
    """Refuses what is no regular expression.

    Raises:
        Mismatch: it is none.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise Mismatch(f"gates.data.{key}", f"no regular expression: {error}") from error


def refuse_foreign_pattern(key: str, pattern: str) -> None:
    """Refuses a regular expression that is none of RE2's, which engines ask by.

    Raises:
        Mismatch: it is one of Python's alone, as with a look-ahead.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        said = "no regular expression of RE2, which knows no look-around and no back-reference"
        raise Mismatch(f"gates.data.{key}", said) from error


def refuse_unknown(key: str, names: Iterable[str], columns: Mapping[str, Any]) -> None:
    """Refuses columns that are not declared.

    Raises:
        Mismatch: there is none of that name.
    """
    for name in names:
        if name not in columns:
            near = get_close_matches(name, columns, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(columns)}"
            raise Mismatch(f"gates.data.{key}", f"no column '{name}' is declared; {hint}")
