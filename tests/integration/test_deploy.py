"""Promotions with the real engine and a real ledger: done, undone, killed, raced for."""

import json
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError, ToolError
from slipway.records import Deployment, Rollback, read, write
from slipway.tools import ledger, service, store
from slipway.tools.engines import engine_of
from slipway.tools.engines.backends import running
from tests import deliveries
from tests.promotions import (
    KILL,
    TERM,
    Load,
    events,
    in_a_process,
    last,
    live,
    processes,
    released,
    run_dying,
    slipway,
    to_staging,
)

Projects = Callable[..., Project]


def test_a_delivery_goes_to_production_and_its_release_can_be_verified(project: Project) -> None:
    release = released(project)
    assert events(project) == [
        "register v1.0.0",
        "intent staging v1.0.0",
        "assign staging v1.0.0",
        "intent production v1.0.0",
        "assign production v1.0.0",
        "release production v1.0.0",
    ]
    assert (release.version, release.champion) == ("v1.0.0", None)
    assert release.approved_by == "release-manager"
    assert live(project) == "v1.0.0"
    assert slipway(project, "verify").answer == "v1.0.0 verified, unsigned"
    assert slipway(project, "status").answer == "agrees"
    deployment = read(project.delivery, "production", Deployment)
    assert service.ready(deployment.url).digest == deployment.subject == release.subject
    assert deployment.previous is None


def test_the_same_again_changes_nothing(project: Project) -> None:
    released(project)
    told = events(project)
    before = {path: path.read_bytes() for path in project.delivery.iterdir()}
    backends = [b.daemon.pid for b in running(engine_of(project, "production").state)]
    assert slipway(project, "deploy", "staging").answer == "v1.0.0 already live"
    slipway(project, "approve", "--by", "release-manager")
    assert slipway(project, "deploy", "production").answer == "v1.0.0 already live"
    slipway(project, "release")
    assert events(project) == told
    assert {path: path.read_bytes() for path in project.delivery.iterdir()} == before
    assert [b.daemon.pid for b in running(engine_of(project, "production").state)] == backends


def test_a_second_delivery_replaces_the_first_without_a_failed_request(project: Project) -> None:
    first = released(project)
    url = read(project.delivery, "production", Deployment).url
    with Load(url) as load:
        second = released(project, weight=2.0)
    assert load.failed() == []
    assert load.versions() == ["v1.0.0", "v1.1.0"]
    assert processes(project, "production") == ["v1.1.0"]
    deployment = read(project.delivery, "production", Deployment)
    assert deployment.previous == {"version": "v1.0.0", "digest": first.subject}
    assert deployment.url == url
    assert second.champion == {
        "model": first.model,
        "trained_until": "2001-01-31",
        "version": "v1.0.0",
    }
    assert slipway(project, "verify").answer == "v1.1.0 verified, unsigned"
    assert slipway(project, "verify", "v1.0.0").answer == "v1.0.0 verified, unsigned"


def test_what_was_stopped_serves_again_without_a_new_assignment(project: Project) -> None:
    to_staging(project)
    url = read(project.delivery, "staging", Deployment).url
    engine_of(project, "staging").stop()
    assert slipway(project, "status").answer == "disagrees"
    told = events(project)
    assert slipway(project, "deploy", "staging").answer == "v1.0.0 live again"
    assert events(project) == told
    assert service.ready(url).release == "v1.0.0"


def spoilt(project: Project, change: Callable[[Path], None]) -> str:
    """Puts an artefact in place whose model folder was changed after training."""
    image = deliveries.prepare(project, weight=3.0)
    change(project.candidate)
    digest = deliveries.bundle(project)
    (project.delivery / "image.json").unlink()
    (project.delivery / "image-verdict.json").unlink()
    write(project.delivery, "image", replace(image, subject=digest, written_at=""))
    deliveries.verdict(project, "image-verdict", "image", digest, on="image")
    return digest


def other_answers(model: Path) -> None:
    samples = json.loads((model / "samples.json").read_text())
    for sample in samples:
        sample["answer"]["scores"] = [score + 1 for score in sample["answer"]["scores"]]
    (model / "samples.json").write_text(json.dumps(samples))


def no_model(model: Path) -> None:
    (model / "model.onnx").write_bytes(b"not a model")


@pytest.mark.parametrize("change", [other_answers, no_model])
def test_a_sick_artefact_does_not_go_live(project: Project, change: Callable[[Path], None]) -> None:
    to_staging(project)
    url = read(project.delivery, "staging", Deployment).url
    spoilt(project, change)
    with (
        Load(url) as load,
        pytest.raises(ToolError, match=r"v1\.1\.0 did not go live.*v1\.0\.0 ser"),
    ):
        slipway(project, "deploy", "staging")
    assert (load.failed(), load.versions()) == ([], ["v1.0.0"])
    assert events(project)[-2:] == ["intent staging v1.1.0", "undo staging v1.1.0"]
    assert processes(project, "staging") == ["v1.0.0"]
    assert not (project.delivery / "staging.json").exists()
    assert last(project, "staging").version == "v1.0.0"


def test_a_first_artefact_that_is_sick_leaves_nothing_running(project: Project) -> None:
    spoilt(project, other_answers)
    with pytest.raises(ToolError, match="did not go live in staging, nothing is live"):
        slipway(project, "deploy", "staging")
    assert processes(project, "staging") == []
    assert engine_of(project, "staging").live() is None
    assert events(project)[-1] == "undo staging v1.0.0"


def test_a_service_that_fails_after_the_switch_is_taken_back(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_staging(project)
    deliveries.prepare(project, weight=2.0)

    def fail(url: str, **_: object) -> None:
        raise ToolError("it answered 500", url, "look")

    monkeypatch.setattr(service, "watch", fail)
    with pytest.raises(ToolError, match="it answered 500"):
        slipway(project, "deploy", "staging")
    assert (live(project, "staging"), processes(project, "staging")) == ("v1.0.0", ["v1.0.0"])


def test_an_artefact_that_is_not_in_the_store_is_missing_evidence(project: Project) -> None:
    image = deliveries.prepare(project)
    store.bundle(project.home, image.subject).unlink()
    with pytest.raises(EvidenceError, match="is not in the store"):
        slipway(project, "deploy", "staging")
    assert events(project) == ["register v1.0.0"]


POINTS = {
    "intent": ("places", "intend"),
    "start": ("ProcessEngine", "start"),
    "switch": ("ProcessEngine", "switch"),
    "watch": ("service", "watch"),
    "assignment": ("places", "fulfil"),
    "record": ("deploy", "_record"),
    "retirement": ("ProcessEngine", "retire"),
}


def run_patched(project: Project, point: str, how: str, *words: str) -> tuple[int, str]:
    """Runs one command that gets a signal when it has passed a point."""
    return run_dying(project, POINTS[point], how, *words)


def test_after_a_kill_at_any_point_the_next_deployment_finishes(project: Project) -> None:
    to_staging(project)
    url = read(project.delivery, "staging", Deployment).url
    versions = ["v1.0.0"]
    with Load(url) as load:
        for number, point in enumerate(POINTS, start=1):
            deliveries.prepare(project, weight=1.0 + number)
            versions.append(f"v1.{number}.0")
            code, error = run_patched(project, point, KILL, "deploy", "staging")
            assert (point, code, error) == (point, -signal.SIGKILL, "")
            slipway(project, "deploy", "staging")
            assert (point, processes(project, "staging")) == (point, versions[-1:])
            told = ledger.read(ledger.open_ledger(project))
            assert (point, told.open_intent("staging")) == (point, None)
            assert [event.version for event in told.assignments("staging")] == versions
            record = read(project.delivery, "staging", Deployment)
            assert (point, record.ledger) == (point, told.last("staging").id)
            assert not list(project.delivery.glob(".*"))
    assert load.failed() == []
    assert list(dict.fromkeys(load.versions())) == versions


def test_after_a_kill_status_undoes(project: Project) -> None:
    deliveries.prepare(project)
    run_patched(project, "switch", KILL, "deploy", "staging")
    assert processes(project, "staging") == ["v1.0.0"]
    assert slipway(project, "status").answer == "agrees"
    assert processes(project, "staging") == []
    to_staging(project)
    deliveries.prepare(project, weight=2.0)
    run_patched(project, "switch", KILL, "deploy", "staging")
    assert slipway(project, "status").answer == "agrees"
    assert events(project)[-1] == "undo staging v1.1.0"
    assert (live(project, "staging"), processes(project, "staging")) == ("v1.0.0", ["v1.0.0"])


def test_a_request_to_end_undoes_what_was_begun_or_finishes_it(project: Project) -> None:
    to_staging(project)
    deliveries.prepare(project, weight=2.0)
    for point in ("intent", "start", "switch", "watch"):
        code, error = run_patched(project, point, TERM, "deploy", "staging")
        assert (point, code, len(error.splitlines())) == (point, 4, 3)
        assert "interrupted by SIGTERM" in error
        assert (point, live(project, "staging")) == (point, "v1.0.0")
        assert (point, processes(project, "staging")) == (point, ["v1.0.0"])
        assert events(project)[-1] == "undo staging v1.1.0"
    code, error = run_patched(project, "assignment", TERM, "deploy", "staging")
    assert (code, "interrupted by SIGTERM" in error) == (4, True)
    assert processes(project, "staging") == ["v1.1.0"]
    assert read(project.delivery, "staging", Deployment).version == "v1.1.0"
    assert slipway(project, "deploy", "staging").answer == "v1.1.0 already live"


@pytest.mark.parametrize("homes", [("home", "home"), ("home", "other")])
def test_of_two_promotions_at_the_same_time_one_wins(
    projects: Projects, remote: Path, homes: tuple[str, str]
) -> None:
    both = [projects(name, home, remote) for name, home in zip(("a", "b"), homes, strict=True)]
    for weight, project in enumerate(both, start=1):
        to_staging(project, float(weight))
        slipway(project, "approve", "--by", "release-manager")
    running_ = [in_a_process(project, "deploy", "production") for project in both]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda child: child.communicate()[1], running_))
    codes = [child.returncode for child in running_]
    assert sorted(codes) == [0, 4], said
    winner, loser = (both[codes.index(code)] for code in (0, 4))
    message = said[codes.index(4)].splitlines()
    assert len(message) == 3
    assert "production moved" in message[0] or "production is being changed" in message[0]
    version = read(winner.delivery, "production", Deployment).version
    assert events(winner)[-2:] == [f"intent production {version}", f"assign production {version}"]
    assert not (loser.delivery / "production.json").exists()
    assert processes(winner, "production") == [version]
    if winner.home != loser.home:
        assert processes(loser, "production") == []


def test_an_intent_of_another_machine_is_waited_for_until_it_counts_as_abandoned(
    projects: Projects, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = projects("one", "home", remote), projects("two", "other", remote)
    deliveries.prepare(one)
    run_patched(one, "switch", KILL, "deploy", "staging")
    deliveries.prepare(two, weight=2.0)
    with pytest.raises(ToolError, match=r"staging is being changed: v1\.0\.0 by"):
        slipway(two, "deploy", "staging")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    monkeypatch.setattr(ledger, "moment", lambda: later)
    assert slipway(two, "deploy", "staging").answer == "v1.1.0 live"
    assert slipway(one, "status").answer == "disagrees"


def test_what_another_home_left_half_done_on_an_engine_that_both_reach_is_undone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_staging(project)
    deliveries.prepare(project, weight=2.0)
    run_patched(project, "watch", KILL, "deploy", "staging")
    (project.home / "holder").write_text("another home")
    with pytest.raises(ToolError, match=r"staging is being changed: v1\.1\.0 by"):
        slipway(project, "deploy", "staging")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    monkeypatch.setattr(ledger, "moment", lambda: later)
    assert slipway(project, "deploy", "staging").answer == "v1.1.0 live"
    assert events(project)[-3:] == [
        "undo staging v1.1.0",
        "intent staging v1.1.0",
        "assign staging v1.1.0",
    ]
    assert processes(project, "staging") == ["v1.1.0"]


def test_a_rollback_under_load_answers_with_the_old_digest_and_fails_no_request(
    project: Project,
) -> None:
    first = released(project)
    released(project, weight=2.0)
    with Load(first.url) as load:
        done = slipway(project, "rollback", "production", "--reason", "it sells nothing")
    assert done == stages.Done("v1.0.0 live", first.subject)
    assert (load.failed(), load.versions()) == ([], ["v1.1.0", "v1.0.0"])
    assert load.answers[-1].digest == first.subject
    record = read(project.delivery, "rollback", Rollback)
    assert (record.version, record.reason) == ("v1.0.0", "it sells nothing")
    assert record.previous["version"] == "v1.1.0"
    assert events(project)[-1] == "rollback production v1.0.0"
    assert slipway(project, "champion").answer == "v1.0.0"
    with pytest.raises(EvidenceError, match="nothing was in production before"):
        slipway(project, "rollback", "production", "--reason", "further")
    assert slipway(project, "rollback", "production", "--to", "1.1.0", "--reason", "no").answer == (
        "v1.1.0 live"
    )
    assert read(project.delivery, "rollback", Rollback).version == "v1.1.0"
    again = slipway(project, "rollback", "production", "--to", "v1.1.0", "--reason", "yes")
    assert again.answer == "v1.1.0 already live"
