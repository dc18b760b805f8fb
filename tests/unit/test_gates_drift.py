"""The gate of drift: one row a shift, and the finding that tells it."""

import datetime
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import ibis
import pyarrow as pa
import pytest

from slipway.errors import ConfigError
from slipway.gates import configured, shifts
from slipway.gates.data import DataEvidence, Reading
from slipway.gates.offending import Offending
from slipway.gates.reference import Reference
from slipway.records import Finding

COLUMNS = {"DAY": "date %Y-%m-%d", "WHO": "text", "KIND": "text", "ITEM": "text"}
COLUMNS |= {"CLASS": "text", "PRICE": "number", "PIECES": "integer"}
START = datetime.datetime(2001, 1, 1)  # a Monday
Rows = list[dict[str, Any]]
Change = Callable[[dict[str, Any]], dict[str, Any]]


def shop(days: int = 56) -> Rows:
    """Days of a quiet shop: 60 items a day, twice as many on Saturdays and Sundays."""
    rows = []
    for number in range(days):
        day = START + datetime.timedelta(days=number)
        for sold in range(120 if day.weekday() > 4 else 60):
            item = sold % 60
            rows.append(
                {
                    "DAY": day,
                    "WHO": f"c{(sold * 7 + number) % 90:02}",
                    "KIND": "abc"[sold % 3],
                    "ITEM": f"i{item:02}",
                    "CLASS": f"k{item:02}",
                    "PRICE": 100.0 + item,
                    "PIECES": 1 + sold % 2,
                }
            )
    return rows


GOOD = shop()
LATE = START + datetime.timedelta(days=28)


def evidence(rows: Rows, reference: Reference | None = None) -> DataEvidence:
    types = {"DAY": pa.timestamp("us"), "PRICE": pa.float64(), "PIECES": pa.int64()}
    columns = {n: pa.array([r[n] for r in rows], types.get(n, pa.string())) for n in COLUMNS}
    reading = Reading((), ibis.memtable(pa.table(columns)), {})
    read = lambda: reading  # noqa: E731
    return DataEvidence(
        read, "d", "d", COLUMNS, None, personal=("WHO", "KIND"), reference=reference
    )


@pytest.fixture(scope="module")
def released() -> Reference:
    """What the first 28 days were like, released."""
    return Reference("v1.0.0", evidence(shop(28)).profile)


def asked(given: DataEvidence, **settings: Any) -> list[Finding]:
    (gate,) = configured("data", {"drift": settings})
    answers = gate.module.judge(given, gate.settings)
    return [a.finding if isinstance(a, Offending) else a for a in answers]


def outcomes(findings: list[Finding]) -> dict[str, str]:
    return {f.where: f.outcome for f in findings if f.outcome not in ("pass", "skip")}


def late(change: Change) -> Rows:
    """The shop with its last 28 days changed."""
    return [{**r, **change(r)} if r["DAY"] >= LATE else r for r in GOOD]


def test_a_shop_where_nothing_changes_passes(released: Reference) -> None:
    for reference in (released, None):
        found = asked(evidence(GOOD, reference))
        assert outcomes(found) == {}
        assert sum(f.outcome == "pass" for f in found) > 20
    assert {f.where for f in found if f.outcome == "skip"} == {
        *("rewritten ITEM", "rewritten CLASS", "rewritten PRICE", "rewritten PIECES"),
    }


def every(number: int, what: dict[str, Any]) -> Change:
    """The same for each so-manieth row."""
    count = iter(range(10**9))
    return lambda _: what if next(count) % number == 0 else {}


def swapped(row: dict[str, Any]) -> dict[str, Any]:
    return {"ITEM": {"i00": "i01", "i01": "i00"}.get(row["ITEM"], row["ITEM"])}


SHIFTS: Mapping[str, tuple[Callable[[], Change], set[str]]] = {
    "prices by 3 %": (lambda: lambda r: {"PRICE": r["PRICE"] * 1.03}, {"level PRICE"}),
    "a mix": (lambda: every(2, {"KIND": "a"}), {"psi KIND", "largest KIND"}),
    "two values' names": (
        lambda: lambda r: {"KIND": {"a": "b", "b": "a", "c": None}[r["KIND"]]},
        {"psi KIND"},
    ),
    "a constant": (
        lambda: lambda _: {"PIECES": 1},
        {"constant PIECES", "largest PIECES", "psi PIECES", "level PIECES"},
    ),
    "one customer": (lambda: every(5, {"WHO": "c00"}), {"largest WHO"}),
    "another ranking": (
        lambda: lambda r: {"ITEM": f"j{r['ITEM']}", "CLASS": f"j{r['CLASS']}"},
        {"ranking ITEM", "ranking CLASS", "new ITEM", "new CLASS"}
        | {"new value ITEM", "new value CLASS"},
    ),
    "two items' ids": (lambda: swapped, {"company ITEM", "company CLASS"}),
    "a new item": (
        lambda: lambda r: {"ITEM": "new", "CLASS": "new"} if r["ITEM"] == "i00" else {},
        {"new value ITEM", "new value CLASS"},
    ),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_of_the_last_days_is_told_by_its_own_finding(
    released: Reference, name: str
) -> None:
    change, expected = SHIFTS[name]
    assert set(outcomes(asked(evidence(late(change()), released)))) == expected


def test_without_a_release_the_window_before_tells_the_same() -> None:
    found = outcomes(asked(evidence(late(lambda r: {"PRICE": r["PRICE"] * 1.03, "PIECES": 1}))))
    assert found["level PRICE"] == found["largest PIECES"] == "block"
    assert found["constant PIECES"] == "warn"  # it may always have been one


def test_a_week_without_a_rhythm_is_told(released: Reference) -> None:
    seen: dict[Any, int] = {}
    flat = []
    for row in GOOD:
        seen[row["DAY"]] = seen.get(row["DAY"], 0) + 1
        if row["DAY"] < LATE or seen[row["DAY"]] <= 60:
            flat.append(row)
    assert outcomes(asked(evidence(flat, released))) == {"weekdays": "block"}


def test_days_of_the_release_that_hold_something_else_now_are_told(released: Reference) -> None:
    rewritten = [{**r, **swapped({"ITEM": r["ITEM"]})} if r["ITEM"] == "i00" else r for r in GOOD]
    found = outcomes(asked(evidence(rewritten, released)))
    assert found["rewritten ITEM"] == "block"


def test_numbers_of_the_release_s_days_that_are_others_now_are_told(released: Reference) -> None:
    dearer = [{**r, "PRICE": r["PRICE"] * 1.05} if r["DAY"] < LATE else r for r in GOOD]
    assert outcomes(asked(evidence(dearer, released)))["rewritten PRICE"] == "block"


def test_the_mix_of_a_ranked_column_is_followed_where_it_is_asked(released: Reference) -> None:
    moved = {f"i{n:02}": f"i{n % 30:02}" for n in range(60)}
    rows = late(lambda r: {"ITEM": moved[r["ITEM"]]})
    assert outcomes(asked(evidence(rows, released), max_ranked_psi={"ITEM": 0.3}))["psi ITEM"]
    assert "psi ITEM" not in outcomes(asked(evidence(rows, released)))
    same = asked(evidence(GOOD, released), max_ranked_psi={"ITEM": 0.0})
    assert [f.outcome for f in same if f.where == "psi ITEM"] == ["pass"]


def test_where_nothing_was_released_and_the_data_are_short_nothing_is_compared() -> None:
    found = asked(evidence(shop(55)))
    assert outcomes(found) == {}
    assert [f.where for f in found if f.outcome == "skip"] == ["past"]
    constant = [{**row, "PIECES": 1} for row in shop(27)]
    assert outcomes(asked(evidence(constant))) == {"constant PIECES": "warn"}
    assert outcomes(asked(evidence(shop(27)), max_largest={"KIND": 0.3})) == {
        "largest KIND": "block"
    }


def test_a_constant_that_was_one_in_the_release_is_none_to_tell(released: Reference) -> None:
    constant = [{**row, "PIECES": 1} for row in GOOD]
    reference = Reference("v1", evidence([r for r in constant if r["DAY"] < LATE]).profile)
    found = asked(evidence(constant, reference))
    assert outcomes(found) == {}
    assert "constant PIECES" in {f.where for f in found if f.outcome == "skip"}


def test_a_few_days_alone_only_warn_of_what_time_may_explain(released: Reference) -> None:
    week = [r for r in GOOD if r["DAY"] >= LATE + datetime.timedelta(days=21)]
    dear = [{**r, "PRICE": r["PRICE"] * 2, "KIND": "a"} for r in week]
    found = outcomes(asked(evidence(dear, released)))
    assert found["level PRICE"] == found["psi PRICE"] == "warn"
    assert found["constant KIND"] == found["largest KIND"] == "block"


def test_no_rows_block_and_a_window_of_other_days_is_no_reference(released: Reference) -> None:
    assert outcomes(asked(evidence([], released))) == {"window": "block"}
    other = replace(evidence(GOOD, released), window_days=14)
    assert "the window before" in " ".join(f.message for f in asked(other))
    bare = replace(evidence(GOOD, released), columns={"WHO": "text", "KIND": "text"})
    assert outcomes(asked(bare)) == {}


def test_what_equals_a_limit_passes_and_what_only_warns_never_blocks(released: Reference) -> None:
    given = evidence(late(lambda r: {"PRICE": r["PRICE"] * 1.5}), released)
    assert outcomes(asked(given, max_level=0.5, max_psi=9.0)) == {}
    assert outcomes(asked(given, max_level=0.49, max_psi=9.0)) == {"level PRICE": "block"}
    softened = outcomes(asked(given, max_level=0.49, max_psi=9.0, only_warn=["level"]))
    assert softened == {"level PRICE": "warn"}


@pytest.mark.parametrize(
    "settings",
    [{"top": 0}, {"max_psi": -0.1}, {"only_warn": ["price"]}, {"max_largest": {"WHO": 2.0}}],
)
def test_limits_that_mean_nothing_are_refused(settings: Any) -> None:
    with pytest.raises(ConfigError, match=r"gates\.data\.drift"):
        configured("data", {"drift": settings})


def test_the_measures_are_what_their_formulas_say() -> None:
    assert shifts.psi({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}) == 0
    assert shifts.psi({"a": 0.5, "b": 0.5}, {"a": 0.25, "b": 0.75}) == pytest.approx(
        -0.25 * math.log(0.5) + 0.25 * math.log(1.5)
    )
    assert shifts.psi({"a": 1.0}, {}) > 9  # a class that is gone
    assert shifts.kept({"a": 0.2, "b": 0.2}, {"a": 0.1}) == pytest.approx(0.25)
    assert math.isnan(shifts.kept({}, {"a": 0.1}))
    many = {str(n): 2.0 for n in range(shifts.LEAST_LEVELS)}
    assert shifts.level(many, dict.fromkeys(many, 2.06)) == pytest.approx(1.03)
    assert math.isnan(shifts.level(many, {"1": 2.0}))
    assert math.isnan(shifts.level(dict.fromkeys(many, 0.0), many))
    assert shifts.farthest({"a": 0.2, "b": 0.1}, {"a": 0.3}) == 1
    assert math.isnan(shifts.farthest({}, {}))
    assert math.isnan(shifts.weekly({}))
    flat = {START.date() + datetime.timedelta(days=n): 5 for n in range(28)}
    assert shifts.weekly(flat) == pytest.approx(0)
