"""`params.yaml` is read strictly, and what is wrong with it is said in three lines."""

import re
from pathlib import Path

import pytest

from ml import params
from ml.errors import InputError, exit_code
from ml.params import Evaluate, Prepare, Train, Window

ROOT = Path(__file__).resolve().parents[2]
WINDOW = "window:\n  test_days: 28\n  validation_days: 28\n"


def written(folder: Path, text: str) -> Path:
    """A `params.yaml` with this text."""
    path = folder / "params.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("table", [Window, Prepare, Train, Evaluate])
def test_the_projects_own_file_has_every_table(table: type) -> None:
    assert params.load(table, ROOT / "params.yaml")


def test_values_come_as_they_stand(tmp_path: Path) -> None:
    assert params.load(Window, written(tmp_path, WINDOW)) == Window(28, 28)


@pytest.mark.parametrize(
    ("text", "what", "todo"),
    [
        ("", "there is no table 'window'", "add 'window:'"),
        ("[1, 2", "not YAML", "mend the line"),
        ("- 1\n", "there is no table 'window'", "add"),
        ("window: 3\n", "there is no table 'window'", "add"),
        (WINDOW + "  tset_days: 1\n", "unknown key 'tset_days'", "write 'test_days'"),
        ("window:\n  test_days: 28\n", "'validation_days' is missing", "add"),
        (WINDOW.replace("28", "many", 1), "must be int, not str 'many'", "mend it"),
        (WINDOW.replace("28", "true", 1), "must be int, not bool", "mend it"),
        (WINDOW.replace("28", "1.5", 1), "must be int, not float", "mend it"),
        (WINDOW.replace("28", "-1", 1), "'test_days' is -1", "zero or more"),
        (WINDOW.replace("28", "!!python/object:os.system x", 1), "not YAML", "mend"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, what: str, todo: str) -> None:
    with pytest.raises(InputError) as caught:
        params.load(Window, written(tmp_path, text))
    assert what in caught.value.what
    assert todo in caught.value.todo


@pytest.mark.parametrize(
    ("table", "key", "value", "what"),
    [
        (Window, "test_days", "0", "'test_days' is 0"),
        (Window, "validation_days", "0", "'validation_days' is 0"),
        (Window, "validation_days", "27", "test_days is 28, validation_days 27"),
        (Prepare, "max_amount", "0", "'max_amount' is 0"),
        (Prepare, "max_price_ratio", "0.99", "'max_price_ratio' is 0.99"),
        (Prepare, "customer_pattern", '"0[0-9"', "'customer_pattern' is no pattern"),
        (Prepare, "product_pattern", '"(8|13"', "'product_pattern' is no pattern"),
        *[
            (Train, key, "0", f"'{key}' is 0")
            for key in ("k", "batch", "epochs", "customers_per_cut")
        ],
        *[(Train, key, "0", f"'{key}' is 0") for key in ("embedding", "hidden", "samples")],
        (Train, "k", "101", "'k' is 101"),
        (Evaluate, "k", "0", "'k' is 0"),
        (Evaluate, "k", "101", "'k' is 101"),
        (Evaluate, "batch", "0", "'batch' is 0"),
    ],
)
def test_a_setting_that_cannot_work_is_three_lines_and_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    table: type,
    key: str,
    value: str,
    what: str,
) -> None:
    head, mark, rest = (ROOT / "params.yaml").read_text().partition(f"{table.__name__.lower()}:\n")
    text = head + mark + re.sub(rf"(?m)^  {key}: .*$", f"  {key}: {value}", rest, count=1)
    assert exit_code(lambda: print(params.load(table, written(tmp_path, text)))) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(what)
    assert len(lines) == 3


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    text = (
        (ROOT / "params.yaml").read_text().replace("max_price_ratio: 5.0", "max_price_ratio: .nan")
    )
    with pytest.raises(InputError, match="'max_price_ratio' is nan"):
        params.load(Prepare, written(tmp_path, text))


def test_a_missing_file_is_three_lines_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(lambda: print(params.load(Window, tmp_path / "params.yaml"))) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["where", "to do"]
    assert lines[0] == "there is no params.yaml"


def test_a_full_disk_is_three_lines_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device", "prepared")

    assert exit_code(fail) == 2
    assert capsys.readouterr().err.splitlines()[0] == "No space left on device"


def test_work_that_succeeds_is_exit_code_0() -> None:
    assert exit_code(lambda: None) == 0
