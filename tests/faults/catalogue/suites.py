"""Faults of the expectations themselves: lost, loosened, or without an answer."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

from ..fault import Fault, Transformation, without
from ..lines import Files

SUITE = "ml/expectations/raw.json"
NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
QUANTILES = "expect_column_quantile_values_to_be_between"
REGEX = "expect_column_values_to_match_regex"
SET = "expect_column_values_to_be_in_set"
PAIR = "expect_column_pair_values_a_to_be_greater_than_b"
Entries = list[dict[str, Any]]


def entries(does: str, change: Callable[[Entries], Entries], to: str = "suite") -> Transformation:
    """Other expectations in the suite of the raw data."""

    def act(files: Files, rng: Random) -> Files:
        suite = json.loads(files[SUITE])
        suite["expectations"] = change(suite["expectations"])
        return {**files, SUITE: json.dumps(suite, indent=1).encode()}

    return Transformation(does, to, act)


def the(found: Entries, kind: str, column: str) -> dict[str, Any]:
    """The first expectation of this type about this column."""
    return next(e for e in found if e["type"] == kind and e["kwargs"].get("column") == column)


def with_arguments(kind: str, column: str, **arguments: Any) -> Callable[[Entries], Entries]:
    """The change of one expectation's arguments."""

    def change(found: Entries) -> Entries:
        found = copy.deepcopy(found)
        the(found, kind, column)["kwargs"].update(arguments)
        return found

    return change


def widened(found: Entries) -> Entries:
    """Prices may be anything."""
    ranges = {"quantiles": [0.05, 0.25, 0.5, 0.75, 0.95], "value_ranges": [[1, 99_999_999]] * 5}
    return with_arguments(QUANTILES, "SALES_PRICE", quantile_ranges=ranges)(found)


def demoted(found: Entries) -> Entries:
    found = copy.deepcopy(found)
    the(found, SET, "PIN_CODE")["severity"] = "warning"
    return found


def removed(found: Entries) -> Entries:
    return [e for e in found if e is not the(found, BETWEEN, "SALES_PRICE")]


def replaced(found: Entries) -> Entries:
    """One is gone, and another stands twice, so that as many are left."""
    lost = the(found, NULL, "ASSET")
    return [the(found, NULL, "AMOUNT") if e is lost else e for e in found]


def about_another(found: Entries) -> Entries:
    found = copy.deepcopy(found)
    the(found, QUANTILES, "AMOUNT")["kwargs"]["column"] = "ASSET"
    return found


def raising(found: Entries) -> Entries:
    """A number is asked of words."""
    return [*found, {"type": BETWEEN, "kwargs": {"column": "PRODUCT_ID", "min_value": 1}}]


def picking_nothing(found: Entries) -> Entries:
    condition = {"row_condition": 'PIN_CODE=="nowhere"', "condition_parser": "pandas"}
    kwargs = {"column": "AMOUNT", "min_value": 1, **condition}
    return [*found, {"type": BETWEEN, "kwargs": kwargs}]


def without_limits(found: Entries) -> Entries:
    return [*found, {"type": SET, "kwargs": {"column": "AGE_GROUP", "value_set": []}}]


def about_no_column(found: Entries) -> Entries:
    return [*found, {"type": NULL, "kwargs": {"column": "DISCOUNT"}}]


FAULTS = (
    Fault(
        "the suite is empty",
        entries("emptied", lambda _: []),
        ("expectations", "raw"),
        also=("suites",),
    ),
    Fault(
        "the suite is missing",
        without("deleted", SUITE),
        ("expectations", "raw"),
        also=("suites",),
    ),
    Fault(
        "an expectation was removed",
        entries("one removed", removed),
        ("suites", f"raw SALES_PRICE: {BETWEEN}"),
        also=("expectations",),
    ),
    Fault(
        "an expectation was replaced by a copy of another",
        entries("one replaced", replaced),
        ("suites", f"raw ASSET: {NULL}"),
        also=("expectations",),
    ),
    Fault(
        "an expectation is about another column",
        entries("one moved", about_another),
        ("suites", f"raw AMOUNT: {QUANTILES}"),
        also=("expectations",),
    ),
    Fault(
        "mostly was lowered",
        entries("mostly lowered", with_arguments(NULL, "AGE_GROUP", mostly=0.5)),
        ("suites", f"raw AGE_GROUP: {NULL}"),
    ),
    Fault(
        "mostly was set to nothing",
        entries("mostly zeroed", with_arguments(NULL, "AGE_GROUP", mostly=0)),
        ("expectations", f"raw AGE_GROUP: {NULL}"),
        also=("suites",),
    ),
    Fault(
        "a limit was widened",
        entries("a limit widened", with_arguments(BETWEEN, "AMOUNT", max_value=1_000_000)),
        ("suites", f"raw AMOUNT: {BETWEEN}"),
    ),
    Fault(
        "a range was widened",
        entries("quantiles widened", widened),
        ("suites", f"raw SALES_PRICE: {QUANTILES}"),
    ),
    Fault(
        "a set was extended",
        entries(
            "a set extended",
            with_arguments(SET, "PIN_CODE", value_set=[str(n) for n in range(100, 1000)]),
        ),
        ("suites", f"raw PIN_CODE: {SET}"),
        also=("expectations",),
    ),
    Fault(
        "a pattern was opened",
        entries("a pattern opened", with_arguments(REGEX, "CUSTOMER_ID", regex=".*")),
        ("suites", f"raw CUSTOMER_ID: {REGEX}"),
    ),
    Fault(
        "an expectation only warns now",
        entries("severity lowered", demoted),
        ("suites", f"raw PIN_CODE: {SET}"),
    ),
    Fault(
        "an expectation raises inside",
        entries("one added that raises", raising),
        ("expectations", f"raw PRODUCT_ID: {BETWEEN}"),
    ),
    Fault(
        "a condition picks no line",
        entries("one added that picks nothing", picking_nothing),
        ("expectations", f"raw AMOUNT: {BETWEEN} #2"),
    ),
    Fault(
        "an expectation has no limits",
        entries("one added without limits", without_limits),
        ("expectations", f"raw AGE_GROUP: {SET} #2"),
    ),
    Fault(
        "an expectation is about no column",
        entries("one added about no column", about_no_column),
        ("expectations", f"raw DISCOUNT: {NULL}"),
    ),
)
