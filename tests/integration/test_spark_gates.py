"""Gates on Spark give the verdicts that they give without it, byte for byte."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml.prepare import load_settings, prepare
from slipway import config, stages
from slipway.config import Project
from slipway.tools import spark
from tests.datasets import LAST, change, data_project, put, small_months
from tests.needs import needs

needs("java")
ENGINES = ("pandas", "spark")
ROOM = {"spark_memory": "1g", "spark_start_s": 300.0}  # other tests run beside these
QUICK = {"spark.sql.shuffle.partitions": "1"}  # the data are small


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A few customers' real purchases, prepared; one Spark session serves all tests."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    root = data_project(tmp_path_factory.mktemp("spark"), small_months()).root
    prepare(
        root / "data", root / "prepared", load_settings(root / "params.yaml"), root / "data.dvc"
    )
    yield config.load(root)
    spark.end()


def verdict(project: Project, engine: str, *words: str) -> bytes:
    """The bare verdict that one engine gives."""
    data = replace(project.config.data, engine=engine, spark=QUICK, **ROOM)
    asked = replace(project, config=replace(project.config, data=data))
    out = project.scratch / f"{engine}.json"
    stages.execute(["gate", *words, "--out", str(out)], asked)
    return out.read_bytes()


def same(project: Project, *words: str) -> str:
    """The verdict of both engines, which have to agree in every byte."""
    one, other = (verdict(project, engine, *words).decode() for engine in ENGINES)
    assert one == other
    return one


def blocked(said: str) -> set[str]:
    """The gates that say no in a verdict."""
    return {f["gate"] for f in json.loads(said)["findings"] if f["outcome"] == "block"}


def test_good_raw_data_get_the_same_verdict(project: Project) -> None:
    assert blocked(same(project, "data")) <= {"drift"}  # so few customers drift by chance


def spoil(data: Path) -> None:
    """Faults of many kinds, in several files: in types, rows, columns, and files as a whole."""
    change(data / LAST, lambda lines: [*lines, lines[7], b'"2/1/2001","1","2"\r\n'])
    nowhere = b'"13/1/2001","00000001","","",'
    odd = [
        nowhere + b'"100205","4711","1.5","NaN","inf"\r\n',
        b'"1/5/2001"," 0007","\xc3\xa4","""x""","100205","","+3","1e3",".5"\r\n',
        b'"1/5/2001","00000007","<25","115","100205","12","99999999999999999999","-1","0"\r\n',
    ]
    change(data / "2001-01.csv", lambda lines: [*lines[:400], *odd, *lines[400:], lines[3]])
    month = data / "2000-12.csv"
    lines = month.read_bytes().splitlines(keepends=True)
    month.write_bytes(b"".join(line.rsplit(b",", 1)[0] + b"\r\n" for line in lines))
    first = data / "2000-11.csv"
    first.write_bytes(b"\xef\xbb\xbf" + first.read_bytes())
    (data / "noise.csv").write_bytes(b"\0\xff" * 5_000)
    (data / "other.csv").write_bytes(b"a,b\r\n1,2\r\n")
    (data / "empty.csv").write_bytes(b"")


def test_spoilt_raw_data_get_the_same_verdict(project: Project, tmp_path: Path) -> None:
    put(tmp_path / "data", small_months())
    spoil(tmp_path / "data")
    said = same(project, "data", "--data", str(tmp_path / "data"))
    for word in ("Expected 9 columns, got 3", "noise.csv", "2000-12.csv", "values of SALES_PRICE"):
        assert word in said


def test_data_without_a_row_get_the_same_verdict(project: Project, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    said = same(project, "data", "--data", str(tmp_path / "data"))
    assert {"files", "completeness", "expectations"} <= blocked(said)


def test_good_prepared_tables_get_the_same_verdict(project: Project) -> None:
    assert not blocked(same(project, "prepared"))


def test_spoilt_prepared_tables_get_the_same_verdict(project: Project) -> None:
    folder = project.root / "prepared"
    standing = {path: path.read_bytes() for path in folder.iterdir()}
    lines = pq.read_table(folder / "lines.parquet")
    price = pc.if_else(pc.equal(lines["amount"], 2), float("nan"), lines["sales_price"])
    place = lines.column_names.index("sales_price")
    lines = lines.set_column(place, "sales_price", price.cast(pa.float64()))
    pq.write_table(pa.concat_tables([lines, lines.slice(0, 3)]), folder / "lines.parquet")
    pq.write_table(pq.read_table(folder / "products.parquet")[5:], folder / "products.parquet")
    (folder / "customers.parquet").write_bytes(standing[folder / "customers.parquet"][:-9])
    try:
        said = same(project, "prepared")
    finally:
        for path, content in standing.items():
            path.write_bytes(content)
    assert "NaN or infinity" in said
    assert "customers.parquet" in said
