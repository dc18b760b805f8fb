"""How a suite differs from an earlier one: what was taken away or loosened, tightened or added.

What cannot be told to be as strict as before counts as loosened: a pattern that changed, another
set of columns, any change to an expectation of a kind that is not known here.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .parsed import SEVERITIES, Expectation, Suite

LISTS = ("value_set", "value_pairs_set", "type_list", "regex_list", "like_pattern_list")
VALUES = "expect_column_values_to_"
# Kinds whose arguments mean what `_looser` takes them to mean.
KNOWN = frozenset(
    {
        *(f"{VALUES}be_{name}" for name in ("between", "in_set", "null", "unique", "of_type")),
        *(f"{VALUES}be_{name}" for name in ("in_type_list", "increasing", "decreasing")),
        *(f"{VALUES}be_{name}" for name in ("dateutil_parseable", "json_parseable")),
        *(f"{VALUES}not_be_{name}" for name in ("null", "in_set")),
        *(f"{VALUES}{no}match_{name}" for no in ("", "not_") for name in ("regex", "regex_list")),
        *(f"{VALUES}{no}match_like_pattern{x}" for no in ("", "not_") for x in ("", "_list")),
        *(f"{VALUES}match_{name}" for name in ("strftime_format", "json_schema")),
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        *(
            f"expect_column_{name}_to_be_between"
            for name in ("min", "max", "mean", "median", "sum", "stdev", "unique_value_count")
        ),
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_quantile_values_to_be_between",
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_compound_columns_to_be_unique",
        "expect_select_column_values_to_be_unique_within_record",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
        "expect_table_column_count_to_be_between",
        "expect_table_column_count_to_equal",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
        "expect_column_to_exist",
    }
)
DEFAULTS: Mapping[str, Any] = {
    "mostly": 1,
    "strict_min": False,
    "strict_max": False,
    "or_equal": False,
    "match_on": "any",
}


@dataclass(frozen=True)
class Change:
    """What became of one expectation.

    Attributes:
        place: its name in the earlier suite; in the later one, where it is new.
        what: the change in words, e.g. `mostly 0.95 → 0.9`.
        loosened: whether it, or any part of it, is less strict than before, or may be.
    """

    place: str
    column: str
    what: str
    loosened: bool


def changes(before: Suite, now: Suite | None) -> list[Change]:
    """Every expectation that is not as it was, in the order of the earlier suite, new ones last."""
    old, new = _named(before), _named(now) if now else {}
    became = _matched(old, new)
    found = []
    for place, was in old.items():
        parts = _parts(was, new[became[place]]) if place in became else [("removed", True)]
        loose = any(looser for _, looser in parts)
        what = "; ".join(text for text, looser in parts if looser or not loose)
        found += [Change(place, _column(was), what, loose)] if parts else []
    added = {place: e for place, e in new.items() if place not in became.values()}
    return [*found, *(Change(f"{p} (new)", _column(e), "added", False) for p, e in added.items())]


def _column(expectation: Expectation) -> str:
    return expectation.about[0] if len(expectation.about) == 1 else ""


def _named(suite: Suite) -> dict[str, Expectation]:
    """Place → expectation, without repetitions: the strictest of those that ask the same."""
    strictest: dict[str, tuple[str, Expectation]] = {}
    for place, expectation in zip(suite.places, suite.expectations, strict=True):
        asked = meaning(expectation)
        first, standing = strictest.setdefault(asked, (place, expectation))
        if SEVERITIES.index(expectation.severity) > SEVERITIES.index(standing.severity):
            strictest[asked] = (first, expectation)
    return dict(strictest.values())


def meaning(expectation: Expectation) -> str:
    """The same for two expectations that ask the same, however it is written."""
    return json.dumps([expectation.type, _arguments(expectation)], sort_keys=True, default=str)


def _arguments(expectation: Expectation) -> dict[str, Any]:
    """Its arguments; those that say nothing more than their default are left out."""
    return {
        key: value
        for key, value in expectation.kwargs.items()
        if value is not None and value != DEFAULTS.get(key)
    }


def _matched(old: Mapping[str, Expectation], new: Mapping[str, Expectation]) -> dict[str, str]:
    """Earlier place → the place of what became of it: of what is left, the least loose.

    Those that stayed as they were are matched first, wherever they stand now.
    """
    became: dict[str, str] = {}
    for exactly in (True, False):
        for place, was in old.items():
            left = [p for p, e in new.items() if p not in became.values() and e.place == was.place]
            if exactly:
                left = [p for p in left if not _parts(was, new[p])]
            if place not in became and left:
                became[place] = min(left, key=lambda p: _distance(was, new[p]))
    return became


def _distance(was: Expectation, now: Expectation) -> tuple[int, int]:
    parts = _parts(was, now)
    return sum(looser for _, looser in parts), len(parts)


def _parts(was: Expectation, now: Expectation) -> list[tuple[str, bool]]:
    """Every argument that changed: in words, and whether it is looser now."""
    before, after = _arguments(was), _arguments(now)
    parts = []
    for key in sorted({*before, *after}):
        old, new = before.get(key, DEFAULTS.get(key)), after.get(key, DEFAULTS.get(key))
        if old != new:
            looser = was.type not in KNOWN or _looser(key, old, new, now)
            parts.append((f"{key} {_shown(old)} → {_shown(new)}", looser))
    if was.severity != now.severity:
        milder = SEVERITIES.index(now.severity) < SEVERITIES.index(was.severity)
        parts.append((f"severity {was.severity} → {now.severity}", milder))
    return parts


def _looser(key: str, old: Any, new: Any, now: Expectation) -> bool:
    """Whether an argument's new value may let more pass than its old one."""
    if key in ("mostly", "min_value"):
        return not _at_least(new, old)
    if key == "max_value":
        return not _at_least(old, new, none=True)
    if key in ("strict_min", "strict_max"):
        return new is not True  # the library takes the text "false" for false
    if key == "or_equal":
        return bool(new)
    if key in LISTS and "equal_set" not in now.type:
        return old is not None and not (
            _within(old, new) if _must_hold_all(key, now) else _within(new, old)
        )
    if key == "quantile_ranges":
        return not _ranges_within(new, old)
    if key == "condition_parser":
        return "row_condition" in _arguments(now)
    if key == "row_condition":  # fewer rows asked, or others; all rows are stricter if all must do
        return new is not None or "mostly" in _arguments(now) or VALUES not in now.type
    return True


def _at_least(high: Any, low: Any, *, none: bool = False) -> bool:
    """Whether one bound is not below another; no floor is below, no ceiling above everything."""
    if high is None or low is None:
        return (high is None) if none else (low is None)
    if isinstance(high, str) and isinstance(low, str):
        return _moment(high) >= _moment(low)
    try:
        return bool(high >= low)
    except TypeError:
        return False


def _moment(text: str) -> float:
    """A day or a moment as a number; NaN, which is not at least anything, for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


def _must_hold_all(key: str, now: Expectation) -> bool:
    """Whether an expectation gets stricter by what its list names more, not less."""
    if key == "value_set":
        return "not_be_in_set" in now.type or "contain_set" in now.type
    return "not_match" in now.type or now.kwargs.get("match_on") == "all"


def _within(inner: Any, outer: Any) -> bool:
    if not isinstance(inner, list) or not isinstance(outer, list):
        return False
    return all(item in outer for item in inner)


def _ranges_within(new: Any, old: Any) -> bool:
    """Whether every quantile that had a range has one now that is not wider."""
    try:
        ranges = [dict(zip(x["quantiles"], x["value_ranges"], strict=True)) for x in (new, old)]
        return all(
            _at_least(ranges[0][q][0], low) and _at_least(high, ranges[0][q][1], none=True)
            for q, (low, high) in ranges[1].items()
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def _shown(value: Any) -> str:
    """A value in few words: sets and patterns can be long."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:110]} … ({len(text)} characters)"
