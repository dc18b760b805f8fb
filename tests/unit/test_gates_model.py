"""The model's gates: one table of cases each, edges included."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.gates.model import ModelEvidence, baselines, floors, regression

CHAMPION = {"model": "sha256:c", "version": "v1.0.0", "trained_until": "2001-01-31"}


def evidence(
    candidate: Any = 0.17, champion: Any = None, baseline: Any = 0.16, pointer: Any = None
) -> ModelEvidence:
    return ModelEvidence(
        {
            "candidate": {"ndcg": candidate},
            "champion": champion,
            "baselines": {"frequency": {"ndcg": baseline}},
            "window": {"from": "2001-02-01", "to": "2001-02-28"},
        },
        pointer,
    )


@pytest.mark.parametrize(
    ("value", "floor", "expected"),
    [
        (0.17, 0.16, "pass"),
        (0.16, 0.16, "pass"),
        (0.1599, 0.16, "block"),
        (math.nan, 0.16, "block"),
        (None, 0.16, "block"),
        ("0.17", 0.16, "block"),
        (True, 0.16, "block"),
        (math.inf, 0.16, "block"),
    ],
)
def test_a_floor(value: Any, floor: float, expected: str) -> None:
    (finding,) = floors.judge(evidence(value), floors.Settings(least={"ndcg": floor}))
    assert finding.outcome == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.5, "pass"), (0.6, "block"), (math.nan, "block"), (-1, "pass")]
)
def test_a_ceiling(value: float, expected: str) -> None:
    (finding,) = floors.judge(evidence(value), floors.Settings(most={"ndcg": 0.5}))
    assert finding.outcome == expected


def test_a_metric_that_is_not_there_blocks() -> None:
    (finding,) = floors.judge(evidence(), floors.Settings(least={"recall": 0.0}))
    assert finding.outcome == "block"
    assert "missing or NaN" in finding.message


@pytest.mark.parametrize("broken", [{}, {"candidate": None}, {"candidate": []}])
def test_a_broken_evaluation_blocks(broken: Any) -> None:
    given = ModelEvidence(broken, None)
    (finding,) = floors.judge(given, floors.Settings(least={"ndcg": 0.0}))
    assert finding.outcome == "block"
    settings = baselines.Settings("ndcg", {"frequency": 0.0})
    assert [f.outcome for f in baselines.judge(given, settings)] == ["block"]


@pytest.mark.parametrize(
    ("value", "baseline", "expected"),
    [
        (0.18, 0.16, "pass"),
        (0.17, 0.16, "pass"),
        (0.169, 0.16, "block"),
        (0.18, math.nan, "block"),
        (0.18, None, "block"),
        (math.nan, 0.16, "block"),
    ],
)
def test_a_baseline_has_to_be_beaten_by_its_margin(
    value: Any, baseline: Any, expected: str
) -> None:
    settings = baselines.Settings("ndcg", {"frequency": 0.01})
    (finding,) = baselines.judge(evidence(value, baseline=baseline), settings)
    assert finding.outcome == expected


def test_a_baseline_that_was_not_scored_blocks() -> None:
    (finding,) = baselines.judge(evidence(), baselines.Settings("ndcg", {"popularity": 0.0}))
    assert finding.outcome == "block"


def settings(**changes: Any) -> regression.Settings:
    return regression.Settings(**{"max_drop": {"ndcg": 0.01}, "first_release": "allow", **changes})


@pytest.mark.parametrize(("rule", "expected"), [("allow", "skip"), ("block", "block")])
def test_the_first_release_follows_an_explicit_rule(rule: str, expected: str) -> None:
    (finding,) = regression.judge(evidence(), settings(first_release=rule))
    assert finding.outcome == expected


@pytest.mark.parametrize(
    ("value", "champion", "expected"),
    [
        (0.17, 0.17, "pass"),
        (0.16, 0.17, "pass"),
        (0.159, 0.17, "block"),
        (0.17, None, "block"),
        (math.nan, 0.17, "block"),
    ],
)
def test_the_candidate_may_not_fall_behind_the_champion(
    value: Any, champion: Any, expected: str
) -> None:
    given = evidence(value, {"ndcg": champion}, pointer=CHAMPION)
    fair, compared = regression.judge(given, settings())
    assert (fair.outcome, compared.outcome) == ("pass", expected)


def test_lower_can_be_better() -> None:
    given = evidence(0.2, {"ndcg": 0.15}, pointer=CHAMPION)
    *_, finding = regression.judge(given, settings(lower_is_better=("ndcg",)))
    assert finding.outcome == "block"
    assert finding.expected.startswith("<= 0.16")


@pytest.mark.parametrize("until", ["2001-02-01", "2001-03-01", None, 5])
def test_a_champion_that_knows_the_test_window_blocks(until: Any) -> None:
    given = evidence(0.18, {"ndcg": 0.1}, pointer={**CHAMPION, "trained_until": until})
    assert next(iter(regression.judge(given, settings()))).outcome == "block"


def test_a_champion_that_fails_to_run_blocks() -> None:
    scored = {"ndcg": None, "error": "cannot load model.onnx"}
    outcomes = [
        f.outcome for f in regression.judge(evidence(0.18, scored, pointer=CHAMPION), settings())
    ]
    assert outcomes == ["pass", "block", "block"]


def test_a_champion_that_was_not_scored_blocks() -> None:
    findings = list(regression.judge(evidence(0.18, None, pointer=CHAMPION), settings()))
    assert "block" in {f.outcome for f in findings}


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_no_pair_of_numbers_passes_unless_the_good_condition_holds(a: float, b: float) -> None:
    settings = baselines.Settings("ndcg", {"frequency": 0.0})
    (finding,) = baselines.judge(evidence(a, baseline=b), settings)
    assert (finding.outcome == "pass") == (a >= b and math.isfinite(a) and math.isfinite(b))
