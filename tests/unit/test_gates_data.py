"""The gates of prepared data, suites and readers: one row a planted fault, and what stops it."""

import datetime
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ConfigError, EvidenceError
from slipway.gates import configured, judge, prepared, suites
from slipway.gates.data import DataEvidence, RawFile, Reading
from slipway.gates.offending import Offending
from slipway.gates.prepared import completeness as prepared_completeness
from slipway.gates.prepared import integrity
from slipway.records import Finding
from slipway.tools import dvc, folders, source, tables

COLUMNS = {"DAY": "date %m/%d/%Y", "WHO": "text", "PIECES": "integer", "PRICE": "number"}
DIGEST = "md5:" + "0" * 32 + ".dir"
DAYS = [datetime.datetime(2000, 11, day) for day in (1, 1, 2, 3)]


def findings(answers: Iterable[Finding | Offending]) -> list[Finding]:
    """Answers without the rows that they are about."""
    return [a.finding if isinstance(a, Offending) else a for a in answers]


def blocked(findings: Sequence[Finding]) -> set[str]:
    return {finding.where for finding in findings if finding.outcome != "pass"}


def raw_table(**changes: Any) -> pa.Table:
    """Four good lines, with some columns changed, or taken away by None."""
    good: dict[str, Any] = {
        "DAY": pa.array(DAYS, pa.timestamp("us")),
        "WHO": ["a", "b", "a", "c"],
        "PIECES": [1, 1, 2, 3],
        "PRICE": [1.0, 2.0, 3.0, 4.0],
    }
    return pa.table({name: v for name, v in {**good, **changes}.items() if v is not None})


def raw_file(**changes: Any) -> RawFile:
    good = RawFile("2000-11.csv", "1" * 32, tuple(COLUMNS), True, "", 4, "2000-11-01", "2000-11-03")
    return replace(good, **changes)


def evidence(
    table: Any = None, raw: Sequence[RawFile] | None = None, **changes: Any
) -> DataEvidence:
    """Good evidence but for the changes."""
    table = raw_table() if table is None else table
    malformed = changes.pop("malformed", {"DAY": 0, "PIECES": 0, "PRICE": 0})
    files = tuple(raw if raw is not None else [raw_file()])
    reading = Reading(files, ibis.memtable(table), malformed)
    good = DataEvidence(lambda: reading, DIGEST, DIGEST, COLUMNS, None)
    return replace(good, **changes)


NULLS = pa.array([None] * 4, pa.string())


# Prepared tables.

RELATION = integrity.Relation(
    rows="lines",
    table="baskets",
    key=("who", "day"),
    equals={"n": "rows", "paid": "sum price", "kinds": "distinct item", "shop": "same shop"},
)


def prepared_tables() -> dict[str, pa.Table]:
    lines = {
        "who": ["a", "a", "b"],
        "day": [1, 1, 2],
        "item": ["x", "y", "x"],
        "price": [0.1, 0.2, 5.0],
        "shop": ["s", "s", "t"],
    }
    baskets = {
        "who": ["a", "b"],
        "day": [1, 2],
        "n": [2, 1],
        "paid": [0.3, 5.0],
        "kinds": [2, 1],
        "shop": ["s", "t"],
    }
    return {"lines": pa.table(lines), "baskets": pa.table(baskets)}


def changed(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, pa.array(values))


GOOD_ROWS = {"raw": 4, "lines": 3, "baskets": 2}
KEYS = "lines → baskets: "


def prepared_evidence(
    cleaning: prepared.Cleaning | None = None, **changes: pa.Table | None
) -> prepared.PreparedEvidence:
    found = {**prepared_tables(), **changes}
    cleaning = cleaning or prepared.Cleaning(DIGEST, GOOD_ROWS, {"duplicates": 1})
    tables = {name: ibis.memtable(t) for name, t in found.items() if t is not None}
    reading = prepared.Reading(tables, {}, cleaning)
    return prepared.PreparedEvidence(lambda: reading, DIGEST)


LINES, BASKETS = prepared_tables().values()
INTEGRITY_FAULTS: dict[str, tuple[Mapping[str, Any], set[str]]] = {
    "the tables agree": ({}, set()),
    "a basket that no line has": (
        {"baskets": changed(BASKETS, "who", ["a", "c"])},
        {
            KEYS + "who, day of baskets without lines",
            KEYS + "who, day of lines that baskets does not know",
        },
    ),
    "a basket twice": (
        {"baskets": pa.concat_tables([BASKETS, BASKETS.slice(1)])},
        {KEYS + "one row a key", "baskets rows"},
    ),
    "a wrong sum": (
        {"baskets": changed(BASKETS, "paid", [0.3, 5.1])},
        {KEYS + "paid = sum price"},
    ),
    "a sum that is NaN": (
        {"baskets": changed(BASKETS, "paid", [0.3, math.nan])},
        {KEYS + "paid = sum price"},
    ),
    "a wrong count": ({"baskets": changed(BASKETS, "n", [2, 2])}, {KEYS + "n = rows"}),
    "a count that is null": ({"baskets": changed(BASKETS, "n", [2, None])}, {KEYS + "n = rows"}),
    "a wrong number of different ones": (
        {"baskets": changed(BASKETS, "kinds", [1, 1])},
        {KEYS + "kinds = distinct item"},
    ),
    "rows that differ where all must be the same": (
        {"lines": changed(LINES, "shop", ["s", "t", "t"])},
        {KEYS + "shop = same shop"},
    ),
    "a table is missing": ({"baskets": None}, {"lines → baskets"}),
    "a column is missing": ({"lines": LINES.drop_columns(["price"])}, {"lines → baskets"}),
    "a table is empty": (
        {"lines": LINES.slice(0, 0), "baskets": BASKETS.slice(0, 0)},
        {"lines rows", KEYS + "n = rows"},
    ),
    "rows were lost after cleaning": (
        {"cleaning": prepared.Cleaning(DIGEST, {**GOOD_ROWS, "lines": 4}, {})},
        {"lines rows"},
    ),
}


@pytest.mark.parametrize("name", INTEGRITY_FAULTS)
def test_the_integrity_gate_stops(name: str) -> None:
    changes, expected = INTEGRITY_FAULTS[name]
    answers = integrity.judge(prepared_evidence(**changes), integrity.Settings((RELATION,)))
    found = findings(answers)
    assert expected <= blocked(found)
    assert bool(expected) == bool(blocked(found))


PREPARED = prepared_completeness.Settings(
    min_rows={"lines": 3, "baskets": 2}, min_kept=0.75, max_touched=0.25
)
PREPARED_FAULTS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], set[str]]] = {
    "all is there, at its very limits": ({}, {}, set()),
    "a table is missing": ({"baskets": None}, {}, {"baskets rows"}),
    "a table is too small": ({"lines": LINES.slice(1)}, {}, {"lines rows"}),
    "a table may be small, but never empty": (
        {"lines": LINES.slice(0, 0)},
        {"min_rows": {"lines": 0}},
        {"lines rows"},
    ),
    "a column is all null": (
        {"lines": changed(LINES, "item", [None] * 3)},
        {},
        {"lines column item"},
    ),
    "a number is NaN": (
        {"baskets": changed(BASKETS, "paid", [math.nan, 1])},
        {},
        {"baskets column paid"},
    ),
    "another version was prepared": (
        {"cleaning": prepared.Cleaning("md5:x", GOOD_ROWS, {})},
        {},
        {"dataset"},
    ),
    "too many lines were dropped": ({}, {"min_kept": 0.76}, {"kept"}),
    "more lines were kept than there were": (
        {"cleaning": prepared.Cleaning(DIGEST, {**GOOD_ROWS, "raw": 2}, {})},
        {},
        {"kept"},
    ),
    "a rule touched less than no line": (
        {"cleaning": prepared.Cleaning(DIGEST, GOOD_ROWS, {"duplicates": -1})},
        {},
        {"rule duplicates"},
    ),
    "a rule touched too many lines": ({}, {"max_touched": 0.24}, {"rule duplicates"}),
    "nobody counted the raw lines": (
        {"cleaning": prepared.Cleaning(DIGEST, {"lines": 3}, {"duplicates": 0})},
        {},
        {"kept", "rule duplicates"},
    ),
}


@pytest.mark.parametrize("name", PREPARED_FAULTS)
def test_the_prepared_completeness_gate_stops(name: str) -> None:
    changes, settings, expected = PREPARED_FAULTS[name]
    judged = prepared_completeness.judge(
        prepared_evidence(**changes), replace(PREPARED, **settings)
    )
    found = list(judged)
    assert expected <= blocked(found)
    assert bool(expected) == bool(blocked(found))


def test_files_that_cannot_be_read_and_a_missing_cleaning_report_are_findings() -> None:
    reading = prepared.Reading({}, {"lines.parquet": "it is no Parquet file"}, None)
    empty = prepared.PreparedEvidence(lambda: reading, DIGEST)
    found = list(prepared_completeness.judge(empty, PREPARED))
    assert {"lines.parquet", "cleaning.json", "lines rows", "baskets rows"} <= blocked(found)


def test_a_relation_that_cannot_be_is_refused_before_anything_is_judged() -> None:
    wrong = {"rows": "lines", "table": "baskets", "key": ["who"], "equals": {"n": "average x"}}
    with pytest.raises(ConfigError, match="average x"):
        configured("prepared", {"integrity": {"relations": [wrong]}})


def test_a_subject_with_no_gate_is_not_passed() -> None:
    verdict = judge(kind="data", of=DIGEST, gates=[], evidence=evidence(), files={})
    assert verdict.outcome == "block"


# Suites, without Great Expectations: what is refused before it is asked.

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "WHO"}}
MALFORMED = {
    "it is no JSON": b"{",
    "it is a list": b"[]",
    "it has no expectations": b'{"name": "raw"}',
    "the expectations are text": b'{"expectations": "all good"}',
    "an expectation has no type": b'{"expectations": [{"kwargs": {}}]}',
    "an expectation has an unknown severity": json.dumps(
        {"expectations": [{**NOT_NULL, "severity": "mild"}]}
    ).encode(),
    "the arguments are text": b'{"expectations": [{"type": "x", "kwargs": "column"}]}',
    "it is nested beyond reason": b"[" * 100_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_suite_that_cannot_be_parsed_is_a_wrong_configuration(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        suites.parse("raw", MALFORMED[name], "ml/expectations/raw.json")
    assert error.value.exit_code == 2


def asked(entries: Sequence[Mapping[str, Any]], table: Any, at_least: int = 1) -> list[Finding]:
    suite = suites.parse("raw", json.dumps({"expectations": entries}).encode(), "raw.json")
    return findings(suites.ask(suite, ibis.memtable(table), suites.Asked("raw", at_least)))


def test_a_missing_suite_blocks() -> None:
    (found,) = findings(suites.ask(None, ibis.memtable(raw_table()), suites.Asked("raw")))
    assert (found.outcome, found.where) == ("block", "raw")


def test_an_empty_suite_blocks_even_where_nothing_was_demanded() -> None:
    assert [f.outcome for f in asked([], raw_table(), at_least=0)] == ["block"]


# Tables from files.


def read(folder: Path, content: bytes) -> tuple[pa.Table, dict[str, int]]:
    path = folder / "2000-11.csv"
    path.write_bytes(content)
    return tables.typed(tables.read_csv(path), COLUMNS)


HEADER = b'"DAY","WHO","PIECES","PRICE"\r\n'


def test_values_are_typed_as_declared_and_what_is_not_of_its_kind_is_counted(
    tmp_path: Path,
) -> None:
    lines = [
        b'"11/1/2000","007","2","1.5"',
        b'"2000-11-01","","2.5","NaN"',
        b'"13/1/2000",,"1e3","inf"',
        b'"11/30/2000","0"," 1","1e999"',
        b"11/30/2000,x,-3,-1e-3",
    ]
    table, malformed = read(tmp_path, HEADER + b"\r\n".join(lines) + b"\r\n")
    assert malformed == {"DAY": 2, "PIECES": 3, "PRICE": 3}
    assert table["WHO"].to_pylist() == ["007", None, None, "0", "x"]
    assert table["PIECES"].to_pylist() == [2, None, None, None, -3]
    assert table["PRICE"].to_pylist() == [1.5, None, None, None, -0.001]
    assert [day and day.day for day in table["DAY"].to_pylist()] == [1, None, None, 30, 30]


UNREADABLE = {
    "nothing at all": b"",
    "an empty line": b"\n",
    "no line end": b"DAY,WHO",
    "zero bytes": b"\0" * 1000,
    "noise": bytes(range(256)) * 40,
    "another encoding": HEADER.decode().encode("utf-16"),
    "a value in another encoding": HEADER + b"11/1/2000,\xff\xfe,1,1\r\n",
    "a line with a cell too few": HEADER + b"11/1/2000,secret,1\r\n",
    "a quote that never ends": HEADER + b'11/1/2000,"secret,1,1\r\n11/1/2000,a,1,1\r\n',
    "a huge line": HEADER + b"11/1/2000," + b"x" * 3_000_000 + b",1,1\r\n",
    "a huge header": b"x" * 3_000_000 + b"\n1\n",
    "two columns with one name": b"DAY,DAY\n1,2\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_is_unreadable_that_holds(name: str, tmp_path: Path) -> None:
    with pytest.raises(tables.Unreadable) as error:
        read(tmp_path, UNREADABLE[name])
    assert "secret" not in str(error.value)


def test_a_file_that_is_missing_or_a_folder_is_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(tables.Unreadable):
            tables.read_csv(path)
        with pytest.raises(tables.Unreadable):
            tables.read_parquet(path)


@given(content=st.binary(max_size=400))
def test_any_bytes_are_a_table_or_unreadable(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for head in (b"", HEADER):
        path.write_bytes(head + content)
        for reader in (tables.read_csv, tables.read_parquet):
            try:
                tables.typed(reader(path), {})
            except tables.Unreadable as error:
                assert str(error)


@pytest.mark.parametrize("kind", ["", "int", "date", "date ", "date YYYY"])
def test_a_kind_that_no_column_can_have_is_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match="no kind"):
        tables.check_kinds({"X": kind})


# Data versions.

LINES_OF = b"".join(
    [
        b"\xef\xbb\xbf" + HEADER,
        b'"11/1/2000","a","1","1"\r\n',
        b'"12/1/2000","b","1","1"\r\n',
        b'"11/2/2000","c","1","1"\r\n',
        b'"1/1/2001","d","1","1"\r\n',
    ]
)


def zipped(content: bytes, name: str = "all.csv") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("member", [LINES_OF, zipped(LINES_OF)], ids=["plain", "zipped"])
def test_a_source_is_split_into_its_own_lines_by_month(member: bytes) -> None:
    months = source.split_by_month(member, COLUMNS)
    assert list(months) == ["2000-11.csv", "2000-12.csv", "2001-01.csv"]
    assert months["2000-11.csv"] == HEADER + LINES_OF.splitlines(keepends=True)[1] + (
        b'"11/2/2000","c","1","1"\r\n'
    )


def test_the_date_may_stand_in_any_column() -> None:
    columns = {"WHO": "text", "DAY": "date %Y-%m-%d"}
    months = source.split_by_month(b'WHO,DAY\n"a, b",2000-11-03\n', columns)
    assert months == {"2000-11.csv": b'WHO,DAY\n"a, b",2000-11-03\n'}


@pytest.mark.parametrize("content", [HEADER + b"no date,a,1,1\n", zipped(LINES_OF)[:-30]])
def test_a_source_that_is_no_table_of_dated_lines_is_foreign(content: bytes) -> None:
    with pytest.raises(EvidenceError):
        source.split_by_month(content, COLUMNS)


@pytest.mark.parametrize("names", [(0, 1, 2), (0, 1), (1, 2), (2,)])
def test_the_source_gives_those_months_that_the_version_names(names: tuple[int, ...]) -> None:
    months = source.split_by_month(LINES_OF, COLUMNS)
    wanted = {
        name: hashlib.md5(months[name]).hexdigest() for name in [list(months)[n] for n in names]
    }
    version = folders.digest(wanted)
    for count in (len(names), None):
        assert source.choose(months, dvc.Pointer("data", version, count, None)) == wanted
    assert source.choose(months, dvc.Pointer("data", DIGEST, 2, None)) is None


def test_a_folder_is_hashed_as_dvc_hashes_it() -> None:
    # What 'dvc add' (3.67) wrote for a folder with the files a.csv ("1\n") and sub/b.csv ("2\n").
    files_of = {
        "sub/b.csv": hashlib.md5(b"2\n").hexdigest(),
        "a.csv": hashlib.md5(b"1\n").hexdigest(),
    }
    assert folders.digest(files_of) == "md5:f1178421c1f9e2ff1052caa9866bc1c0.dir"


POINTERS = {
    "no file": None,
    "nothing": "",
    "no YAML": "outs: [",
    "no outs": "deps: []\n",
    "two outs": "outs:\n- {md5: a.dir, path: a}\n- {md5: b.dir, path: b}\n",
    "a file, not a folder": "outs:\n- {md5: 7ca3943ea30ae34db9b6c9e96881871b, path: data}\n",
    "a list of nothing": "outs: [1]\n",
    "a list": "[]\n",
}


@pytest.mark.parametrize("name", POINTERS)
def test_a_pointer_names_no_version_that_holds(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.dvc"
    content = POINTERS[name]
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvidenceError) as error:
        dvc.pointer(path)
    assert error.value.exit_code == 5


def test_a_difference_names_every_file() -> None:
    phrases = folders.difference({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    assert phrases == ["a is missing", "b has other bytes", "c is not part of it"]
