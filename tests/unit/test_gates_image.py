"""The image's gates: one table of cases each, edges included."""

import math
from dataclasses import replace
from typing import Any

import pytest

from slipway.gates import configured, judge
from slipway.gates.found import Samples
from slipway.gates.image import ImageEvidence, confined, digest, samples, size
from slipway.records import Finding, Outcome

GOOD = ImageEvidence(
    kind="bundle",
    digest="sha256:image",
    stored="sha256:image",
    answered="sha256:image",
    repacked="sha256:image",
    model="sha256:model",
    model_recorded="sha256:model",
    requirements="sha256:pins",
    requirements_recorded="sha256:pins",
    bytes=5_000_000,
    memory_bytes=80_000_000,
    cpu_s=0.4,
    writable=(),
    changed=False,
    samples=Samples(asked=12, worst=1e-7, tolerance=1e-5, wrong=()),
)


def outcome_at(findings: Any, where: str) -> Outcome:
    (finding,) = [f for f in findings if f.where == where]
    assert isinstance(finding, Finding)
    return finding.outcome


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"stored": "sha256:other"}, "bytes"),
        ({"answered": "sha256:other"}, "answers"),
        ({"answered": ""}, "answers"),
        ({"answered": "sha256:image, sha256:other"}, "answers"),
        ({"repacked": "sha256:other"}, "packed again"),
        ({"model": "sha256:other"}, "model"),
        ({"model": "", "model_recorded": ""}, "model"),
        ({"requirements": "sha256:other"}, "requirements"),
    ],
)
def test_any_other_digest_blocks(change: dict[str, str], where: str) -> None:
    findings = list(digest.judge(replace(GOOD, **change), digest.Settings()))
    assert outcome_at(findings, where) == "block"
    assert sum(f.outcome == "block" for f in findings) == 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Samples(10, 1e-5, 1e-5, ()), "pass"),
        (Samples(10, 1.1e-5, 1e-5, ()), "block"),
        (Samples(10, math.nan, 1e-5, ()), "block"),
        (Samples(10, math.inf, 1e-5, ()), "block"),
        (Samples(10, 0.0, math.nan, ()), "block"),
        (Samples(10, 0.0, 1e-5, ("sample 3: status 500",)), "block"),
    ],
)
def test_samples_have_to_be_answered_as_in_training(asked: Samples, expected: Outcome) -> None:
    findings = list(samples.judge(replace(GOOD, samples=asked), samples.Settings()))
    assert outcome_at(findings, "same as training") == expected


@pytest.mark.parametrize(("asked", "expected"), [(10, "pass"), (9, "block"), (0, "block")])
def test_there_have_to_be_enough_samples(asked: int, expected: Outcome) -> None:
    few = replace(GOOD.samples, asked=asked)
    findings = list(samples.judge(replace(GOOD, samples=few), samples.Settings(min_samples=10)))
    assert outcome_at(findings, "asked") == expected


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"bytes": 10_000_000}, "packed MB", "pass"),
        ({"bytes": 10_000_001}, "packed MB", "block"),
        ({"bytes": 0}, "packed MB", "block"),
        ({"memory_bytes": 100_000_000}, "memory MB", "pass"),
        ({"memory_bytes": 100_000_001}, "memory MB", "block"),
        ({"memory_bytes": 0}, "memory MB", "block"),
        ({"cpu_s": 1.0}, "cpu s until ready", "pass"),
        ({"cpu_s": 1.01}, "cpu s until ready", "block"),
        ({"cpu_s": math.nan}, "cpu s until ready", "block"),
    ],
)
def test_ceilings(change: dict[str, Any], where: str, expected: Outcome) -> None:
    settings = size.Settings(max_mb=10, max_memory_mb=100, max_ready_cpu_s=1)
    assert outcome_at(size.judge(replace(GOOD, **change), settings), where) == expected


def test_files_that_can_be_written_or_were_changed_block() -> None:
    found = list(confined.judge(replace(GOOD, writable=("ml/serving",)), confined.Settings()))
    assert outcome_at(found, "mode bits") == "block"
    found = list(confined.judge(replace(GOOD, changed=True), confined.Settings()))
    assert outcome_at(found, "unchanged") == "block"


def test_what_only_an_image_brings_is_not_applicable_to_a_bundle_and_never_just_passes() -> None:
    found = list(confined.judge(GOOD, confined.Settings()))
    assert {f.where for f in found if f.outcome == "not_applicable"} == set(confined.OF_IMAGES)
    found = list(confined.judge(replace(GOOD, kind="image"), confined.Settings()))
    assert all(outcome_at(found, where) == "block" for where in confined.OF_IMAGES)


def test_a_good_bundle_passes_all_its_gates() -> None:
    gates = configured("image", {"digest": {}, "samples": {}, "size": {}, "confined": {}})
    verdict = judge(kind="image", of="sha256:image", gates=gates, evidence=GOOD, files={})
    assert verdict.outcome == "pass", verdict.findings
