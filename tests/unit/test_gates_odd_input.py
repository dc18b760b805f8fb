"""Odd input of data gates: names, kinds and values that nobody would expect, each told plainly."""

import os
from datetime import date, datetime, timedelta
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from slipway.errors import ConfigError
from slipway.gates import limits
from slipway.gates.data import (
    DataEvidence,
    RawFile,
    Reading,
    _days,
    drift,
    duplicates,
    integrity,
    schema,
)
from slipway.gates.offending import Offending
from slipway.records import digest_tree
from slipway.stages.subjects import data, prepared
from slipway.tools import folders, tables
from slipway.tools.frames import Duck
from slipway.typed import Mismatch

COLUMNS = {"DAY": "date %m/%d/%Y", "WHO": "text"}
RAW = b"DAY,WHO\n11/1/2000,a\n"


def test_a_file_whose_name_is_no_text_is_named_all_the_same(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.csv")).write_bytes(RAW)
    (name,) = data._hashes(tmp_path)
    assert limits.files({name: "sha256:1"}) == {"\\udcff.csv": "sha256:1"}


def test_a_folder_with_such_a_file_has_a_digest_of_its_own(tmp_path: Path) -> None:
    digests = set()
    for number, name in enumerate((b"\xff.csv", b"\xfe.csv", b"f.csv")):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / os.fsdecode(name)).write_bytes(RAW)
        digests.add(digest_tree(folder))
    assert len(digests) == 3


def test_endless_counts_say_nothing_of_what_was_cleaned(tmp_path: Path) -> None:
    (tmp_path / "cleaning.json").write_text(
        '{"dataset": "md5:1", "rows": {"raw": 1e400}, "rules": []}'
    )
    reading = prepared._read_all(Duck(), tmp_path)
    assert reading.problems == {"cleaning.json": "it does not say what was cleaned"}


def test_a_folder_that_stands_elsewhere_is_no_part_of_the_data(tmp_path: Path) -> None:
    inside, outside = tmp_path / "data", tmp_path / "elsewhere"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "2000-11.csv").write_bytes(RAW)
    (inside / "more").symlink_to(outside)
    hashes = folders.hash_files(inside)
    files = {file.name: file for file in data._read_all(Duck(), inside, hashes, COLUMNS).files}
    assert files["more"].problem
    assert not files["2000-11.csv"].problem


@pytest.mark.parametrize("kind", ["date %", "date %Q", "date %d %d", "date", "date 2000"])
def test_a_date_format_that_cannot_read_what_it_writes_is_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match="no kind"):
        tables.check_kinds({"DAY": kind})


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%Y-%m-%dT%H:%M:%S", "%d.%m.%y", "%Y-%m"])
def test_a_date_format_of_whatever_order_is_taken(form: str) -> None:
    tables.check_kinds({"DAY": f"date {form}"})


def test_a_column_cannot_be_called_as_the_text_of_another_one() -> None:
    with pytest.raises(ConfigError, match="may not end with"):
        tables.check_kinds({"AMOUNT": "integer", "AMOUNT (text)": "text"})


@pytest.mark.parametrize("pattern", ["(?=[0-9]).*", r"(a)\1", "x{2000}"])
def test_a_pattern_that_no_engine_can_ask_by_is_refused_before_any_gate_is_asked(
    pattern: str,
) -> None:
    settings = schema.Settings({"WHO": schema.Column(pattern=pattern)})
    with pytest.raises(Mismatch, match="RE2"):
        settings.check(COLUMNS)


HEADERS = {  # what the header is → what the finding may not show
    "a line of values below one right name": (("DAY", "Li Mei", "X"), "Li Mei"),
    "a value among the names": (("DAY", "WHO", "ITEM", "01622362"), "01622362"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_shows_no_value(name: str) -> None:
    header, secret = HEADERS[name]
    finding = schema._header(RawFile("2000-11.csv", header=header), ("DAY", "WHO", "ITEM"))
    assert finding.outcome == "block"
    assert secret not in f"{finding}"


def test_nothing_has_no_sign() -> None:
    """Else rows that differ by it alone stand in whatever order they came, and so does evidence."""
    column = pa.array(["-0", "0", "-0.0", "-1e-400"]).dictionary_encode()
    table, malformed = tables.typed(pa.table({"PRICE": column}), {"PRICE": "number"})
    assert [str(value) for value in table["PRICE"].to_pylist()] == ["0.0"] * 4
    assert malformed == {"PRICE": 0}


def test_a_month_of_any_year_has_seven_characters() -> None:
    table = ibis.memtable(pa.table({"DAY": [date(1, 1, 1)]}).cast(pa.schema({"DAY": pa.date32()})))
    days = _days.read(table.mutate(DAY=table.DAY.cast("timestamp")), {"DAY": "date %Y"})
    assert list(days.months) == ["0001-01"]


NAMES = ("year", "month", "months", "lines", "values", "size", "first", "last", "since", "rows")


@pytest.mark.parametrize("name", NAMES)
def test_a_column_may_be_called_as_whatever_the_gates_count(name: str) -> None:
    days = [datetime(2000, 11, 1) + timedelta(days=number) for number in range(90)]
    values = {"DAY": days * 2, name: [f"v{n}" for n in range(180)], "ITEM": ["a", "b"] * 90}
    columns = {"DAY": "date %Y-%m-%d", name: "text", "ITEM": "text"}
    reading = Reading((), ibis.memtable(pa.table(values)), {})
    evidence = DataEvidence(lambda: reading, "md5:1", "md5:1", columns, None)
    only = (integrity.Dependency(name, "ITEM"), integrity.Dependency("ITEM", name))
    answers = [
        *integrity.judge(evidence, integrity.Settings(only, {name: 0.5}, group=("DAY", name))),
        *duplicates.judge(evidence, duplicates.Settings(customer=name, item="ITEM")),
        *duplicates.judge(evidence, duplicates.Settings(customer="ITEM", item=name)),
        *drift.judge(evidence, drift.Settings()),
    ]
    for answer in answers:
        if isinstance(answer, Offending):
            answer.rows.to_pyarrow()
