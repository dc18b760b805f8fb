"""`slipway drill`: sick releases on their way live, under load, and what is left of them."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest

from slipway.config import Project
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.records import Drill, read
from slipway.settings import parse
from slipway.stages import deploy
from slipway.tools import engines, ledger, service, sick
from slipway.tools.engines import Live
from slipway.tools.ledger.events import Event, champion_of
from tests import deliveries
from tests.promotions import (
    KILL,
    TERM,
    events,
    last,
    live,
    processes,
    released,
    run_dying,
    slipway,
    to_staging,
)

SETTINGS = deliveries.SETTINGS.replace(
    "[environments.staging]\n", "[environments.staging]\nload_per_s = 40\nready_s = 20\n"
)
Projects = Callable[..., Project]
SWITCHED = ("ProcessEngine", "switch")


def standing(project: Project) -> Live | None:
    return engines.engine_of(project, "staging").live()


def left(project: Project) -> list[str]:
    """All that a drill could leave: bundles, notes, and running services of staging."""
    bundles = sorted(path.name for path in (project.home / "store" / "bundles").iterdir())
    notes = [path.name for path in (project.home / "made").glob("*.json")]
    return [*bundles, *notes, *processes(project, "staging")]


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A released project whose staging came through a drill; what was before is in `before`."""
    folder = tmp_path_factory.mktemp("drilled")
    root = deliveries.checkout(folder / "checkout", SETTINGS)
    project = deliveries.project_at(root, folder / "home")
    released(project)
    before = [standing(project), last(project, "staging"), left(project), events(project)]
    done = slipway(project, "drill")
    after = [standing(project), last(project, "staging"), left(project), events(project)]
    assert (done.code, done.answer) == (0, "pass")
    assert after[:3] == before[:3], "what was live, its assignment, nothing left"
    assert after[3][: len(before[3])] == before[3]
    yield project
    for name in project.config.environments:
        engines.engine_of(project, name).stop()


def test_each_case_is_noticed_where_it_can_be_and_costs_no_request(drilled: Project) -> None:
    record = read(drilled.delivery, "drill", Drill)
    told = {case.name: case for case in record.cases}
    assert {name: case.noticed for name, case in told.items()} == {
        "wrong-answers": "before traffic",
        "never-ready": "before traffic",
        "turns-sick": "in traffic",
        "dies": "in traffic",
    }
    assert "sample 1 of" in told["wrong-answers"].said
    assert "did not get ready" in told["never-ready"].said
    assert "while watched it says 503" in told["turns-sick"].said
    assert [case.failed for case in record.cases[:3]] == [0, 0, 0]
    assert all(case.sent > 10 and case.restored and case.agrees for case in record.cases)
    assert [case.answered > 0 for case in record.cases] == [False, False, True, True]


def test_the_ledger_tells_of_a_drill_that_counts_for_nothing(
    drilled: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    told = events(drilled)
    tried = ["intent staging drill", "undo staging drill"]
    assert told[-9:] == [*tried * 4, "drill staging v1.0.0"]
    history = ledger.read(ledger.open_ledger(drilled))
    release = history.releases()[-1]
    assert [e.version for e in history.events if e.kind == "register"] == ["v1.0.0"]
    assert history.count() == 2
    assert history.earlier("staging") is None
    assert champion_of(history, "another")["model"] == release.model
    assert (drilled.delivery / "drill.json").exists()
    assert "drill.json" not in deploy.records_of(drilled), "no part of a delivery"
    assert all("drill" not in tag for tag in ledger.tags_of(ledger.open_ledger(drilled)))
    slipway(drilled, "history", "staging", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["kind"], row["version"]) for row in rows] == [
        ("drill", "v1.0.0"),
        ("assign", "v1.0.0"),
    ]
    assert rows[0]["reason"].startswith("drill passed: 4 of 4 sick releases undone")
    assert rows[0]["until"] == rows[0]["since"]
    assert rows[1]["until"] == ""
    slipway(drilled, "history", "staging", "--at", "today", "--json")
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)] == ["assign"]
    assert slipway(drilled, "status").answer == "agrees"
    assert slipway(drilled, "verify").answer == "v1.0.0 verified, unsigned"


def test_a_drill_leaves_nothing_for_prune_and_keeps_what_is_needed(drilled: Project) -> None:
    before = left(drilled)
    settings = replace(drilled.config, retention=replace(drilled.config.retention, hours=0.0))
    slipway(replace(drilled, config=settings), "prune")
    assert left(drilled) == before


def test_a_rollback_after_a_drill_has_the_targets_that_it_had(drilled: Project) -> None:
    with pytest.raises(EvidenceError, match="nothing was in staging before"):
        slipway(drilled, "rollback", "staging", "--reason", "x")
    with pytest.raises(ConfigError, match="'drill' is no version"):
        slipway(drilled, "rollback", "staging", "--to", "drill", "--reason", "x")


def test_junit_has_a_case_for_each_answer_under_stable_names(drilled: Project) -> None:
    suite = ET.parse(drilled.delivery / "drill.xml").getroot()
    named = {(case.get("classname"), case.get("name")) for case in suite}
    questions = ("noticed", "undone", "seconds", "requests", "answered", "left")
    cases = ("wrong-answers", "never-ready", "turns-sick", "dies")
    assert named == {(f"gate.drill.{case}", q) for case in cases for q in questions}
    assert suite.get("failures") == "0"


def few(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Leaves of all cases these: each of them takes a second or two."""
    monkeypatch.setattr(sick, "CASES", {name: sick.CASES[name] for name in names})


def test_a_fresh_checkout_drills_what_is_live(
    drilled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, "wrong-answers")
    root = deliveries.checkout(drilled.root.parent / "fresh", SETTINGS)
    fresh = deliveries.project_at(root, drilled.home.parent)
    assert slipway(fresh, "drill").code == 0
    assert sorted(path.name for path in fresh.delivery.iterdir()) == ["drill.json", "drill.xml"]


def test_a_drill_is_refused_where_people_are_served_and_where_nothing_is(
    project: Project,
) -> None:
    with pytest.raises(ConfigError, match="people are served in production"):
        slipway(project, "drill", "production")
    with pytest.raises(ConfigError, match="no environment 'moon'"):
        slipway(project, "drill", "moon")
    text = SETTINGS.replace("ready_s = 20", 'approval = "policy"')
    with pytest.raises(ConfigError, match="people are served in staging"):
        slipway(replace(project, config=parse(text)), "drill")
    with pytest.raises(EvidenceError, match="there is nothing to protect"):
        slipway(project, "drill")
    with pytest.raises(EvidenceError, match="this one builds 'PR-7'"):
        slipway(replace(project, change="PR-7"), "drill")
    assert not project.delivery.exists()


@pytest.mark.usefixtures("light")
def test_a_drill_keeps_away_where_somebody_else_is_at_work(projects: Projects) -> None:
    project = projects()
    to_staging(project)
    book = ledger.open_ledger(project)
    begun = Event(
        kind="intent",
        name=book.name,
        environment="staging",
        version="v1.1.0",
        digest="sha256:other",
        by="somebody",
        holder="another machine",
        until=ledger.until(60),
    )
    intent = ledger.append(book, lambda _: ledger.Draft(begun))
    with pytest.raises(ToolError, match=r"staging is being changed: v1\.1\.0 by somebody"):
        slipway(project, "drill")
    with engines.engine_of(project, "staging").lease(1):
        quick = replace(project, config=parse(SETTINGS.replace("lease_s = 5", "lease_s = 0.1")))
        with pytest.raises(ToolError, match="somebody else is at work"):
            slipway(quick, "drill")
    over = replace(begun, kind="undo", closes=intent.id, holder="", until="")
    ledger.append(book, lambda _: ledger.Draft(over))
    ledger.append(book, lambda _: ledger.Draft(replace(begun, kind="canary", percent=10)))
    with pytest.raises(ToolError, match="staging has a canary"):
        slipway(project, "drill")
    assert live(project, "staging") == "v1.0.0"


def test_an_altered_store_is_refused_before_any_load(project: Project) -> None:
    image = deliveries.prepare(project)
    slipway(project, "deploy", "staging")
    path = project.home / "store/bundles" / f"{image.subject.removeprefix('sha256:')}.tar"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(EvidenceError, match="is not"):
        slipway(project, "drill")
    assert live(project, "staging") == "v1.0.0"


def test_what_nobody_notices_blocks_and_is_undone_all_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, "wrong-answers", "turns-sick")
    to_staging(project)
    before = standing(project)
    monkeypatch.setattr(service, "watch", lambda *_, **__: None)  # a watch that sleeps
    monkeypatch.setattr(service, "check", lambda *_, **__: None)
    done = slipway(project, "drill")
    record = read(project.delivery, "drill", Drill)
    assert done.code == 3
    assert {case.name: case.noticed for case in record.cases} == {
        "wrong-answers": "never",
        "turns-sick": "never",
    }
    assert "nothing was found to be wrong with drill" in record.cases[0].said
    assert standing(project) == before
    assert last(project, "staging").version == "v1.0.0"
    blocked = [f"{f.gate} {f.where}" for f in record.findings if f.outcome == "block"]
    assert {"wrong-answers noticed", "wrong-answers answered", "turns-sick noticed"} <= set(blocked)
    failures = ET.parse(project.delivery / "drill.xml").getroot().findall(".//failure")
    assert len(failures) == len(blocked)


@pytest.mark.parametrize("how", [KILL, TERM], ids=["kill", "term"])
def test_a_drill_that_is_ended_half_way_leaves_what_was_live(
    project: Project, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_staging(project)
    before, kept = standing(project), left(project)
    code, said = run_dying(project, SWITCHED, f"if args[1].version == 'drill': {how}", "drill")
    if how == TERM:
        assert code == 4, said
        assert "interrupted by SIGTERM" in said
        assert left(project) == kept
    else:
        assert code == -9
        assert live(project, "staging") == "drill"  # the sick one has the requests now
        assert slipway(project, "status").answer == "agrees"  # and this is the next command
    assert live(project, "staging") == "v1.0.0"
    assert processes(project, "staging") == ["v1.0.0"]
    assert last(project, "staging").version == "v1.0.0"
    assert events(project)[-1] == "undo staging drill"
    assert standing(project).healthy
    assert standing(project).instance.digest == before.instance.digest
    if how == KILL:
        assert left(project) != kept, "its sick bundle, until somebody looks"
        retention = replace(project.config.retention, hours=0.0)
        slipway(replace(project, config=replace(project.config, retention=retention)), "prune")
        assert left(project) == kept
        few(monkeypatch, "turns-sick")  # the one that was killed
        assert slipway(project, "drill").code == 0
