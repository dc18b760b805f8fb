"""A whole delivery: what it leaves, what it answers, and what a second one does."""

import json
import urllib.request
from email.message import Message

import pytest

from tests.projects import Checkout

RECORDS = [
    "plan",
    "dataset",
    "data-verdict",
    "prepared-verdict",
    "tests-unit",
    "tests-integration",
    "tests-e2e",
    "candidate",
    "evaluation",
    "model-verdict",
    "image",
    "image-verdict",
    "staging",
    "staging-probe",
    "staging-verdict",
    "approval",
    "production",
    "production-probe",
    "production-verdict",
    "release",
]


def ask(url: str, body: object) -> tuple[Message, dict[str, list[object]]]:
    """A service's answer to one request: headers and body."""
    request = urllib.request.Request(f"{url}/recommend", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers, json.loads(answer.read())


@pytest.mark.parametrize("name", RECORDS)
def test_every_step_leaves_its_record(delivered: Checkout, name: str) -> None:
    record = delivered.record(name)
    head = delivered.run("git", "rev-parse", "HEAD").out.strip()
    assert record["commit"] == head, "the new dvc.lock alone is not committed"
    assert record["subject"].startswith(("sha256:", "md5:"))


def test_every_verdict_passed_and_has_junit_beside_it(delivered: Checkout) -> None:
    for name in RECORDS:
        if name.endswith("-verdict") or name.startswith("tests-"):
            assert delivered.record(name)["outcome"] in ("pass", "warn"), name
            assert (delivered.root / "delivery" / f"{name}.xml").stat().st_size > 100


def test_production_answers_with_the_released_digest(delivered: Checkout) -> None:
    release = delivered.record("release")
    headers, answer = ask(release["url"], {"customer": "nobody"})
    assert headers["X-Slipway-Digest"] == release["subject"]
    assert headers["X-Slipway-Release"] == release["version"] == "v1.0.0"
    assert len(answer["items"]) == len(answer["scores"]) == 10


def test_the_evidence_holds_from_release_to_commit(delivered: Checkout) -> None:
    out = delivered.slipway("verify").out
    assert "unsigned" in out
    head = delivered.run("git", "rev-parse", "HEAD").out.strip()
    assert head[:12] in out


def test_status_and_history_say_what_is_live(delivered: Checkout) -> None:
    assert "v1.0.0" in delivered.slipway("status").out
    status = json.loads(delivered.slipway("status", "--json").out)
    assert status
    history = delivered.slipway("history", "production").out
    assert "rehearsal" in history
    assert "v1.0.0" in history


def test_the_report_tells_the_decision(delivered: Checkout) -> None:
    page = (delivered.root / "delivery/report/index.html").read_text()
    assert "v1.0.0" in page
    assert "personal_frequency" in page or "personal frequency" in page
    assert "<script" not in page
    assert " style=" not in page


def test_a_second_delivery_with_nothing_changed_does_nothing(delivered: Checkout) -> None:
    folder = delivered.root / "delivery"
    before = {path: path.read_bytes() for path in folder.glob("*.json") if path.stem != "plan"}
    done = delivered.slipway("run", "--yes")
    assert "nothing to deliver: v1.0.0 is live" in done.out
    assert "▸ train" not in done.err
    assert {path: path.read_bytes() for path in before} == before
    assert delivered.run("git", "status", "--porcelain", "--untracked-files=no").out.strip() in (
        "",
        "M dvc.lock",
    )


def test_plain_dvc_repro_agrees_that_nothing_changed(delivered: Checkout) -> None:
    lock = (delivered.root / "dvc.lock").read_bytes()
    out = delivered.run("dvc", "repro").out
    assert "Running stage 'train'" not in out
    assert (delivered.root / "dvc.lock").read_bytes() == lock


def test_each_command_again_leaves_its_record_as_it_was(delivered: Checkout) -> None:
    again = (
        ("data", "pull"),
        ("gate", "data"),
        ("gate", "prepared"),
        ("test", "unit"),
        ("gate", "model"),
        ("image",),
        ("deploy", "staging"),
        ("deploy", "production"),
        ("release",),
    )
    folder = delivered.root / "delivery"
    before = {path: path.read_bytes() for path in folder.glob("*.json") if path.stem != "plan"}
    for words in again:
        delivered.slipway(*words)
    changed = [path.name for path, content in before.items() if path.read_bytes() != content]
    assert not changed
