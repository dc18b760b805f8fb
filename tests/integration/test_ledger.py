"""The ledger in real git repositories: written, raced for, killed, rewritten, out of reach."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.config import Project, load
from slipway.errors import ConfigError, EvidenceError, SlipwayError, ToolError
from slipway.tools import ledger
from slipway.tools.ledger import Draft, Event, History, Ledger
from tests import deliveries


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return deliveries.checkout(tmp_path / "checkout")


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Project:
    return deliveries.project_at(root, tmp_path / "home")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def written(book: Ledger, kind: str, version: str = "v1.0.0", **fields: object) -> Event:
    event = Event(kind=kind, name=book.name, version=version, digest=version, **fields)
    return ledger.append(book, lambda _: Draft(event, {"image.json": version.encode()}))


def assigned(book: Ledger, version: str, environment: str = "production") -> Event:
    return written(book, "assign", version, environment=environment)


def test_an_empty_ledger_is_made_on_demand_and_has_no_history(project: Project) -> None:
    book = ledger.open_ledger(project)
    assert ledger.read(book) == History()
    assert (project.home / "ledger.git").is_dir()
    assert not book.shared


def test_what_is_written_is_read_in_order_with_its_records(project: Project) -> None:
    book = ledger.open_ledger(project)
    first = written(book, "register", champion={"model": "sha256:é"}, reason="why not")
    second = assigned(book, "v1.0.0")
    told = ledger.read(book)
    assert [event.id for event in told.events] == [first.id, second.id]
    assert told.events[0] == first
    assert told.events[0].champion == {"model": "sha256:é"}
    assert ledger.records_of(book, first) == {"image.json": b"v1.0.0"}


def test_records_are_kept_byte_for_byte_whatever_they_hold(project: Project) -> None:
    book = ledger.open_ledger(project)
    content = {"a.json": b"\xff\x00\r\n", "b.json": b"", "c.json": b"x" * 1_000_000}
    event = Event(kind="undo", name=book.name)
    kept = ledger.append(book, lambda _: Draft(event, content))
    assert ledger.records_of(book, kept) == content


def test_gto_reads_the_same_versions_and_environments(project: Project) -> None:
    import gto.api

    book = ledger.open_ledger(project)
    for version in ("v1.0.0", "v1.1.0"):
        written(book, "register", version)
        assigned(book, version, "staging")
        assigned(book, version)
    written(book, "rollback", "v1.0.0", environment="production")
    repository = str(project.home / "ledger.git")
    shown = gto.api.show(repository)
    assert shown["next-basket"]["version"] == "v1.1.0"
    assert shown["next-basket"]["stage"] == {"staging": "v1.1.0", "production": "v1.0.0"}
    told = [
        (entry["event"], entry["version"], entry["stage"])
        for entry in gto.api.history(repository, "next-basket", ascending=True)
        if entry["event"] != "commit"
    ]
    assert told == [
        ("registration", "v1.0.0", None),
        ("assignment", "v1.0.0", "staging"),
        ("assignment", "v1.0.0", "production"),
        ("registration", "v1.1.0", None),
        ("assignment", "v1.1.0", "staging"),
        ("assignment", "v1.1.0", "production"),
        ("assignment", "v1.0.0", "production"),
    ]


def test_nothing_of_it_enters_the_user_s_repository(
    root: Path, project: Project, remote: Path
) -> None:
    git(root, "remote", "add", "origin", str(remote))
    before = git(root, "for-each-ref")
    book = ledger.open_ledger(replace(project, ledger_remote="origin"))
    written(book, "register")
    assert book.shared
    assert git(root, "for-each-ref") == before
    assert git(root, "status", "--porcelain") == ""
    assert git(remote, "for-each-ref", "--format=%(refname)").splitlines() == [
        "refs/heads/slipway-ledger",
        "refs/tags/next-basket@v1.0.0",
    ]


def test_a_user_s_own_git_settings_change_nothing(
    root: Path, project: Project, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "hooks" / "pre-push"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[push]\nfollowTags = true\ngpgSign = false\n[core]\nhooksPath = {hook.parent}\n"
        "[tag]\ngpgSign = true\n[commit]\ngpgSign = true\n[fetch]\nprune = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    book = ledger.open_ledger(replace(project, ledger_remote=str(remote)))
    written(book, "register")
    assert assigned(book, "v1.0.0").number == 1


def test_a_relative_address_is_taken_from_the_checkout(project: Project, remote: Path) -> None:
    book = ledger.open_ledger(replace(project, ledger_remote="../server.git"))
    written(book, "register")
    assert "slipway-ledger" in git(remote, "branch", "--list", "slipway-ledger")


def test_other_models_on_the_same_branch_do_not_mix(project: Project, remote: Path) -> None:
    ours = ledger.open_ledger(replace(project, ledger_remote=str(remote)))
    theirs = replace(ours, name="other")
    written(theirs, "register", "v3.0.0")
    assert ledger.read(ours) == History()
    assert written(ours, "register").version == "v1.0.0"
    assert [event.version for event in ledger.read(theirs).events] == ["v3.0.0"]


@pytest.mark.parametrize("address", ["/nowhere/ledger.git", "file:///nowhere/l.git", "nowhere"])
def test_a_ledger_out_of_reach_is_a_tool_failure(project: Project, address: str) -> None:
    with pytest.raises(ToolError):
        ledger.read(ledger.open_ledger(replace(project, ledger_remote=address)))


def test_a_name_that_cannot_stand_in_a_tag_is_refused(tmp_path: Path) -> None:
    settings = deliveries.SETTINGS.replace("next-basket", "next basket")
    root = deliveries.checkout(tmp_path / "named", settings)
    with pytest.raises(ConfigError, match="cannot stand in a tag"):
        ledger.open_ledger(load(root))


def test_a_rewritten_ledger_is_noticed(project: Project, remote: Path) -> None:
    book = ledger.open_ledger(replace(project, ledger_remote=str(remote)))
    written(book, "register", "v1.0.0")
    written(book, "register", "v1.1.0")
    git(remote, "update-ref", "refs/heads/slipway-ledger", "refs/heads/slipway-ledger~1")
    with pytest.raises(EvidenceError, match="the ledger was rewritten"):
        ledger.read(book)
    git(remote, "update-ref", "-d", "refs/heads/slipway-ledger")
    with pytest.raises(EvidenceError, match="the ledger was rewritten"):
        ledger.read(book)


def test_a_local_ledger_that_was_deleted_starts_again(project: Project) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    shutil.rmtree(project.home)
    assert ledger.read(ledger.open_ledger(project)) == History()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"kind": "register"}', '{"kind": "party", "name": "m"}']
)
def test_a_malformed_event_is_named(project: Project, tmp_path: Path, content: str) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", "-b", "slipway-ledger", book.copy.address, str(work))
    (work / "event.json").write_text(content)
    git(work, "commit", "-q", "-am", "edited by hand")
    git(work, "push", "-q", "origin", "slipway-ledger")
    with pytest.raises(EvidenceError, match="an event of the ledger is malformed"):
        ledger.read(book)


def test_a_commit_without_an_event_is_named(project: Project, tmp_path: Path) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    work = tmp_path / "work"
    git(tmp_path, "clone", "-q", "-b", "slipway-ledger", book.copy.address, str(work))
    git(work, "rm", "-q", "event.json")
    git(work, "commit", "-q", "-m", "without")
    git(work, "push", "-q", "origin", "slipway-ledger")
    with pytest.raises(EvidenceError, match="the ledger has no"):
        ledger.read(book)


def test_a_ledger_that_refuses_is_a_tool_failure_and_nothing_is_written(
    project: Project, remote: Path
) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'you may not' >&2\nexit 1\n")
    hook.chmod(0o755)
    book = ledger.open_ledger(replace(project, ledger_remote=str(remote)))
    with pytest.raises(ToolError, match="does not take the event"):
        written(book, "register")
    assert git(remote, "for-each-ref") == ""
    hook.unlink()
    assert written(book, "register").version == "v1.0.0"


def test_a_tag_that_is_there_already_keeps_the_whole_event_out(
    project: Project, remote: Path
) -> None:
    book = ledger.open_ledger(replace(project, ledger_remote=str(remote)))
    first = written(book, "register")
    git(remote, "tag", "next-basket#production#1", first.id)
    with pytest.raises(ToolError, match="does not take the event"):
        assigned(book, "v1.0.0")
    assert git(remote, "rev-parse", "slipway-ledger") == first.id
    assert ledger.read(book).last("production") is None


def test_a_draft_that_finds_its_event_written_writes_nothing(project: Project) -> None:
    book = ledger.open_ledger(project)
    first = written(book, "register")
    assert ledger.append(book, lambda told: told.events[0]) == first
    assert len(ledger.read(book).events) == 1


def test_a_push_whose_answer_was_lost_counts_as_done(
    project: Project, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = ledger.open_ledger(replace(project, ledger_remote=str(remote)))
    written(book, "register")
    hook = remote / "hooks" / "post-receive"  # the push has arrived; its sender never hears of it
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nkill -9 $(ps -o ppid= -p $PPID)\n")
    hook.chmod(0o755)
    event = assigned(book, "v1.0.0")
    assert [e.id for e in ledger.read(book).assignments("production")] == [event.id]


def _write_many(root: Path, home: Path, remote: Path, name: str) -> list[str]:
    """Registers five versions, each above whatever is there; runs in a process of its own."""
    from slipway.tools.ledger import events

    book = ledger.open_ledger(deliveries.project_at(root, home, str(remote)))

    def draft(told: History) -> Draft:
        version = events.next_version(told)
        digest = f"{name} {version}"
        return Draft(Event(kind="register", name=book.name, version=version, digest=digest))

    try:
        return [ledger.append(book, draft).version for _ in range(5)]
    except SlipwayError as error:  # it could not travel back to the parent process
        return [str(error)]


def test_writers_at_the_same_time_all_get_a_place_of_their_own(
    tmp_path: Path, root: Path, remote: Path
) -> None:
    roots = [root, root, deliveries.checkout(tmp_path / "two")]
    jobs = [(r, tmp_path / f"home{i}", remote, f"w{i}") for i, r in enumerate(roots)]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        given = [version for written in pool.starmap(_write_many, jobs) for version in written]
    assert sorted(given) == sorted(f"v1.{n}.0" for n in range(15))
    told = ledger.read(ledger.open_ledger(deliveries.project_at(root, tmp_path / "h", str(remote))))
    assert [event.version for event in told.events] == [f"v1.{n}.0" for n in range(15)]


def _claim(root: Path, home: Path, remote: Path) -> str:
    """Opens an intent unless there is one; runs in a process of its own."""
    book = ledger.open_ledger(deliveries.project_at(root, home, str(remote)))

    def draft(told: History) -> Draft:
        if told.open_intent("production"):
            raise ToolError("production is being changed", "", "")
        time.sleep(0.05)
        return Draft(Event(kind="intent", name=book.name, environment="production"))

    try:
        return ledger.append(book, draft).id
    except SlipwayError as error:
        return error.what


def test_of_two_claims_at_the_same_time_one_is_written(
    tmp_path: Path, root: Path, remote: Path
) -> None:
    two = deliveries.checkout(tmp_path / "two")
    jobs = [(root, tmp_path / "h1", remote), (two, tmp_path / "h2", remote)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        answers = pool.starmap(_claim, jobs)
    assert answers.count("production is being changed") == 1
    told = ledger.read(ledger.open_ledger(deliveries.project_at(root, tmp_path / "h", str(remote))))
    assert [event.id for event in told.events] == [a for a in answers if " " not in a]


def test_a_kill_while_writing_leaves_a_ledger_that_reads_and_takes_more(
    tmp_path: Path, root: Path, project: Project
) -> None:
    book = ledger.open_ledger(project)
    written(book, "register", "v0.1.0")
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from tests.integration.test_ledger import _write_many
        while True:
            _write_many(Path({str(root)!r}), Path({str(tmp_path / "home")!r}), "", "killed")
        """
    )
    for delay in (0.4, 0.47, 0.53, 0.61):
        child = subprocess.Popen(
            [sys.executable, "-c", script],
            env=deliveries.environment(tmp_path / "home"),
            cwd=deliveries.ROOT,
            start_new_session=True,
        )
        time.sleep(delay)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        told = ledger.read(book)
        versions = [event.version for event in told.events]
        assert len(versions) == len(set(versions))
        lost = {f"next-basket@{version}" for version in versions} - set(ledger.tags_of(book))
        assert lost <= {f"next-basket@{versions[-1]}"}  # git itself was killed between two refs
    last = written(book, "register", "v99.0.0")
    assert set(ledger.tags_of(book)) == {f"next-basket@{v}" for v in [*versions, last.version]}


def test_a_tag_that_was_lost_comes_back_as_it_was_with_the_next_event(
    root: Path, project: Project
) -> None:
    book = ledger.open_ledger(project)
    registered = written(book, "register", "v0.1.0")
    assigned(book, "v0.1.0")
    remote = Path(book.copy.address)
    names = ("next-basket@v0.1.0", "next-basket#production#1")
    before = {name: git(remote, "rev-parse", f"refs/tags/{name}") for name in names}
    for name in names:
        git(remote, "update-ref", "-d", f"refs/tags/{name}")
    shutil.rmtree(book.copy.folder)  # another checkout writes next
    assert ledger.tags_of(book) == {}
    written(book, "register", "v0.2.0")
    assert {name: git(remote, "rev-parse", f"refs/tags/{name}") for name in names} == before
    assert ledger.tags_of(book)["next-basket@v0.1.0"] == registered.id


def test_locks_that_a_killed_git_left_do_not_stand_in_the_way(project: Project) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    for name in ("packed-refs.lock", "refs/heads/slipway-ledger.lock", "config.lock"):
        (book.copy.folder / name).touch()
    assert assigned(book, "v1.0.0").number == 1


@pytest.mark.parametrize("ref", ["refs/heads/slipway-ledger", "refs/tags/next-basket@v0.2.0"])
def test_a_lock_that_a_killed_git_left_in_our_own_ledger_is_taken_away(
    project: Project, ref: str
) -> None:
    book = ledger.open_ledger(project)
    written(book, "register", "v0.1.0")
    lock = Path(book.copy.address) / f"{ref}.lock"
    lock.touch()
    written(book, "register", "v0.2.0")
    assert not lock.exists()
    assert [event.version for event in ledger.read(book).events] == ["v0.1.0", "v0.2.0"]


def test_a_lock_in_a_ledger_of_others_is_named_and_left(project: Project) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    lock = Path(book.copy.address) / "refs/heads/slipway-ledger.lock"
    lock.touch()
    with pytest.raises(ToolError, match="slipway-ledger.lock"):
        written(replace(book, shared=True), "register", "v2.0.0")
    assert lock.exists()


@pytest.mark.parametrize("part", ["", "objects", "HEAD", "refs"])
def test_a_copy_that_was_damaged_is_made_again(root: Path, project: Project, part: str) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    damaged = book.copy.folder / part
    shutil.rmtree(damaged) if damaged.is_dir() else damaged.unlink()
    assert assigned(book, "v1.0.0").number == 1
    assert git(root, "for-each-ref", "--format=%(refname)") == "refs/heads/" + git(
        root, "branch", "--show-current"
    )


def test_a_copy_without_its_objects_is_named(project: Project) -> None:
    book = ledger.open_ledger(project)
    written(book, "register")
    for path in (book.copy.folder / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(SlipwayError) as failure:
        ledger.read(book)
    assert failure.value.exit_code in (4, 5)
    assert str(book.copy.folder) in str(failure.value)
