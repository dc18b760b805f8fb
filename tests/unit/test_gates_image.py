"""The image's gates: one table of cases each, edges included."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from slipway.gates import configured, judge
from slipway.gates.found import Samples
from slipway.gates.image import (
    NOT_ASKED,
    Confinement,
    ImageEvidence,
    Lint,
    LintFinding,
    Pair,
    Sbom,
    Secret,
    Secrets,
    confined,
    digest,
    lint,
    no_secrets,
    samples,
    sbom,
    size,
)
from slipway.records import Finding, Outcome, canonical
from slipway.typed import build

PARTS = {
    where: Pair("sha256:a", "sha256:a") for where in (*digest.PARTS["bundle"], *digest.OF_IMAGES)
}
GOOD = ImageEvidence(
    kind="bundle",
    digest="sha256:image",
    parts=PARTS,
    bytes=5_000_000,
    memory_bytes=80_000_000,
    cpu_s=0.4,
    writable=(),
    changed=False,
    samples=Samples(asked=12, worst=1e-7, tolerance=1e-5, wrong=()),
    variant="cpu",
)
CONFINED = Confinement(
    user="10001:10001",
    uid=10001,
    gid=10001,
    no_new_privileges=True,
    capabilities="0000000000000000 0000000000000000",
    tried={f"/{name}": "EROFS" for name in ("etc", "opt", "srv", "usr", "var")},
    programs=("usr/bin/python3.11", "usr/bin/c_rehash", "usr/bin/ldd"),
    healthcheck=("CMD", "python3", "/opt/healthcheck.py"),
    entrypoint=("python3", "-m", "ml.serving"),
)
CLEAN = Secrets("detect-secrets 1.5.0", dict.fromkeys(no_secrets.PLACES, 3))
LISTED = Sbom(
    form="CycloneDX 1.6",
    digest="sha256:sbom",
    about="sha256:image",
    runtime="sha256:runtime",
    runtime_recorded="sha256:runtime",
    runtime_layers=5,
    components=36,
    pinned={"python numpy": "2.4.6"},
    base={"system libc6": "2.36-9"},
    named={"python numpy": ("2.4.6",), "system libc6": ("2.36-9", "2.36-8")},
)
LINTED = Lint("hadolint 2.15.1", {"docker/serve/Dockerfile": "sha256:file"})
GOOD_IMAGE = replace(
    GOOD, kind="image", confinement=CONFINED, secrets=CLEAN, sbom=LISTED, lint=LINTED
)
ALL_GATES: dict[str, dict[str, Any]] = {
    name: {} for name in ("digest", "samples", "size", "confined", "no_secrets", "sbom", "lint")
}


def outcome_at(findings: Any, where: str) -> Outcome:
    (finding,) = [f for f in findings if f.where == where]
    assert isinstance(finding, Finding)
    return finding.outcome


@pytest.mark.parametrize("kind", list(digest.PARTS))
def test_any_other_or_missing_digest_blocks(kind: str) -> None:
    for where in digest.PARTS[kind]:
        rest = {name: pair for name, pair in PARTS.items() if name != where}
        for pair in (Pair("sha256:b", "sha256:a"), Pair("", "sha256:a"), Pair("", ""), None):
            parts = rest | ({where: pair} if pair else {})
            findings = list(digest.judge(replace(GOOD, kind=kind, parts=parts), digest.Settings()))
            assert outcome_at(findings, where) == "block"
            assert sum(f.outcome == "block" for f in findings) == 1


def test_a_kind_that_nobody_knows_gets_no_answer_and_no_answer_blocks() -> None:
    assert not list(digest.judge(replace(GOOD, kind="other"), digest.Settings()))


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
        ({"bytes": 10_000_000}, "unpacked MB", "pass"),
        ({"bytes": 10_000_001}, "unpacked MB", "block"),
        ({"bytes": 0}, "unpacked MB", "block"),
        ({"memory_bytes": 100_000_000}, "memory MB", "pass"),
        ({"memory_bytes": 100_000_001}, "memory MB", "block"),
        ({"memory_bytes": 0}, "memory MB", "block"),
        ({"cpu_s": 1.0}, "cpu s until ready", "pass"),
        ({"cpu_s": 1.01}, "cpu s until ready", "block"),
        ({"cpu_s": math.nan}, "cpu s until ready", "block"),
    ],
)
def test_ceilings(change: dict[str, Any], where: str, expected: Outcome) -> None:
    settings = size.Settings(max_mb={"bundle": 10}, max_memory_mb=100, max_ready_cpu_s=1)
    assert outcome_at(size.judge(replace(GOOD, **change), settings), where) == expected


@pytest.mark.parametrize(
    ("kind", "variant", "megabytes", "expected"),
    [
        ("image", "cpu", 250, "pass"),
        ("image", "cpu", 251, "block"),
        ("local-image", "cpu", 251, "block"),
        ("image", "gpu", 6900, "pass"),
        ("image", "gpu", 7001, "block"),
        ("image", "", 1, "block"),
        ("bundle", "cpu", 51, "block"),
    ],
)
def test_each_variant_has_its_own_ceiling(
    kind: str, variant: str, megabytes: int, expected: Outcome
) -> None:
    evidence = replace(GOOD, kind=kind, variant=variant, bytes=megabytes * 1_000_000)
    assert outcome_at(size.judge(evidence, size.Settings()), "unpacked MB") == expected


@pytest.mark.parametrize("good", [GOOD, GOOD_IMAGE])
def test_files_that_can_be_written_or_were_changed_block(good: ImageEvidence) -> None:
    found = list(confined.judge(replace(good, writable=("ml/serving",)), confined.Settings()))
    assert outcome_at(found, "mode bits") == "block"
    found = list(confined.judge(replace(good, changed=True), confined.Settings()))
    assert outcome_at(found, "unchanged") == "block"


TRIED = CONFINED.tried


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"uid": 0}, "non-root", "block"),
        ({"gid": 0}, "non-root", "block"),
        ({"uid": -1}, "non-root", "block"),
        ({"user": ""}, "non-root", "block"),
        ({"user": "root"}, "non-root", "block"),
        ({"user": "0:10001"}, "non-root", "block"),
        ({"user": "serve"}, "non-root", "pass"),
        ({"tried": {}}, "read-only root", "block"),
        ({"tried": {**TRIED, "/srv": "written"}}, "read-only root", "block"),
        ({"tried": {**TRIED, "/srv": "ENOSPC"}}, "read-only root", "block"),
        ({"tried": {**TRIED, "/srv": "EACCES"}}, "read-only root", "pass"),
        ({"no_new_privileges": False}, "no new privileges", "block"),
        ({"capabilities": ""}, "no new privileges", "block"),
        ({"capabilities": "0 00000000a80425fb"}, "no new privileges", "block"),
        ({"capabilities": "unknown"}, "no new privileges", "block"),
        ({"setuid": ("usr/bin/su",)}, "setuid", "block"),
        ({"healthcheck": ()}, "health check", "block"),
        ({"healthcheck": ("NONE",)}, "health check", "block"),
        ({"healthcheck": ("CMD",)}, "health check", "block"),
        ({"healthcheck": ("CMD-SHELL", "true")}, "health check", "pass"),
        ({"entrypoint": ()}, "entry point", "block"),
        ({"entrypoint": ("/bin/sh", "-c", "python3")}, "entry point", "block"),
    ],
)
def test_what_an_image_must_not_be_allowed(
    change: dict[str, Any], where: str, expected: Outcome
) -> None:
    evidence = replace(GOOD_IMAGE, confinement=replace(CONFINED, **change))
    findings = list(confined.judge(evidence, confined.Settings()))
    assert outcome_at(findings, where) == expected
    assert sum(f.outcome == "block" for f in findings) == (expected == "block")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("usr/bin/gcc", "block"),
        ("usr/bin/x86_64-linux-gnu-gcc-12", "block"),
        ("opt/serve/bin/pip3.11", "block"),
        ("opt/serve/pip/__main__.py", "block"),
        ("usr/bin/apt-get", "block"),
        ("usr/bin/as", "block"),
        ("usr/bin/ldconfig", "pass"),
        ("usr/bin/assemble", "pass"),
        ("opt/serve/bin/granian", "pass"),
    ],
)
def test_a_compiler_or_a_package_manager_blocks_whatever_its_version(
    program: str, expected: Outcome
) -> None:
    evidence = replace(GOOD_IMAGE, confinement=replace(CONFINED, programs=(program,)))
    assert outcome_at(confined.judge(evidence, confined.Settings()), "programs") == expected


def test_what_could_not_be_tried_blocks() -> None:
    for seen in (None, replace(CONFINED, error="no python3 in it")):
        found = list(confined.judge(replace(GOOD_IMAGE, confinement=seen), confined.Settings()))
        assert outcome_at(found, "inside") == "block"


SECRET = Secret("layers", "Private Key", "layer 2 (sha256:123): /etc/ssh/key", "----…")


@pytest.mark.parametrize("place", no_secrets.PLACES)
def test_a_secret_blocks_wherever_it_is_and_is_never_shown(place: str) -> None:
    seen = replace(CLEAN, found=(replace(SECRET, place=place),))
    found = list(no_secrets.judge(replace(GOOD_IMAGE, secrets=seen), no_secrets.Settings()))
    assert outcome_at(found, place) == outcome_at(found, SECRET.where) == "block"
    assert sum(f.outcome == "pass" for f in found) == 3


@pytest.mark.parametrize(
    ("allow", "expected"),
    [
        ({"*: /etc/ssh/key": "a test's key, published with it"}, "pass"),
        ({"*: /etc/ssh/key": " "}, "block"),
        ({"*: /etc/ssh/other": "another"}, "block"),
    ],
)
def test_what_looks_like_a_secret_may_be_allowed_with_a_reason(
    allow: dict[str, str], expected: Outcome
) -> None:
    seen = replace(GOOD_IMAGE, secrets=replace(CLEAN, found=(SECRET,)))
    found = list(no_secrets.judge(seen, no_secrets.Settings(allow)))
    assert outcome_at(found, "layers") == outcome_at(found, SECRET.where) == expected


@pytest.mark.parametrize(
    ("seen", "where"),
    [
        (None, "search"),
        (replace(CLEAN, error="detect-secrets is missing"), "search"),
        (replace(CLEAN, scanner=""), "search"),
        (replace(CLEAN, searched={}), "layers"),
        (replace(CLEAN, searched={**CLEAN.searched, "history": 0}), "history"),
        (replace(CLEAN, more=3), "more"),
    ],
)
def test_what_nobody_searched_is_not_clean(seen: Secrets | None, where: str) -> None:
    found = no_secrets.judge(replace(GOOD_IMAGE, secrets=seen), no_secrets.Settings())
    assert outcome_at(found, where) == "block"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"form": ""}, "there"),
        ({"form": "SPDX 2.3"}, "there"),
        ({"components": 0}, "there"),
        ({"error": "syft is missing"}, "there"),
        ({"about": "sha256:other"}, "about this image"),
        ({"about": ""}, "about this image"),
        ({"runtime": "sha256:other"}, "about its runtime"),
        ({"runtime": "", "runtime_recorded": ""}, "about its runtime"),
        ({"runtime_layers": 0}, "about its runtime"),
        ({"pinned": {}}, "pinned packages"),
        ({"pinned": {"python numpy": "2.4.7"}}, "pinned packages"),
        ({"pinned": {"python numpy": ""}}, "pinned packages"),
        ({"pinned": {"python numpy": "2.4.6", "python idna": "3.20"}}, "pinned packages"),
        ({"base": {}}, "base packages"),
        ({"base": {"system libc6": "2.36-10"}}, "base packages"),
    ],
)
def test_a_list_that_is_not_there_not_its_own_or_not_complete_blocks(
    change: dict[str, Any], where: str
) -> None:
    evidence = replace(GOOD_IMAGE, sbom=replace(LISTED, **change))
    found = list(sbom.judge(evidence, sbom.Settings()))
    assert outcome_at(found, where) == "block"
    assert sum(f.outcome == "block" for f in found) == 1


def test_a_missing_package_is_named_with_what_the_list_has_instead() -> None:
    evidence = replace(GOOD_IMAGE, sbom=replace(LISTED, pinned={"python numpy": "2.4.7"}))
    (finding,) = [f for f in sbom.judge(evidence, sbom.Settings()) if f.outcome == "block"]
    assert "not python numpy 2.4.7 (it names 2.4.6)" in finding.message


@pytest.mark.parametrize(
    ("level", "ignore", "expected"),
    [
        ("error", {}, "block"),
        ("warning", {}, "warn"),
        ("info", {}, "pass"),
        ("style", {}, "pass"),
        ("unknown", {}, "block"),
        ("warning", {"DL3008": "the base's snapshot pins versions"}, "pass"),
        ("error", {"DL3008": ""}, "block"),
        ("error", {"DL3009": "another rule"}, "block"),
    ],
)
def test_the_linters_level_decides(level: str, ignore: dict[str, str], expected: Outcome) -> None:
    said = LintFinding("docker/serve/Dockerfile", 7, "DL3008", level, "pin versions")
    evidence = replace(GOOD_IMAGE, lint=replace(LINTED, found=(said,)))
    found = list(lint.judge(evidence, lint.Settings(ignore)))
    assert outcome_at(found, "docker/serve/Dockerfile:7") == expected


@pytest.mark.parametrize(
    "seen", [None, replace(LINTED, files={}), replace(LINTED, linter=""), Lint(error="no hadolint")]
)
def test_what_no_linter_read_blocks(seen: Lint | None) -> None:
    found = lint.judge(replace(GOOD_IMAGE, lint=seen), lint.Settings())
    assert outcome_at(found, "Dockerfiles") == "block"


def verdict_of(evidence: ImageEvidence) -> Any:
    gates = configured("image", ALL_GATES)
    return judge(kind="image", of=evidence.digest, gates=gates, evidence=evidence, files={})


def test_what_only_an_image_brings_is_not_applicable_to_a_bundle_and_never_just_passes() -> None:
    found = verdict_of(GOOD).findings
    assert {f.where for f in found if f.outcome == "not_applicable"} == set(NOT_ASKED["bundle"])
    for kind in ("image", "local-image"):
        found = verdict_of(replace(GOOD, kind=kind)).findings
        blocked = {f.gate for f in found if f.outcome == "block"}
        assert blocked == {"confined", "no_secrets", "sbom", "lint"}
        assert not [f for f in found if f.outcome == "not_applicable"]


@pytest.mark.parametrize("good", [GOOD, GOOD_IMAGE, replace(GOOD_IMAGE, kind="local-image")])
def test_a_good_artefact_passes_all_its_gates(good: ImageEvidence) -> None:
    verdict = verdict_of(good)
    assert verdict.outcome == "pass", verdict.findings


def test_evidence_comes_back_from_its_record_as_it_was() -> None:
    assert build(ImageEvidence, json.loads(canonical(GOOD_IMAGE))) == GOOD_IMAGE
