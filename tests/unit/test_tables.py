"""Streams of a file hold what reading it whole gives, and refuse it in the same words."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slipway.tools import tables
from slipway.tools.frames import Duck
from slipway.tools.frames_spark import AT_ONCE, _copied, _known, _pieces

COLUMNS = {"when": "date %m/%d/%Y", "who": "text", "pieces": "integer", "price": "number"}
HEADER = b"when,who,pieces,price\n"
GOOD = b'1/2/2001,"A, B",1,2.5\n2/29/2001,,01,1e3\n,"q""q",1.5,NaN\n\n3/1/2001,x,,\n'
FILES: dict[str, bytes] = {
    "good": HEADER + GOOD,
    "long": HEADER + b"1/2/2001,somebody,1,2.5\n" * 120_000 + GOOD,
    "without a line": HEADER,
    "with a mark": b"\xef\xbb\xbf" + b'"when",who,pieces,price\n' + GOOD,
    "columns lost, moved and more": b"price,other,when\n1,2,1/2/2001\nx,,\n",
    "no declared column": b"a,b\n1,2\n3,4\n",
    "a short line late": HEADER + b"1/2/2001,a,1,2\n" * 120_000 + b"1/2/2001,b\n",
    "not UTF-8 late": HEADER + b"1/2/2001,a,1,2\n" * 120_000 + b"1/2/2001,\xff,1,2\n",
    "a huge line": HEADER + b"1/2/2001," + b"x" * 3_000_000 + b",1,2\n",
    "a name twice": b"when,when\n1,2\n",
    "empty": b"",
    "no end of the header": b"when,who",
}


def told(read: object) -> object:
    """What a call gives, or why the file is no table."""
    try:
        return read()  # type: ignore[operator]
    except tables.Unreadable as error:
        return str(error)


@pytest.mark.parametrize("name", FILES)
def test_a_streamed_file_is_what_it_is_when_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("slipway.tools.spark.folder", lambda: tmp_path)
    path = tmp_path / "raw.csv"
    path.write_bytes(FILES[name])
    whole = told(lambda: Duck().csv(path, COLUMNS))
    first = told(lambda: _copied(path, COLUMNS, ()))
    if isinstance(whole, str):
        assert first == whole
        return
    bad = [column for column, count in first.malformed.items() if count]  # type: ignore[attr-defined]
    part = _copied(path, COLUMNS, bad)
    for about in ("names", "rows", "malformed", "first", "last"):
        assert getattr(part, about) == getattr(whole, about)
    if part.names:
        plain = pa.schema([(n, getattr(t, "value_type", t)) for n, t in _types(whole.held)])  # type: ignore[attr-defined]
        copied = pq.read_table(part.held).cast(plain)
        assert copied.equals(whole.held.cast(plain))  # type: ignore[attr-defined]


def _types(table: pa.Table) -> list[tuple[str, pa.DataType]]:
    return list(zip(table.schema.names, table.schema.types, strict=True))


def test_pieces_hold_all_rows_and_no_more_than_is_wanted_at_once() -> None:
    batch = pa.record_batch({"a": pa.array([1] * 150_000)})
    pieces = [piece.num_rows for piece in _pieces([batch] * 9)]
    assert sum(pieces) == 9 * 150_000
    assert max(pieces) < AT_ONCE + 150_000


def test_types_that_spark_does_not_know_are_changed_or_refused() -> None:
    fine = {"a": pa.timestamp("ns"), "b": pa.dictionary(pa.int8(), pa.string()), "c": pa.null()}
    known = _known(pa.schema(list(fine.items())))
    assert known.types == [pa.timestamp("us"), pa.string(), pa.int32()]
    for odd in (pa.time64("us"), pa.duration("s"), pa.float16()):
        with pytest.raises(tables.Unreadable, match="Spark has no type like"):
            _known(pa.schema([("a", odd)]))
