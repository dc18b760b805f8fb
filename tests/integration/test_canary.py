"""Canaries: a part of production's traffic, judged, taken over, taken back, and mended."""

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
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.records import Deployment, Release, Rollback, Verdict, read, seal
from slipway.settings import parse
from slipway.tools import engines, ledger, service
from slipway.tools.engines.backends import running
from tests import deliveries
from tests.promotions import (
    KILL,
    TERM,
    Load,
    approved,
    events,
    in_a_process,
    last,
    live,
    processes,
    refuses,
    released,
    run_dying,
    slipway,
    to_canary,
    to_staging,
)

Projects = Callable[..., Project]
SETTINGS = (
    deliveries.SETTINGS
    + """
canary = 10
load_per_s = 50
load_for_s = 1

[gates.service.health]
[gates.service.answers]
min_samples = 1
"""
)
UNTRIED = SETTINGS.replace("canary = 10\n", "")
BESIDE = ("deploy", "production", "--canary", "10")
WHOLE = ("deploy", "production")


def engine(project: Project) -> engines.Engine:
    return engines.engine_of(project, "production")


def beside(project: Project) -> tuple[str, int] | None:
    """Version and percent of the canary that runs."""
    standing = engine(project).live()
    found = standing.canary if standing else None
    return (found.instance.version, found.percent) if found else None


def opened(project: Project) -> ledger.Event | None:
    return ledger.read(ledger.open_ledger(project)).open_canary("production")


def told(project: Project, *words: str, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    capsys.readouterr()
    slipway(project, *words, "--json")
    return json.loads(capsys.readouterr().out)


def later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    moment = (datetime.now(UTC) + timedelta(**by)).isoformat(timespec="seconds")
    monkeypatch.setattr(ledger, "moment", lambda: moment)


@pytest.mark.usefixtures("light")
def test_a_first_release_has_nothing_to_stand_beside(project: Project) -> None:
    approved(project, 1.0)
    assert slipway(project, *BESIDE) == stages.Done(
        "nothing to stand beside", read(project.delivery, "canary", Deployment).subject
    )
    assert read(project.delivery, "canary", Deployment).percent == 0
    assert slipway(project, "probe", "canary").code == 0
    assert slipway(project, "gate", "service", "--of", "canary").code == 0
    assert not (project.delivery / "canary-verdict.json").exists()
    assert slipway(project, *WHOLE).answer == "v1.0.0 live"
    assert [event for event in events(project) if "canary" in event] == []
    deliveries.service_verdict(project, "production")
    slipway(project, "release")
    assert slipway(project, "verify").answer == "v1.0.0 verified, unsigned"
    before = {path: path.read_bytes() for path in project.delivery.iterdir()}
    for words in (BESIDE, WHOLE, ("release",)):
        assert slipway(project, *words).code == 0
    assert {path: path.read_bytes() for path in project.delivery.iterdir()} == before


@pytest.mark.usefixtures("light")
def test_a_canary_stands_beside_the_champion_and_is_taken_over_whole(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    first = released(project)
    assert to_canary(project).answer == "v1.1.0 live with 10 %"
    assert (live(project), beside(project)) == ("v1.0.0", ("v1.1.0", 10))
    assert last(project).version == "v1.0.0"
    assert slipway(project, "champion").answer == "v1.0.0"
    (standing,) = [
        row for row in told(project, "status", capsys=capsys) if row["environment"] == "production"
    ]
    assert (standing["agrees"], standing["version"]) == (True, "v1.0.0")
    canary = standing["canary"]
    assert (canary["version"], canary["percent"]) == ("v1.1.0", 10)
    assert (canary["healthy"], canary["agrees"]) == (True, True)
    record = read(project.delivery, "canary", Deployment)
    assert (record.environment, record.percent) == ("production", 10)
    assert record.previous == {"version": "v1.0.0", "digest": first.subject}
    assert record.ledger == opened(project).id
    instance = engine(project).live().canary.instance
    deliveries.canary_verdict(project)
    assert slipway(project, *WHOLE).answer == "v1.1.0 live"
    assert engine(project).live().instance == instance
    assert list(engine(project).running) == [instance.id]
    assert (opened(project), beside(project)) == (None, None)
    deliveries.service_verdict(project, "production")
    slipway(project, "release")
    evidence = read(project.delivery, "release", Release).evidence
    assert {"canary", "canary-probe", "canary-verdict"} <= evidence.keys()
    assert slipway(project, "verify").answer == "v1.1.0 verified, unsigned"
    stays = told(project, "history", "production", capsys=capsys)
    assert [(s["version"], s["kind"], s["percent"]) for s in stays] == [
        ("v1.1.0", "assign", 100),
        ("v1.1.0", "canary", 10),
        ("v1.0.0", "assign", 100),
    ]
    assert stays[1]["until"] == stays[0]["since"]
    before = {path: path.read_bytes() for path in project.delivery.iterdir()}
    written = events(project)
    for words in (BESIDE, ("probe", "canary"), WHOLE, ("release",)):
        assert slipway(project, *words).code == 0
    assert events(project) == written
    assert {path: path.read_bytes() for path in project.delivery.iterdir()} == before


@pytest.mark.usefixtures("light")
def test_the_same_again_changes_nothing_and_another_part_moves_the_split(project: Project) -> None:
    released(project)
    to_canary(project)
    written, kept = events(project), (project.delivery / "canary.json").read_bytes()
    assert slipway(project, *BESIDE).answer == "v1.1.0 already live with 10 %"
    assert (events(project), (project.delivery / "canary.json").read_bytes()) == (written, kept)
    instance = engine(project).live().canary.instance
    moved = slipway(project, "deploy", "production", "--canary", "40")
    assert moved.answer == "v1.1.0 moved with 40 %"
    assert engine(project).live().canary == engines.Canary(instance, 40)
    assert (opened(project).percent, events(project)[-1]) == (40, "canary production v1.1.0")
    assert read(project.delivery, "canary", Deployment).percent == 40


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("words", [("production", "0"), ("production", "51"), ("staging", "10")])
def test_a_canary_that_means_nothing_is_refused(project: Project, words: tuple[str, str]) -> None:
    approved(project, 1.0)
    with pytest.raises(ConfigError):
        slipway(project, "deploy", words[0], "--canary", words[1])
    assert not (project.delivery / "canary.json").exists()


def resealed(path: Path, **change: object) -> None:
    content = {**json.loads(path.read_bytes()), **change}
    content["seal"] = seal({k: v for k, v in content.items() if k != "seal"})
    path.write_text(json.dumps(content))


@pytest.mark.usefixtures("light")
def test_a_full_deployment_is_refused_without_its_own_canary_judged(project: Project) -> None:
    released(project)
    approved(project, 2.0)
    refuses(project, *WHOLE, match="wants 10 % of the requests tried first, it had no canary")
    slipway(project, "deploy", "production", "--canary", "5")
    refuses(project, *WHOLE, match="its canary had 5 %")
    slipway(project, *BESIDE)
    refuses(project, *WHOLE, match=r"there is no canary-verdict\.json")
    deliveries.canary_verdict(project, outcome="block")
    refuses(project, *WHOLE, match="canary-verdict says block")
    (project.delivery / "canary-verdict.json").unlink()
    deliveries.verdict(project, "canary-verdict", "service", "sha256:other@canary")
    refuses(project, *WHOLE, match="canary-verdict is about sha256:other@canary")
    (project.delivery / "canary-verdict.json").unlink()
    deliveries.canary_verdict(project)
    path = project.delivery / "canary.json"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b'"percent": 10', b'"percent": 11'))
    refuses(project, *WHOLE, match="altered")
    path.write_bytes(kept)
    resealed(path, percent=50)
    refuses(project, *WHOLE, match="is not about the canary that was recorded")
    path.write_bytes(kept)
    assert (live(project), beside(project)) == ("v1.0.0", ("v1.1.0", 10))
    assert slipway(project, *WHOLE).answer == "v1.1.0 live"


@pytest.mark.usefixtures("light")
def test_a_canary_needs_the_approval_of_production(project: Project) -> None:
    released(project)
    to_staging(project, 2.0)
    refuses(project, *BESIDE, match=r"there is no approval\.json")
    assert beside(project) is None


@pytest.mark.usefixtures("light")
def test_a_canary_of_another_delivery_is_named_and_left_alone(projects: Projects) -> None:
    one, two = projects("one"), projects("two")
    released(one)
    to_canary(one)
    approved(two, 3.0)
    written = events(one)
    untried = replace(two, config=parse(UNTRIED))  # wants no canary of its own
    for project, words in ((two, BESIDE), (untried, WHOLE)):
        with pytest.raises(ToolError, match=r"production has a canary: v1\.1\.0, 10 %, by"):
            slipway(project, *words)
    assert events(one) == written
    assert (live(one), beside(one)) == ("v1.0.0", ("v1.1.0", 10))


@pytest.mark.usefixtures("light")
def test_a_canary_of_another_ledger_is_left_alone(project: Project, remote: Path) -> None:
    released(project)
    to_canary(project)
    other = replace(project, ledger_remote=str(remote))
    for words in (WHOLE, ("rollback", "production", "--reason", "not mine")):
        refuses(other, *words, match="which this ledger does not know")
    assert (live(project), beside(project)) == ("v1.0.0", ("v1.1.0", 10))


@pytest.mark.usefixtures("light")
def test_what_a_canary_was_blocked_for_counts_where_none_is_asked_for(project: Project) -> None:
    unasked = replace(project, config=parse(UNTRIED))
    released(unasked)
    to_canary(unasked)
    deliveries.canary_verdict(unasked, "block")
    refuses(unasked, *WHOLE, match="canary-verdict says block")
    deliveries.canary_verdict(unasked)
    assert slipway(unasked, *WHOLE).answer == "v1.1.0 live"


@pytest.mark.usefixtures("light")
def test_a_forgotten_canary_is_taken_back_by_the_next_command(
    projects: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = projects("one"), projects("two")
    released(one)
    to_canary(one)
    approved(two, 3.0)
    later(monkeypatch, hours=1.9)
    with pytest.raises(ToolError, match="production has a canary"):
        slipway(two, *BESIDE)
    later(monkeypatch, hours=2.1)
    assert slipway(two, *BESIDE).answer == "v1.2.0 live with 10 %"
    assert events(one)[-3:] == [
        "undo production v1.1.0",
        "intent production v1.2.0",
        "canary production v1.2.0",
    ]
    later(monkeypatch, hours=9)
    assert slipway(two, "status").answer == "agrees"
    assert (live(two), beside(two), opened(two)) == ("v1.0.0", None, None)
    assert len(engine(two).running) == 1


@pytest.mark.usefixtures("light")
def test_a_canary_that_died_is_taken_back_by_the_next_command(project: Project) -> None:
    released(project)
    to_canary(project)
    instance = engine(project).live().canary.instance
    engine(project).running[instance.id].end()
    assert slipway(project, "status").answer == "agrees"
    assert (opened(project), beside(project), live(project)) == (None, None, "v1.0.0")
    undo = ledger.read(ledger.open_ledger(project)).events[-1]
    assert (undo.kind, undo.reason) == ("undo", "it does not answer")


@pytest.mark.usefixtures("light")
def test_a_rollback_takes_a_canary_back_and_nothing_else(project: Project) -> None:
    first = released(project)
    to_canary(project)
    done = slipway(project, "rollback", "production", "--reason", "it stutters", "--by", "ann")
    assert done.answer == "canary v1.1.0 taken back"
    assert (live(project), beside(project), opened(project)) == ("v1.0.0", None, None)
    undo = ledger.read(ledger.open_ledger(project)).events[-1]
    assert (undo.kind, undo.reason, undo.by) == ("undo", "it stutters", "ann")
    record = read(project.delivery, "rollback", Rollback)
    assert (record.subject, record.version, record.percent) == (first.subject, "v1.0.0", 10)
    assert (record.previous["version"], record.ledger) == ("v1.1.0", undo.id)
    assert len(engine(project).running) == 1


@pytest.mark.usefixtures("light")
def test_a_rollback_to_a_version_takes_the_canary_back_first(project: Project) -> None:
    released(project)
    to_canary(project)
    deliveries.canary_verdict(project)
    slipway(project, *WHOLE)
    to_canary(project, 3.0)
    done = slipway(project, "rollback", "production", "--to", "v1.0.0", "--reason", "all of it")
    assert done.answer == "v1.0.0 live"
    assert events(project)[-3:] == [
        "undo production v1.2.0",
        "intent production v1.0.0",
        "rollback production v1.0.0",
    ]
    assert (live(project), beside(project)) == ("v1.0.0", None)
    assert read(project.delivery, "rollback", Rollback).percent == 100


@pytest.mark.usefixtures("light")
def test_a_champion_that_was_stopped_serves_again_beside_its_canary(project: Project) -> None:
    released(project)
    engine(project).stop()
    assert to_canary(project).answer == "v1.1.0 live with 10 %"
    assert (live(project), beside(project)) == ("v1.0.0", ("v1.1.0", 10))


@pytest.mark.usefixtures("light")
def test_a_canary_that_fails_while_watched_does_not_stand(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(project)
    approved(project, 2.0)
    split = type(engine(project)).split

    def dying(self: engines.Engine, to: engines.Instance, percent: int) -> float:
        spent = split(self, to, percent)
        self.running[to.id].end()
        return spent

    monkeypatch.setattr(type(engine(project)), "split", dying)
    with pytest.raises(ToolError, match=r"v1\.1\.0 did not go live in production, v1\.0\.0 serves"):
        slipway(project, *BESIDE)
    assert (live(project), beside(project), opened(project)) == ("v1.0.0", None, None)
    assert events(project)[-1] == "undo production v1.1.0"
    assert not (project.delivery / "canary.json").exists()


@pytest.mark.usefixtures("light")
def test_a_canary_that_got_sick_is_not_taken_over_and_goes(project: Project) -> None:
    released(project)
    to_canary(project)
    deliveries.canary_verdict(project)
    instance = engine(project).live().canary.instance
    _, answers = engine(project).running[instance.id].speaks
    answers.clear()
    with pytest.raises(ToolError, match=r"did not go live in production, v1\.0\.0 serves on"):
        slipway(project, *WHOLE)
    assert (live(project), beside(project), opened(project)) == ("v1.0.0", None, None)
    assert slipway(project, *WHOLE).answer == "v1.1.0 live"  # judged well, and started anew


@pytest.mark.usefixtures("light")
def test_a_kind_that_the_environment_does_not_take_is_refused_before_anything_is_written(
    project: Project,
) -> None:
    released(project)
    approved(project, 2.0)
    written = events(project)
    for text, words in ((SETTINGS, BESIDE), (UNTRIED, WHOLE)):
        settings = parse(text.replace('"person"', '"person"\nrequires = "image"'))
        strict = replace(project, config=settings)
        with pytest.raises(EvidenceError, match="production takes image, this delivery's artefact"):
            slipway(strict, *words)
    assert events(project) == written


POINTS = {
    "intent": ("places", "intend"),
    "start": ("ProcessEngine", "start"),
    "split": ("ProcessEngine", "split"),
    "ledger": ("places", "fulfil"),
    "record": ("deploy", "_record"),
}
TAKE_OVER = {
    "intent": ("places", "intend"),
    "switch": ("ProcessEngine", "switch"),
    "ledger": ("places", "fulfil"),
    "retirement": ("ProcessEngine", "retire"),
}


def test_after_a_kill_at_any_point_the_next_command_mends_a_canary(project: Project) -> None:
    first = released(project)
    approved(project, 2.0)
    with Load(first.url) as load:
        for name, point in POINTS.items():
            code, error = run_dying(project, point, KILL, *BESIDE)
            assert (name, code, error) == (name, -signal.SIGKILL, "")
            assert slipway(project, "status").answer == "agrees"
            stands = ("v1.1.0", 10) if name in ("ledger", "record") else None
            assert (name, beside(project)) == (name, stands)
            assert (name, processes(project, "production")) == (
                name,
                ["v1.0.0", "v1.1.0"] if stands else ["v1.0.0"],
            )
        assert slipway(project, *BESIDE).answer == "v1.1.0 already live with 10 %"
        assert read(project.delivery, "canary", Deployment).ledger == opened(project).id
        moved = ("deploy", "production", "--canary", "30")
        run_dying(project, POINTS["split"], KILL, *moved)
        assert slipway(project, "status").answer == "agrees"
        assert beside(project) == ("v1.1.0", 10)  # as the ledger has it
    assert load.failed() == []


def test_after_a_kill_at_any_point_a_canary_can_still_go_live_whole(project: Project) -> None:
    first = released(project)
    with Load(first.url) as load:
        for number, (name, point) in enumerate(TAKE_OVER.items(), start=1):
            to_canary(project, 1.0 + number)
            deliveries.canary_verdict(project)
            code, error = run_dying(project, point, KILL, *WHOLE)
            assert (name, code, error) == (name, -signal.SIGKILL, "")
            assert slipway(project, *WHOLE).code == 0
            version = f"v1.{number}.0"
            assert (name, live(project), beside(project)) == (name, version, None)
            assert (name, processes(project, "production")) == (name, [version])
            assert (name, opened(project)) == (name, None)
    assert load.failed() == []


def test_after_a_kill_while_it_is_taken_back_a_canary_is_gone(project: Project) -> None:
    released(project)
    words = ("rollback", "production", "--reason", "no")
    for name, point in (("switch", TAKE_OVER["switch"]), ("undone", ("places", "undone"))):
        to_canary(project)
        code, error = run_dying(project, point, KILL, *words)
        assert (name, code, error) == (name, -signal.SIGKILL, "")
        assert slipway(project, "status").answer == "agrees"
        assert (live(project), beside(project), opened(project)) == ("v1.0.0", None, None)
        assert processes(project, "production") == ["v1.0.0"]


def test_a_request_to_end_undoes_or_finishes(project: Project) -> None:
    released(project)
    approved(project, 2.0)
    for name in ("intent", "start", "split"):
        code, error = run_dying(project, POINTS[name], TERM, *BESIDE)
        assert (name, code, len(error.splitlines())) == (name, 4, 3)
        assert (beside(project), opened(project)) == (None, None)
        assert (name, processes(project, "production")) == (name, ["v1.0.0"])
    code, error = run_dying(project, POINTS["ledger"], TERM, *BESIDE)
    assert (code, beside(project)) == (4, ("v1.1.0", 10))
    assert read(project.delivery, "canary", Deployment).ledger == opened(project).id
    deliveries.canary_verdict(project)
    code, error = run_dying(project, TAKE_OVER["switch"], TERM, *WHOLE)
    assert (code, live(project), beside(project), opened(project)) == (4, "v1.0.0", None, None)
    assert processes(project, "production") == ["v1.0.0"]


@pytest.mark.parametrize("homes", [("home", "home"), ("home", "other")])
def test_of_two_canaries_at_the_same_time_one_wins(
    projects: Projects, remote: Path, homes: tuple[str, str]
) -> None:
    both = [projects(name, home, remote) for name, home in zip(("a", "b"), homes, strict=True)]
    base = projects("base", "home", remote)
    released(base)
    if homes[0] != homes[1]:  # the other machine has the champion too
        (both[1].home).mkdir(parents=True, exist_ok=True)
        (both[1].home / "store").symlink_to(both[0].home / "store")
        deliveries.plan(base)
    for weight, project in enumerate(both, start=2):
        approved(project, float(weight))
    started = [in_a_process(project, *BESIDE) for project in both]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda child: child.communicate()[1], started))
    codes = [child.returncode for child in started]
    assert sorted(codes) == [0, 4], said
    winner, loser = (both[codes.index(code)] for code in (0, 4))
    message = said[codes.index(4)].splitlines()
    assert len(message) == 3
    assert "production has a canary" in message[0] or "is being changed" in message[0]
    version = read(winner.delivery, "canary", Deployment).version
    assert events(winner)[-2:] == [f"intent production {version}", f"canary production {version}"]
    assert not (loser.delivery / "canary.json").exists()
    assert processes(winner, "production") == ["v1.0.0", version]
    if winner.home != loser.home:
        assert version not in processes(loser, "production")


def test_stop_ends_champion_and_canary(project: Project) -> None:
    released(project)
    to_canary(project)
    assert processes(project, "production") == ["v1.0.0", "v1.1.0"]
    slipway(project, "stop", "production")
    assert processes(project, "production") == []
    slipway(project, "status")
    assert opened(project) is None


def test_a_blocked_verdict_takes_the_canary_back_by_itself(project: Project) -> None:
    first = released(project)
    to_canary(project)
    with Load(first.url) as load:
        slipway(project, "probe", "canary")
        done = slipway(strict(project), "gate", "service", "--of", "canary")
    assert (done.answer, done.code) == ("block", 3)
    assert load.failed() == []
    assert (live(project), beside(project), opened(project)) == ("v1.0.0", None, None)
    assert processes(project, "production") == ["v1.0.0"]
    undo = ledger.read(ledger.open_ledger(project)).events[-1]
    assert (undo.kind, undo.version) == ("undo", "v1.1.0")
    assert undo.reason.startswith("answers:")
    refuses(project, *WHOLE, match="canary-verdict says block")


def test_a_canary_that_is_well_is_probed_judged_and_released(project: Project) -> None:
    first = released(project)
    to_canary(project)
    with Load(first.url) as load:
        slipway(project, "probe", "canary")
        assert slipway(project, "gate", "service", "--of", "canary").code == 0
        assert read(project.delivery, "canary-verdict", Verdict).outcome in ("pass", "warn")
        assert slipway(project, *WHOLE).answer == "v1.1.0 live"
    assert load.failed() == []
    assert service.ready(first.url).release == "v1.1.0"
    assert [b.instance.version for b in running(engine(project).state)] == ["v1.1.0"]
    deliveries.service_verdict(project, "production")
    slipway(project, "release")
    assert slipway(project, "verify").answer == "v1.1.0 verified, unsigned"
    for words in (BESIDE, ("probe", "canary"), ("gate", "service", "--of", "canary"), WHOLE):
        assert slipway(project, *words).code == 0


def strict(project: Project) -> Project:
    """With a gate that no canary passes."""
    return replace(project, config=parse(SETTINGS.replace("min_samples = 1", "min_samples = 999")))


def test_a_started_process_gives_the_exit_codes(project: Project) -> None:
    released(project)
    approved(project, 2.0)
    for words, code in (
        ((*WHOLE, "--canary", "x"), 2),
        ((*WHOLE, "--canary", "99"), 2),
        (WHOLE, 5),
    ):
        done = in_a_process(project, *words)
        said = done.communicate()[1]
        assert (words, done.returncode, len(said.splitlines())) == (words, code, 3)
