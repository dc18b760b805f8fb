"""Deliveries that must not get through: what stops each, with which code, and what is left."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.projects import Checkout, small_project


def empty_table(project: Checkout) -> None:
    for path in (project.root / "data").glob("*.csv"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


def lost_column(project: Checkout) -> None:
    for path in (project.root / "data").glob("*.csv"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(line.split(b",", 1)[1] for line in lines))


def truncated_file(project: Checkout) -> None:
    path = max((project.root / "data").glob("*.csv"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 7])


def no_price(project: Checkout) -> None:
    for path in (project.root / "data").glob("*.csv"):
        header, *lines = path.read_bytes().splitlines(keepends=True)
        blank = [line.rsplit(b",", 1)[0] + b',""\r\n' for line in lines]
        path.write_bytes(header + b"".join(blank))


@pytest.mark.parametrize("fault", [empty_table, lost_column, truncated_file, no_price])
def test_bad_data_ends_at_the_data_gate(small: Checkout, fault: Callable[[Checkout], None]) -> None:
    fault(small)
    small.run("dvc", "add", "-q", "data")
    small.commit("A bad data version")
    done = small.slipway("run", "--yes", code=3)
    assert "block" in done.out
    assert small.record("data-verdict")["outcome"] == "block"
    assert not (small.root / "delivery/candidate.json").exists()
    page = (small.root / "delivery/report/index.html").read_text()
    assert "locked" in page  # Blocked, blocked


def test_plain_dvc_stops_at_the_same_gate_and_can_be_reported(small: Checkout) -> None:
    empty_table(small)
    small.run("dvc", "add", "-q", "data")
    assert small.run("dvc", "repro", code=None).code == 255
    assert small.slipway("repro", code=3).code == 3
    small.slipway("report")
    assert (small.root / "delivery/report/index.html").exists()


@pytest.fixture(scope="module")
def trained(months: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project delivered as far as the image gate; each test takes it further, or not."""
    checkout = small_project(tmp_path_factory.mktemp("trained"), months)
    checkout.slipway("run", "--to", "image gate")
    yield checkout
    checkout.slipway("stop", "--all", code=None)


@pytest.fixture
def ready(trained: Checkout) -> Checkout:
    """The trained project, its settings and files put back afterwards."""
    yield trained
    trained.run("git", "checkout", "-q", "--", "delivery.toml", "tests", "ml")


def test_a_model_below_its_floor_ends_at_the_model_gate(ready: Checkout) -> None:
    ready.settings({"gates/model/floors/least": {"ndcg_at_10": 0.99}})
    ready.slipway("run", "--yes", code=3)
    verdict = ready.record("model-verdict")
    assert verdict["outcome"] == "block"
    assert [f["where"] for f in verdict["findings"] if f["outcome"] == "block"] == ["ndcg_at_10"]
    assert not (ready.root / "delivery/image.json").exists()


def test_a_failing_test_ends_at_the_tests_gate(ready: Checkout) -> None:
    more = ready.root / "tests/unit/test_more.py"
    more.write_text("def test_no() -> None:\n    assert 1 + 1 == 3\n")
    ready.settings({"tests/unit/paths": ["tests/unit"]})
    try:
        ready.slipway("run", "--yes", code=3)
        blocked = [f for f in ready.record("tests-unit")["findings"] if f["outcome"] == "block"]
        assert "unit.failed" in {f["where"] for f in blocked}
        assert "test_no" in (ready.root / "delivery/tests-unit.xml").read_text()
    finally:
        more.unlink()


def test_careless_code_ends_at_lint(ready: Checkout) -> None:
    more = ready.root / "ml/more.py"
    more.write_text("import os\n")
    try:
        ready.slipway("run", "--yes", code=3)
        assert "ruff ml/more.py:1" in {f["where"] for f in ready.record("lint")["findings"]}
        assert not (ready.root / "delivery/tests-unit.json").exists()
    finally:
        more.unlink()


def test_no_tests_at_all_end_at_the_tests_gate(ready: Checkout) -> None:
    ready.settings({"tests/unit/paths": ["tests/unit/nothing"]})
    ready.slipway("plan")
    ready.slipway("test", "unit", code=3)


def test_a_slow_service_ends_at_the_service_gate(ready: Checkout) -> None:
    ready.settings(
        {"gates/service/latency": {"max_p50_ms": 0.0, "max_p95_ms": 0.0, "max_p99_ms": 0.0}}
    )
    ready.slipway("run", "--yes", code=3)
    assert ready.record("staging-verdict")["outcome"] == "block"
    assert not (ready.root / "delivery/production.json").exists()


def test_a_sick_service_ends_at_the_service_gate(ready: Checkout) -> None:
    ready.slipway("run", "--to", "staging")
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "ml.serving" in words and any(str(ready.home) in word for word in words):
            os.kill(process.pid, signal.SIGKILL)
    probed = ready.slipway("probe", "staging", code=None).code
    assert probed in (0, 4)
    assert ready.slipway("gate", "service", "--of", "staging", code=None).code in (3, 5)
    ready.slipway("approve", "--by", "release-manager", code=5)
    ready.slipway("deploy", "production", code=5)


def test_production_is_refused_without_its_evidence(ready: Checkout) -> None:
    ready.slipway("run", "--to", "staging gate")
    refused = ready.slipway("deploy", "production", code=5)
    assert "approval" in refused.err
    assert "wrong person" not in ready.slipway("approve", "--by", "somebody", code=5).out
    ready.slipway("approve", "--by", "release-manager")
    verdict = ready.root / "delivery/model-verdict.json"
    content = verdict.read_bytes()
    try:
        verdict.write_bytes(content.replace(b'"outcome": "pass"', b'"outcome": "warn"', 1))
        assert "altered" in ready.slipway("deploy", "production", code=5).err
        verdict.unlink()
        assert "model-verdict" in ready.slipway("deploy", "production", code=5).err
    finally:
        verdict.write_bytes(content)
    assert not (ready.root / "delivery/production.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("delivery.toml", b"[model\n", 2),
        ("delivery.toml", b"", 2),
        ("params.yaml", b"window: [\n", 2),
        ("dvc.yaml", b"stages: 5\n", 2),
        ("data.dvc", b"outs: 1\n", 5),
    ],
)
def test_a_malformed_file_is_named_in_three_lines(
    ready: Checkout, name: str, content: bytes, code: int
) -> None:
    path: Path = ready.root / name
    before = path.read_bytes()
    try:
        path.write_bytes(content)
        error = ready.slipway("run", "--yes", code=code).err.strip().splitlines()
        assert any(name in line for line in error[-3:])
        assert error[-3].startswith("slipway: ")
    finally:
        path.write_bytes(before)
