"""Two deliveries with different data: the first one's model is the second one's champion."""

import json
from pathlib import Path

import pytest

from tests.projects import Checkout, small_project


@pytest.fixture(scope="module")
def twice(months: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project delivered without the last month, and then with it."""
    first = dict(sorted(months.items())[:-1])
    checkout = small_project(tmp_path_factory.mktemp("twice"), first)
    checkout.slipway("run", "--yes")
    last = max(months)
    (checkout.root / "data" / last).write_bytes(months[last])
    checkout.run("dvc", "add", "-q", "data")
    checkout.commit("The last month")
    checkout.slipway("run", "--yes")
    yield checkout
    checkout.slipway("stop", "--all")


def test_the_second_release_was_judged_against_the_first(twice: Checkout) -> None:
    release = twice.record("release")
    assert release["version"] == "v1.1.0"
    assert release["champion"]["version"] == "v1.0.0"
    gates = {f["where"]: f["outcome"] for f in twice.record("model-verdict")["findings"]}
    assert gates["champion.trained_until"] == "pass"
    assert any("against champion" in where for where in gates)


def test_the_champions_score_is_that_of_its_own_model_on_the_same_rows(
    twice: Checkout, tmp_path: Path
) -> None:
    from ml import evaluate, params
    from slipway.tools import store

    release = twice.record("release")
    evaluation = json.loads((twice.root / "evaluation/evaluation.json").read_bytes())
    model = tmp_path / "first"
    home = twice.home / "next-basket"
    store.fetch_model(home, release["champion"]["model"], model)
    kinds = (params.Train, params.Evaluate, params.Window)
    settings = [params.load(kind, twice.root / "params.yaml") for kind in kinds]
    by_hand = evaluate.score_model(model, twice.root / "prepared", *settings)
    for metric, value in evaluation["champion"].items():
        assert by_hand[metric] == pytest.approx(value, abs=1e-12), metric
    assert evaluation["champion"]["ndcg_at_10"] != evaluation["candidate"]["ndcg_at_10"]


def test_the_earlier_delivery_is_kept_aside(twice: Checkout) -> None:
    (kept,) = (twice.root / ".slipway/deliveries").iterdir()
    assert json.loads((kept / "release.json").read_bytes())["version"] == "v1.0.0"


def test_without_the_champions_model_the_gate_has_no_evidence(twice: Checkout) -> None:
    champion = twice.record("release")["champion"]["model"].removeprefix("sha256:")
    (kept,) = twice.home.rglob(f"{champion}.tar")
    content = kept.read_bytes()
    (twice.root / "params.yaml").write_text(
        (twice.root / "params.yaml").read_text() + "\n# another reading of the same parameters\n"
    )
    kept.unlink()
    try:
        refused = twice.slipway("gate", "model", code=5)
        assert "not in the store" in refused.err
        middle = len(content) // 2
        kept.write_bytes(content[:middle] + b"altered" + content[middle + 7 :])
        assert twice.slipway("gate", "model", code=5).code == 5
    finally:
        kept.write_bytes(content)
    twice.slipway("gate", "model")


def test_rolling_back_gives_the_first_release_again(twice: Checkout) -> None:
    first = json.loads(twice.slipway("history", "production", "--json").out)
    assert first
    twice.slipway("rollback", "production", "--reason", "the second one is too new")
    assert "v1.0.0" in twice.slipway("status").out
    assert twice.record("rollback")["version"] == "v1.0.0"
    twice.slipway("verify")
