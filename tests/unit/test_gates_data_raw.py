"""The gates of raw data: one row a planted fault, and the findings that stop it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ConfigError
from slipway.gates import configured, data, reference
from slipway.gates.data import (
    _days,
    _volume,
    completeness,
    duplicates,
    files,
    freshness,
    integrity,
    schema,
    tamper,
)
from slipway.gates.offending import Offending
from slipway.records import Finding
from slipway.tools import tables
from tests.unit.test_gates_data import COLUMNS, DAYS, NULLS, evidence, raw_file, raw_table

Case = tuple[Any, Mapping[str, Any], Mapping[str, Any], set[str]]  # table, evidence, settings, bad
START = date(2000, 11, 1)


def judged(module: Any, settings: Mapping[str, Any], given: Any) -> list[Finding]:
    """A gate's findings; those that do not pass must be able to name their rows."""
    found = []
    for answer in module.judge(given, module.Settings(**settings)):
        if isinstance(answer, Offending):
            finding = answer.finding
            if finding.outcome in ("block", "warn"):
                assert answer.rows.count().execute() > 0, finding.where
        else:
            finding = answer
        found.append(finding)
    assert all(finding.gate == module.GATE for finding in found)
    assert len({finding.where for finding in found}) == len(found)
    return found


def bad(found: Iterable[Finding], *outcomes: str) -> set[str]:
    return {f.where for f in found if f.outcome in (outcomes or ("block", "warn"))}


def lines_of(rows: Mapping[date, int], **columns: Any) -> pa.Table:
    """So many lines on each day; each column a function of a line's number and its day."""
    days = [day for day, count in rows.items() for _ in range(count)]
    moments = [datetime(day.year, day.month, day.day) for day in days]
    usual: dict[str, Any] = {
        "WHO": lambda n, _: f"{n % 50}",
        "PIECES": lambda n, _: n,
        "PRICE": lambda _n, _: 1.0,
    }
    made = {
        name: [make(n, day) for n, day in enumerate(days)]
        for name, make in {**usual, **columns}.items()
    }
    return pa.table({"DAY": pa.array(moments, pa.timestamp("us")), **made})


def even(days: int, rows: int = 10, start: date = START) -> dict[date, int]:
    """The same number of lines on each of some days."""
    return {start + timedelta(days=n): rows for n in range(days)}


def champion(days: Mapping[date, int], **nulls: float) -> reference.Reference:
    """A reference whose data had such days, and such shares of empty cells."""
    columns = {name: reference.ColumnProfile("text", share, 1) for name, share in nulls.items()}
    counts = {day.isoformat(): rows for day, rows in days.items()}
    profile = reference.Profile("md5:x", sum(days.values()), counts, columns)
    return reference.Reference("v1.0.0", profile)


EMPTY = raw_table().slice(0, 0)
NOTHING = tables.nothing(COLUMNS)
LISTING = {"2000-11.csv": "1" * 32}

# files and tamper

FILE_FAULTS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], set[str]]] = {
    "the file is good": ({}, {}, set()),
    "another file is missing": ({}, {"listing": {**LISTING, "2000-12.csv": "3"}}, {"2000-12.csv"}),
    "it cannot be read": ({"problem": "it is not UTF-8"}, {}, {"2000-11.csv"}),
    "the last line is cut off": ({"ends_with_newline": False}, {}, {"2000-11.csv"}),
    "it holds the header alone": ({"rows": 0}, {}, {"2000-11.csv"}),
    "it is no CSV": ({"name": "notes.txt"}, {}, {"notes.txt"}),
}


@pytest.mark.parametrize("name", FILE_FAULTS)
def test_the_files_gate_stops(name: str) -> None:
    file, changes, expected = FILE_FAULTS[name]
    assert bad(judged(files, {}, evidence(raw=[raw_file(**file)], **changes))) == expected


def test_the_files_gate_stops_no_file_at_all() -> None:
    assert bad(judged(files, {}, evidence(raw=[]))) == {"number of files"}


OTHER = "md5:" + "2" * 32 + ".dir"
TAMPERED: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], set[str]]] = {
    "nothing was touched": ({}, {"listing": LISTING}, set()),
    "the bytes of the whole differ": ({}, {"found": OTHER}, {"version"}),
    "its own bytes differ": ({"md5": "2" * 32}, {"listing": LISTING}, {"2000-11.csv"}),
    "it is not part of the version": (
        {"name": "x.csv"},
        {"listing": LISTING},
        {"x.csv", "2000-11.csv"},
    ),
    "it could not be hashed": ({"md5": ""}, {"listing": LISTING}, {"2000-11.csv"}),
    "the listing knows another file": (
        {},
        {"listing": {**LISTING, "2000-12.csv": "3"}},
        {"2000-12.csv"},
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_the_tamper_gate_stops(name: str) -> None:
    file, changes, expected = TAMPERED[name]
    assert bad(judged(tamper, {}, evidence(raw=[raw_file(**file)], **changes))) == expected


def test_a_version_whose_files_nobody_knows_is_told_by_its_digest_alone() -> None:
    assert bad(judged(tamper, {}, evidence()), "skip") == {"listing"}


# schema

HEADERS: dict[str, tuple[Mapping[str, Any], str]] = {
    "a column is lost": ({"header": ("DAY", "WHO", "PRICE")}, "misses PIECES"),
    "a column is new": ({"header": (*COLUMNS, "X")}, "names X"),
    "a column has another name": ({"header": ("DAY", "WHOM", "PIECES", "PRICE")}, "WHOM"),
    "two columns are swapped": ({"header": ("WHO", "DAY", "PIECES", "PRICE")}, "another order"),
    "there is a byte order mark": (
        {"header": ("\ufeffDAY", "WHO", "PIECES", "PRICE")},
        "byte order mark",
    ),
    "there is a second one": (
        {"header": ("\ufeff\ufeffDAY", "WHO", "PIECES", "PRICE")},
        "byte order mark",
    ),
    "the header is lost": ({"header": ("11/1/2000", "Li Mei", "1", "2")}, "none of the columns"),
    "there is no header": ({"header": ()}, "no header"),
    "it is of another encoding": ({"problem": "it is not UTF-8", "header": ()}, "not UTF-8"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_the_schema_gate_stops_a_file_where(name: str) -> None:
    file, message = HEADERS[name]
    found = judged(schema, {}, evidence(raw=[raw_file(**file)]))
    assert bad(found) == {"header 2000-11.csv"}
    (said,) = [f.message for f in found if f.outcome == "block"]
    assert message in said
    assert "Li Mei" not in said


def asks(name: str, **column: Any) -> Mapping[str, Any]:
    return {"columns": {name: schema.Column(**column)}, "min_rows_for_median": 1}


def whos(*values: str | None) -> pa.Table:
    return raw_table(WHO=pa.array(values, pa.string()))


VALUE_FAULTS: dict[str, Case] = {
    "all is as declared": (raw_table(), {}, {}, set()),
    "a number that is none": (
        raw_table(PRICE=[1.0, 2.0, 3.0, None]).append_column(
            f"PRICE{tables.TEXT}", pa.array(["1", "2", "3", "1,5"])
        ),
        {"malformed": {"DAY": 0, "PIECES": 0, "PRICE": 1}},
        {},
        {"values of PRICE"},
    ),
    "a kind that nobody counted": (
        raw_table(),
        {"malformed": {"PIECES": 0, "PRICE": 0}},
        {},
        {"values of DAY"},
    ),
    "a blank": (whos("a", "b", " ", "c"), {}, {}, {"values of WHO"}),
    "a blank behind": (whos("a", "b", "a ", "c"), {}, {}, {"values of WHO"}),
    "a blank in between is none of ours": (whos("a", "b", "a b", "c"), {}, {}, set()),
    "an ideographic blank": (whos("a", "b", "\u3000a", "c"), {}, {}, {"values of WHO"}),
    "a byte order mark inside": (whos("a", "\ufeffb", "a", "c"), {}, {}, {"values of WHO"}),
    "what a wrong encoding left": (whos("a", "b\ufffd", "a", "c"), {}, {}, {"values of WHO"}),
    "a line end": (whos("a", "b\n", "a", "c"), {}, {}, {"values of WHO"}),
    "a text without any value": (raw_table(WHO=NULLS), {}, {}, {"values of WHO"}),
    "text of another form": (raw_table(), {}, asks("WHO", pattern="[ab]"), {"pattern WHO"}),
    "text that matches in part": (
        whos("a", "b", "aa", "b"),
        {},
        asks("WHO", pattern="a|b"),
        {"pattern WHO"},
    ),
    "text of either form": (raw_table(), {}, asks("WHO", pattern="[ab]|c"), set()),
    "empty cells have no form": (whos("a", None, "a", "a"), {}, asks("WHO", pattern="a"), set()),
    "a value of no set": (raw_table(), {}, asks("WHO", allowed=("a", "b")), {"allowed WHO"}),
    "each value of the set": (raw_table(), {}, asks("WHO", allowed=("a", "b", "c")), set()),
    "nothing of the set": (
        raw_table(WHO=NULLS),
        {},
        asks("WHO", allowed=("a",)),
        {"values of WHO", "allowed WHO"},
    ),
    "numbers at both limits": (raw_table(), {}, asks("PRICE", range=(1, 4)), set()),
    "a number too low": (raw_table(), {}, asks("PRICE", range=(1.1, 4)), {"range PRICE"}),
    "a number too high": (raw_table(), {}, asks("PIECES", range=(1, 2)), {"range PIECES"}),
    "a number that is NaN": (
        raw_table(PRICE=[1.0, 2.0, math.nan, 4.0]),
        {},
        asks("PRICE", range=(1, 4)),
        {"range PRICE"},
    ),
    "no number at all": (
        raw_table(PRICE=pa.array([None] * 4, pa.float64())),
        {},
        asks("PRICE", range=(1, 4), usual=(1, 4), max_unusual=1.0, median=(1, 4)),
        {"range PRICE", "usual PRICE", "median PRICE"},
    ),
    "as many unusual numbers as may be": (
        raw_table(),
        {},
        asks("PRICE", usual=(1, 3), max_unusual=0.25),
        set(),
    ),
    "more unusual numbers": (
        raw_table(),
        {},
        asks("PRICE", usual=(1, 3), max_unusual=0.24),
        {"usual PRICE"},
    ),
    "a median at its limit": (raw_table(), {}, asks("PRICE", median=(2.5, 3)), set()),
    "a median too low": (raw_table(), {}, asks("PRICE", median=(2.6, 3)), {"median PRICE"}),
    "a median too high": (raw_table(), {}, asks("PRICE", median=(1, 2.4)), {"median PRICE"}),
    "one month in another unit": (
        lines_of(
            {**even(30), **even(10, start=date(2000, 12, 1))},
            PRICE=lambda _, day: 100.0 if day.month == 12 else 1.0,
        ),
        {},
        asks("PRICE", median=(1, 2)),
        {"median PRICE"},
    ),
    "no line": (EMPTY, {}, asks("PRICE", range=(1, 4)), {"values of WHO", "range PRICE"}),
    "no table": (NOTHING, {}, asks("PRICE", range=(1, 4)), {"values of WHO", "range PRICE"}),
    "no dates": (raw_table(DAY=None), {}, asks("PRICE", median=(2.6, 3)), {"median PRICE"}),
}


@pytest.mark.parametrize("name", VALUE_FAULTS)
def test_the_schema_gate_stops(name: str) -> None:
    table, changes, settings, expected = VALUE_FAULTS[name]
    answers = list(schema.judge(evidence(table, **changes), schema.Settings(**settings)))
    found = [a.finding if isinstance(a, Offending) else a for a in answers]
    assert bad(found) == expected
    for answer in answers:
        if isinstance(answer, Offending) and answer.finding.outcome == "block" and table.num_rows:
            rows = answer.rows.to_pyarrow()  # what cannot be judged has no row that offends
            assert rows.num_rows > 0 or table[answer.finding.column].null_count == table.num_rows


def test_a_month_with_few_lines_has_no_median() -> None:
    settings = {"columns": {"PRICE": schema.Column(median=(9, 9))}, "min_rows_for_median": 5}
    assert bad(judged(schema, settings, evidence()), "skip") == {"median PRICE"}


# completeness

FEW: dict[str, Any] = {
    "min_rows": 4,
    "min_rows_per_month": 4,
    "max_rows_per_month": 4,
    "min_rows_per_day": 1,
    "max_rows_per_day": 2,
}
SPARSE = raw_table(DAY=pa.array([*DAYS[:3], datetime(2000, 11, 4)], pa.timestamp("us")))
UNDATED = raw_table(DAY=pa.array([*DAYS[:3], None], pa.timestamp("us")))
COMPLETENESS_FAULTS: dict[str, Case] = {
    "all is there, at its very limits": (raw_table(), {}, {"first_day": "2000-11-01"}, set()),
    "too few lines": (raw_table(), {}, {"min_rows": 5}, {"rows"}),
    "too few in a month": (
        raw_table(),
        {},
        {"min_rows_per_month": 5, "max_rows_per_month": 9},
        {"month 2000-11"},
    ),
    "too many in a month": (
        raw_table(),
        {},
        {"min_rows_per_month": 0, "max_rows_per_month": 3},
        {"month 2000-11"},
    ),
    "too few on a day": (raw_table(), {}, {"min_rows_per_day": 2}, {"emptiest day"}),
    "too many on a day": (raw_table(), {}, {"max_rows_per_day": 1}, {"fullest day"}),
    "a day is missing": (SPARSE, {}, {}, {"missing days"}),
    "as many days are missing as may be": (SPARSE, {}, {"max_missing_days": 1}, set()),
    "the first day is lost": (raw_table(), {}, {"first_day": "2000-10-31"}, {"first day"}),
    "a day before the first": (raw_table(), {}, {"first_day": "2000-11-02"}, {"first day"}),
    "a column is missing": (raw_table(WHO=None), {}, {}, {"column WHO", "nulls WHO"}),
    "the date column is missing": (
        raw_table(DAY=None),
        {},
        {},
        {"column DAY", "nulls DAY", "days"},
    ),
    "a date is missing": (
        UNDATED,
        {},
        {"min_rows_per_month": 3},
        {"nulls DAY"},
    ),
    "a column is all null": (raw_table(WHO=NULLS), {}, {}, {"column WHO", "nulls WHO"}),
    "as many nulls as may be": (whos("a", None, "a", "b"), {}, {"max_nulls": {"WHO": 0.25}}, set()),
    "more nulls": (whos("a", None, "a", "b"), {}, {"max_nulls": {"WHO": 0.24}}, {"nulls WHO"}),
    "one null where none may be": (whos("a", None, "a", "b"), {}, {}, {"nulls WHO"}),
    "what is of another kind is no null": (
        raw_table(PRICE=[1.0, 2.0, 3.0, None]).append_column(
            f"PRICE{tables.TEXT}", pa.array(["1", "2", "3", "1,5"])
        ),
        {},
        {},
        set(),
    ),
    "NaN among the numbers": (raw_table(PRICE=[1, 2, 3, math.nan]), {}, {}, {"column PRICE"}),
    "infinity among the numbers": (raw_table(PRICE=[1, 2, 3, math.inf]), {}, {}, {"column PRICE"}),
    "lines of another month": (
        raw_table(),
        {"raw": [raw_file(last="2000-12-01")]},
        {},
        {"months in 2000-11.csv"},
    ),
    "months in names are not asked": (
        raw_table(),
        {"raw": [raw_file(name="all.csv")]},
        {"month_in_name": False},
        set(),
    ),
    "no line": (
        EMPTY,
        {},
        {},
        {"rows", "days"} | {f"{w} {c}" for c in COLUMNS for w in ("column", "nulls")},
    ),
    "no table": (
        NOTHING,
        {},
        {},
        {"rows", "days"} | {f"{w} {c}" for c in COLUMNS for w in ("column", "nulls")},
    ),
    "a day of the champion's data is lost": (
        raw_table(),
        {"reference": champion({date(2000, 10, 31): 1, START: 2})},
        {},
        {"lost days"},
    ),
    "the oldest days may be forgotten": (
        raw_table(),
        {"reference": champion({date(2000, 10, 31): 1, START: 2})},
        {"keeps_history": False},
        set(),
    ),
    "a newer day may not be": (
        raw_table(),
        {"reference": champion({date(2000, 11, 4): 1})},
        {"keeps_history": False},
        {"lost days"},
    ),
}


def completeness_of(table: Any, settings: Mapping[str, Any], **changes: Any) -> list[Finding]:
    answers = completeness.judge(
        evidence(table, **changes), completeness.Settings(**{**FEW, **settings})
    )
    return [answer.finding if isinstance(answer, Offending) else answer for answer in answers]


@pytest.mark.parametrize("name", COMPLETENESS_FAULTS)
def test_the_completeness_gate_stops(name: str) -> None:
    table, changes, settings, expected = COMPLETENESS_FAULTS[name]
    assert bad(completeness_of(table, settings, **changes)) == expected


ANY: dict[str, Any] = {
    "min_rows": 1,
    "min_rows_per_month": 1,
    "max_rows_per_month": 10**6,
    "max_rows_per_day": 10**6,
    "month_in_name": False,
}
TWO_MONTHS = even(61)
HISTORY: dict[str, Case] = {
    "each month is like the others": (TWO_MONTHS, {}, {}, set()),
    "a month at the floor": (
        {day: 65 if day.month == 12 else 100 for day in TWO_MONTHS},
        {},
        {"max_month_ratio": 1.6},
        set(),
    ),
    "half of a month": (
        {day: 5 if day.month == 12 else 10 for day in TWO_MONTHS},
        {},
        {"max_month_ratio": 9.0},
        {"usual month 2000-12"},
    ),
    "a month twice": (
        {day: 20 if day.month == 12 else 10 for day in TWO_MONTHS},
        {},
        {"min_month_ratio": 0.1},
        {"usual month 2000-12"},
    ),
    "half of the only month, where the champion had others": (
        even(30, 5),
        {"reference": champion(even(31, 10, date(2000, 10, 1)))},
        {"keeps_history": False},
        {"usual month 2000-11"},
    ),
    "half of each month, where the champion had all": (
        even(61, 5),
        {"reference": champion(TWO_MONTHS)},
        {},
        {"usual month 2000-11", "usual month 2000-12"},
    ),
    "a nearly empty week": (
        {**TWO_MONTHS, **even(7, 2, date(2000, 12, 19))},
        {},
        {},
        {"usual days"},
    ),
    "the same week in the champion's data": (
        {**TWO_MONTHS, **even(7, 2, date(2000, 12, 19))},
        {"reference": champion({**TWO_MONTHS, **even(7, 2, date(2000, 12, 19))})},
        {},
        set(),
    ),
    "weekends are full": (
        {day: 40 if day.weekday() > 4 else 10 for day in TWO_MONTHS},
        {},
        {},
        set(),
    ),
}


@pytest.mark.parametrize("name", HISTORY)
def test_history_tells_that(name: str) -> None:
    days, changes, settings, expected = HISTORY[name]
    found = completeness_of(lines_of(days), {**ANY, **settings}, **changes)
    assert bad(found) == expected
    assert bad(found, "warn") <= {"usual days"}


def test_without_history_nothing_is_said_of_what_is_usual() -> None:
    found = completeness_of(lines_of(even(13)), ANY)
    assert bad(found, "skip") == {"usual month 2000-11", "usual days"}
    assert not bad(found)


def absent(share: int, months: Sequence[int], whole: Mapping[date, int] = TWO_MONTHS) -> pa.Table:
    """Every so manieth line has no WHO in some months, one in ten in others."""
    return lines_of(
        whole, WHO=lambda n, day: None if n % (share if day.month in months else 10) == 0 else "a"
    )


BURSTS: dict[str, Case] = {
    "the usual share": (absent(10, ()), {}, {}, set()),
    "a burst in a month": (absent(5, (12,)), {}, {}, {"nulls WHO by month"}),
    "a burst in each month": (
        absent(5, (11, 12)),
        {"reference": champion(TWO_MONTHS, WHO=0.1)},
        {},
        {"nulls WHO by month"},
    ),
    "the champion knows nothing of the column": (
        absent(5, (11, 12)),
        {"reference": champion(TWO_MONTHS)},
        {},
        set(),
    ),
    "a burst on a day": (
        lines_of(TWO_MONTHS, WHO=lambda n, day: None if n % 10 == 0 or day == START else "a"),
        {},
        {"max_more_nulls": 0.05},
        {"nulls WHO by day"},
    ),
    "a day with few lines has no share": (
        lines_of(TWO_MONTHS, WHO=lambda n, day: None if n % 10 == 0 or day == START else "a"),
        {},
        {"max_more_nulls": 0.05, "min_rows_for_shares": 11},
        set(),
    ),
}


@pytest.mark.parametrize("name", BURSTS)
def test_the_completeness_gate_stops_nulls_in(name: str) -> None:
    table, changes, settings, expected = BURSTS[name]
    asked = {"max_nulls": {"WHO": 0.3}, "max_nulls_per_day": {"WHO": 0.4}, "max_more_nulls": 0.01}
    asked |= {"min_rows_for_shares": 10}
    given_ = evidence(table, **changes)
    found = judged(completeness, {**FEW, **ANY, **asked, **settings}, given_)
    assert bad(found) == expected


def test_dates_gone_wrong_are_one_finding_not_thousands() -> None:
    wild = lines_of({date(1900, 1, 1) + timedelta(days=9 * n): 1 for n in range(3661)})
    found = completeness_of(wild, ANY)
    assert bad(found) == {"days"}
    assert len(found) < 20
    asked = {"max_more_unknown": {"WHO": 0.1}}
    assert bad(judged(integrity, asked, evidence(wild))) == {"unknown WHO"}


@given(
    rows=st.lists(st.integers(0, 10**9), min_size=14, max_size=60),
    strange=st.integers(0, 10**9),
)
def test_one_strange_day_never_moves_what_is_usual_by_much(rows: list[int], strange: int) -> None:
    days = {START + timedelta(days=n): count for n, count in enumerate(rows)}
    far = _volume.deviations({**days, START: strange}, days)
    assert far.keys() == days.keys()
    assert all(math.isfinite(by) for by in far.values())


def test_spans_of_days_are_told_shortly() -> None:
    days = [date(2000, 12, d) for d in (19, 20, 21, 25)]
    assert _days.runs(days) == "2000-12-19 to 2000-12-21, 2000-12-25"
    assert _days.holes(days) == [(date(2000, 12, 22), date(2000, 12, 24))]
    assert _days.runs([]) == ""
    assert _days.holes([]) == []
    assert _days.runs(START + timedelta(days=2 * n) for n in range(12)).endswith("and 2 more")


# freshness

AS_OF = {"as_of": "2000-11-03"}
FRESHNESS_FAULTS: dict[str, Case] = {
    "it reaches to the cut": (raw_table(), {}, AS_OF, set()),
    "it is as old as may be": (raw_table(), {}, {"as_of": "2000-11-05", "max_age_days": 2}, set()),
    "it is stale": (raw_table(), {}, {"as_of": "2000-11-05", "max_age_days": 1}, {"last day"}),
    "a line is behind the cut": (
        raw_table(),
        {},
        {"as_of": "2000-11-02"},
        {"after the cut"},
    ),
    "all lines are behind the cut": (
        raw_table(),
        {},
        {"as_of": "2000-10-31"},
        {"last day", "after the cut"},
    ),
    "a line in the evening of the last day": (
        raw_table(DAY=pa.array([*DAYS[:3], datetime(2000, 11, 3, 23, 59)], pa.timestamp("us"))),
        {},
        AS_OF,
        set(),
    ),
    "it follows the champion's": (
        raw_table(),
        {"reference": champion({START: 2, date(2000, 11, 2): 1})},
        AS_OF,
        set(),
    ),
    "it is the champion's": (
        raw_table(),
        {"reference": champion({START: 2, date(2000, 11, 2): 1, date(2000, 11, 3): 1})},
        AS_OF,
        set(),
    ),
    "it is older than the champion's": (
        raw_table(),
        {"reference": champion({date(2000, 11, 3): 1, date(2000, 11, 4): 1})},
        AS_OF,
        {"newer than the champion's"},
    ),
    "a gap behind the champion's": (
        raw_table(),
        {"reference": champion({date(2000, 10, 30): 5})},
        AS_OF,
        {"gap"},
    ),
    "a gap that may be": (
        raw_table(),
        {"reference": champion({date(2000, 10, 30): 5})},
        {**AS_OF, "max_gap_days": 1},
        set(),
    ),
    "a day of the champion's has more lines now": (
        raw_table(),
        {"reference": champion({START: 1, date(2000, 11, 2): 1})},
        AS_OF,
        {"overlap"},
    ),
    "a day of the champion's has fewer lines now": (
        raw_table(),
        {"reference": champion({START: 3, date(2000, 11, 2): 1})},
        AS_OF,
        {"overlap"},
    ),
    "as many days changed as may": (
        raw_table(),
        {"reference": champion({START: 3, date(2000, 11, 2): 1})},
        {**AS_OF, "max_changed_days": 1},
        set(),
    ),
    "no line": (EMPTY, {}, AS_OF, {"last day"}),
    "no table": (NOTHING, {}, AS_OF, {"last day"}),
    "no dates": (raw_table(DAY=None), {}, AS_OF, {"last day"}),
    "a line without a date is not asked": (UNDATED, {}, {"as_of": "2000-11-02"}, set()),
}


@pytest.mark.parametrize("name", FRESHNESS_FAULTS)
def test_the_freshness_gate_stops(name: str) -> None:
    table, changes, settings, expected = FRESHNESS_FAULTS[name]
    assert bad(judged(freshness, settings, evidence(table, **changes))) == expected


def test_without_a_cut_and_a_champion_freshness_says_that_it_cannot_tell() -> None:
    found = judged(freshness, {}, evidence())
    assert {f.outcome for f in found} == {"skip"}
    assert all(f.message for f in found)


# duplicates

TWICE = pa.concat_tables([raw_table(), raw_table().slice(2, 1)])
RETYPED = pa.concat_tables([raw_table(), raw_table(PRICE=[9.0] * 4).slice(2, 1)])
KEY = {"key": ("DAY", "WHO")}
SAME_KEY = raw_table(WHO=["a", "a", "b", "c"])
BASKETS = {"customer": "WHO", "item": "ITEM", "min_basket_lines": 3}


def baskets(*bought: tuple[int, str, Sequence[str]], price: float = 1.0) -> pa.Table:
    """Baskets: the day in November, who bought, and what."""
    rows = [(day, who, item) for day, who, items in bought for item in items]
    return pa.table(
        {
            "DAY": pa.array([datetime(2000, 11, day) for day, _, _ in rows], pa.timestamp("us")),
            "WHO": [who for _, who, _ in rows],
            "ITEM": [item for _, _, item in rows],
            "PIECES": pa.array([1] * len(rows), pa.int64()),
            "PRICE": [price] * len(rows),
        }
    )


NULL_KEYS = raw_table(WHO=NULLS)
DUPLICATE_FAULTS: dict[str, Case] = {
    "nothing is twice": (raw_table(), {}, {}, set()),
    "a line is twice": (TWICE, {}, {}, {"exact"}),
    "a line is twice, and has a key": (TWICE, {}, KEY, {"exact", "keyed"}),
    "as many lines are twice as may be": (TWICE, {}, {"max_exact": 0.2}, set()),
    "a key is twice, the line is not": (RETYPED, {}, KEY, {"keyed"}),
    "nobody asks for the key": (RETYPED, {}, {}, set()),
    "as many keys are twice as may be": (RETYPED, {}, {**KEY, "max_keyed": 0.2}, set()),
    "empty keys are the same": (NULL_KEYS, {}, KEY, {"keyed"}),
    "a line with an empty key is twice": (
        pa.concat_tables([NULL_KEYS, NULL_KEYS.slice(3, 1)]),
        {},
        {**KEY, "max_keyed": 1.0},
        {"exact"},
    ),
    "a column of the key is missing": (raw_table(WHO=None), {}, KEY, {"keyed"}),
    "a file has two names": (
        raw_table(),
        {"raw": [raw_file(), raw_file(name="b.csv")]},
        {},
        {"same file"},
    ),
    "two files could not be hashed": (
        raw_table(),
        {"raw": [raw_file(md5=""), raw_file(name="b.csv", md5="")]},
        {},
        set(),
    ),
    "no line": (EMPTY, {}, KEY, {"exact", "keyed"}),
    "no table": (NOTHING, {}, {}, {"exact"}),
}


@pytest.mark.parametrize("name", DUPLICATE_FAULTS)
def test_the_duplicates_gate_stops(name: str) -> None:
    table, changes, settings, expected = DUPLICATE_FAULTS[name]
    answers = list(duplicates.judge(evidence(table, **changes), duplicates.Settings(**settings)))
    found = [a.finding if isinstance(a, Offending) else a for a in answers]
    assert bad(found) == expected
    for answer in answers:
        if isinstance(answer, Offending) and answer.finding.outcome == "block" and table.num_rows:
            assert answer.rows.count().execute() > 0
            assert set(answer.rows.columns) == set(table.column_names)


ABC = ("x", "y", "z")
BASKET_FAULTS: dict[str, tuple[pa.Table, set[str]]] = {
    "each is another": (baskets((1, "a", ABC), (2, "a", ("x", "y", "w"))), set()),
    "one is sent again the next day": (
        baskets((1, "a", ABC), (2, "a", ABC[::-1])),
        {"repeated baskets"},
    ),
    "somebody else buys the same": (baskets((1, "a", ABC), (2, "b", ABC)), set()),
    "a small one is bought again": (
        baskets((1, "a", ABC[:2]), (2, "a", ABC[:2]), (3, "a", ABC)),
        set(),
    ),
    "the price is another": (
        pa.concat_tables([baskets((1, "a", ABC)), baskets((2, "a", ABC), price=2.0)]),
        set(),
    ),
    "the customer is unknown": (
        baskets((1, None, ABC), (2, None, ABC)),  # type: ignore[arg-type]
        {"repeated baskets"},
    ),
    "there is no item": (
        baskets((1, "a", ("x",))).drop_columns(["ITEM"]),
        {"repeated baskets"},
    ),
}


@pytest.mark.parametrize("name", BASKET_FAULTS)
def test_of_baskets_the_duplicates_gate_stops_that(name: str) -> None:
    table, expected = BASKET_FAULTS[name]
    columns = {**COLUMNS, "ITEM": "text"}
    assert bad(judged(duplicates, BASKETS, evidence(table, columns=columns))) == expected


def test_where_no_basket_is_large_nothing_is_said_of_baskets() -> None:
    table = baskets((1, "a", ("x",)))
    given_ = evidence(table, columns={**COLUMNS, "ITEM": "text"})
    assert bad(judged(duplicates, BASKETS, given_), "skip") == {"repeated baskets"}


# integrity

ONE = {"dependencies": (integrity.Dependency("WHO", "PIECES", 0.0),)}
THIRD = {"dependencies": (integrity.Dependency("WHO", "PIECES", 1 / 3),)}
INTEGRITY_FAULTS: dict[str, Case] = {
    "each has one": (raw_table(PIECES=[1, 2, 1, 3]), {}, ONE, set()),
    "one has two": (raw_table(), {}, ONE, {"PIECES of WHO"}),
    "as many have two as may": (raw_table(), {}, THIRD, set()),
    "an empty cell is no value": (raw_table(PIECES=[1, 2, None, 3]), {}, ONE, set()),
    "there is no value": (
        raw_table(PIECES=pa.array([None] * 4, pa.int64())),
        {},
        ONE,
        {"PIECES of WHO"},
    ),
    "a column is missing": (raw_table(WHO=None), {}, ONE, {"PIECES of WHO"}),
    "no line": (EMPTY, {}, ONE, {"PIECES of WHO"}),
    "no table": (NOTHING, {}, ONE, {"PIECES of WHO"}),
}


@pytest.mark.parametrize("name", INTEGRITY_FAULTS)
def test_the_integrity_gate_stops(name: str) -> None:
    table, changes, settings, expected = INTEGRITY_FAULTS[name]
    answers = integrity.judge(evidence(table, **changes), integrity.Settings(**settings))
    found = [a.finding if isinstance(a, Offending) else a for a in answers]
    assert bad(found) == expected


GROUPS: dict[str, tuple[pa.Table, float, set[str]]] = {
    "each customer comes with ten lines": (
        lines_of(even(92), WHO=lambda n, _: f"{n // 10}"),
        0.0,
        set(),
    ),
    "in one month each line is a basket": (
        lines_of(even(92), WHO=lambda n, day: f"{n}" if day.month == 12 else f"{n // 10}"),
        0.3,
        {"lines a DAY and WHO"},
    ),
    "there is one month": (lines_of(even(28), WHO=lambda n, _: f"{n}"), 0.0, set()),
    "a column is missing": (
        lines_of(even(92)).drop_columns(["WHO"]),
        0.3,
        {"lines a DAY and WHO"},
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups_are_as_large_in_each_month(name: str) -> None:
    table, most, expected = GROUPS[name]
    settings = integrity.Settings(group=("DAY", "WHO"), max_group_change=most)
    answers = integrity.judge(evidence(table), settings)
    assert bad(a.finding if isinstance(a, Offending) else a for a in answers) == expected


def strangers(share: float, months: Sequence[int] = (12,)) -> pa.Table:
    """Lines of which a share has an id that only its own month has."""
    return lines_of(
        even(92),
        WHO=lambda n, day: (
            f"{day.month} {n}" if day.month in months and n % 100 < share * 100 else f"{n % 7}"
        ),
    )


UNKNOWN: dict[str, tuple[pa.Table, Mapping[str, Any], set[str]]] = {
    "all know each other": (strangers(0), {"WHO": 0.0}, set()),
    "few are strangers": (strangers(0.1), {"WHO": 0.15}, set()),
    "many are strangers in one month": (strangers(0.2), {"WHO": 0.1}, {"unknown WHO"}),
    "as many are strangers each month": (strangers(0.2, (11, 12, 1)), {"WHO": 0.1}, set()),
    "most are strangers each month": (strangers(0.6, (11, 12, 1)), {"WHO": 0.1}, {"unknown WHO"}),
    "the column is missing": (strangers(0).drop_columns(["WHO"]), {"WHO": 0.1}, {"unknown WHO"}),
    "the ids are empty": (
        lines_of(even(92), WHO=lambda _n, _: None).set_column(
            1, "WHO", pa.array([None] * 920, pa.string())
        ),
        {"WHO": 0.1},
        {"unknown WHO"},
    ),
    "no line": (EMPTY, {"WHO": 0.1}, {"unknown WHO"}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_of_ids_the_integrity_gate_stops_that(name: str) -> None:
    table, more, expected = UNKNOWN[name]
    assert bad(judged(integrity, {"max_more_unknown": more}, evidence(table))) == expected


def test_in_a_single_month_nobody_is_unknown_to_another() -> None:
    found = judged(integrity, {"max_more_unknown": {"WHO": 0.1}}, evidence())
    assert bad(found, "skip") == {"unknown WHO"}


# settings

WRONG: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "a cut that is no day": ("freshness", {"as_of": "28.2.2001"}, "as_of: '28.2.2001' is no day"),
    "a gap below nothing": ("freshness", {"max_gap_days": -1}, "max_gap_days"),
    "a share below nothing": ("duplicates", {"max_exact": -0.1}, "max_exact"),
    "a share above all": ("duplicates", {"max_keyed": 1.1}, "max_keyed"),
    "a share that is NaN": ("duplicates", {"max_exact": math.nan}, "max_exact"),
    "a basket without a line": ("duplicates", {"min_basket_lines": 0}, "min_basket_lines"),
    "a ceiling of nulls that is NaN": (
        "completeness",
        {**FEW, "max_nulls": {"WHO": math.nan}},
        "max_nulls.WHO",
    ),
    "a floor above its ceiling": ("completeness", {**FEW, "min_rows_per_day": 3}, "rows_per_day"),
    "a ratio that is NaN": ("completeness", {**FEW, "min_month_ratio": math.nan}, "month_ratio"),
    "a first day that is none": ("completeness", {**FEW, "first_day": "2000-11-31"}, "first_day"),
    "too few rows to be had": ("completeness", {**FEW, "min_rows": -1}, "min_rows"),
    "a pattern that is none": (
        "schema",
        {"columns": {"WHO": {"pattern": "["}}},
        "columns.WHO.pattern",
    ),
    "a range of three": ("schema", {"columns": {"PRICE": {"range": [1, 2, 3]}}}, "PRICE.range"),
    "a range turned round": ("schema", {"columns": {"PRICE": {"usual": [2, 1]}}}, "PRICE.usual"),
    "a range with NaN": (
        "schema",
        {"columns": {"PRICE": {"median": [math.nan, 1.0]}}},
        "PRICE.median",
    ),
    "a share of keys above all": (
        "integrity",
        {"dependencies": [{"key": "WHO", "value": "DAY", "max_share": 2.0}]},
        "max_share",
    ),
    "a share of strangers below nothing": (
        "integrity",
        {"max_more_unknown": {"WHO": -0.1}},
        "max_more_unknown.WHO",
    ),
    "a key that is not declared": ("duplicates", {"key": ["WHOM"]}, "did you mean 'WHO'"),
    "a customer that is not declared": (
        "duplicates",
        {"customer": "X", "item": "WHO"},
        "customer: no column 'X'",
    ),
    "a customer who buys nothing": ("duplicates", {"customer": "WHO"}, "go together"),
    "nulls of a column that is not declared": (
        "completeness",
        {**FEW, "max_nulls_per_day": {"X": 0.1}},
        "max_nulls_per_day: no column 'X'",
    ),
    "values of a column that is not declared": ("schema", {"columns": {"X": {}}}, "no column 'X'"),
    "a range of text": ("schema", {"columns": {"WHO": {"range": [1, 2]}}}, "kind 'text'"),
    "a pattern of numbers": ("schema", {"columns": {"PRICE": {"pattern": "1"}}}, "kind 'number'"),
    "a range of days": ("schema", {"columns": {"DAY": {"range": [1, 2]}}}, "kind 'date"),
    "a dependency that is not declared": (
        "integrity",
        {"dependencies": [{"key": "WHO", "value": "X"}]},
        "no column 'X'",
    ),
    "strangers of a column that is not declared": (
        "integrity",
        {"max_more_unknown": {"X": 0.1}},
        "no column 'X'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_before_any_gate_runs_it_is_refused_to_ask_for(name: str) -> None:
    gate, settings, message = WRONG[name]
    with pytest.raises(ConfigError) as error:
        data.check(configured("data", {gate: settings}), COLUMNS)
    assert message in str(error.value)
    assert f"gates.data.{gate}." in str(error.value)
    assert error.value.exit_code == 2


def test_settings_that_fit_the_columns_are_taken() -> None:
    tables_ = {"freshness": AS_OF, "duplicates": {"key": ["WHO"]}, "completeness": FEW, "files": {}}
    data.check(configured("data", tables_), COLUMNS)
