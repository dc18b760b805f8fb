"""Promotions as such: tickets, approvals, versions, releases, evidence and the champion."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway.config import Project
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.records import Approval, Release, digest_tree, read, seal
from slipway.settings import ApprovalRules, Lint, parse
from slipway.stages import approval
from slipway.tools import engines, git, store
from tests import deliveries
from tests.promotions import (
    alter,
    events,
    live,
    refuses,
    released,
    slipway,
    to_production,
    to_staging,
)

Projects = Callable[..., Project]
pytestmark = pytest.mark.usefixtures("light")


def test_a_version_of_ones_own_is_taken_once(project: Project) -> None:
    deliveries.prepare(project)
    with pytest.raises(ConfigError, match="is no version"):
        slipway(project, "deploy", "staging", "--version", "two")
    done = slipway(project, "deploy", "staging", "--version", "2.0.0")
    assert done.answer == "v2.0.0 live"
    with pytest.raises(ConfigError, match=r"is registered as v2\.0\.0"):
        slipway(project, "deploy", "staging", "--version", "3.0.0")
    deliveries.prepare(project, weight=2.0)
    with pytest.raises(ConfigError, match="not above"):
        slipway(project, "deploy", "staging", "--version", "1.9.9")
    assert live(project, "staging") == "v2.0.0"


def test_a_lost_record_is_written_again_from_the_ledger(project: Project) -> None:
    released(project)
    kept = {n: (project.delivery / n).read_bytes() for n in ("production.json", "release.json")}
    (project.delivery / "release.json").unlink()
    slipway(project, "release")
    assert (project.delivery / "release.json").read_bytes() == kept["release.json"]
    (project.delivery / "production.json").unlink()
    slipway(project, "deploy", "production")
    again, before = (
        {k: v for k, v in json.loads(text).items() if k not in ("written_at", "seal")}
        for text in ((project.delivery / "production.json").read_bytes(), kept["production.json"])
    )
    assert again == before


def test_a_delivery_that_was_planned_before_another_went_live_is_refused(
    projects: Projects,
) -> None:
    one, two = projects("one"), projects("two")
    deliveries.prepare(two, weight=2.0)
    to_staging(one)
    told = events(one)
    with pytest.raises(ToolError, match=r"staging moved: v1\.0\.0 by"):
        slipway(two, "deploy", "staging")
    assert events(one) == told
    assert live(one, "staging") == "v1.0.0"
    deliveries.plan(two)
    assert slipway(two, "deploy", "staging").answer == "v1.1.0 live"


def test_a_rollback_needs_a_reason_a_known_version_and_its_bundle(project: Project) -> None:
    first = released(project)
    released(project, weight=2.0)
    with pytest.raises(ConfigError):
        slipway(project, "rollback", "production")
    with pytest.raises(ConfigError, match="needs a reason"):
        slipway(project, "rollback", "production", "--reason", "  ")
    with pytest.raises(ConfigError, match="no environment 'moon'"):
        slipway(project, "rollback", "moon", "--reason", "far")
    refuses(
        *(project, "rollback", "production", "--to", "v9.0.0", "--reason", "x"),
        match=r"v9\.0\.0 never was in production",
    )
    store.bundle(project.home, first.subject).unlink()
    refuses(project, "rollback", "production", "--reason", "x", match="is not in the store")
    assert live(project) == "v1.1.0"


@pytest.mark.parametrize("name", ["data-verdict", "model-verdict", "tests-unit", "image-verdict"])
def test_staging_refuses_without_a_verdict(project: Project, name: str) -> None:
    deliveries.prepare(project)
    (project.delivery / f"{name}.json").unlink()
    refuses(project, "deploy", "staging", match=f"there is no {name}")
    assert engines.engine_of(project, "staging").live() is None


def test_production_refuses_without_approval_and_with_one_that_does_not_hold(
    project: Project,
) -> None:
    to_staging(project)
    refuses(project, "deploy", "production", match=r"there is no approval\.json")
    refuses(project, "approve", "--by", "mallory", match="'mallory' is not among the approvers")
    slipway(project, "approve", "--by", "release-manager")
    approved = read(project.delivery, "approval", Approval)
    path = project.delivery / "approval.json"
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for change, reason in (
        ({"expires_at": yesterday}, "it expired at"),
        ({"expires_at": "never"}, "it expired at"),
        ({"subject": "sha256:other"}, "it is about sha256:other"),
        ({"approved_by": "mallory"}, "'mallory' is not among"),
        ({"verdicts": {**approved.verdicts, "model-verdict": "sha256:0"}}, "model-verdict is not"),
        ({"verdicts": {}}, "is not the one that was approved"),
    ):
        content = {**json.loads(path.read_bytes()), **change}
        content["seal"] = seal({k: v for k, v in content.items() if k != "seal"})
        kept = path.read_bytes()
        path.write_text(json.dumps(content))
        refuses(project, "deploy", "production", match=reason)
        path.write_bytes(kept)
    deliveries.service_verdict(project, "staging", outcome="warn")  # judged again since
    refuses(project, "deploy", "production", match="staging-verdict is not the one that was")
    assert engines.engine_of(project, "production").live() is None


def test_where_it_takes_two_people_nobody_approves_their_own_commits(project: Project) -> None:
    def with_rules(*identities: str) -> Project:
        rules = ApprovalRules(("release-manager",), 72.0, True, {"release-manager": identities})
        return replace(project, config=replace(project.config, approval=rules))

    to_staging(project)
    mine = [os.environ["GIT_AUTHOR_EMAIL"].upper(), os.environ["GIT_COMMITTER_NAME"]]
    for identity in mine:
        own = with_rules("nobody@example.com", identity)
        refuses(own, "approve", "--by", "release-manager", match="it takes two people")
    other = with_rules("nobody@example.com")
    slipway(other, "approve", "--by", "release-manager")
    slipway(other, "deploy", "production")  # a release: from here on, later commits alone count
    refuses(with_rules(mine[0]), "deploy", "production", match="it takes two people")
    for message, people in (
        ("by another one", ("Ann", "ann@example.com")),
        ("together\n\nCo-authored-by: Bob <Bob@example.com>", ("Ann", "ann@example.com")),
    ):
        author = {"GIT_AUTHOR_NAME": people[0], "GIT_AUTHOR_EMAIL": people[1]}
        committer = {"GIT_COMMITTER_NAME": people[0], "GIT_COMMITTER_EMAIL": people[1]}
        command = ["git", "commit", "-q", "--allow-empty", "-m", message]
        env = {**os.environ, **author, **committer}
        subprocess.run(command, cwd=project.root, check=True, env=env)
    told = "wrote commits of this release, as "
    assert approval.may_not(with_rules(mine[0]), "release-manager") is None
    for identity in ("ann@example.com", "Ann", "bob@example.com"):
        reason = approval.may_not(with_rules(identity), "release-manager")
        assert reason
        assert told + identity.lower() in reason


@pytest.mark.parametrize("more", [(), ("--canary",), ("--canary", "10")])
def test_an_environment_that_does_not_exist_is_told_before_any_evidence_is_asked_for(
    project: Project, more: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match="no environment 'nowhere'"):
        slipway(project, "deploy", "nowhere", *more)


def test_where_linters_are_named_their_verdict_counts(project: Project) -> None:
    linters = Lint({"any": ("any",)})
    linted = replace(project, config=replace(project.config, lint=linters))
    deliveries.prepare(linted)
    refuses(linted, "deploy", "staging", match=r"there is no lint\.json")
    tree = git.tree_digest(project.root, project.config.tests.subject)
    deliveries.verdict(linted, "lint", "lint", "sha256:another tree")
    refuses(linted, "deploy", "staging", match="lint is about sha256:another tree")
    (project.delivery / "lint.json").unlink()
    deliveries.verdict(linted, "lint", "lint", tree)
    slipway(linted, "deploy", "staging")
    deliveries.service_verdict(linted, "staging")
    slipway(linted, "approve", "--by", "release-manager")
    assert "lint" in read(project.delivery, "approval", Approval).verdicts


def test_an_approval_names_what_warned(project: Project) -> None:
    to_staging(project)
    deliveries.service_verdict(project, "staging", outcome="warn")
    slipway(project, "approve", "--by", "release-manager")
    approved = read(project.delivery, "approval", Approval)
    assert approved.warnings == ("staging-verdict: tested: it is a warn",)
    assert {"image", "staging-verdict", "tests-e2e"} <= approved.verdicts.keys()


def test_a_blocked_verdict_cannot_be_approved(project: Project) -> None:
    to_staging(project)
    deliveries.service_verdict(project, "staging", outcome="block")
    refuses(project, "approve", "--by", "release-manager", match="staging-verdict says block")


@pytest.mark.parametrize("words", [(), ("--by", "rehearsal"), ("--by", "policy")])
def test_somebody_has_to_approve_by_name(project: Project, words: tuple[str, ...]) -> None:
    to_staging(project)
    with pytest.raises(ConfigError):
        slipway(project, "approve", *words)


def test_a_rehearsal_may_not_release_to_a_shared_ledger(projects: Projects, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "server.git")], check=True)
    shared = projects(remote="../server.git")
    to_staging(shared)
    refuses(shared, "approve", "--rehearsal", match="may not release to a shared ledger")
    slipway(replace(shared, ledger_remote=""), "approve", "--rehearsal")
    refuses(shared, "deploy", "production", match="may not release to a shared ledger")


def test_a_policy_approves_what_passed_and_leaves_warnings_to_people(project: Project) -> None:
    text = deliveries.SETTINGS.replace('approval = "person"', 'approval = "policy"')
    ruled = replace(project, config=parse(text))
    to_staging(ruled)
    deliveries.service_verdict(ruled, "staging", outcome="warn")
    refuses(ruled, "deploy", "production", match="the policy does not approve what warns")
    deliveries.service_verdict(ruled, "staging", outcome="pass")
    assert slipway(ruled, "deploy", "production").answer == "v1.0.0 live"
    assert read(ruled.delivery, "approval", Approval).approved_by == "policy"


@pytest.mark.parametrize("rehearsed", [False, True])
def test_an_environment_that_asks_nobody_needs_no_approval(
    project: Project, rehearsed: bool
) -> None:
    text = deliveries.SETTINGS.replace('approval = "person"', 'approval = "none"')
    free = replace(project, config=parse(text))
    to_staging(free)
    if rehearsed:
        slipway(free, "approve", "--rehearsal")
    slipway(free, "deploy", "production")
    deliveries.service_verdict(free, "production")
    slipway(free, "release")
    assert read(free.delivery, "release", Release).approved_by == ("rehearsal" if rehearsed else "")
    assert slipway(free, "verify").answer == "v1.0.0 verified, unsigned"


def test_production_takes_nothing_that_never_was_in_staging(projects: Projects) -> None:
    here, there = projects(home="home"), projects(home="elsewhere")
    to_staging(here)
    slipway(here, "approve", "--by", "release-manager")
    (there.home / "store").parent.mkdir(parents=True, exist_ok=True)
    (there.home / "store").symlink_to(here.home / "store")
    refuses(there, "deploy", "production", match="is not registered in this ledger")


def test_a_release_needs_production_and_its_verdict(project: Project) -> None:
    to_staging(project)
    refuses(project, "release", match="production")
    slipway(project, "approve", "--by", "release-manager")
    slipway(project, "deploy", "production")
    refuses(project, "release", match="there is no production-verdict")
    deliveries.service_verdict(project, "production")
    assert slipway(project, "release").answer == "v1.0.0 released"


def test_a_release_is_refused_where_production_moved(projects: Projects) -> None:
    one, two = projects("one"), projects("two")
    to_production(one)
    to_production(two, weight=2.0)
    with pytest.raises(ToolError, match=r"production moved: v1\.1\.0"):
        slipway(one, "release")
    assert not (one.delivery / "release.json").exists()


def test_verify_names_what_was_altered_or_is_missing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    release = released(project)
    folder = project.home / "store"
    bundle = folder / "bundles" / f"{release.subject.removeprefix('sha256:')}.tar"
    model = folder / "models" / f"{release.model.removeprefix('sha256:')}.tar"
    record = project.delivery / "model-verdict.json"
    for path, named in ((bundle, "bundle"), (model, "model"), (record, "altered|malformed")):
        kept = path.read_bytes()
        alter(path)
        refuses(project, "verify", match=named)
        path.unlink()
        with pytest.raises(EvidenceError):
            slipway(project, "verify")
        path.write_bytes(kept)
    capsys.readouterr()
    slipway(project, "verify", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["release"], answer["holds"]) == ("v1.0.0", True)
    assert {"step": "signature", "what": "unsigned", "holds": True, "proven": False} in (
        answer["links"]
    )
    address = str(project.home / "ledger.git")
    head = ["git", "-C", address, "rev-parse", "slipway-ledger"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    tag = ["git", "-C", address, "tag", "-f", "next-basket#production#2", commit]
    subprocess.run(tag, check=True, capture_output=True)
    refuses(project, "verify", match=r"ledger: tag next-basket#production#2")
    refuses(project, "verify", "v7.0.0", match=r"there is no release v7\.0\.0")


def test_records_with_a_new_seal_do_not_fit_the_others(project: Project) -> None:
    released(project)
    path = project.delivery / "tests-unit.json"
    content = json.loads(path.read_bytes())
    content["findings"][0]["message"] = "all well"
    content["seal"] = seal({k: v for k, v in content.items() if k != "seal"})
    path.write_text(json.dumps(content))
    refuses(project, "verify", match="names tests-unit by digest")


def test_the_champion_is_byte_stable_and_never_taken_on_trust(project: Project) -> None:
    models = project.candidate.parent
    assert slipway(project, "champion").answer == "none"
    assert (models / "champion.json").read_bytes() == b"null\n"
    first = released(project)
    assert slipway(project, "champion").answer == "none"  # it is live itself
    deliveries.prepare(project, weight=2.0)
    slipway(project, "champion")
    content = (models / "champion.json").read_bytes()
    assert json.loads(content) == {
        "model": first.model,
        "trained_until": "2001-01-31",
        "version": "v1.0.0",
    }
    folder = models / "champion" / first.model.removeprefix("sha256:")
    (folder / "model.onnx").write_bytes(b"edited")
    (models / "champion" / "older").mkdir()
    slipway(project, "champion")
    assert (models / "champion.json").read_bytes() == content
    assert [path.name for path in (models / "champion").iterdir()] == [folder.name]
    assert digest_tree(folder) == first.model
    stored = project.home / "store/models" / f"{folder.name}.tar"
    kept = stored.read_bytes()
    alter(stored)
    with pytest.raises(EvidenceError):
        slipway(project, "champion")
    stored.unlink()
    with pytest.raises(EvidenceError, match="is not in the store"):
        slipway(project, "champion")
    stored.write_bytes(kept)
    assert slipway(project, "champion").digest == first.model


def test_a_champion_from_a_ledger_out_of_reach_is_a_tool_failure(project: Project) -> None:
    with pytest.raises(ToolError, match="cannot be reached"):
        slipway(replace(project, ledger_remote="file:///nowhere/ledger.git"), "champion")
    assert not (project.candidate.parent / "champion.json").exists()


def test_champion_stays_quick_and_light(project: Project) -> None:
    released(project)
    script = (
        "import sys; from slipway.__main__ import main; main(['champion']); print(*sys.modules)"
    )
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.root,
        env=deliveries.environment(project.home.parent),
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    heavy = {"psutil", "requests", "pandas", "numpy", "gto", "dvc", "yaml", "aiohttp"}
    assert not heavy & set(done.stdout.split())
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 1.5


def test_what_another_ledger_put_there_is_not_replaced(project: Project, remote: Path) -> None:
    released(project)
    other = replace(project, ledger_remote=str(remote))
    deliveries.prepare(other, weight=2.0)
    refuses(other, "deploy", "staging", match="which this ledger does not know")
    assert live(project, "staging") == live(project, "production") == "v1.0.0"


def test_a_build_of_another_branch_or_of_a_pull_request_changes_nothing(project: Project) -> None:
    deliveries.prepare(project)
    with pytest.raises(EvidenceError, match="this one builds 'PR-7'"):
        slipway(replace(project, change="PR-7"), "deploy", "staging")
    own = replace(project.environment("production"), branch="main")
    settings = replace(
        project.config, environments={**project.config.environments, "production": own}
    )
    branch = replace(project, config=settings, branch="feature/x")
    with pytest.raises(EvidenceError, match="by builds of 'main' alone"):
        slipway(branch, "rollback", "production", "--reason", "no")
    assert events(project) == []


def test_a_commit_is_dirty_where_anything_but_the_lock_differs(project: Project) -> None:
    (project.root / "dvc.lock").write_text("schema: '2.0'\n")
    subprocess.run(["git", "add", "dvc.lock"], cwd=project.root, check=True)
    subprocess.run(["git", "commit", "-qm", "a lock"], cwd=project.root, check=True)
    clean = git.commit(project.root)
    (project.root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")  # as training does
    assert git.commit(project.root) == clean
    (project.root / "new.py").write_text("")
    assert git.commit(project.root) == f"{clean}-dirty"
