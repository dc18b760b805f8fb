"""The suites gate: what was loosened since the last release is named, and blocks until accepted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from slipway import gates
from slipway.errors import ConfigError
from slipway.gates import configured, data, prepared
from slipway.gates.data import suites as of_data
from slipway.gates.prepared import suites as of_prepared
from slipway.gates.suites import accepted, parsed
from slipway.gates.suites.asked import FILE
from slipway.gates.suites.loosened import changes
from slipway.records import Finding
from slipway.stages import gate as stages_gate
from slipway.typed import Mismatch

Entry = dict[str, Any]


def expect(kind: str, *, severity: str = "", **kwargs: Any) -> Entry:
    entry: Entry = {"type": f"expect_{kind}", "kwargs": kwargs}
    return {**entry, "severity": severity} if severity else entry


def between(**kwargs: Any) -> Entry:
    return expect("column_values_to_be_between", **{"column": "PRICE", **kwargs})


def in_set(*values: str, kind: str = "column_values_to_be_in_set") -> Entry:
    return expect(kind, column="AGE", value_set=list(values))


def like(*patterns: str, no: str = "", **kwargs: Any) -> Entry:
    kind = f"column_values_to_{no}match_regex_list"
    return expect(kind, column="ID", regex_list=list(patterns), **kwargs)


def quantiles(**ranges: list[Any]) -> Entry:
    kwargs = {
        "quantiles": [float(f"0.{name[1:]}") for name in ranges],
        "value_ranges": list(ranges.values()),
    }
    return expect("column_quantile_values_to_be_between", column="PRICE", quantile_ranges=kwargs)


PRICE = between(min_value=1, max_value=9, mostly=0.9)
KEY = "compound_columns_to_be_unique"
Case = tuple[list[Entry], list[Entry], list[str]]
LOOSE: dict[str, Case] = {
    "nothing changed": ([PRICE, in_set("a")], [in_set("a"), PRICE], []),
    "only its description did": ([PRICE], [{**PRICE, "description": "else", "meta": {}}], []),
    "a default is written down": (
        [between(min_value=1)],
        [between(min_value=1, mostly=1.0, strict_min=False, max_value=None)],
        [],
    ),
    "it is removed": ([PRICE, in_set("a")], [PRICE], ["removed"]),
    "one of two of a kind is removed": (
        [between(min_value=0), between(max_value=9)],
        [between(max_value=9)],
        ["removed"],
    ),
    "one of two that ask the same is removed": ([PRICE, PRICE], [PRICE], []),
    "the stricter of two that ask the same is removed": (
        [{**PRICE, "severity": "warning"}, PRICE],
        [{**PRICE, "severity": "warning"}],
        ["severity critical → warning"],
    ),
    "mostly is lowered": ([PRICE], [between(**{**PRICE["kwargs"], "mostly": 0.8})], ["mostly"]),
    "mostly appears": ([between(min_value=1)], [between(min_value=1, mostly=0.99)], ["mostly"]),
    "mostly is no number": ([PRICE], [between(**{**PRICE["kwargs"], "mostly": {}})], ["mostly"]),
    "mostly is raised": ([PRICE], [between(**{**PRICE["kwargs"], "mostly": 0.95})], []),
    "the floor is lowered": ([between(min_value=1)], [between(min_value=0)], ["min_value 1 → 0"]),
    "the floor is gone": ([PRICE], [between(max_value=9, mostly=0.9)], ["min_value 1 → none"]),
    "the floor is raised": ([between(min_value=1)], [between(min_value=2)], []),
    "a floor is added": ([between(max_value=9)], [between(min_value=2, max_value=9)], []),
    "the floor is of another kind": ([between(min_value=1)], [between(min_value="1")], ["min"]),
    "the ceiling is raised": ([between(max_value=9)], [between(max_value=10)], ["max_value"]),
    "the ceiling is gone": ([between(max_value=9)], [between(max_value=None)], ["max_value"]),
    "the ceiling is lowered": ([between(max_value=9)], [between(max_value=8)], []),
    "a day is later": (
        [expect("column_max_to_be_between", column="DAY", max_value="2001-12-31")],
        [expect("column_max_to_be_between", column="DAY", max_value="2002-12-31")],
        ["max_value"],
    ),
    "an earlier day is written so that it sorts behind": (
        [expect("column_min_to_be_between", column="DAY", min_value="2000-11-01T00:00:00")],
        [expect("column_min_to_be_between", column="DAY", min_value="31 Dec 1900")],
        ["min_value"],
    ),
    "a later day is the floor": (
        [expect("column_min_to_be_between", column="DAY", min_value="2000-11-01T00:00:00")],
        [expect("column_min_to_be_between", column="DAY", min_value="2000-11-02")],
        [],
    ),
    "one bound is tightened, another loosened": (
        [between(min_value=1, max_value=9)],
        [between(min_value=2, max_value=10)],
        ["max_value 9 → 10"],
    ),
    "the limit itself may be": (
        [between(min_value=1, strict_min=True)],
        [between(min_value=1)],
        ["strict_min"],
    ),
    "the limit itself may be, said as a text": (
        [between(min_value=1, strict_min=True)],
        [between(min_value=1, strict_min="false")],
        ["strict_min"],
    ),
    "equal is enough": (
        [expect("column_pair_values_a_to_be_greater_than_b", column_A="A", column_B="B")],
        [
            expect(
                "column_pair_values_a_to_be_greater_than_b",
                column_A="A",
                column_B="B",
                or_equal=True,
            )
        ],
        ["or_equal"],
    ),
    "the set is larger": ([in_set("a", "b")], [in_set("a", "b", "c")], ["value_set"]),
    "the set is smaller": ([in_set("a", "b")], [in_set("b")], []),
    "the set is in another order": ([in_set("a", "b")], [in_set("b", "a")], []),
    "the set is gone": ([in_set("a")], [expect(in_set()["type"][7:], column="AGE")], ["value_set"]),
    "less is forbidden": (
        [in_set("a", "b", kind="column_values_to_not_be_in_set")],
        [in_set("a", kind="column_values_to_not_be_in_set")],
        ["value_set"],
    ),
    "more is forbidden": (
        [in_set("a", kind="column_values_to_not_be_in_set")],
        [in_set("a", "b", kind="column_values_to_not_be_in_set")],
        [],
    ),
    "less has to occur": (
        [in_set("a", "b", kind="column_distinct_values_to_contain_set")],
        [in_set("a", kind="column_distinct_values_to_contain_set")],
        ["value_set"],
    ),
    "another set has to be equalled": (
        [in_set("a", "b", kind="column_distinct_values_to_equal_set")],
        [in_set("a", kind="column_distinct_values_to_equal_set")],
        ["value_set"],
    ),
    "a pattern is another": (
        [expect("column_values_to_match_regex", column="ID", regex="^[0-9]{8}$")],
        [expect("column_values_to_match_regex", column="ID", regex=".*")],
        ["regex ^[0-9]{8}$ → .*"],
    ),
    "one more pattern is enough": ([like("a")], [like("a", "b")], ["regex_list"]),
    "one pattern less is enough": ([like("a", "b")], [like("a")], []),
    "one pattern less is needed": (
        [like("a", "b", match_on="all")],
        [like("a", match_on="all")],
        ["regex_list"],
    ),
    "any pattern is enough": ([like("a", match_on="all")], [like("a")], ["match_on"]),
    "one pattern less is forbidden": (
        [like("a", "b", no="not_")],
        [like("a", no="not_")],
        ["regex_list"],
    ),
    "severity is milder": (
        [PRICE],
        [{**PRICE, "severity": "warning"}],
        ["severity critical → warning"],
    ),
    "severity is stricter": ([{**PRICE, "severity": "info"}], [PRICE], []),
    "fewer rows are asked": (
        [between(min_value=1)],
        [between(min_value=1, row_condition="A > 1", condition_parser="pandas")],
        ["row_condition"],
    ),
    "all rows are asked": (
        [between(min_value=1, row_condition="A > 1", condition_parser="pandas")],
        [between(min_value=1)],
        [],
    ),
    "all rows are asked, which may hide the bad ones": (
        [between(min_value=1, row_condition="A > 1", condition_parser="pandas", mostly=0.9)],
        [between(min_value=1, mostly=0.9)],
        ["row_condition"],
    ),
    "a quantile may be higher": (
        [quantiles(q5=[1, 2], q9=[3, 4])],
        [quantiles(q5=[1, 2], q9=[3, 5])],
        ["quantile_ranges"],
    ),
    "a quantile is left out": (
        [quantiles(q5=[1, 2], q9=[3, 4])],
        [quantiles(q5=[1, 2])],
        ["quantile_ranges"],
    ),
    "a quantile has no limit": ([quantiles(q5=[1, 2])], [quantiles(q5=[None, 2])], ["quantile"]),
    "a quantile may be less high, another is added": (
        [quantiles(q5=[1, 3])],
        [quantiles(q5=[1, 2], q9=[3, 4])],
        [],
    ),
    "quantiles are no quantiles": (
        [quantiles(q5=[1, 2])],
        [expect("column_quantile_values_to_be_between", column="PRICE", quantile_ranges="all")],
        ["quantile_ranges"],
    ),
    "more columns make the key": (
        [expect(KEY, column_list=["A", "B"])],
        [expect(KEY, column_list=["A", "B", "C"])],
        ["removed"],
    ),
    "a kind that nobody knows, stricter or not": (
        [expect("column_values_to_be_even", column="A", mostly=0.8)],
        [expect("column_values_to_be_even", column="A", mostly=0.9)],
        ["mostly 0.8 → 0.9"],
    ),
    "an argument that nobody knows": (
        [between(min_value=1)],
        [between(min_value=1, parse_strings=True)],
        ["parse_strings"],
    ),
    "of several, each became the one that is closest": (
        [between(min_value=1), between(max_value=9), between(min_value=5, mostly=0.5)],
        [between(min_value=5, mostly=0.6), between(max_value=8), between(min_value=1, mostly=0.9)],
        ["mostly 1 → 0.9"],
    ),
    "the suite is empty": ([PRICE, in_set("a")], [], ["removed", "removed"]),
}


def found(old: Sequence[Entry], new: Sequence[Entry]) -> list[str]:
    before, now = parsed.suite("raw", old), parsed.suite("raw", new)
    return [change.what for change in changes(before, now) if change.loosened]


@pytest.mark.parametrize("name", LOOSE)
def test_an_expectation_is_loosened_where(name: str) -> None:
    old, new, expected = LOOSE[name]
    whats = found(old, new)
    assert len(whats) == len(expected)
    assert all(part in what for part, what in zip(expected, whats, strict=True))


def test_what_is_looser_in_part_is_told_without_what_is_stricter() -> None:
    (what,) = found([between(min_value=1, max_value=9)], [between(min_value=2, max_value=10)])
    assert what == "max_value 9 → 10"


def test_every_kind_of_the_library_is_known_or_counts_as_loosened_by_any_change() -> None:
    odd = expect("column_kl_divergence_to_be_less_than", column="A", threshold=0.1)
    assert found([odd], [{**odd, "kwargs": {**odd["kwargs"], "threshold": 0.01}}])


# The gate.

DAY = date(2026, 11, 25)
YES = accepted.Accepted(
    "raw",
    "PRICE: expect_column_values_to_be_between",
    "wholesale",
    "Ann",
    "2026-12-31",
    "2026-11-25",
)
LOWER = between(min_value=0, max_value=9, mostly=0.9)


GOOD = Finding("other", "pass", 1, 1, "good")


def reference(**suites: list[Entry]) -> Any:
    return SimpleNamespace(version="v1.2.0", suites=suites, gates={"data": {}, "prepared": {}})


def judged(
    new: list[Entry] | None, *acceptances: accepted.Accepted, **suites: list[Entry]
) -> dict[str, Finding]:
    evidence = data.DataEvidence(
        lambda: pytest.fail("the data were read"),
        "",
        "",
        {},
        None if new is None else parsed.suite("raw", new),
        reference=reference(**suites) if suites else None,
    )
    answers = list(of_data.judge(evidence, accepted.Settings(acceptances)))
    places = {finding.where: finding for finding in answers}
    assert len(places) == len(answers)
    assert not suites or places.pop(FILE).outcome == "pass"  # the gates are asked as they were
    return places


def outcomes(places: Mapping[str, Finding]) -> dict[str, str]:
    return {where: finding.outcome for where, finding in places.items()}


def test_without_a_release_there_is_nothing_to_compare_with() -> None:
    (finding,) = judged([PRICE]).values()
    assert finding.outcome == "skip"
    assert "at_least" in finding.message


def test_a_suite_that_stayed_as_it_was_passes() -> None:
    assert outcomes(judged([PRICE], raw=[PRICE], lines=[PRICE])) == {"raw": "pass"}


def test_what_is_loosened_blocks_and_says_what_to_write() -> None:
    finding = judged([LOWER], raw=[PRICE])["raw PRICE: expect_column_values_to_be_between"]
    assert (finding.outcome, finding.measured) == ("block", "min_value 1 → 0")
    assert finding.column == "PRICE"
    for word in ("v1.2.0", "[[gates.data.suites.accepted]]", "reason", "until"):
        assert word in finding.message


def test_a_suite_that_is_gone_blocks_by_every_expectation_that_it_held() -> None:
    found = outcomes(judged(None, raw=[PRICE, in_set("a")]))
    assert list(found.values()) == ["block", "block"]


def test_what_is_tightened_or_added_passes_and_is_listed() -> None:
    found = judged([between(min_value=2, max_value=9, mostly=0.9), in_set("a")], raw=[PRICE])
    assert {f.message.split(": ")[1] for f in found.values()} == {"min_value 1 → 2", "added"}
    assert {f.outcome for f in found.values()} == {"pass"}


def test_what_is_accepted_warns_and_says_by_whom_why_and_until_when() -> None:
    finding = judged([LOWER], YES, raw=[PRICE])["raw PRICE: expect_column_values_to_be_between"]
    assert finding.outcome == "warn"
    for word in ("Ann", "wholesale", "2026-11-25", "2026-12-31"):
        assert word in finding.message
        assert word in finding.measured.values()


@pytest.mark.parametrize(
    ("other", "block"),
    [
        ({"suite": "lines"}, True),
        ({"expectation": "PRICE"}, True),
        ({"change": "min_value 1 → 0"}, False),
        ({"change": "min_value 1 → 0.5"}, True),
    ],
)
def test_an_acceptance_covers_what_it_names_alone(other: dict[str, str], block: bool) -> None:
    found = outcomes(judged([LOWER], replace(YES, **other), raw=[PRICE]))
    assert found[f"raw {YES.expectation}"] == ("block" if block else "warn")
    assert ("warn" in found.values()) == (block or len(found) == 1)


def test_an_acceptance_that_nothing_needs_warns() -> None:
    found = judged([PRICE], YES, raw=[PRICE])
    assert outcomes(found) == {"raw": "pass", f"accepted raw {YES.expectation}": "warn"}


def test_an_acceptance_ends_with_its_last_day() -> None:
    findings, settings = (
        tuple(judged([LOWER], YES, raw=[PRICE]).values()),
        accepted.Settings((YES,)),
    )
    assert accepted.on_the_day(findings, settings, DAY) == findings
    assert accepted.on_the_day(findings, settings, date(2026, 12, 31)) == findings
    (over,) = accepted.on_the_day(findings, settings, date(2027, 1, 1))
    assert over.outcome == "block"
    assert "2027-01-01" in over.message


def test_an_acceptance_that_is_over_blocks_whatever_became_of_its_finding() -> None:
    settings, late = accepted.Settings((YES,)), date(2027, 1, 1)
    cut = Finding("suites", "warn", "(cut)", "", "", f"raw {YES.expectation}")
    folded = Finding("limits", "warn", 9, "", "too many")
    for finding in (cut, folded):
        found = accepted.on_the_day((finding,), settings, late)
        assert found[-1].outcome == "block"
        assert found[-1].where == f"raw {YES.expectation}"
    assert accepted.on_the_day((folded,), settings, late)[0] == folded


@pytest.mark.parametrize("suites", [{"raw": [PRICE]}, {}])
def test_an_acceptance_that_nothing_needs_does_not_block_when_it_is_over(
    suites: dict[str, list[Entry]],
) -> None:
    findings = tuple(judged([PRICE], YES, **suites).values())
    settings = accepted.Settings((YES,))
    assert accepted.on_the_day(findings, settings, date(2027, 1, 1)) == findings


def test_an_acceptance_that_nothing_needs_hides_none_that_is_over() -> None:
    idle = replace(YES, change="min_value 1 → 0.5")
    for both in ((YES, idle), (idle, YES)):
        findings = tuple(judged([LOWER], *both, raw=[PRICE]).values())
        found = accepted.on_the_day(findings, accepted.Settings(both), date(2027, 1, 1))
        assert [f.outcome for f in found if f.where == YES.place] == ["block"]


def test_one_change_is_accepted_once() -> None:
    with pytest.raises(Mismatch, match="twice"):
        accepted.Settings((YES, replace(YES, by="Bob")))
    accepted.Settings((YES, replace(YES, change="min_value 1 → 0")))


def test_the_day_changes_no_other_finding() -> None:
    others = (
        Finding("suites", "block", "min_value 1 → 0", "", "", "raw"),
        Finding("expectations", "warn", {accepted.UNTIL: "2000-01-01"}, "", "", "raw"),
        Finding("suites", "pass", {"change": "x"}, "", "", "raw"),
    )
    assert accepted.on_the_day(others, accepted.Settings((YES,)), DAY) == others


@pytest.mark.parametrize(("until", "outcome"), [("2001-02-28", "block"), ("9999-12-31", "warn")])
def test_the_gate_command_asks_what_day_it_is(until: str, outcome: str) -> None:
    settings = accepted.Settings((replace(YES, until=until),))
    evidence = data.DataEvidence(
        lambda: pytest.fail("the data were read"),
        "",
        "",
        {},
        parsed.suite("raw", [LOWER]),
        reference=reference(raw=[PRICE]),
    )
    gate = gates.Gate("suites", of_data, settings)
    other = gates.Gate("other", SimpleNamespace(judge=lambda *_: [GOOD]), None)
    bare = gates.judge(kind="data", of="md5:x", gates=[gate, other], evidence=evidence, files={})
    assert bare.outcome == "warn"
    assert stages_gate._today(bare, [gate, other]).outcome == outcome


def test_that_a_suite_is_as_it_was_is_no_answer_about_the_data() -> None:
    evidence = data.DataEvidence(
        lambda: pytest.fail("the data were read"),
        "md5:1",
        "md5:2",
        {},
        parsed.suite("raw", [PRICE]),
        reference=reference(raw=[PRICE]),
    )
    asked = gates.asked("data", {"data": {}})
    verdict = gates.judge(kind="data", of="md5:x", gates=asked, evidence=evidence, files={})
    assert {f.outcome for f in verdict.findings if f.gate == "suites"} == {"pass"}
    assert verdict.outcome == "block"


def test_prepared_suites_are_compared_table_by_table_and_the_raw_one_is_not() -> None:
    evidence = prepared.PreparedEvidence(
        lambda: pytest.fail("the tables were read"),
        "",
        {"lines": parsed.suite("lines", [PRICE]), "new": parsed.suite("new", [PRICE])},
        reference=reference(raw=[PRICE], lines=[PRICE], baskets=[in_set("a")]),
    )
    found = {f.where: f.outcome for f in of_prepared.judge(evidence, accepted.Settings())}
    assert found == {
        FILE: "pass",
        "baskets AGE: expect_column_values_to_be_in_set": "block",
        "lines": "pass",
        "new PRICE: expect_column_values_to_be_between (new)": "pass",
    }


# How the gates themselves are asked.

TABLES: dict[str, dict[str, Any]] = {
    "drift": {"max_psi": 0.03, "min_rhythm": 0.2, "only_warn": [], "max_largest": {"A": 0.1}},
    "completeness": {"min_rows": {"lines": 10, "test": 5}, "min_rows_for_shares": 1000},
    "freshness": {"as_of": "2001-02-28", "max_age_days": 0},
}


def asked_as(
    before: Mapping[str, Any] | None, now: Mapping[str, Any], *acceptances: accepted.Accepted
) -> dict[str, tuple[str, Any]]:
    """Where → outcome and what changed, of gates that were asked so and are asked so now."""
    released = accepted.Released("v1.2.0", {}, before)
    settings = accepted.Settings(acceptances)
    answers = accepted.judge("data", released, {}, now, settings)
    return {f.where.removeprefix(f"{FILE} "): (f.outcome, f.measured) for f in answers}


def with_(gate: str, **settings: Any) -> dict[str, dict[str, Any]]:
    return {**TABLES, gate: {**TABLES[gate], **settings}}


@pytest.mark.parametrize(
    ("now", "outcome", "what"),
    [
        (with_("drift", max_psi=0.5), "warn", "max_psi 0.03 → 0.5"),
        (with_("drift", max_psi=0.01), "pass", "max_psi 0.03 → 0.01"),
        (with_("drift", max_psi=None), "warn", "max_psi 0.03 → nothing"),
        (with_("drift", max_psi=False), "warn", "max_psi 0.03 → False"),
        (with_("drift", min_rhythm=0.1), "warn", "min_rhythm 0.2 → 0.1"),
        (with_("drift", min_rhythm=0.3), "pass", "min_rhythm 0.2 → 0.3"),
        (with_("drift", only_warn=["psi"]), "warn", "only_warn with psi"),
        (with_("drift", max_largest={}), "warn", "max_largest.A 0.1 → nothing"),
        (with_("drift", max_largest={"A": 0.1, "B": 1}), "warn", "max_largest.B nothing → 1"),
        (
            with_("drift", max_psi=0.01, min_rhythm=0.1),
            "warn",
            "max_psi 0.03 → 0.01; min_rhythm 0.2 → 0.1",
        ),
        (with_("drift", top=50), "warn", "top nothing → 50"),
        (
            with_("completeness", min_rows={"lines": 11, "test": 4}),
            "warn",
            "min_rows.lines 10 → 11; min_rows.test 5 → 4",
        ),
        (
            with_("completeness", min_rows_for_shares=10**6),  # fewer days are looked at
            "warn",
            "min_rows_for_shares 1000 → 1000000",
        ),
        ({**TABLES, "leakage": {"max_copied": 0}}, "pass", "asked now"),
    ],
)
def test_a_gate_that_is_asked_otherwise_is_named(
    now: Mapping[str, Any], outcome: str, what: str
) -> None:
    (answer,) = asked_as(TABLES, now).values()
    assert answer == (outcome, what)


def test_a_gate_that_is_not_asked_any_more_blocks_until_it_is_accepted() -> None:
    now = {name: table for name, table in TABLES.items() if name != "drift"}
    assert asked_as(TABLES, now)["drift"] == ("block", "not asked any more")
    yes = replace(YES, suite=FILE, expectation="drift")
    outcome, measured = asked_as(TABLES, now, yes)["drift"]
    assert (outcome, measured["by"], measured[accepted.UNTIL]) == ("warn", "Ann", "2026-12-31")
    other = replace(yes, expectation="freshness")
    found = asked_as(TABLES, now, other)
    assert found["drift"][0] == "block"
    assert found[f"accepted {FILE} freshness"][0] == "warn"


@pytest.mark.parametrize(
    ("as_of", "outcome"),
    [("2001-03-28", "pass"), ("2001-02-27", "warn"), ("", "warn"), (None, "warn")],
)
def test_the_day_of_the_data_moves_on_and_may_not_be_left_out(
    as_of: str | None, outcome: str
) -> None:
    shown = "nothing" if as_of is None else as_of
    found = asked_as(TABLES, with_("freshness", as_of=as_of))
    assert found == {"freshness": (outcome, f"as_of 2001-02-28 → {shown}")}


def test_acceptances_are_weighed_one_by_one() -> None:
    before = {**TABLES, "suites": {"accepted": []}}
    with_one = {**TABLES, "suites": {"accepted": [{"suite": "raw"}]}}
    assert asked_as(before, with_one) == {FILE: ("pass", "4 gates")}


ONE = {"key": "PRODUCT_ID", "value": "PRODUCT_SUBCLASS", "max_share": 0.013}
OTHER = {"key": "CUSTOMER_ID", "value": "AGE_GROUP", "max_share": 0.0}


@pytest.mark.parametrize(
    ("before", "now", "outcome", "what"),
    [
        ([ONE, OTHER], [ONE], "warn", f"rules without {OTHER}"),
        ([ONE], [ONE, OTHER], "warn", f"rules with {OTHER}"),
        ([ONE, OTHER], [OTHER, {**ONE, "max_share": 0.5}], "warn", "rules.1.key"),
        ([ONE], [{**ONE, "max_share": 0.5}], "warn", "rules.1.max_share 0.013 → 0.5"),
        ([ONE], [{**ONE, "max_share": 0.001}], "pass", "rules.1.max_share 0.013 → 0.001"),
        (["a", "b"], ["b", "a"], "warn", "rules in another order"),
        (["a"] * 3, ["a"], "warn", "rules in another order, or how often"),
        ({"A": {"max_unusual": 0.2}}, {"A": {"max_unusual": 0.1}}, "pass", "rules.A.max_unusual"),
    ],
)
def test_what_changed_inside_of_a_setting_is_shown_alone(
    before: Any, now: Any, outcome: str, what: str
) -> None:
    (answer,) = asked_as({"gate": {"rules": before}}, {"gate": {"rules": now}}).values()
    assert answer[0] == outcome
    assert what in answer[1]


def test_a_release_that_kept_no_settings_is_said() -> None:
    assert asked_as(None, TABLES) == {FILE: ("skip", ["completeness", "drift", "freshness"])}


@pytest.mark.parametrize("kind", ["data", "prepared"])
def test_what_asks_whether_all_is_asked_cannot_be_left_out(kind: str) -> None:
    names = [gate.name for gate in gates.asked(kind, {kind: {}})]
    assert names == ["suites"]
    until = {"accepted": [{**vars(YES)}]}
    (gate,) = gates.asked(kind, {kind: {"suites": until}})
    assert gate.settings.accepted == (YES,)


WRONG = {
    "no reason": {"reason": " "},
    "nobody": {"by": ""},
    "no day": {"until": "soon"},
    "a day that is none": {"until": "2026-02-30"},
    "a day in another form": {"until": "20261231"},
    "a week": {"until": "2026-W01-1"},
    "no suite": {"suite": ""},
    "no day on which": {"on": "yesterday"},
    "an unknown key": {"untill": "2026-12-31"},
    "a day that is no text": {"until": DAY},
}


@pytest.mark.parametrize("name", WRONG)
def test_an_acceptance_is_a_wrong_configuration_that_has(name: str) -> None:
    good = {key: getattr(YES, key) for key in ("suite", "expectation", "reason", "by", "until")}
    with pytest.raises(ConfigError) as error:
        configured("data", {"suites": {"accepted": [{**good, **WRONG[name]}]}})
    assert error.value.exit_code == 2
    configured("data", {"suites": {"accepted": [good]}})
