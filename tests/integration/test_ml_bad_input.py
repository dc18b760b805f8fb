"""What is wrong with a command's input is said in three lines, and nothing is half written."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ml import evaluate, files, params, prepare, train
from ml.errors import EngineError, InputError, exit_code
from ml.params import Evaluate, Prepare, Train, Window
from tests import shop


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small shop's folder with raw data and settings."""
    shop.write_raw(tmp_path / "data")
    shop.write_params(tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without_raw(folder: Path) -> None:
    for path in (folder / "data").iterdir():
        path.unlink()


def with_an_empty_file(folder: Path) -> None:
    (folder / "data/2000-11.csv").write_bytes(b"")


def without_a_column(folder: Path) -> None:
    path = folder / "data/2000-12.csv"
    path.write_bytes(path.read_bytes().replace(b'"ASSET",', b"", 1))


def with_a_ragged_line(folder: Path) -> None:
    with (folder / "data/2001-02.csv").open("ab") as stream:
        stream.write(b'"2/28/2001","0000')


def with_a_longer_line(folder: Path) -> None:
    path = folder / "data/2001-01.csv"
    header, first, rest = path.read_bytes().split(b"\r\n", 2)
    path.write_bytes(b"\r\n".join([header, first + b',"1"', rest]))


def with_a_column_twice(folder: Path) -> None:
    path = folder / "data/2000-12.csv"
    path.write_bytes(path.read_bytes().replace(b'"PIN_CODE"', b'"AGE_GROUP"', 1))


def with_a_header_that_is_no_text(folder: Path) -> None:
    path = folder / "data/2000-12.csv"
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


def with_bytes_that_are_no_text(folder: Path) -> None:
    path = folder / "data/2000-12.csv"
    path.write_bytes(path.read_bytes().replace(b'"115"', b'"\xff\xfe"', 1))


def with_a_month_alone(folder: Path) -> None:
    for month in ("2000-11", "2000-12", "2001-01"):
        (folder / f"data/{month}.csv").unlink()


def with_no_line_that_can_be(folder: Path) -> None:
    for path in (folder / "data").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"0000', b'"9999'))


def with_a_strange_pointer(folder: Path) -> None:
    (folder / "data.dvc").write_text("outs: 3\n")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (without_raw, "there is no raw data"),
        (with_an_empty_file, "not a table of purchases: 0 columns are named TRANSACTION_DT"),
        (without_a_column, "not a table of purchases: 0 columns are named ASSET"),
        (with_a_ragged_line, "not a table of purchases"),
        (with_a_longer_line, "not a table of purchases"),
        (with_a_column_twice, "not a table of purchases: 2 columns are named AGE_GROUP"),
        (with_a_header_that_is_no_text, "not a table of purchases: its first line cannot be"),
        (with_bytes_that_are_no_text, "not a table of purchases"),
        (with_a_month_alone, "no line is left before 2001-02-01, where the test window begins"),
        (with_no_line_that_can_be, "no line is left after cleaning"),
        (with_a_strange_pointer, "data.dvc names no data"),
    ],
)
def test_raw_data_that_cannot_be_prepared(
    project: Path, spoil: Callable[[Path], None], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(project)
    assert exit_code(prepare.main) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(what)
    assert len(lines) == 3
    assert sorted(path.name for path in project.iterdir() if path.is_dir()) == ["data"]


def test_raw_lines_become_typed_tables_that_agree(project: Path) -> None:
    prepare.main()
    tables = {name: pq.read_table(project / f"prepared/{name}.parquet") for name in prepare.SCHEMAS}
    for name, table in tables.items():
        said = {field.name: field.type for field in table.schema}
        assert said == prepare.SCHEMAS[name]
        assert not any(table.column(column).null_count for column in table.column_names)
    lines, test = tables["lines"].to_pandas(), tables["test"].to_pandas()
    assert max(lines["date"]) == date(2001, 1, 31)
    assert (min(test["date"]), max(test["date"])) == (date(2001, 2, 1), date(2001, 2, 28))
    assert files.read_json(project / "prepared/window.json", "") == {
        "first": "2001-02-01",
        "last": "2001-02-28",
    }
    baskets = tables["baskets"].to_pandas()
    assert baskets["products"].sum() == len(lines)
    assert baskets["sales_price"].sum() == lines["sales_price"].sum()
    assert "unknown" in set(tables["customers"].column("age_group").to_pylist())


def test_preparing_again_gives_the_same_bytes_whatever_the_order_of_files_and_lines(
    project: Path,
) -> None:
    prepare.main()
    first = {path.name: path.read_bytes() for path in (project / "prepared").iterdir()}
    months = sorted((project / "data").iterdir(), reverse=True)
    lines = [path.read_bytes().splitlines(keepends=True) for path in months]
    mixed = [line for month in lines for line in month[:0:-1]]
    for path in months[1:]:
        path.unlink()
    months[0].write_bytes(b"".join([lines[0][0], *mixed]))
    prepare.main()
    assert {path.name: path.read_bytes() for path in (project / "prepared").iterdir()} == first


@pytest.mark.parametrize(
    ("name", "master", "code", "said"),
    [
        ("sparc", "local[2]", 2, ["no engine 'sparc'", "engine.name", "write 'spark'"]),
        ("pandas", "local[2]", 2, ["no engine 'pandas'", "engine.name", "duckdb, spark"]),
        ("spark", "spark://127.0.0.1:1", 4, ["no Spark master answers", "127.0.0.1:1", "start it"]),
        ("spark", "spark://nowhere", 4, ["no Spark master answers", "nowhere", "start it"]),
    ],
)
def test_an_engine_that_cannot_be_had(
    project: Path, name: str, master: str, code: int, said: list[str], capsys: Any
) -> None:
    shop.write_params(project / "params.yaml", {"name": name, "spark_master": master})
    assert exit_code(prepare.main) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(word in line for word, line in zip(said, lines, strict=True))
    assert not (project / "prepared").exists()


def test_too_little_memory_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(params.LEAST, "memory_mb", 1)
    shop.write_params(project / "params.yaml", {"memory_mb": 1})
    with pytest.raises(EngineError, match="Out of Memory") as raised:
        prepare.main()
    assert "engine.memory_mb" in str(raised.value)


@pytest.mark.parametrize("command", [train.main, evaluate.main], ids=["train", "evaluate"])
def test_a_missing_table_names_the_command_that_makes_it(
    project: Path, command: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(command) == 2
    said = capsys.readouterr().err
    assert "there is no lines.parquet" in said
    assert "run 'python -m ml.prepare'" in said


def test_a_table_that_is_no_parquet_is_said(project: Path) -> None:
    prepare.main()
    (project / "prepared/lines.parquet").write_bytes(b"PAR1 truncated")
    settings = params.load(Train), params.load(Window)
    with pytest.raises(InputError, match="not the table expected"):
        train.train(project / "prepared", project / "models/candidate", *settings)
    assert not (project / "models/candidate").exists()


def test_settings_that_leave_no_item_or_nobody_are_said(project: Path) -> None:
    prepare.main()
    for change, what in (
        ("min_item_purchases", "no product sold"),
        ("min_learning_baskets", "nobody"),
    ):
        shop.write_params(project / "params.yaml", {**shop.SMALL, change: 100_000})
        settings = params.load(Train), params.load(Window)
        with pytest.raises(InputError, match=what):
            train.train(project / "prepared", project / "models/candidate", *settings)
    assert params.load(Prepare)
    assert params.load(Evaluate)
