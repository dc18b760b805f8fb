"""The reference: its bytes, and what of a table a profile tells."""

import datetime
import json
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.errors import EvidenceError
from slipway.gates import profiles
from slipway.gates.profiles import profile_of
from slipway.gates.reference import ColumnProfile, Profile, Reference, parse, render
from slipway.records import canonical

COLUMNS = {"DAY": "date %m/%d/%Y", "WHO": "text", "ITEM": "text", "PIECES": "integer"}
COLUMNS |= {"PRICE": "number"}
PROFILE = Profile(
    "md5:1",
    3,
    {"2001-02-28": 3},
    {"PRICE": ColumnProfile("number", 0.5, 2, 1.0, 2.5, (1.5,), {"0": 0.5, "": 0.5})},
)
REFERENCE = Reference(
    "v1.0.0", PROFILE, {"raw": ({"type": "expect_x", "kwargs": {"mostly": 0.9}},)}
)
shares = st.dictionaries(st.text(max_size=8), st.floats(0, 1), max_size=5)


def day(number: int) -> datetime.datetime:
    """A day of February, or, from 29 on, of March 2001."""
    return datetime.datetime(2001, 2, 1) + datetime.timedelta(days=number - 1)


def table(**columns: Any) -> Any:
    """An ibis table."""
    types = {"DAY": pa.timestamp("us"), "PRICE": pa.float64(), "PIECES": pa.int64()}
    return ibis.memtable(
        pa.table({n: pa.array(v, types.get(n, pa.string())) for n, v in columns.items()})
    )


def profile(given_table: Any, *personal: str, window_days: int = 28) -> Profile:
    return profile_of(given_table, COLUMNS, personal, "md5:1", window_days)


def test_what_is_written_is_read_back() -> None:
    assert parse(render(REFERENCE), "here") == REFERENCE
    assert render(None) == b"null\n"
    assert parse(render(None), "here") is None


@settings(max_examples=30)
@given(shares, st.one_of(st.none(), st.integers(), st.floats(allow_nan=False)))
def test_any_numbers_are_read_back(mix: dict[str, float], least: Any) -> None:
    column = ColumnProfile("text", 0.0, 1, least, least, (), mix, mix, 0.5, {"ITEM": mix})
    reference = Reference("v1.0.0", Profile("d", 1, {}, {"A": column}))
    content = render(reference)
    assert render(parse(content, "here")) == content


@pytest.mark.parametrize(
    "content",
    [
        render(REFERENCE).replace(b'"rows": 3', b'"rows": 4'),
        render(REFERENCE)[:40],
        render(REFERENCE).replace(b"v1.0.0", b"v1.0.1"),
        canonical({**json.loads(render(REFERENCE)), "seal": "sha256:0"}),
        *(b"", b"[]", b"{}", b"3", b"\xff", b"[" * 100_000),
    ],
)
def test_altered_or_malformed_bytes_are_no_evidence(content: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse(content, "models/reference.json")
    assert len(str(caught.value).splitlines()) == 3


def test_a_profile_counts_all_rows_and_weighs_the_last_days_alone() -> None:
    found = profile(
        table(
            DAY=[day(1), day(2), day(29), day(29), None],
            WHO=["a", "a", "b", None, "c"],
            PRICE=[900.0, 1.0, 2.0, 4.0, None],
        ),
        "WHO",
    )
    assert (found.rows, found.days) == (5, {"2001-02-01": 1, "2001-02-02": 1, "2001-03-01": 2})
    price, who = found.columns["PRICE"], found.columns["WHO"]
    assert (price.nulls, price.distinct, price.minimum, price.maximum) == (0.2, 4, 1.0, 900.0)
    assert price.shares["0"] == pytest.approx(1 / 3)  # of the window's three
    assert (who.nulls, who.distinct) == (0.2, 3)
    assert (found.columns["DAY"].minimum, found.columns["DAY"].maximum) == (
        "2001-02-01",
        "2001-03-01",
    )
    assert list(found.columns) == ["DAY", "WHO", "PRICE"]  # what is not there is left out


def test_nothing_of_a_personal_column_can_be_read_in_a_profile() -> None:
    columns = {
        "WHO": [f"secret-{n % 3}" for n in range(9)],
        "ITEM": [f"secret-{n}" for n in range(9)],
        "PRICE": [91919.0 + n for n in range(9)],
        "DAY": [day(27)] * 9,
    }
    found = profile(table(**columns), *columns)
    text = canonical(found).decode()
    assert "secret" not in text
    assert "9191" not in text
    assert found.columns["WHO"].shares == {"1": 1 / 3, "2": 1 / 3, "3": 1 / 3}
    assert found.columns["DAY"].minimum is None


def test_a_column_is_personal_however_its_name_is_written() -> None:
    columns = {"WHO": [f"secret-{n}" for n in range(9)], "DAY": [day(27)] * 9}
    assert "secret" not in canonical(profile(table(**columns), "who")).decode()


def test_a_text_with_few_values_has_its_whole_mix_and_one_with_many_a_ranking() -> None:
    many = [f"i{n:03}" for n in range(profiles.FEW + 1) for _ in range(2 if n else 3)]
    found = profile(table(ITEM=many, WHO=["x", "", *["y"] * (len(many) - 2)]))
    item, who = found.columns["ITEM"], found.columns["WHO"]
    assert item.shares == {}
    assert list(item.ranking)[:3] == ["i000", "i001", "i002"]  # equals in the order of their names
    assert item.largest == 3 / len(many)
    assert set(who.shares) == {"", "x", "y"}
    assert "" not in who.ranking


def test_levels_are_medians_at_the_most_frequent_values_of_the_finest_text() -> None:
    items = [f"i{n}" for n in range(profiles.FEW + 1)]
    found = profile(
        table(ITEM=items * 3, PRICE=[price for price in (1.0, 2.0, 9.0) for _ in items])
    )
    assert found.columns["PRICE"].levels == {"ITEM": dict.fromkeys(sorted(items), 2.0)}


def test_many_rows_of_one_number_make_fewer_classes() -> None:
    found = profile(table(PIECES=[1] * 8 + [2, 3])).columns["PIECES"]
    assert found.largest == 0.8
    assert found.edges[0] == 1.0
    assert found.shares["0"] == 0.8
    assert sum(found.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_give_a_profile_too(rows: int) -> None:
    empty = {"DAY": [None], "WHO": [None], "ITEM": [None], "PIECES": [None], "PRICE": [None]}
    found = profile(table(**{name: values * rows for name, values in empty.items()}))
    assert found.rows == rows
    assert {c.nulls for c in found.columns.values()} == {1.0}
    assert {c.largest for c in found.columns.values()} == {0.0}
    assert profile(ibis.memtable(pa.table({"OTHER": [1]}))).columns == {}


def test_wide_tables_and_long_texts_stay_far_below_a_megabyte() -> None:
    names = [f"T{n}" for n in range(60)]
    values = {name: [f"{name}-{row:030}" for row in range(150)] for name in names}
    values |= {"LONG": ["x" * 5000 + f"{row}" for row in range(150)]}
    columns = dict.fromkeys(values, "text")
    found = profile_of(table(**values), columns, (), "md5:1")
    assert found.columns["LONG"].ranking == {}
    assert len(canonical(found)) < 300_000
