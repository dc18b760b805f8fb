"""From raw lines to an evaluated model, each command in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ml import artefacts, evaluate, features, files, params
from ml.params import Evaluate, Train, Window
from tests import shop
from tests.shop import ROOT


def run(folder: Path, module: str, code: int = 0) -> str:
    """Runs `python -m ml.<module>` in a project's folder; gives its stderr."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", f"ml.{module}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's project, prepared, trained, and evaluated without a champion."""
    folder = tmp_path_factory.mktemp("shop")
    shop.write_raw(folder / "data")
    shop.write_params(folder / "params.yaml")
    (folder / "data.dvc").write_text("outs:\n- md5: 0123.dir\n  path: data\n")
    run(folder, "prepare")
    run(folder, "train")
    (folder / "models/champion.json").write_text("null\n")
    run(folder, "evaluate")
    return folder


@pytest.fixture(scope="module")
def candidate(project: Path) -> Path:
    """The trained model."""
    return project / "models/candidate"


@pytest.fixture
def kept(project: Path) -> Iterator[Path]:
    """The project, for a test that evaluates it again: pointer and evaluation are put back."""
    evaluation = {p: p.read_bytes() for p in (project / "evaluation").iterdir() if p.is_file()}
    yield project
    (project / "models/champion.json").write_text("null\n")
    for path, content in evaluation.items():
        path.write_bytes(content)


def read(path: Path) -> dict:
    """A JSON file."""
    return json.loads(path.read_bytes())


def test_the_candidate_holds_every_file_of_the_contract(candidate: Path) -> None:
    assert {path.name for path in candidate.iterdir()} == {
        "model.onnx",
        "weights.h5",
        "architecture.json",
        "signature.json",
        "samples.json",
        "profile.json",
        "environment.json",
        "history.json",
        "reference.npz",
        "features.py",
    }
    kept = (candidate / "features.py").read_bytes()
    assert kept == (ROOT / "ml/features.py").read_bytes()


def test_tensorflow_reloads_the_model_and_agrees_with_onnx(candidate: Path) -> None:
    import tensorflow as tf

    from ml import model
    from ml.train import run_onnx

    reference = features.load_reference(candidate)
    customers = [features.Request(customer=name) for name in list(reference.customers)[:50]]
    inputs = features.encode(reference, [*customers, features.Request()])
    reloaded = model.load(candidate)({name: tf.constant(v) for name, v in inputs.items()})
    served = run_onnx(candidate, inputs)
    assert served["scores"].std() > 0.1
    for name, values in served.items():
        np.testing.assert_allclose(values, reloaded[name].numpy(), atol=1e-4, err_msg=name)


def test_training_and_serving_encode_a_customer_alike(project: Path, candidate: Path) -> None:
    rows = evaluate.rows_of(project / "prepared", *settings(project)[::2])
    reference = features.load_reference(candidate)
    assert reference.items == tuple(rows.purchases.products[rows.codes].tolist())
    from ml.snapshots import batch

    some = rows.test.customers[:40]
    trained = batch(rows.test, some).inputs
    names = rows.purchases.customers[some].tolist()
    served = features.encode(reference, [features.Request(customer=name) for name in names])
    for name, values in trained.items():
        np.testing.assert_array_equal(values, served[name], err_msg=name)


def settings(project: Path) -> tuple[Train, Evaluate, Window]:
    """The project's settings."""
    path = project / "params.yaml"
    return params.load(Train, path), params.load(Evaluate, path), params.load(Window, path)


def test_samples_hold_every_kind_of_request_with_the_models_own_answers(candidate: Path) -> None:
    from ml.train import run_onnx

    samples = json.loads((candidate / "samples.json").read_bytes())
    assert len(samples) >= 20
    kinds = {kind for sample in samples for kind in sample["request"]}
    assert kinds == {"customer", "history"}
    reference = features.load_reference(candidate)
    unknown = [s for s in samples if s["request"].get("customer", "0") not in reference.customers]
    assert unknown
    for sample in samples:
        history = sample["request"].get("history")
        request = features.Request(
            customer=sample["request"].get("customer"),
            history=None if history is None else tuple((item, day) for item, day in history),
        )
        outputs = run_onnx(candidate, features.encode(reference, [request]))
        (answer,) = features.decode(reference, outputs, 10)
        assert [item for item, _ in answer] == sample["answer"]["items"]
        np.testing.assert_allclose([s for _, s in answer], sample["answer"]["scores"], atol=1e-4)


def test_the_signature_says_what_the_onnx_model_takes_and_gives(candidate: Path) -> None:
    import onnxruntime

    signature = read(candidate / "signature.json")
    session = onnxruntime.InferenceSession(candidate / "model.onnx")
    for said, real in (
        (signature["inputs"], session.get_inputs()),
        (signature["outputs"], session.get_outputs()),
    ):
        assert [(t["name"], t["shape"]) for t in said] == [(t.name, t.shape) for t in real]
    assert signature["trained_until"] == "2001-01-31"
    assert signature["name"] == "next-basket"
    assert signature["k"] == 10


def test_the_evaluation_has_the_shape_of_the_contract(project: Path, candidate: Path) -> None:
    found = read(project / "evaluation/evaluation.json")
    assert found["model"] == files.model_digest(candidate)
    assert found["dataset"] == "md5:0123.dir"
    assert found["window"] == {"from": "2001-02-01", "to": "2001-02-28"}
    assert found["champion"] is None
    assert set(found["baselines"]) == {"popularity", "personal_frequency"}
    for scores in (found["candidate"], *found["baselines"].values()):
        assert 0 < scores["ndcg_at_10"] < 1
        assert 0.5 < scores["repurchase_auc"] < 1 or scores is found["baselines"]["popularity"]
        assert scores["customers"] == found["candidate"]["customers"]
    slices = found["slices"]
    assert (
        slices["heavy buyers"]["rows"] + slices["light buyers"]["rows"]
        == (found["candidate"]["customers"])
    )


def test_scores_by_customer_average_to_the_metrics(project: Path) -> None:
    found = read(project / "evaluation/evaluation.json")
    scores = pq.read_table(project / "evaluation/scores.parquet").to_pandas()
    assert len(scores) == found["candidate"]["customers"]
    for model in ("candidate", "popularity", "personal_frequency"):
        expected = found["baselines"].get(model, found["candidate"])
        for metric in ("ndcg_at_10", "recall_at_10", "hit_rate_at_10"):
            assert scores[f"{model}_{metric}"].mean() == pytest.approx(expected[metric])


def test_a_second_evaluation_gives_the_same_bytes(kept: Path) -> None:
    first = {p.name: p.read_bytes() for p in (kept / "evaluation").rglob("*") if p.is_file()}
    run(kept, "evaluate")
    second = {p.name: p.read_bytes() for p in (kept / "evaluation").rglob("*") if p.is_file()}
    assert second == first
    assert sum(name.endswith(".png") for name in first) >= 3


def test_a_champion_is_scored_on_the_same_rows_by_its_own_model(kept: Path) -> None:
    other = champion_of(kept)
    run(kept, "evaluate")
    found = read(kept / "evaluation/evaluation.json")
    by_hand = evaluate.score_model(other, kept / "prepared", *settings(kept))
    assert found["champion"] == pytest.approx(by_hand)
    assert found["champion"]["customers"] == found["candidate"]["customers"]
    assert found["slices"]["heavy buyers"]["champion"]["ndcg_at_10"] > 0


def champion_of(project: Path) -> Path:
    """The candidate's copy as champion, without the history that it was trained with."""
    source = project / "models/candidate"
    folder = project / "models/champion/beef"
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with np.load(source / "reference.npz") as stored:
        arrays = dict(stored)
    arrays |= {name: arrays[name][:0] for name in ("customers", "bought", "days")}
    arrays["starts"] = arrays["starts"][:1]
    np.savez(folder / "reference.npz", **arrays)
    pointer = {"model": "sha256:beef", "version": "v0.1.0", "trained_until": "2001-01-31"}
    (project / "models/champion.json").write_text(json.dumps(pointer))
    return folder


def test_histories_come_from_todays_data_not_from_the_champion(kept: Path) -> None:
    champion_of(kept)
    run(kept, "evaluate")
    found = read(kept / "evaluation/evaluation.json")
    assert found["champion"] == pytest.approx(found["candidate"])


def test_a_champion_with_other_features_is_scored_by_its_own(kept: Path) -> None:
    folder = champion_of(kept)
    text = (folder / "features.py").read_text().replace('    "log_subclass_days",\n', "")
    text = text.replace("            np.log1p(in_subclass - times),\n", "")
    (folder / "features.py").write_text(text)
    take_one_pair_feature_less(folder / "model.onnx")
    files_before = sorted(path.name for path in folder.iterdir())
    run(kept, "evaluate")
    champion = read(kept / "evaluation/evaluation.json")["champion"]
    assert "error" not in champion
    assert champion["ndcg_at_10"] > 0
    assert sorted(path.name for path in folder.iterdir()) == files_before


def take_one_pair_feature_less(path: Path) -> None:
    """Lets a model take pairs without their last feature, which it then holds for 0."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    for node in model.graph.node:
        node.input[:] = ["all_pairs" if name == "pairs" else name for name in node.input]
    (pairs,) = [value for value in model.graph.input if value.name == "pairs"]
    pairs.type.tensor_type.shape.dim[2].dim_value -= 1
    widths = np.array([0, 0, 0, 0, 0, 1], dtype=np.int64)
    model.graph.initializer.append(numpy_helper.from_array(widths, "widths"))
    model.graph.node.insert(0, helper.make_node("Pad", ["pairs", "widths"], ["all_pairs"]))
    onnx.save(model, path)


def test_a_champion_without_its_features_does_not_run(kept: Path) -> None:
    (champion_of(kept) / "features.py").unlink()
    run(kept, "evaluate")
    champion = read(kept / "evaluation/evaluation.json")["champion"]
    assert champion["error"].startswith("it does not run: InputError: the model has no features.py")


def test_the_profile_is_of_the_days_before_the_cut(project: Path, candidate: Path) -> None:
    days = pq.read_table(project / "prepared/lines.parquet")["date"].to_pylist()
    assert max(days) == date(2001, 1, 31)
    profile = read(candidate / "profile.json")
    assert profile["until"] == "2001-01-31"
    columns = {name: set(found) for name, found in profile["tables"].items()}
    assert columns == {name: set(names) for name, names in artefacts.PROFILED.items()}


def test_a_second_training_in_a_fresh_process_gives_the_same_model_without_the_test_window(
    project: Path, candidate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    shutil.copytree(project / "prepared", tmp_path / "prepared")
    for name in ("test.parquet", "cleaning.json"):
        (tmp_path / "prepared" / name).unlink()
    (tmp_path / "params.yaml").symlink_to(project / "params.yaml")
    run(tmp_path, "train")
    again, names = tmp_path / "models/candidate", sorted(p.name for p in candidate.iterdir())
    assert sorted(path.name for path in again.iterdir()) == names
    assert all((again / n).read_bytes() == (candidate / n).read_bytes() for n in names)
    assert files.model_digest(again) == files.model_digest(candidate)
    (tmp_path / "models/champion.json").write_text("null\n")
    assert "there is no test.parquet" in run(tmp_path, "evaluate", code=2)


def test_a_champion_that_does_not_run_is_null_scores_and_a_reason(kept: Path) -> None:
    (champion_of(kept) / "model.onnx").write_bytes(b"broken")
    run(kept, "evaluate")
    champion = read(kept / "evaluation/evaluation.json")["champion"]
    assert champion.pop("error").startswith("it does not run")
    assert set(champion.values()) == {None}


@pytest.mark.parametrize(
    ("pointer", "what"),
    [
        ('{"model": "sha256:0000"}', "the champion's model is missing"),
        ('{"model": 3}', "not a champion pointer"),
        ("{", "champion.json is not JSON"),
        (None, "there is no champion.json"),
    ],
)
def test_a_wrong_champion_pointer_is_said_and_nothing_is_written(
    kept: Path, pointer: str | None, what: str
) -> None:
    before = (kept / "evaluation/evaluation.json").read_bytes()
    path = kept / "models/champion.json"
    path.unlink() if pointer is None else path.write_text(pointer)
    said = run(kept, "evaluate", code=2)
    assert what in said
    assert "to do:" in said
    assert (kept / "evaluation/evaluation.json").read_bytes() == before


def test_three_months_are_enough(project: Path, tmp_path: Path) -> None:
    shop.write_raw(tmp_path / "data", months=3)
    (tmp_path / "params.yaml").symlink_to(project / "params.yaml")
    run(tmp_path, "prepare")
    run(tmp_path, "train")
    signature = read(tmp_path / "models/candidate/signature.json")
    assert signature["trained_until"] == "2001-01-03"
