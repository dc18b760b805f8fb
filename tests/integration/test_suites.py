"""Suites put to the real Great Expectations: shown little, it answers the same."""

import datetime
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import ibis
import pyarrow as pa
import pytest

from slipway.errors import ConfigError
from slipway.gates import suites
from slipway.gates.offending import Offending
from slipway.gates.suites import asking, great, parsed, shown
from slipway.records import Finding

Entry = dict[str, Any]
DAYS = [datetime.datetime(2000, 11, day) for day in (1, 2, 3)]


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")


def expect(kind: str, **kwargs: Any) -> Entry:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def values(kind: str, column: str, **kwargs: Any) -> Entry:
    return expect(f"column_values_to_{kind}", column=column, **kwargs)


def column(kind: str, name: str, **kwargs: Any) -> Entry:
    return expect(f"column_{kind}", column=name, **kwargs)


def pair(kind: str, a: str = "price", b: str = "cost", **kwargs: Any) -> Entry:
    return expect(f"column_pair_values_{kind}", column_A=a, column_B=b, **kwargs)


def query(text: str) -> dict[str, str]:
    return {"row_condition": text, "condition_parser": "pandas"}


def compared(name: str, operator: str, parameter: Any) -> dict[str, Any]:
    condition = {"type": "comparison", "column": {"name": name}, "operator": operator}
    return {"row_condition": {**condition, "parameter": parameter}}


def table(rows: int = 60, seed: int = 3) -> pa.Table:
    """Rows with everything that a column may hold: repeated, null, NaN, infinite, beyond ASCII."""
    random = Random(seed)

    def some(*among: Any) -> list[Any]:
        return [random.choice(among) for _ in range(rows)]

    return pa.table(
        {
            "text": pa.array(some("a", "b", "ü", "", "日本", None, "a b", "10"), pa.string()),
            "code": pa.array(some("0012", "0013", "12", "xx", "2000-11-01", '{"a": 1}')),
            "whole": pa.array(some(-1, 0, 1, 2, 3, 1000)),
            "gaps": pa.array(some(-1, 0, 1, None, 3, 1000), pa.int64()),
            "small": pa.array(some(1, 2, 3), pa.int8()),
            "price": pa.array(some(0.0, -0.0, 0.1, 0.3, 1e9, None, math.nan), pa.float64()),
            "cost": pa.array(some(0.1, 0.3, math.inf, -math.inf, None, 2.5), pa.float64()),
            "nothing": pa.nulls(rows, pa.float64()),
            "day": pa.array(some(*DAYS, None), pa.timestamp("us")),
            "date": pa.array(some(*(d.date() for d in DAYS)), pa.date32()),
            "flag": pa.array(some(True, False)),
            "maybe": pa.array(some(True, False, None), pa.bool_()),
            "odd name": pa.array(some("a", "b")),
        }
    )


ENTRIES: list[Entry] = [
    # one value at a time
    *(
        values("be_between", name, **{"min_value": 0, "max_value": 3, **more})
        for name in ("whole", "gaps", "small", "price", "cost", "nothing")
        for more in ({}, {"strict_min": True}, {"mostly": 0.5}, {"max_value": None})
    ),
    values("be_between", "code", min_value="2000-01-01", max_value="2001-01-01"),
    values("be_between", "day", min_value="2000-11-01", max_value="2000-11-02"),
    values("be_between", "whole", min_value="2000-01-01"),
    values("be_in_set", "text", value_set=["a", "ü", "", "日本"]),
    values("be_in_set", "whole", value_set=[-1, 0, 1, 2.0, 3]),
    values("be_in_set", "gaps", value_set=[-1.0, 0, 1, 3], mostly=0.7),
    values("be_in_set", "price", value_set=[0, 0.1]),
    values("be_in_set", "flag", value_set=[True]),
    values("be_in_set", "maybe", value_set=[True], mostly=0.4),
    values("be_in_set", "date", value_set=["2000-11-01"]),
    values("not_be_in_set", "text", value_set=["a", "10"]),
    values("not_be_in_set", "gaps", value_set=[1000], mostly=0.8),
    *(
        values("not_be_null", name)
        for name in ("text", "whole", "price", "nothing", "day", "maybe")
    ),
    *(values("not_be_null", name, mostly=0.8) for name in ("text", "price", "day", "gaps")),
    *(values("be_null", name) for name in ("nothing", "text", "whole")),
    values("be_null", "price", mostly=0.2),
    *(values("match_regex", name, regex="^[a-z0]") for name in ("text", "code", "whole", "gaps")),
    values("match_regex", "price", regex=r"^\d", mostly=0.3),
    values("match_regex", "text", regex="["),
    values("not_match_regex", "code", regex="^0"),
    values("match_regex_list", "code", regex_list=["^0", "x"]),
    values("match_regex_list", "code", regex_list=["^0", "1"], match_on="all", mostly=0.3),
    values("not_match_regex_list", "code", regex_list=["^0", "x"], mostly=0.5),
    values("match_strftime_format", "code", strftime_format="%Y-%m-%d", mostly=0.1),
    values("match_strftime_format", "whole", strftime_format="%Y"),
    values("be_dateutil_parseable", "code"),
    values("be_json_parseable", "code", mostly=0.2),
    values("match_json_schema", "code", json_schema={"type": "object"}),
    values("be_of_type", "text", type_="str"),
    values("be_of_type", "whole", type_="int64"),
    values("be_of_type", "gaps", type_="int64"),
    values("be_in_type_list", "price", type_list=["float", "float64"]),
    values("be_in_type_list", "maybe", type_list=["bool"]),
    column("value_lengths_to_be_between", "text", min_value=1, max_value=2, mostly=0.6),
    column("value_lengths_to_equal", "code", value=4),
    # pairs
    pair("a_to_be_greater_than_b"),
    pair("a_to_be_greater_than_b", "whole", "gaps", or_equal=True, mostly=0.4),
    *(
        pair("a_to_be_greater_than_b", mostly=0.3, ignore_row_if=how)
        for how in ("both_values_are_missing", "either_value_is_missing", "neither")
    ),
    pair("a_to_be_greater_than_b", "text", "whole"),
    pair("to_be_equal", "price", "cost", ignore_row_if="either_value_is_missing", mostly=0.1),
    pair("to_be_in_set", "whole", "small", value_pairs_set=[[1, 2], [0, 3]], mostly=0.1),
    pair("to_be_in_set", "text", "maybe", value_pairs_set=[["a", True], [None, None]]),
    # sets
    *(
        column(f"{end}_to_be_between", name, min_value=0, max_value=5)
        for end in ("min", "max")
        for name in ("whole", "gaps", "price", "small", "nothing")
    ),
    column("max_to_be_between", "day", max_value="2000-11-02T00:00:00"),
    column("min_to_be_between", "date", min_value="2000-11-01"),
    column("unique_value_count_to_be_between", "text", min_value=7, max_value=7),
    column("unique_value_count_to_be_between", "price", max_value=4),
    column("distinct_values_to_be_in_set", "text", value_set=["a", "b"]),
    column("distinct_values_to_contain_set", "whole", value_set=[-1, 1000]),
    column("distinct_values_to_equal_set", "small", value_set=[1, 2, 3]),
    # heaps
    *(
        column(f"{name}_to_be_between", of, min_value=0, max_value=300)
        for name in ("mean", "median", "sum", "stdev")
        for of in ("whole", "gaps", "price", "small")
    ),
    *(
        column(
            "quantile_values_to_be_between",
            name,
            quantile_ranges={
                "quantiles": [0.0, 0.1, 0.5, 0.77, 1.0],
                "value_ranges": [[0, 1], [0, 1], [None, 2], [1, 3], [3, None]],
            },
            **more,
        )
        for name in ("whole", "gaps", "price")
        for more in ({}, {"allow_relative_error": "linear"})
    ),
    # rows and names
    expect("table_row_count_to_be_between", min_value=60, max_value=60),
    expect("table_row_count_to_equal", value=59),
    expect("table_column_count_to_equal", value=13),
    expect("table_columns_to_match_set", column_set=["text"], exact_match=False),
    expect("table_columns_to_match_ordered_list", column_list=["text", "code"]),
    column("to_exist", "day"),
    column("to_exist", "night"),
    # whole columns
    values("be_unique", "code"),
    values("be_unique", "text", mostly=0.1),
    values("be_increasing", "whole", mostly=0.2),
    column("most_common_value_to_be_in_set", "code", value_set=["0012", "0013", "12", "xx"]),
    column("proportion_of_unique_values_to_be_between", "gaps", min_value=0.5),
    column("proportion_of_non_null_values_to_be_between", "text", min_value=0.99),
    column("value_z_scores_to_be_less_than", "whole", threshold=2, double_sided=True),
    expect("compound_columns_to_be_unique", column_list=["text", "whole", "day"]),
    expect("select_column_values_to_be_unique_within_record", column_list=["whole", "small"]),
    expect("multicolumn_sum_to_equal", column_list=["whole", "small"], sum_total=3),
    # some rows alone
    *(
        values("be_in_set", "text", value_set=["a", "b"], mostly=0.4, **condition)
        for condition in (
            query("whole > 0"),
            query("whole > 0 and flag"),
            query("(gaps >= 1 | price < 1) & not flag"),
            query("text == 'a'"),
            query("text in ['a', 'ü']"),
            query("whole in small"),
            query("whole > whole.mean()"),
            query("`odd name` == 'a'"),
            query("whole > 5000"),
            query("no_column > 1"),
            query("whole >"),
            query("gaps != 1"),
            compared("whole", ">", 0),
            compared("text", "IN", ["a", "10"]),
            compared("gaps", "!=", 1),
            compared("odd name", "==", "a"),
            {"row_condition": {"type": "nullity", "column": {"name": "gaps"}, "is_null": True}},
            {
                "row_condition": 'col("whole") > 0',
                "condition_parser": "great_expectations",
            },
            {
                "row_condition": {
                    "type": "and",
                    "conditions": [
                        compared("whole", ">=", 0)["row_condition"],
                        compared("small", "<", 3)["row_condition"],
                    ],
                }
            },
        )
    ),
    values("not_be_null", "gaps", mostly=0.9, **query("whole > 0")),
    values("be_null", "gaps", mostly=0.1, **query("gaps != 1")),
    pair("a_to_be_greater_than_b", mostly=0.3, **query("whole > 0")),
    pair("a_to_be_greater_than_b", ignore_row_if="neither", **query("price > 0")),
    column("max_to_be_between", "whole", max_value=3, **query("flag")),
    column("mean_to_be_between", "whole", max_value=200, **query("flag")),
    values("be_unique", "code", **query("flag")),
    expect("table_row_count_to_be_between", min_value=20, **query("flag")),
]
MOSTLY = [  # 3 of 10 values are 1, of 4 nulls besides
    *(values("be_in_set", "x", value_set=[0], mostly=m) for m in (0.7, 0.7000000001, 0.69999)),
    *(values("not_be_null", "x", mostly=m) for m in (10 / 14, 0.7142857142857144, 0.71)),
    *(values("be_null", "x", mostly=m) for m in (4 / 14, 0.2857142857142858)),
]


def plainly(rows: pa.Table, entries: Sequence[Entry]) -> list[great.Answer]:
    """What the library says when it is shown every row."""
    return great.answers(
        shown.Shown(rows).frame, parsed.suite("x", entries).expectations, "COMPLETE"
    )


def ours(rows: pa.Table, entries: Sequence[Entry], few: int = 0) -> list[great.Answer]:
    """What it says as we ask it.

    Args:
        few: rows of a table that is shown as it is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown, "FEW", few)
        return _ours(rows, entries)


def _ours(rows: pa.Table, entries: Sequence[Entry]) -> list[great.Answer]:
    expectations = parsed.suite("x", entries).expectations
    asked = ibis.memtable(rows)
    early = asking._early(asked, expectations, rows.num_rows)
    return asking._answers(asked, expectations, rows.num_rows, early)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-12, nan_ok=True)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


COMPARED = ("element_count", "unexpected_count", "missing_count", "observed_value")


Told = list[tuple[Entry, great.Answer, great.Answer]]


@pytest.fixture(scope="module")
def told() -> Told:
    """Each expectation, what the library says of every row, and what it says as we ask it."""
    return list(zip(ENTRIES, plainly(table(), ENTRIES), ours(table(), ENTRIES), strict=True))


def test_answers_are_those_about_every_row(told: Told) -> None:
    compared = 0
    for entry, one, two in told:
        first, second = one.result or {}, two.result or {}
        if one.success and two.error == "its condition picks no row with a value":
            assert first["element_count"] == first["missing_count"]
            continue
        assert (one.success, bool(one.error)) == (two.success, bool(two.error)), (entry, one, two)
        for key in COMPARED:
            if key in second:
                left, right = great.plain(first.get(key)), great.plain(second[key])
                assert same(left, right), (entry, key, left, right)
                compared += 1
    assert compared > 200


def test_the_rows_that_are_named_are_those_that_were_not_as_expected(told: Told) -> None:
    rows, named = table(), 0
    for entry, one, two in told:
        places = (one.result or {}).get("unexpected_index_list")
        if two.success or two.error or not places or "row_condition" in entry["kwargs"]:
            continue
        assert two.rows is not None, entry
        expected, found = rows.take(places).to_pylist(), two.rows.to_pyarrow().to_pylist()
        assert sorted(map(repr, expected)) == sorted(map(repr, found)), entry
        named += 1
    assert named > 30


def test_the_very_limit_of_mostly_is_the_librarys() -> None:
    rows = pa.table({"x": pa.array([0] * 7 + [1] * 3 + [None] * 4, pa.int64())})
    told = [answer.success for answer in plainly(rows, MOSTLY)]
    assert told == [answer.success for answer in ours(rows, MOSTLY)]
    assert True in told
    assert False in told


@pytest.mark.parametrize("seed", range(4))
def test_answers_are_the_same_for_any_rows_of_one_kind(seed: int) -> None:
    random = Random(seed)
    some = random.sample([e for e in ENTRIES if "row_condition" not in e["kwargs"]], 30)
    rows = table(random.choice([1, 2, 7, 150]), seed)
    few = random.choice([0, 0, 1000])
    for entry, one, two in zip(some, plainly(rows, some), ours(rows, some, few), strict=True):
        if two.error == "its condition picks no row with a value":
            continue
        assert (one.success, bool(one.error)) == (two.success, bool(two.error)), (entry, one, two)


def test_a_large_table_with_hardly_a_value_twice_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shown, "MANY", 20)
    rows = pa.table({"key": [f"k{n}" for n in range(50)], "few": ["a", "b"] * 25})
    views = [shown.View("values", (name,)) for name in rows.column_names]
    asked = ibis.memtable(rows)
    spread = shown.spread(asked, views, 50)
    assert spread == {"key"}
    assert shown.shown(asked, views[0], 50, spread).times is None
    assert shown.shown(asked, views[1], 50, spread).rows.num_rows == 2
    entries = [
        values("match_regex", "key", regex="^k1"),
        values("be_in_set", "few", value_set=["a"]),
    ]
    (key, few) = ours(rows, entries)
    assert (key.result or {})["unexpected_count"] == 39
    assert (few.result or {})["unexpected_count"] == 25


# Whole suites.


def asked(
    entries: Sequence[Entry],
    rows: pa.Table | None = None,
    at_least: int = 1,
    personal: Sequence[str] = (),
    custom: suites.Custom | None = None,
) -> list[Finding | Offending]:
    suite = suites.parse("raw", json.dumps({"expectations": entries}).encode(), "raw.json")
    given = suites.Asked("raw", at_least, personal, custom or suites.Custom())
    return list(suites.ask(suite, ibis.memtable(table() if rows is None else rows), given))


def findings(answers: Sequence[Finding | Offending]) -> dict[str, Finding]:
    plain = [a.finding if isinstance(a, Offending) else a for a in answers]
    return {finding.where: finding for finding in plain}


def only(answers: Sequence[Finding | Offending]) -> Finding | Offending:
    (_, answer) = answers
    return answer


def test_a_finding_names_suite_expectation_and_column_and_gives_the_rows() -> None:
    answer = only(asked([values("be_in_set", "odd name", value_set=["a"])]))
    assert isinstance(answer, Offending)
    assert answer.finding.where == "raw odd name: expect_column_values_to_be_in_set"
    assert (answer.finding.outcome, answer.finding.column) == ("block", "odd name")
    rows = answer.rows.to_pyarrow()
    assert set(rows["odd name"].to_pylist()) == {"b"}
    assert rows.num_rows == answer.finding.measured["unexpected"]
    assert set(rows.column_names) == set(table().column_names)


def test_the_rows_of_an_extreme_are_given() -> None:
    answer = only(asked([column("max_to_be_between", "whole", max_value=5)]))
    assert isinstance(answer, Offending)
    assert set(answer.rows.to_pyarrow()["whole"].to_pylist()) == {1000}


def test_the_rows_of_a_key_that_stands_twice_are_given() -> None:
    rows = pa.table({"a": [1, 1, 2, 1], "b": ["x", "x", "x", "y"], "c": [1, 2, 3, 4]})
    entry = expect("compound_columns_to_be_unique", column_list=["a", "b"])
    answer = only(asked([entry], rows))
    assert isinstance(answer, Offending)
    assert sorted(answer.rows.to_pyarrow()["c"].to_pylist()) == [1, 2]


def test_severity_decides_whether_it_blocks() -> None:
    entry = values("be_in_set", "odd name", value_set=["a"])
    for severity, outcome in (("critical", "block"), ("warning", "warn"), ("info", "warn")):
        answer = only(asked([{**entry, "severity": severity}]))
        assert isinstance(answer, Offending)
        assert answer.finding.outcome == outcome


def test_a_condition_that_picks_no_row_is_no_answer() -> None:
    entry = values("be_in_set", "text", value_set=["a"], **query("whole > 5000"))
    finding = only(asked([entry]))
    assert isinstance(finding, Finding)
    assert finding.outcome == "block"
    assert "picks no row" in finding.message


def test_what_is_raised_blocks_with_its_traceback_and_without_this_machines_paths() -> None:
    finding = only(asked([values("match_regex", "text", regex="[")]))
    assert isinstance(finding, Finding)
    assert finding.outcome == "block"
    assert "no answer" in finding.message
    trace = finding.traceback
    assert any(frame.startswith("pandas/core/strings/") for frame in trace)
    assert not any(frame.startswith("/") for frame in trace)


def test_what_is_raised_about_a_personal_column_shows_none_of_its_values() -> None:
    rows = pa.table({"who": ["Li Mei", "Wang Wei"], "x": [1, 2]})
    entry = values("be_between", "who", min_value=1)
    text = str(asked([entry], rows, personal=["who"]))
    assert "no answer" in text
    assert "Li Mei" not in text


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (values("be_betwen", "whole"), "did you mean expect_column_values_to_be_between"),
        (expect("of_the_moon"), "delivery.toml [data] expectations"),
        (values("be_in_set", "whole", value_set=3), "expect_column_values_to_be_in_set"),
        (values("be_in_set", "whole", valueset=[3]), "expect_column_values_to_be_in_set"),
    ],
)
def test_an_expectation_of_no_kind_is_a_wrong_configuration(entry: Entry, words: str) -> None:
    for rows in (table(), table().slice(0, 0), pa.table({"other": [1]})):
        with pytest.raises(ConfigError) as error:
            asked([entry], rows)
        assert error.value.exit_code == 2
        assert words in str(error.value)


UNANSWERABLE: dict[str, tuple[Entry, str]] = {
    "its column is missing": (values("not_be_null", "night"), "no column night"),
    "its column is all null": (values("be_null", "nothing"), "no value at all"),
    "its column holds infinity": (values("be_between", "cost", min_value=0), "infinity"),
    "one of its columns is missing": (
        expect("compound_columns_to_be_unique", column_list=["text", "X"]),
        "no column X",
    ),
    "nothing has to be so": (
        values("be_in_set", "text", value_set=["a"], mostly=0),
        "asks nothing",
    ),
    "nothing has to be so, said as a text": (
        values("be_in_set", "text", value_set=["a"], mostly="0"),
        "asks nothing",
    ),
    "its set is empty": (values("not_be_in_set", "text", value_set=[]), "asks nothing"),
    "its set of columns is empty": (
        expect("table_columns_to_match_set", column_set=[], exact_match=False),
        "asks nothing",
    ),
    "its types are none": (values("be_in_type_list", "text", type_list=None), "asks nothing"),
    "it has no limit": (expect("column_max_to_be_between", column="whole"), "no limit"),
    "its limits are null": (
        expect("table_row_count_to_be_between", min_value=None, max_value=None),
        "no limit",
    ),
    "its limits are endless": (
        values("be_between", "whole", min_value=float("-inf"), max_value=float("inf")),
        "no limit",
    ),
    "no quantile is named": (
        expect(
            "column_quantile_values_to_be_between",
            column="whole",
            quantile_ranges={"quantiles": [], "value_ranges": []},
        ),
        "no limit",
    ),
    "its quantiles may be anything": (
        expect(
            "column_quantile_values_to_be_between",
            column="whole",
            quantile_ranges={"quantiles": [0.5], "value_ranges": [[None, None]]},
        ),
        "no limit",
    ),
}


@pytest.mark.parametrize("name", UNANSWERABLE)
def test_an_expectation_blocks_unasked_where(name: str) -> None:
    entry, message = UNANSWERABLE[name]
    finding = only(asked([entry]))
    assert isinstance(finding, Finding)
    assert finding.outcome == "block"
    assert message in finding.message


def test_an_empty_table_blocks_whatever_the_suite_says() -> None:
    found = findings(asked([values("not_be_null", "text")], table().slice(0, 0)))
    assert {where: f.outcome for where, f in found.items()} == {"raw": "pass", "raw rows": "block"}


def test_a_suite_padded_with_copies_counts_as_weakened() -> None:
    found = findings(asked([values("be_in_set", "odd name", value_set=["a", "b"])] * 3, at_least=2))
    assert (found["raw"].outcome, found["raw"].measured) == ("block", 1)


# Kinds of one's own.

CUSTOM = """
from great_expectations.core import ExpectationValidationResult
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation, ColumnMapExpectation
from great_expectations.expectations.metrics import ColumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider import column_condition_partial


class ColumnValuesEven(ColumnMapMetricProvider):
    condition_metric_name = "column_values.even_OfName"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column, **kwargs):
        return column % 2 == 0


class ExpectColumnValuesToBeEvenOfName(ColumnMapExpectation):
    map_metric = "column_values.even_OfName"


class ExpectTableToHoldMoreRowsThanColumnsOfName(BatchExpectation):
    metric_dependencies = ("table.row_count", "table.columns")
    factor: float = 1

    def _validate(self, metrics, runtime_configuration=None, execution_engine=None):
        rows, columns = metrics["table.row_count"], len(metrics["table.columns"])
        return {"success": rows > self.factor * columns, "result": {"observed_value": rows}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """The root of a project with expectations of its own; nothing of it is left imported."""
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith("shop_"):
            del sys.modules[name]


def own(project: Path, name: str, text: str = CUSTOM) -> suites.Custom:
    (project / f"shop_{name}.py").write_text(text.replace("OfName", f"Of{name.capitalize()}"))
    return suites.Custom((f"shop_{name}",), project)


def test_expectations_of_ones_own_are_asked_like_any_other(project: Path) -> None:
    custom = own(project, "good")
    entries = [
        values("be_even_of_good", "whole"),
        values("be_even_of_good", "whole", mostly=0.1),
        expect("table_to_hold_more_rows_than_columns_of_good"),
        expect("table_to_hold_more_rows_than_columns_of_good", factor=100),
    ]
    answers = asked(entries, custom=custom)
    assert [f.outcome for f in findings(answers).values()] == [
        *("pass", "block", "pass", "pass", "block")
    ]
    odd = answers[1]
    assert isinstance(odd, Offending)
    assert odd.finding.where == "raw whole: expect_column_values_to_be_even_of_good"
    rows = odd.rows.to_pyarrow()
    assert set(rows["whole"].to_pylist()) == {-1, 1, 3}
    assert rows.num_rows == odd.finding.measured["unexpected"]


def test_expectations_of_ones_own_that_raise_block(project: Path) -> None:
    custom = own(project, "raising", CUSTOM.replace("column % 2 == 0", "1 / 0"))
    finding = only(asked([values("be_even_of_raising", "whole")], custom=custom))
    assert isinstance(finding, Finding)
    assert finding.outcome == "block"
    assert "ZeroDivisionError" in finding.message
    assert any("shop_raising.py" in frame for frame in finding.traceback)


BROKEN: Mapping[str, tuple[str | None, str]] = {
    "missing": (None, "No module named"),
    "unparseable": ("def", "SyntaxError"),
    "failing": ("raise RuntimeError('no licence')", "no licence"),
    "leaving": ("raise SystemExit(0)", "SystemExit"),
    "redefining": (
        "import great_expectations.expectations as e\n"
        "class ExpectColumnValuesToBeBetween(e.ExpectColumnValuesToBeBetween):\n    pass\n",
        "redefines expect_column_values_to_be_between",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_module_of_ones_own_is_a_wrong_configuration_that_is(project: Path, name: str) -> None:
    text, words = BROKEN[name]
    custom = suites.Custom((f"shop_{name}",), project)
    if text is not None:
        own(project, name, text)
    standing = great._class_of("expect_column_values_to_be_between")
    try:
        with pytest.raises(ConfigError) as error:
            asked([values("be_between", "whole", min_value=0)], custom=custom)
    finally:
        from great_expectations.expectations import registry

        registry._registered_expectations["expect_column_values_to_be_between"] = standing
    assert (error.value.exit_code, "[data] expectations" in str(error.value)) == (2, True)
    assert words in str(error.value)
