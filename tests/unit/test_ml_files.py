"""Files are whole or not there, and only their content decides their bytes."""

from pathlib import Path

import numpy as np
import pytest

from ml import artefacts, files
from ml.errors import InputError
from slipway.records import digest_tree


def test_a_folder_takes_its_place_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "prepared"
    for content in ("one", "two"):
        with files.new_folder(target) as folder:
            (folder / "table").write_text(content)
    assert (target / "table").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["prepared"]


def test_a_failure_leaves_the_former_folder_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "prepared"
    with files.new_folder(target) as folder:
        (folder / "table").write_text("one")
    with pytest.raises(RuntimeError), files.new_folder(target) as folder:
        (folder / "table").write_text("half")
        raise RuntimeError
    assert (target / "table").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["prepared"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".prepared.partial").mkdir()
    (tmp_path / ".prepared.partial" / "half").touch()
    with files.new_folder(tmp_path / "prepared"):
        pass
    assert list((tmp_path / "prepared").iterdir()) == []


def test_json_is_sorted_ends_a_line_and_has_no_nan() -> None:
    content = files.canonical({"b": float("nan"), "a": [float("inf"), (1, "ü")]})
    assert content.decode() == '{\n "a": [\n  null,\n  [\n   1,\n   "ü"\n  ]\n ],\n "b": null\n}\n'


def test_equal_arrays_give_equal_reference_bytes() -> None:
    arrays = {"b": np.arange(3), "a": np.array(["x", "y"])}
    again = {"a": np.array(["x", "y"]), "b": np.arange(3)}
    assert artefacts.npz(arrays) == artefacts.npz(again)


def test_training_and_delivery_know_a_model_by_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    (tmp_path / "empty").touch()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").touch()
    assert files.model_digest(tmp_path) == digest_tree(tmp_path)


@pytest.mark.parametrize("content", [None, b"{", b"\xff"])
def test_json_that_is_missing_or_malformed_says_what_writes_it(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "champion.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        files.read_json(path, "run 'slipway champion'")
    assert caught.value.todo == "run 'slipway champion'"
