"""One DVC cache for the checkouts of a host: shared, protected, whole, whoever is killed."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from slipway import config
from slipway.records import digest_of
from slipway.stages import data
from slipway.tools import folders, hashes
from tests import pipelines
from tests.pipelines import (
    branch_with,
    change,
    contents,
    damaged,
    fresh,
    links,
    object_of,
    remote_of,
)
from tests.projects import Checkout

WRITES_INTO_ITS_INPUT = """
import pathlib
for p in sorted(pathlib.Path("prepared").rglob("*")):
    with p.open("r+b") as stream:
        stream.write(b"XX")
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A pipeline that has run once, its lock committed, its outs in the remote."""
    return pipelines.delivered_once(tmp_path_factory.mktemp("template") / "one")


@pytest.fixture
def done(template: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it that the test may change."""
    return pipelines.copied(template, tmp_path / "copy")


def agent(done: Checkout, folder: Path, branch: str = "main", **env: str) -> Checkout:
    """A CI server's workspace on this host."""
    return fresh(done, folder, branch, **{"BRANCH_NAME": branch, **env})


def cache_of(done: Checkout) -> Path:
    """The cache that the workspaces share where nothing is configured."""
    return done.home / "next-basket" / "dvc-cache"


def test_workspaces_of_one_host_share_a_cache(done: Checkout, tmp_path: Path) -> None:
    first = agent(done, tmp_path / "first")
    first.slipway("repro")
    shutil.rmtree(remote_of(done))
    second = agent(done, tmp_path / "second")
    plan = second.slipway("plan", "--json").out
    assert json.loads(plan)["restored"]["train"] == "the cache"
    assert second.slipway("repro").out == "ran: reference, champion\n"
    weights = second.root / "models/candidate/weights.bin"
    assert weights.read_bytes() == (first.root / "models/candidate/weights.bin").read_bytes()
    assert links(weights) == 3  # both workspaces' and the cache's: nothing was copied
    assert not any((w.root / ".dvc/cache/files").exists() for w in (first, second))
    assert contents(remote_of(done))  # sent again, since it was lost there
    assert damaged(cache_of(done)) == []


def test_a_named_folder_is_the_cache_and_a_users_own_setting_stays(
    done: Checkout, tmp_path: Path
) -> None:
    named = fresh(done, tmp_path / "named", SLIPWAY_DVC_CACHE=str(tmp_path / "shared"))
    named.slipway("repro", "train")
    assert contents(tmp_path / "shared")
    own = fresh(done, tmp_path / "own", SLIPWAY_DVC_CACHE=str(tmp_path / "not-this"))
    own.run("dvc", "cache", "dir", "--local", str(tmp_path / "mine"))
    own.slipway("repro", "train")
    assert contents(tmp_path / "mine")
    assert not (tmp_path / "not-this").exists()


def test_a_checkout_in_a_shell_keeps_its_own_cache(done: Checkout) -> None:
    done.slipway("repro")
    assert not cache_of(done).exists()
    assert "[cache]" not in (done.root / ".dvc/config.local").read_text()


def test_a_stage_that_writes_into_its_input_is_refused_and_the_cache_stays_whole(
    done: Checkout, tmp_path: Path
) -> None:
    branch_with(done, "bad", "ml/train.py", "import json", f"{WRITES_INTO_ITS_INPUT}\nimport json")
    work = agent(done, tmp_path / "work", "bad")
    before, lock = contents(remote_of(done)), (work.root / "dvc.lock").read_bytes()
    refused = work.slipway("repro", code=5).err.strip().splitlines()[-3:]
    assert "a DVC stage wrote into prepared/lines.txt" in refused[0]
    assert damaged(cache_of(done)) == []
    assert contents(remote_of(done)) == before
    assert (work.root / "dvc.lock").read_bytes() == lock
    change(work, "ml/train.py", WRITES_INTO_ITS_INPUT, "")
    work.slipway("repro")
    assert damaged(cache_of(done)) == damaged(remote_of(done)) == []


def test_what_is_written_through_a_link_between_two_builds_is_healed(
    done: Checkout, tmp_path: Path
) -> None:
    first = agent(done, tmp_path / "first")
    first.slipway("repro")
    for name in ("prepared/lines.txt", "models/candidate/weights.bin"):
        with (first.root / name).open("r+b") as stream:
            stream.write(b"altered")
    assert len(damaged(cache_of(done))) == 2
    second = agent(done, tmp_path / "second")
    assert second.slipway("repro").out == "ran: reference, champion\n"
    assert damaged(cache_of(done)) == []
    assert contents(second.root / "models") == contents(done.root / "models")
    assert first.slipway("repro").out == "ran: reference, champion\n"
    assert contents(first.root / "models") == contents(done.root / "models")


def test_data_that_was_altered_through_a_link_is_refused_and_can_be_had_again(
    done: Checkout, tmp_path: Path
) -> None:
    work = agent(done, tmp_path / "work")
    work.slipway("data", "pull")
    with (work.root / "data/2001-01.csv").open("r+b") as stream:
        stream.write(b"altered")
    refused = work.slipway("repro", code=5).err
    assert "2001-01.csv" in refused
    assert damaged(cache_of(done)) == []
    shutil.rmtree(work.root / "data")
    work.slipway("data", "pull")
    assert contents(work.root / "data") == contents(done.root / "data")


@pytest.mark.parametrize("command", ["repro", "gate data"])
def test_a_memo_of_hashes_that_lies_weakens_no_evidence(done: Checkout, command: str) -> None:
    path, pointer = done.root / "data/2001-01.csv", (done.root / "data.dvc").read_bytes()
    memo, good = done.root / ".slipway" / hashes.FILE, folders.md5(path)
    path.unlink()
    path.write_bytes(b"altered\n")
    time.sleep(hashes.SETTLED_NS / 1e9 + 0.1)
    assert "2001-01.csv has other bytes" in done.slipway("repro", code=5).err
    lie = memo.read_bytes().partition(b"\n")[2].replace(folders.md5(path).encode(), good.encode())
    memo.write_bytes(f"{digest_of(lie)}\n".encode() + lie)
    assert data.altered(config.load(done.root)) == ""
    refused = done.slipway(*command.split(), code=5).err.strip().splitlines()[-3:]
    assert "data.dvc names md5:" in refused[0]
    assert (done.root / "data.dvc").read_bytes() == pointer
    assert not (done.root / "delivery/data-verdict.json").exists()


def test_a_pull_request_reads_what_is_shared_and_writes_only_its_own(
    done: Checkout, tmp_path: Path
) -> None:
    agent(done, tmp_path / "main").slipway("repro")
    shared, remote = contents(cache_of(done)), contents(remote_of(done))
    branch_with(done, "change", "params.yaml", "epochs: 3", "epochs: 5")
    shutil.move(remote_of(done), tmp_path / "away")  # it has no credentials for it
    request = agent(done, tmp_path / "request", "change", CHANGE_ID="7")
    plan = json.loads(request.slipway("plan", "--json").out)
    assert plan["restored"]["prepare"] == "the shared cache"
    assert request.slipway("repro").out == "ran: reference, train, champion, evaluate, gate-model\n"
    assert contents(request.root / ".dvc/cache/files")
    assert contents(cache_of(done)) == shared
    assert not remote_of(done).exists()
    shutil.move(tmp_path / "away", remote_of(done))
    assert contents(remote_of(done)) == remote
    assert links(request.root / "prepared/lines.txt") == 1  # no way back into the shared one


def write_over(path: Path) -> None:
    """Other bytes under the same name, size and time: what DVC takes for unchanged."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(b"X" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("times", ["kept", "new"])
def test_data_that_the_cache_holds_otherwise_is_never_taken(
    done: Checkout, tmp_path: Path, times: str
) -> None:
    work = agent(done, tmp_path / "work")
    for _ in range(2):  # the second time DVC knows the object
        work.slipway("data", "pull")
        shutil.rmtree(work.root / "data")
    stored = object_of(done, cache_of(done), "data/2001-01.csv")
    write_over(stored)
    if times == "new":
        os.utime(stored)
    else:
        refused = work.slipway("data", "pull", code=5).err
        assert "2001-01.csv has other bytes" in refused
        assert not (work.root / "data").exists()
    work.slipway("data", "pull")
    assert contents(work.root / "data") == contents(done.root / "data")
    assert damaged(cache_of(done)) == []


@pytest.mark.parametrize("which", ["weights.bin", "listing"])
def test_what_a_run_record_promises_is_looked_at_too(
    done: Checkout, tmp_path: Path, which: str
) -> None:
    branch_with(done, "other", "params.yaml", "epochs: 3", "epochs: 8")
    first = agent(done, tmp_path / "first", "other")
    first.slipway("repro")
    made = contents(first.root / "models/candidate")
    listing = folders.digest(made).removeprefix("md5:")
    stored = cache_of(done) / "files/md5" / listing[:2] / listing[2:]
    if which == "weights.bin":
        stored = object_of(first, cache_of(done), "models/candidate/weights.bin")
    stored.chmod(0o644)
    stored.write_bytes(b"{}")
    again = agent(done, tmp_path / "again", "other")
    assert again.slipway("repro").out == "ran: reference, champion\n"
    assert contents(again.root / "models/candidate") == made
    assert damaged(cache_of(done)) == damaged(remote_of(done)) == []


def test_what_a_blocked_gate_left_counts_as_used(done: Checkout, tmp_path: Path) -> None:
    blocks = "name == 'gate-model' and sys.exit(3)\npath.write_text"
    branch_with(done, "blocked", "ml/step.py", "path.write_text", blocks)
    work = agent(done, tmp_path / "work", "blocked")
    assert "blocked by" in work.slipway("repro", code=3).out
    (note,) = (cache_of(done) / "slipway/used").glob("*.json")
    made = contents(work.root / "models/candidate")
    assert made
    assert {*made.values()} <= {*json.loads(note.read_bytes())}


# Two builds at once, one killed.


def wait_for(what: Path, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not what.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert what.exists()


@pytest.mark.parametrize("content", [b"", b'{"write": {"a"'])
def test_a_note_of_dvcs_that_a_kill_cut_short_is_no_obstacle(
    done: Checkout, content: bytes
) -> None:
    note = done.root / ".dvc" / "tmp" / "rwlock"
    note.write_bytes(content)
    done.slipway("repro")
    assert isinstance(json.loads(note.read_bytes()), dict)


@pytest.mark.parametrize("moment", ["train", "push"])
def test_of_two_builds_at_once_one_is_killed_and_the_other_is_right(
    done: Checkout, tmp_path: Path, moment: str
) -> None:
    for name, epochs in (("killed", "6"), ("other", "7")):
        branch_with(done, name, "params.yaml", "epochs: 3", f"epochs: {epochs}")
    slow = {"SLOW_S": "1.5"}
    killed = agent(done, tmp_path / "killed", "killed", **slow)
    other = agent(done, tmp_path / "other", "other", **slow)
    reached = killed.root / ("models/candidate" if moment == "train" else "verdicts/model.json")
    with other.start("repro") as second, killed.start("repro") as first:
        wait_for(reached)
        if moment == "push":
            until_pushing(cache_of(done), remote_of(done))
        first.send_signal(signal.SIGKILL)
        out, err = second.communicate(timeout=120)
        assert second.returncode == 0, err
    assert out == "ran: reference, train, champion, evaluate, gate-model\n"
    assert damaged(cache_of(done)) == damaged(remote_of(done)) == []
    assert (other.root / "models/candidate/weights.bin").read_bytes().startswith(b"{")
    again = killed.slipway("repro")
    assert "champion" in again.out
    assert damaged(cache_of(done)) == damaged(remote_of(done)) == []
    for build in (killed, other):
        clone = agent(done, tmp_path / f"after-{build.root.name}", build.root.name)
        assert clone.slipway("repro").out == "ran: reference, champion\n"
        assert contents(clone.root / "models") == contents(build.root / "models")


def until_pushing(cache: Path, remote: Path) -> None:
    """Returns as soon as the remote has more run records than before, but not all."""
    before, until = records_in(remote), time.monotonic() + 60
    while records_in(remote) == before and time.monotonic() < until:
        time.sleep(0.001)
    assert records_in(remote) > before
    assert cache.is_dir()


def records_in(remote: Path) -> int:
    """How many run records it holds, by their names: another process may just be writing one."""
    return sum(len(path.name) == 64 for path in (remote / "runs").glob("*/*/*"))
