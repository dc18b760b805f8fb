"""Offending rows and a real DVC remote: set apart here, fetched elsewhere, pruned at last."""

import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from slipway.records import Verdict, read
from slipway.tools import folders
from tests import pipelines
from tests.datasets import LAST, change, data_project, real_months
from tests.pipelines import contents, remote_of
from tests.projects import Checkout, few_customers

SETTINGS: dict[str, Any] = {  # quick gates; what they find is not what these tests ask
    "gates/data": {"files": {}, "duplicates": {}},
    "retention/quarantine_days": 20.0,
}
TWICE = 12  # lines that stand twice


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project whose data version has lines twice, blocked, its rows set apart."""
    months = few_customers(real_months(), percent=1)
    folder = tmp_path_factory.mktemp("template")
    checkout = data_project(folder, months, SETTINGS)
    change(checkout.root / "data" / LAST, lambda lines: [*lines, *lines[:TWICE]])
    checkout.run("dvc", "add", "-q", "data")
    checkout.commit("Lines twice")
    origin = folder / "origin.git"
    checkout.run("git", "init", "-q", "--bare", "-b", "main", str(origin))
    checkout.run("git", "remote", "add", "origin", str(origin))
    checkout.run("git", "push", "-q", "origin", "main")
    checkout.slipway("gate", "data", code=3)
    return checkout


@pytest.fixture
def blocked(template: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it that the test may change."""
    copy = pipelines.copied(template, tmp_path / "copy")
    (copy.root / ".dvc" / "config.local").unlink(missing_ok=True)
    return copy


def verdict_of(checkout: Checkout) -> Verdict:
    return read(checkout.root / "delivery", "data-verdict", Verdict)


def elsewhere(checkout: Checkout, folder: Path) -> Checkout:
    """Another clone, of somebody who has the remote and nothing else."""
    clone = checkout.clone(folder)
    assert not (clone.root / ".dvc/cache").exists()
    return clone


def customers(checkout: Checkout) -> set[str]:
    """The ids of the customers whose lines stand twice."""
    lines = (checkout.root / "data" / LAST).read_text().splitlines()[1 : TWICE + 1]
    return {line.split(",")[1].strip('"') for line in lines}


def test_what_one_checkout_set_apart_another_one_fetches(blocked: Checkout, tmp_path: Path) -> None:
    verdict = verdict_of(blocked)
    (finding,) = [f for f in verdict.findings if f.outcome == "block"]
    assert (finding.gate, finding.where) == ("duplicates", "exact")
    assert (finding.offending, finding.quarantined) == (TWICE, TWICE)
    clone = elsewhere(blocked, tmp_path / "clone")
    said = clone.slipway("quarantine", verdict.quarantine, "--into", str(tmp_path / "rows"))
    rows = pq.read_table(tmp_path / "rows" / finding.file)
    assert set(rows["CUSTOMER_ID"].to_pylist()) == customers(blocked)
    assert rows.num_rows == TWICE and set(rows["slipway where"].to_pylist()) == {"exact"}
    assert "exact" in said.out and not [c for c in customers(blocked) if c in said.out + said.err]
    assert (tmp_path / "rows").stat().st_mode & 0o777 == 0o700


def test_what_slipway_made_is_closed_to_others(template: Checkout) -> None:
    made = (remote_of(template), template.root / ".dvc/cache", template.root / "quarantine")
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    checks = json.loads(template.slipway("doctor", "--json", code=None).out)
    said = {one["name"]: one["outcome"] for one in checks if one["section"] == "privacy"}
    assert said == dict.fromkeys(
        ("quarantine", "fetched quarantine", "DVC cache", "DVC remote"), "ok"
    )


def test_nothing_personal_is_in_the_delivery_and_junit_says_how_to_get_it(
    blocked: Checkout,
) -> None:
    blocked.slipway("report")
    files = [path for path in (blocked.root / "delivery").rglob("*") if path.is_file()]
    said = {path.name: path.read_text(errors="replace") for path in files}
    assert len(said) > 5 and customers(blocked)
    for name, text in said.items():
        assert not [customer for customer in customers(blocked) if customer in text], name
        assert not name.endswith(".parquet")
    for name in ("data-verdict.xml", "index.html", "summary.md"):
        assert verdict_of(blocked).quarantine[4:20] in said[name], name


def test_the_verdict_of_the_same_rows_is_the_same_again(blocked: Checkout) -> None:
    before = verdict_of(blocked)
    blocked.slipway("gate", "data", code=3)
    assert verdict_of(blocked) == before
    assert folders.digest(contents(blocked.root / "quarantine/data")) == before.quarantine


def test_data_that_dvc_does_not_know_are_set_apart_too(blocked: Checkout, tmp_path: Path) -> None:
    change(blocked.root / "data" / LAST, lambda lines: [*lines, lines[40]])
    before = folders.digest(contents(blocked.root / "quarantine/data"))
    blocked.slipway("gate", "data", code=3)
    verdict = verdict_of(blocked)
    assert verdict.quarantine not in ("", before)
    assert folders.digest(contents(blocked.root / "quarantine/data")) == before  # DVC's own
    clone = elsewhere(blocked, tmp_path / "clone")
    clone.slipway("quarantine", verdict.quarantine, "--into", str(tmp_path / "rows"))
    assert folders.digest(contents(tmp_path / "rows")) == verdict.quarantine


def test_who_ends_it_in_the_middle_loses_nothing(blocked: Checkout) -> None:
    expected = verdict_of(blocked).quarantine
    shutil.rmtree(remote_of(blocked))
    shutil.rmtree(blocked.root / ".dvc/cache")
    for name in ("quarantine", "verdicts", ".slipway", "delivery"):
        shutil.rmtree(blocked.root / name)
    aside = blocked.root / ".slipway/quarantine/data.partial"
    command = ("gate", "data", "--out", "verdicts/data.json")
    with blocked.start(*command) as child:
        while not aside.exists() and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert not (blocked.root / "verdicts/data.json").exists()
    passed = blocked.root / "verdicts/data.passed"  # of an earlier run
    passed.parent.mkdir()
    passed.touch()
    blocked.slipway(*command, code=3)
    assert not aside.exists()
    assert not passed.exists()
    assert folders.digest(contents(blocked.root / "quarantine/data")) == expected
    kept = expected.removeprefix("md5:")
    assert (remote_of(blocked) / "files/md5" / kept[:2] / kept[2:]).is_file()


@pytest.mark.parametrize("env", [{"CHANGE_ID": "7"}, {"BRANCH_NAME": "feature"}])
def test_a_build_that_may_not_go_live_sends_nothing(
    blocked: Checkout, tmp_path: Path, env: dict[str, str]
) -> None:
    build = replace(blocked, env=env)
    shutil.rmtree(remote_of(build))
    shutil.rmtree(build.root / "delivery")
    said = build.slipway("gate", "data", "--out", "verdicts/data.json", code=3).err
    assert "nothing in the DVC remote" in said
    assert contents(remote_of(build)) == {}
    assert remote_of(build).exists() == ("CHANGE_ID" not in env)
    digest = json.loads((build.root / "verdicts/data.json").read_bytes())["quarantine"]
    assert "1 file in" in build.slipway("quarantine").out  # whoever is at the agent may look
    lost = elsewhere(blocked, tmp_path / "clone").slipway("quarantine", digest, code=5)
    assert "neither the cache nor the remote has this quarantine" in lost.err


def test_a_remote_that_takes_nothing_does_not_lose_the_verdict(blocked: Checkout) -> None:
    shutil.rmtree(blocked.root / "delivery")
    remote = blocked.root / "far"
    blocked.settings({"data/remote": "far"})
    remote.mkdir()
    (remote / "files").write_text("in the way")
    said = blocked.slipway("gate", "data", "--out", "verdicts/data.json", code=3).err
    assert "quarantined rows are in this checkout's cache alone: cannot push" in said
    assert json.loads((blocked.root / "verdicts/data.json").read_bytes())["quarantine"]


def test_what_the_remote_has_changed_is_not_taken(blocked: Checkout, tmp_path: Path) -> None:
    verdict = verdict_of(blocked)
    parquet = next((blocked.root / "quarantine/data").glob("*.parquet"))
    there = pipelines.object_of(blocked, remote_of(blocked), str(parquet.relative_to(blocked.root)))
    there.chmod(0o644)
    there.write_bytes(b"PAR1 and more")
    clone = elsewhere(blocked, tmp_path / "clone")
    said = clone.slipway("quarantine", verdict.quarantine, "--into", str(tmp_path / "r"), code=5)
    assert "no place has" in said.err and not (tmp_path / "r").exists()


def test_a_gate_that_passes_leaves_its_rows_to_dvc(blocked: Checkout, tmp_path: Path) -> None:
    blocked.settings({"gates/data/duplicates": {"max_exact": 1.0}})
    blocked.run("rm", "-r", "delivery")
    blocked.slipway("repro", "gate-data")
    lock = (blocked.root / "dvc.lock").read_text()
    assert "path: quarantine/data" in lock
    index = json.loads((blocked.root / "quarantine/data/index.json").read_bytes())
    assert index == [] and (blocked.root / "quarantine").stat().st_mode & 0o777 == 0o700
    blocked.commit("Lock what ran")
    blocked.run("git", "push", "-q", "origin", "main")
    clone = elsewhere(blocked, tmp_path / "clone")
    clone.slipway("repro", "gate-data")
    assert (clone.root / "quarantine/data/index.json").exists()
    assert (clone.root / "quarantine").stat().st_mode & 0o777 == 0o700


def test_what_was_set_apart_long_ago_goes_and_the_rest_stays(
    blocked: Checkout, tmp_path: Path
) -> None:
    digest = verdict_of(blocked).quarantine
    places = (remote_of(blocked), blocked.root / ".dvc/cache")
    notes = [note for place in places for note in (place / "slipway/quarantine").glob("*")]
    assert len(notes) == 2
    assert "quarantine" not in blocked.slipway("prune", "--json").out
    for note in notes:
        os.utime(note, (time.time() - 21 * 86400,) * 2)
    data = contents(remote_of(blocked))
    answer = json.loads(blocked.slipway("prune", "--json").out)
    assert [piece["what"] for piece in answer["removed"]] == ["quarantine"] * 2
    assert len(data) - len(contents(remote_of(blocked))) == 4  # rows, index, listing, note
    blocked.slipway("quarantine", digest, code=5)
    blocked.slipway("data", "pull")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("no-digest",), 2, "no digest of a quarantine"),
        (("md5:" + "0" * 32 + ".dir",), 5, "neither the cache nor the remote"),
        (("--into", "data"), 2, "there is something already"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_three_lines(
    template: Checkout, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = template.slipway("quarantine", *words, code=code)
    assert said in answer.err and "where:" in answer.err and "to do:" in answer.err


def test_a_folder_that_is_no_quarantine_is_refused(blocked: Checkout) -> None:
    digest = folders.digest(contents(blocked.root / "data"))
    said = blocked.slipway("quarantine", digest, "--into", "x", code=5).err
    assert "no quarantine" in said and not (blocked.root / "x").exists()
