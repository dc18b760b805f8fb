"""`slipway plan` in fresh shallow clones: what is stale and why, what can be restored."""

import json
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from slipway import config
from slipway.records import Plan, canonical, parse
from slipway.tools import folders, ledger, pipeline
from slipway.tools.dvc import locked
from slipway.tools.ledger import Event
from tests import buckets, pipelines
from tests.pipelines import branch_with, change, contents, fresh, remote_of
from tests.projects import Checkout

MADE = ("gate-data", "prepare", "gate-prepared", "train", "evaluate", "gate-model")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A pipeline that has run once, its lock committed, its outs in the remote."""
    return pipelines.delivered_once(tmp_path_factory.mktemp("template") / "one")


@pytest.fixture
def done(template: Checkout, tmp_path: Path) -> Checkout:
    """A copy of it that the test may change."""
    return pipelines.copied(template, tmp_path / "copy")


def planned(clone: Checkout, *words: str) -> Plan:
    """What a plan says, its record read back."""
    clone.slipway("plan", *words)
    return parse((clone.root / "delivery/plan.json").read_bytes(), Plan, "plan.json")


def test_a_fresh_shallow_clone_restores_everything_and_downloads_nothing(
    done: Checkout, tmp_path: Path
) -> None:
    clone, before = fresh(done, tmp_path / "ci"), contents(remote_of(done))
    plan = planned(clone)
    assert (plan.stale, plan.train_on) == ({}, "none")
    assert plan.restored == dict.fromkeys(MADE, "the remote")
    assert not (clone.root / ".dvc/cache/files").exists()
    assert not any((clone.root / name).exists() for name in ("data", "models", "prepared"))
    assert contents(remote_of(done)) == before


def test_with_nothing_in_any_remote_a_fresh_clone_trains(done: Checkout, tmp_path: Path) -> None:
    clone = fresh(done, tmp_path / "ci")
    shutil.rmtree(remote_of(done))
    plan = planned(clone)
    assert plan.train_on == "cpu"
    assert plan.stale["train"] == "models/candidate is neither here nor in the cache nor the remote"
    assert list(plan.missing) == ["data"]


CHANGES = {  # file, text, other text → the first stage that it makes stale, and what is said
    "parameter": ("params.yaml", "epochs: 3", "epochs: 4", "train", "params.yaml:train.epochs"),
    "code": ("ml/train.py", "* 5000", "* 5001", "train", "ml/train.py modified"),
    "command": ("dvc.yaml", "ml/train.py\n", "-B ml/train.py\n", "train", "command changed"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_named_and_only_what_depends_on_it_runs(
    done: Checkout, tmp_path: Path, what: str
) -> None:
    path, old, new, stage, said = CHANGES[what]
    branch_with(done, what, path, old, new)
    plan = planned(fresh(done, tmp_path / "ci", what))
    assert said in plan.stale[stage]
    assert set(plan.stale) == {"train", "champion", "evaluate", "gate-model"}
    assert plan.stale["evaluate"] == "after train, champion"
    assert plan.train_on == "cpu"
    assert plan.restored == dict.fromkeys(("gate-data", "prepare", "gate-prepared"), "the remote")


def test_other_data_makes_everything_stale_that_reads_it(done: Checkout) -> None:
    (done.root / "data" / "2001-03.csv").write_bytes(b"3,new\n")
    done.run("dvc", "add", "-q", "data")
    plan = planned(done)
    rows = [line.split()[1] for line in done.slipway("plan").out.splitlines() if ": " in line]
    assert rows == [f"{name}:" for name in pipeline.DVC_STAGES[1:]]  # as they run, also again
    assert plan.stale["gate-data"] == plan.stale["prepare"] == "data modified"
    assert plan.stale["train"] == "after prepare, gate-prepared"


def test_what_another_branch_trained_is_restored_and_not_trained_again(
    done: Checkout, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        branch_with(done, name, "params.yaml", "epochs: 3", "epochs: 4")
    first = fresh(done, tmp_path / "first", "first")
    first.slipway("repro")
    second = fresh(done, tmp_path / "second", "second")
    plan = planned(second)
    assert (plan.stale, plan.train_on) == ({}, "none")
    assert plan.restored["train"] == "the remote (made by another run)"
    assert second.slipway("repro").out == "ran: reference, champion\n"
    assert contents(second.root / "models") == contents(first.root / "models")
    assert (second.root / "dvc.lock").read_bytes() == (first.root / "dvc.lock").read_bytes()
    assert second.record("candidate")["source"] == "restored"
    assert not (second.root / "data").exists()  # nothing that runs reads it


def test_a_stage_of_the_teams_own_is_restored_like_the_others(
    done: Checkout, tmp_path: Path
) -> None:
    extra = "  extra:\n    cmd: mkdir extra && cp prepared/lines.txt extra\n"
    extra += "    deps: [prepared]\n    outs: [extra]\n"
    change(done, "dvc.yaml", "  train:\n", f"{extra}  train:\n")
    change(done, "dvc.yaml", "deps: [ml/train.py, ", "deps: [extra, ml/train.py, ")
    assert planned(done).stale["train"] == "after extra"
    done.slipway("repro", "train")
    done.commit("A stage of our own")
    done.run("git", "push", "-q", "origin", "main")
    clone = fresh(done, tmp_path / "ci")
    assert planned(clone).restored["extra"] == "the remote"
    assert clone.slipway("repro", "train").out == "ran: reference\n"
    assert contents(clone.root / "extra") == contents(done.root / "extra")


def test_a_gate_that_is_asked_otherwise_trains_nothing(done: Checkout, tmp_path: Path) -> None:
    branch_with(done, "stricter", "dvc.yaml", "step.py gate-prepared", "step.py stricter")
    clone = fresh(done, tmp_path / "ci", "stricter")
    plan = planned(clone)
    assert (plan.stale, plan.train_on) == ({"gate-prepared": "command changed"}, "none")
    assert plan.restored["train"] == "the remote"
    assert clone.slipway("repro").out == "ran: reference, gate-prepared, champion\n"
    assert json.loads((clone.root / "verdicts/prepared.json").read_text())["step"] == "stricter"
    assert contents(clone.root / "models") == contents(done.root / "models")


def test_a_stage_that_has_an_out_more_runs(done: Checkout) -> None:
    path = done.root / "dvc.lock"
    yaml = YAML()
    lock = yaml.load(path)
    outs = lock["stages"]["gate-prepared"]["outs"]
    del outs[[out["path"] for out in outs].index("verdicts/prepared.passed")]
    yaml.dump(lock, path)
    shutil.rmtree(done.root / "delivery")  # it carries the lock as it was
    (done.root / "verdicts/prepared.passed").unlink()
    assert planned(done).stale == {}  # a run record has it
    assert done.slipway("repro").out == "ran: reference, champion\n"
    assert (done.root / "verdicts/prepared.passed").exists()

    yaml.dump(lock, path)
    shutil.rmtree(done.root / "delivery")
    for runs in (done.root / ".dvc/cache/runs", remote_of(done) / "runs"):
        shutil.rmtree(runs, ignore_errors=True)
    assert planned(done).stale["gate-prepared"] == "verdicts/prepared.passed new"
    said = done.slipway("repro")
    assert "gate-prepared" in said.out, said.err


def test_half_a_remote_is_seen_made_again_and_sent_again(done: Checkout, tmp_path: Path) -> None:
    whole = contents(remote_of(done))
    pipelines.object_of(done, remote_of(done), "models/candidate/weights.bin").unlink()
    pipelines.object_of(done, remote_of(done), "data/2001-01.csv").unlink()
    clone = fresh(done, tmp_path / "ci")
    plan = planned(clone)
    assert plan.stale == {"train": "models/candidate lacks 1 of 3 objects: weights.bin"}
    assert plan.missing == {"data": "lacks 1 of 3 objects: 2001-01.csv"}
    assert "ran: reference, train" in clone.slipway("repro").out
    refused = clone.slipway("data", "pull", code=5).err
    assert "data lacks 1 of 3 objects: 2001-01.csv" in refused
    assert len(refused.strip().splitlines()) == 3
    done.slipway("repro")  # here the data is
    assert contents(remote_of(done)) == whole


def test_what_is_lost_behind_a_stage_that_always_runs_is_made_again(
    done: Checkout, tmp_path: Path
) -> None:
    whole = contents(remote_of(done))
    for path in ("evaluation/evaluation.json", "verdicts/model.json"):
        pipelines.object_of(done, remote_of(done), path).unlink()
    clone = fresh(done, tmp_path / "ci")
    assert list(planned(clone).stale) == ["evaluate", "gate-model"]
    assert "evaluate, gate-model" in clone.slipway("repro").out
    assert contents(remote_of(done)) == whole


def told(err: str) -> list[str]:
    """The three lines of an error, behind what DVC stages that ran before it said."""
    lines = err.strip().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("slipway: "))
    assert len(lines) - first == 3
    return lines[first:]


def test_a_commit_whose_data_is_nowhere_is_refused_by_name(done: Checkout, tmp_path: Path) -> None:
    branch_with(done, "code", "ml/step.py", 'm"', 'n"')
    shutil.rmtree(remote_of(done))
    clone = fresh(done, tmp_path / "ci", "code")
    said = clone.slipway("plan").out
    assert "missing   data (md5:" in said
    for words in (("repro",), ("data", "pull")):
        refused = told(clone.slipway(*words, code=5).err)
        assert "data of this commit cannot be had" in refused[0]
        assert "data.dvc names md5:" in refused[1]
    assert not (clone.root / "models/candidate").exists()


def test_a_remote_that_does_not_answer_leaves_a_plan_and_no_model(
    done: Checkout, tmp_path: Path
) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    clone = fresh(done, tmp_path / "ci", **nowhere, **keys)
    clone.settings({"data/remote": "s3://bucket/place"})
    started = time.monotonic()
    plan = planned(clone)
    assert time.monotonic() - started < 20
    assert plan.remote.startswith("the remote ")
    assert plan.train_on == "cpu"
    assert plan.stale["train"] == "models/candidate is not here, and the remote does not answer"
    refused = clone.slipway("repro", code=4).err
    assert "the remote" in refused
    assert not (clone.root / "models/candidate").exists()


def test_a_remote_that_takes_the_connection_and_says_nothing_is_not_waited_for(
    done: Checkout, tmp_path: Path
) -> None:
    with buckets.deaf() as env:
        clone = fresh(done, tmp_path / "ci", **env)
        clone.settings({"data/remote": "s3://bucket/place"})
        started = time.monotonic()
        said = clone.slipway("plan").out
        seconds = time.monotonic() - started
    assert "  unknown   the remote did not answer within 1.2 s\n" in said
    assert "train: models/candidate is not here, and the remote does not answer\n" in said
    assert seconds < 10  # 2.4 s on a quiet machine


# How long it may take.


def released(checkout: Checkout, version: str, *, trained_s: float | None) -> None:
    """A release in the ledger whose tests took 30 s, and whose training took so long, if any."""
    loaded = config.load(checkout.root)
    book = ledger.open_ledger(replace(loaded, home=checkout.home / loaded.config.model.name))
    source, seconds = ("trained", trained_s) if trained_s is not None else ("restored", 0.0)
    records = {
        "candidate.json": canonical(
            {"source": source, "seconds": seconds, "schema": "candidate/1"}
        ),
        "tests-unit.json": canonical({"schema": "verdict/1", "seconds": 30.0}),
        "broken.json": b"{",
    }
    event = Event(kind="release", name=book.name, environment="production", version=version)
    ledger.append(book, lambda _: ledger.Draft(event, records))


def test_the_minutes_are_those_of_the_last_release_that_did_the_same(done: Checkout) -> None:
    assert planned(done).minutes is None
    released(done, "v1.0.0", trained_s=210.0)
    released(done, "v1.1.0", trained_s=None)
    nothing_trained = planned(done)
    assert (nothing_trained.minutes, nothing_trained.as_release) == (0.5, "v1.1.0")
    asked = done.slipway("plan", "--retrain", "true").out
    assert "train on cpu, about 4 min, as v1.0.0 took" in asked
    assert planned(done).minutes == 4.0


# Asked to train, and asked for one word.


def test_training_that_is_asked_for_runs_whatever_stands(done: Checkout) -> None:
    assert done.slipway("plan", "--label").out == "none\n"
    asked = planned(done, "--retrain", "true", "--cause", "drift of  12 %")
    assert (asked.retrain, asked.cause) == (True, "drift of 12 %")
    assert (asked.train_on, asked.delivered) == ("cpu", None)
    assert asked.stale["train"] == "asked for: drift of 12 %"
    assert done.slipway("plan", "--label").out == "cpu\n"
    assert done.slipway("plan", "--todo").out == "deliver\n"
    assert planned(done).cause == "drift of 12 %"
    assert "train" in done.slipway("repro", "train").out
    assert done.record("candidate")["source"] == "trained"
    assert done.slipway("repro", "gate-model").out == "ran: reference, champion\n"
    assert planned(done, "--retrain", "false").retrain is False
    assert planned(done, "--retrain=").train_on == "none"
    assert done.slipway("repro", "train").out == "ran: reference\n"


def test_another_delivery_forgets_that_training_was_asked_for(done: Checkout) -> None:
    planned(done, "--retrain", "true")
    assert planned(done).stale["train"] == "asked for"
    change(done, "params.yaml", "keep: 2", "keep: 3")
    assert not planned(done).retrain


def test_what_is_neither_true_nor_false_is_refused(done: Checkout) -> None:
    refused = done.slipway("plan", "--retrain", "yes", code=2).err
    assert len(refused.strip().splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dvc.yaml", "stages: ["),
        ("dvc.lock", "<<<<<<< HEAD\nschema: '2.0'\nstages:\n"),
        ("dvc.lock", "- a list\n"),
        (".dvcignore", "data.dvc\n"),
        ("params.yaml", ""),
        ("params.yaml", "prepare:\n  keep: 2\n"),
        ("dvc.yaml", pipelines.PIPELINE.replace("deps: [ml/train.py, ", "deps: [evaluation, ")),
        ("dvc.yaml", pipelines.PIPELINE.replace("deps: [ml/train.py, ", "deps: [models, ")),
    ],
)
def test_what_dvc_cannot_read_is_a_wrong_configuration(
    done: Checkout, name: str, text: str
) -> None:
    (done.root / name).write_text(text)
    for words in (("plan",), ("repro",)):
        told(done.slipway(*words, code=2).err)


def test_what_dvc_has_read_of_the_lock_is_what_the_lock_says(done: Checkout) -> None:
    from dvc.repo import Repo

    def said() -> tuple[list[tuple[str, str]], list[str]]:
        return (
            locked.outs(done.root, "data.dvc", pipeline.DVC_STAGES),
            locked.records(done.root, pipeline.DVC_STAGES),
        )

    read_by_us = said()
    locked.take_over(Repo(str(done.root)))
    assert said() == read_by_us
    assert len(read_by_us[0]) == len(pipeline.DVC_STAGES) + 2  # the data, and what passed
    change(done, "dvc.lock", "md5: ", "md5:  ")
    assert said() == read_by_us


def test_a_plan_without_parameters_says_which_are_missing(done: Checkout) -> None:
    (done.root / "params.yaml").unlink()
    refused = done.slipway("plan", code=2).err.strip().splitlines()
    assert "Parameters 'prepare' are missing from 'params.yaml'" in refused[0]
    assert not (done.root / "delivery/plan.json").exists()
    told(done.slipway("repro", code=2).err)


def test_stages_that_wait_for_each_other_are_named(done: Checkout) -> None:
    change(done, "dvc.yaml", "deps: [ml/train.py, ", "deps: [evaluation, ml/train.py, ")
    for words in (("plan",), ("repro",)):
        refused = done.slipway(*words, code=2).err
        assert "wait for each other: train → evaluate → train" in refused or (
            "wait for each other: evaluate → train → evaluate" in refused
        )


def test_a_name_that_is_no_digest_leads_nowhere(done: Checkout, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("not an object of DVC's")
    lock = done.root / "dvc.lock"
    lock.write_text(re.sub(r"md5: [0-9a-f]{32}\.dir", f"md5: ab{outside}", lock.read_text()))
    for words in (("plan",), ("repro",)):
        assert "is no name of an object" in done.slipway(*words, code=5).err
    assert outside.exists()


def test_the_pointer_may_be_written_as_a_shell_completes_it(done: Checkout) -> None:
    done.settings({"data/pointer": "./data.dvc"})
    assert planned(done).stale == {}


def test_the_same_plan_again_is_told_in_the_order_of_the_pipeline(done: Checkout) -> None:
    change(done, "params.yaml", "epochs: 3", "epochs: 4")
    first = done.slipway("plan").out
    named = [line.split()[1].rstrip(":") for line in first.splitlines() if "  runs" in line]
    assert named == ["train", "champion", "evaluate", "gate-model"]
    assert done.slipway("plan").out == first


def test_a_lock_that_names_nothing_that_exists_is_no_pass(done: Checkout, tmp_path: Path) -> None:
    clone = fresh(done, tmp_path / "ci")
    lock = clone.root / "dvc.lock"
    whole = contents(done.root / "models/candidate")
    named = folders.digest(whole).removeprefix("md5:")
    lock.write_text(lock.read_text().replace(named, "0" * 32 + ".dir"))
    assert planned(clone).train_on == "cpu"
    clone.slipway("repro", "train")
    assert contents(clone.root / "models/candidate") == whole


def test_the_home_of_another_user_changes_nothing(done: Checkout, tmp_path: Path) -> None:
    clone = replace(fresh(done, tmp_path / "ci"), home=tmp_path / "elsewhere")
    assert planned(clone).train_on == "cpu"  # its remote of last resort is empty


def test_data_of_other_dvc_files_is_brought_too_and_never_overwritten(
    done: Checkout, tmp_path: Path
) -> None:
    (done.root / "holidays.csv").write_text("2001-01-01\n")
    (done.root / "unread.csv").write_text("nothing depends on it\n")
    done.run("dvc", "add", "-q", "holidays.csv", "unread.csv")
    change(done, "dvc.yaml", "[data, ml/step.py, ver", "[data, holidays.csv, ml/step.py, ver")
    done.slipway("repro")
    done.run("dvc", "push", "-q", "holidays.csv")
    done.commit("Holidays")
    done.run("git", "push", "-q", "origin", "main")
    clone = fresh(done, tmp_path / "ci")
    assert planned(clone).stale == {}
    clone.slipway("repro", "--force", "prepare")
    assert (clone.root / "holidays.csv").read_text() == "2001-01-01\n"
    assert not (clone.root / "unread.csv").exists()
    (clone.root / "holidays.csv").unlink()
    (clone.root / "holidays.csv").write_text("2002-02-02\n")
    assert planned(clone).stale["prepare"] == "holidays.csv modified"
    clone.slipway("data", "pull")
    assert (clone.root / "holidays.csv").read_text() == "2002-02-02\n"
    shutil.rmtree(remote_of(done))
    bare = fresh(done, tmp_path / "bare")
    assert "holidays.csv is neither here" in bare.slipway("repro", code=5).err


def test_what_the_ledger_says_anew_reaches_a_clone_that_has_no_data(
    done: Checkout, tmp_path: Path
) -> None:
    clone = fresh(done, tmp_path / "ci")
    change(
        clone, "dvc.yaml", "slipway reference", "mkdir -p models && echo 7 > models/reference.json"
    )
    assert "gate-data" in clone.slipway("repro", "gate-data").out
    assert (clone.root / "data" / "2001-01.csv").exists()  # it was judged again, and read
    assert clone.slipway("repro", "gate-data").out == "ran: reference\n"


def test_a_pipeline_without_a_reference_works_as_before(done: Checkout) -> None:
    text = (done.root / "dvc.yaml").read_text()
    start, end = text.index("  reference:"), text.index("  gate-data:")
    without = text[:start] + text[end:]
    (done.root / "dvc.yaml").write_text(without.replace(", models/reference.json", ""))
    done.slipway("repro", "gate-data")
    assert set(planned(done).reused) >= {"gate-data", "train", "champion"}
    assert done.slipway("repro").out == "ran: champion\n"
