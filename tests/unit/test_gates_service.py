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
    Beside,
    Exported,
    Load,
    ServiceEvidence,
    answers,
    bad_requests,
    canary,
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


CANARY = replace(
    GOOD,
    load=replace(GOOD.load, sent=200, p95_ms=20.0),
    beside=Beside("sha256:champion", 20, replace(GOOD.load, sent=800, p95_ms=10.0)),
)


@pytest.mark.parametrize(
    ("own", "champion", "where", "expected"),
    [
        ({}, {}, "error rate", "pass"),
        ({"failed": 1}, {}, "error rate", "pass"),  # 0.005, as far above as is allowed
        ({"failed": 2}, {}, "error rate", "block"),
        ({"foreign": 2}, {}, "error rate", "block"),  # somebody else answered in its place
        ({"failed": 1, "foreign": 1}, {}, "error rate", "block"),
        ({"failed": 2}, {"failed": 4}, "error rate", "pass"),  # the champion is no better
        ({"failed": 2}, {"foreign": 4}, "error rate", "pass"),
        ({"failed": 3}, {"failed": 7}, "error rate", "block"),
        ({"sent": 0}, {}, "error rate", "block"),
        ({}, {"sent": 0}, "error rate", "block"),
        ({"p95_ms": 35.0}, {}, "p95 ms", "pass"),  # 10 × 1.5 + 20
        ({"p95_ms": 35.001}, {}, "p95 ms", "block"),
        ({"p95_ms": 0.1}, {"p95_ms": 0.0}, "p95 ms", "pass"),
        ({"p95_ms": 34.0}, {"p95_ms": 9.0}, "p95 ms", "block"),
        ({"p95_ms": math.nan}, {}, "p95 ms", "block"),
        ({}, {"p95_ms": math.nan}, "p95 ms", "block"),
        ({"p95_ms": math.inf}, {}, "p95 ms", "block"),
        ({"sent": 100}, {}, "answers of the canary", "pass"),
        ({"sent": 99}, {}, "answers of the canary", "block"),
        ({"sent": 100, "failed": 1}, {}, "answers of the canary", "block"),
        ({"sent": 100, "foreign": 1}, {}, "answers of the canary", "block"),
        ({}, {"sent": 99}, "answers of the champion", "block"),
        ({}, {"failed": 701}, "answers of the champion", "block"),
        ({}, {"failed": 700}, "answers of the champion", "pass"),
        ({}, {}, "share", "pass"),
        ({"sent": 250}, {"sent": 750}, "share", "pass"),  # 4 deviations of 1,000 are 0.0506
        ({"sent": 251}, {"sent": 749}, "share", "block"),
        ({"sent": 150}, {"sent": 850}, "share", "pass"),
        ({"sent": 149}, {"sent": 851}, "share", "block"),
        ({"sent": 0}, {"sent": 1000}, "share", "block"),
        ({"sent": 0}, {"sent": 0}, "share", "block"),
    ],
)
def test_a_canary_is_judged_beside_its_champion(
    own: dict[str, Any], champion: dict[str, Any], where: str, expected: Outcome
) -> None:
    assert CANARY.beside is not None
    beside = replace(CANARY.beside, load=replace(CANARY.beside.load, **champion))
    evidence = replace(CANARY, load=replace(CANARY.load, **own), beside=beside)
    assert outcome_at(canary.judge(evidence, canary.Settings()), where) == expected


@pytest.mark.parametrize("percent", [0, 100, -5, 19, 21])
def test_a_share_of_everything_or_nothing_is_no_canarys(percent: int) -> None:
    assert CANARY.beside is not None
    evidence = replace(CANARY, beside=replace(CANARY.beside, percent=percent))
    expected = "pass" if 0 < percent < 100 else "block"
    assert outcome_at(canary.judge(evidence, canary.Settings()), "share") == expected


def test_a_canary_gate_that_asks_for_no_requests_still_wants_one() -> None:
    evidence = replace(CANARY, load=replace(CANARY.load, sent=0))
    found = canary.judge(evidence, canary.Settings(min_requests=0))
    assert outcome_at(found, "answers of the canary") == "block"


def test_where_one_artefact_gets_everything_the_canary_gate_does_not_apply() -> None:
    assert [f.outcome for f in canary.judge(GOOD, canary.Settings())] == ["not_applicable"]


ALL = ("health", "answers", "latency", "bad_requests", "metrics", "canary")


@pytest.mark.parametrize("evidence", [GOOD, CANARY])
def test_a_good_service_passes_all_its_gates(evidence: ServiceEvidence) -> None:
    gates = configured("service", {name: {} for name in ALL})
    verdict = judge(kind="service", of=f"{DIGEST}@x", gates=gates, evidence=evidence, files={})
    assert verdict.outcome == "pass", verdict.findings
    assert {f.gate for f in verdict.findings} == set(ALL)


def test_the_canary_gate_alone_says_nothing_about_another_service() -> None:
    gates = configured("service", {"canary": {}})
    verdict = judge(kind="service", of=f"{DIGEST}@x", gates=gates, evidence=GOOD, files={})
    assert verdict.outcome == "block"


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
        ({"items": ["a", "b", "c"], "scores": [10**400, 0.5, 0.5]}, math.inf),
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
