"""`slipway prune` and the DVC cache that checkouts share: what goes, what stays, and when not."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from slipway.tools.dvc.usage import together
from tests import pipelines
from tests.pipelines import branch_with, contents, damaged, fresh
from tests.projects import Checkout

DAYS = 86400


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A pipeline whose main branch and another one have used the shared cache."""
    folder = tmp_path_factory.mktemp("template")
    made = pipelines.delivered_once(folder / "one")
    made.settings({"retention/hours": 0.0})
    made.commit("Prune at once")
    made.run("git", "push", "-q", "origin", "main")
    branch_with(made, "other", "params.yaml", "epochs: 3", "epochs: 8")
    for name in ("main", "other"):
        agent(made, folder / name, name).slipway("repro")
    return made


@pytest.fixture
def done(template: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it that the test may change."""
    return pipelines.copied(template, tmp_path / "copy")


def agent(done: Checkout, folder: Path, branch: str) -> Checkout:
    return fresh(done, folder, branch, BRANCH_NAME=branch)


def cache_of(done: Checkout) -> Path:
    return done.home / "next-basket" / "dvc-cache"


def pruned(done: Checkout, *words: str) -> Any:
    """What a pruning answers, of the DVC cache alone."""
    answer = json.loads(done.slipway("prune", "--json", *words).out)
    return {**answer, "removed": [p for p in answer["removed"] if p["what"] == "data"]}


def forget_uses(done: Checkout) -> None:
    """Makes every build that used the cache one of long ago."""
    long_ago = time.time() - 40 * DAYS
    for note in (cache_of(done) / "slipway/used").glob("*.json"):
        os.utime(note, (long_ago, long_ago))


def test_what_a_recent_build_used_stays(done: Checkout) -> None:
    before = contents(cache_of(done))
    assert pruned(done)["removed"] == []
    assert contents(cache_of(done)).items() >= before.items()


def test_what_nothing_names_goes_and_what_a_branch_names_stays(
    done: Checkout, tmp_path: Path
) -> None:
    forget_uses(done)
    before = contents(cache_of(done))
    tried = pruned(done, "--dry-run")
    assert contents(cache_of(done)) == before
    (piece,) = pruned(done)["removed"]
    assert [p["name"] for p in tried["removed"]] == [piece["name"]]
    assert piece["what"] == "data"
    assert piece["bytes"] > 10_000
    assert damaged(cache_of(done)) == []
    (tmp_path / "copy/home/next-basket/dvc-remote").rename(tmp_path / "away")
    kept = agent(done, tmp_path / "again", "main")
    assert kept.slipway("repro").out == "ran: reference, champion\n"  # main's lock names it
    gone = agent(done, tmp_path / "gone", "other")
    assert "train" in gone.slipway("plan", "--json").out
    assert json.loads(gone.slipway("plan", "--json").out)["train_on"] == "cpu"


def test_a_lock_on_any_branch_keeps_what_it_names(done: Checkout, tmp_path: Path) -> None:
    work = agent(done, tmp_path / "locked", "other")
    work.slipway("repro")
    work.commit("Lock what ran")
    work.run("git", "push", "-q", "origin", "HEAD:refs/heads/other")
    forget_uses(done)
    assert pruned(done)["removed"] == []


def test_while_a_build_uses_the_cache_it_is_left_for_another_time(done: Checkout) -> None:
    forget_uses(done)
    before = contents(cache_of(done) / "files")
    with together(cache_of(done)):
        answer = pruned(done)
    assert answer["removed"] == []
    assert "a build uses it now" in answer["notes"][0]
    assert contents(cache_of(done) / "files") == before


def test_leftovers_of_killed_writes_go(done: Checkout) -> None:
    left = cache_of(done) / "files/md5/aa/.bb.123"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half of it")
    pruned(done)
    assert not left.exists()


def test_without_its_origin_nothing_is_removed(done: Checkout) -> None:
    forget_uses(done)
    before = contents(cache_of(done) / "files")
    done.run("git", "remote", "set-url", "origin", "/nowhere/at/all.git")
    assert len(done.slipway("prune", code=4).err.strip().splitlines()) == 3
    assert contents(cache_of(done) / "files") == before


def test_every_file_of_dvc_counts_wherever_it_lies(done: Checkout) -> None:
    forget_uses(done)
    named = contents(done.root / "models")
    place = done.root / "models" / "other"  # a project in a folder, with data of another name
    place.mkdir()
    (done.root / "dvc.lock").rename(place / "dvc.lock")
    (done.root / "data.dvc").rename(place / "prices.csv.dvc")
    done.run("git", "add", "-f", "models/other")
    done.run("git", "commit", "-qam", "One project of several")
    done.run("git", "push", "-q", "origin", "main", ":other")
    done.run("git", "branch", "-qD", "other")
    (place / "prices.csv.dvc").rename(done.root / "data.dvc")
    done.run("git", "rm", "-qr", "models/other")
    done.commit("Elsewhere, it is still named")
    pruned(done)
    kept = {path.parent.name + path.name for path in (cache_of(done) / "files/md5").glob("*/*")}
    assert set(named.values()) <= kept
    assert damaged(cache_of(done)) == []
