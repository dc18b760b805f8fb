"""A service's gates: one table of cases each, edges included."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.gates import configured, judge
from slipway.gates.found import Samples
from slipway.gates.service import (
    BadRequest,
    Exported,
    Load,
    ServiceEvidence,
    answers,
    bad_requests,
    health,
    latency,
    metrics,
)
from slipway.records import Finding, Outcome
from slipway.tools.load import metrics as parse
from slipway.tools.load import percentile
from slipway.tools.service import difference

DIGEST = "sha256:image"
GOOD = ServiceEvidence(
    digest=DIGEST,
    health={"/v2/health/live": f"200 {DIGEST}", "/v2/health/ready": f"200 {DIGEST}"},
    model="next-basket",
    models=("next-basket",),
    samples=Samples(12, 0.0, 1e-5, ()),
    load=Load(
        sent=300,
        failed=0,
        foreign=0,
        rate=99.5,
        wanted_rate=100.0,
        p50_ms=2.0,
        p95_ms=4.0,
        p99_ms=9.0,
    ),
    bad_requests=tuple(BadRequest(f"case {n}", 400, says_why=True) for n in range(10)),
    metrics=Exported(metrics.Settings().names, 300.0, (DIGEST,)),
)


def outcome_at(findings: Any, where: str) -> Outcome:
    (finding,) = [f for f in findings if f.where == where]
    assert isinstance(finding, Finding)
    return finding.outcome


@pytest.mark.parametrize(
    "answer", ["503 sha256:image", "200 sha256:other", "0 ", "200 ", "", "200"]
)
def test_a_sick_or_foreign_answer_about_health_blocks(answer: str) -> None:
    sick = replace(GOOD, health={**GOOD.health, "/v2/health/ready": answer})
    findings = list(health.judge(sick, health.Settings()))
    assert outcome_at(findings, "/v2/health/ready") == "block"
    assert outcome_at(findings, "/v2/health/live") == "pass"


@pytest.mark.parametrize("models", [(), ("other",), ("next-basket", "other")])
def test_another_model_blocks(models: tuple[str, ...]) -> None:
    found = health.judge(replace(GOOD, models=models), health.Settings())
    assert outcome_at(found, "model") == "block"


def test_wrong_or_too_few_answers_block() -> None:
    wrong = replace(GOOD, samples=Samples(12, math.inf, 1e-5, ("sample 1: off by inf",)))
    assert outcome_at(answers.judge(wrong, answers.Settings()), "same as training") == "block"
    few = replace(GOOD, samples=Samples(3, 0.0, 1e-5, ()))
    assert outcome_at(answers.judge(few, answers.Settings()), "asked") == "block"


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"p50_ms": 50.0}, "p50 ms", "pass"),
        ({"p50_ms": 50.1}, "p50 ms", "block"),
        ({"p95_ms": 150.1}, "p95 ms", "block"),
        ({"p99_ms": 400.1}, "p99 ms", "block"),
        ({"p99_ms": math.nan}, "p99 ms", "block"),
        ({"failed": 3}, "error rate", "pass"),
        ({"failed": 4}, "error rate", "block"),
        ({"sent": 0, "failed": 0}, "error rate", "block"),
        ({"foreign": 1}, "foreign answers", "block"),
        ({"rate": 80.0}, "load", "pass"),
        ({"rate": 79.9}, "load", "block"),
        ({"rate": math.nan}, "load", "block"),
        ({"rate": 0.0, "wanted_rate": 0.0}, "load", "block"),
        ({"sent": 99}, "load", "block"),
    ],
)
def test_the_load(change: dict[str, Any], where: str, expected: Outcome) -> None:
    evidence = replace(GOOD, load=replace(GOOD.load, **change))
    settings = latency.Settings(max_error_rate=0.01)
    assert outcome_at(latency.judge(evidence, settings), where) == expected


@pytest.mark.parametrize(
    ("status", "why", "expected"),
    [
        (400, True, "pass"),
        (499, True, "pass"),
        (400, False, "block"),
        (200, True, "block"),
        (500, True, "block"),
        (502, True, "block"),
        (0, False, "block"),
    ],
)
def test_a_bad_request_gets_a_4xx_that_says_why(status: int, why: bool, expected: Outcome) -> None:
    cases = (BadRequest("odd", status, says_why=why), *GOOD.bad_requests)
    found = list(bad_requests.judge(replace(GOOD, bad_requests=cases), bad_requests.Settings()))
    assert outcome_at(found, "odd") == expected
    assert outcome_at(found, "cases") == "pass"


def test_too_few_bad_requests_block() -> None:
    found = bad_requests.judge(replace(GOOD, bad_requests=()), bad_requests.Settings())
    assert [f.outcome for f in found] == ["block"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"error": "status 404"}, "readable"),
        ({"names": ("slipway_requests_total",)}, "complete"),
        ({"counted": 299.0}, "counted"),
        ({"counted": math.nan}, "counted"),
        ({"digests": ()}, "digest"),
        ({"digests": (DIGEST, "sha256:other")}, "digest"),
    ],
)
def test_metrics_that_are_missing_or_do_not_count_block(change: dict[str, Any], where: str) -> None:
    evidence = replace(GOOD, metrics=replace(GOOD.metrics, **change))
    assert outcome_at(metrics.judge(evidence, metrics.Settings()), where) == "block"


def test_metrics_count_nothing_where_nothing_was_answered() -> None:
    dead = replace(GOOD, load=replace(GOOD.load, failed=300))
    assert outcome_at(metrics.judge(dead, metrics.Settings()), "counted") == "block"


def test_a_good_service_passes_all_its_gates() -> None:
    names = ("health", "answers", "latency", "bad_requests", "metrics")
    gates = configured("service", {name: {} for name in names})
    verdict = judge(kind="service", of=f"{DIGEST}@staging", gates=gates, evidence=GOOD, files={})
    assert verdict.outcome == "pass", verdict.findings


EXPECTED = {"items": ["a", "b", "c"], "scores": [0.9, 0.5, 0.5]}


@pytest.mark.parametrize(
    ("answer", "off"),
    [
        (EXPECTED, 0.0),
        ({"items": ["a", "c", "b"], "scores": [0.9, 0.5, 0.5]}, 0.0),  # a tie
        ({"items": ["a", "b", "d"], "scores": [0.9, 0.5, 0.5]}, 0.0),  # a tie at the end
        ({"items": ["a", "b", "c"], "scores": [0.9, 0.5, 0.4]}, 0.1),
        ({"items": ["b", "a", "c"], "scores": [0.9, 0.5, 0.5]}, 0.4),
        ({"items": ["d", "b", "c"], "scores": [0.9, 0.5, 0.5]}, 0.4),
        ({"items": ["a", "b"], "scores": [0.9, 0.5]}, math.inf),
        ({"items": ["a", "a", "c"], "scores": [0.9, 0.5, 0.5]}, math.inf),
        ({"items": ["a", "b", "c"], "scores": [0.9, 0.5]}, math.inf),
        ({"items": ["a", "b", "c"], "scores": [0.9, None, 0.5]}, math.inf),
        ({"items": ["a", "b", "c"], "scores": [0.9, math.nan, 0.5]}, math.inf),
        ({"items": ["a", "b", "c"]}, math.inf),
        ({"items": 5, "scores": 5}, math.inf),
        ([], math.inf),
        (None, math.inf),
    ],
)
def test_how_far_an_answer_is_from_trainings(answer: Any, off: float) -> None:
    assert difference(EXPECTED, answer) == pytest.approx(off)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.5, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.95, 4.0),
        (list(map(float, range(1, 101))), 0.95, 95.0),
        (list(map(float, range(1, 101))), 0.99, 99.0),
    ],
)
def test_percentiles(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_a_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile([], 0.5))


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - 1e-9


def test_metrics_are_read_as_prometheus_writes_them() -> None:
    text = '# HELP x y\n# TYPE x counter\nx_total{a="b c"} 3.0\n\ny NaN\nz +Inf\n'
    values = parse(text)
    assert values['x_total{a="b c"}'] == 3.0
    assert math.isnan(values["y"])
    with pytest.raises(ValueError, match="could not convert"):
        parse("<html>no metrics</html>")
