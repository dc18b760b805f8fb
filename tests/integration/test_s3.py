"""A DVC remote in S3: what plan sees there, what repro restores from it and sends to it."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from slipway import config
from slipway.records import Finding, Verdict
from slipway.tools import folders
from slipway.tools.quarantine import writing
from tests import buckets, pipelines
from tests.pipelines import contents, fresh
from tests.projects import Checkout

KEEP = """import pathlib, sys
from slipway import config
from slipway.tools.quarantine import keeping
print(keeping.keep(config.load(), pathlib.Path(sys.argv[1])))
"""
VERDICT: dict[str, Any] = {
    "subject": "md5:x",
    "subject_kind": "data",
    "of": "md5:x",
    "outcome": "block",
    "evidence": {},
    "settings_digest": "",
}
ADDRESS = f"s3://{buckets.BUCKET}/next-basket"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment that reaches the server."""
    with buckets.s3(tmp_path_factory.mktemp("s3")) as env:
        yield env


@pytest.fixture(scope="module")
def done(server: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A pipeline that has run once and sent its outs to the bucket."""
    settings = {**pipelines.SETTINGS, "data/remote": ADDRESS}
    made = pipelines.pipeline_project(tmp_path_factory.mktemp("done") / "one", settings)
    checkout = replace(made, env=server)
    checkout.slipway("repro")
    checkout.commit("Lock what ran")
    checkout.run("git", "push", "-q", "origin", "main")
    return checkout


def test_a_fresh_clone_finds_and_restores_all_of_it(
    done: Checkout, server: Mapping[str, str], tmp_path: Path
) -> None:
    clone, before = fresh(done, tmp_path / "ci"), buckets.keys(server)
    started = time.monotonic()
    plan = json.loads(clone.slipway("plan", "--json").out)
    assert time.monotonic() - started < 10  # 1.7 s on a quiet machine
    assert (plan["stale"], plan["train_on"]) == ({}, "none")
    assert plan["restored"]["train"] == "the remote"
    assert clone.slipway("repro").out == "ran: reference, champion\n"
    assert contents(clone.root / "models") == contents(done.root / "models")
    assert buckets.keys(server) == before
    assert len([key for key in before if "/runs/" in key]) == 6


def test_rows_set_apart_go_to_the_bucket_and_come_from_it(
    done: Checkout, server: Mapping[str, str], tmp_path: Path
) -> None:
    project = config.load(done.root)
    folder = done.root / "quarantine" / "data"
    with writing.opened(project, folder) as writer:
        rows = pa.table({"CUSTOMER": ["00031847"]})
        found = writer.take(Finding("g", "block", 1, 0, "bad", "exact", offending=1), rows)
        writer.close(Verdict(**VERDICT, findings=(found,)))
    digest = folders.digest(contents(folder))
    answer = done.run(sys.executable, "-c", KEEP, str(folder))
    assert answer.out == "\n"
    clone = fresh(done, tmp_path / "ci")
    clone.slipway("quarantine", digest, "--into", str(tmp_path / "rows"))
    assert contents(tmp_path / "rows") == contents(folder)
    kept = [key for key in buckets.keys(server) if "/slipway/quarantine/" in key]
    assert len(kept) == 1
    for key in kept:  # other tests compare what the bucket holds
        buckets.client(server).delete_object(Bucket=buckets.BUCKET, Key=key)


def test_what_is_missing_in_the_bucket_is_named_and_sent_again(
    done: Checkout, server: Mapping[str, str], tmp_path: Path
) -> None:
    before = buckets.keys(server)
    path = pipelines.object_of(done, Path("next-basket"), "models/candidate/weights.bin")
    buckets.client(server).delete_object(Bucket=buckets.BUCKET, Key=path.as_posix())
    clone = fresh(done, tmp_path / "ci")
    plan = json.loads(clone.slipway("plan", "--json").out)
    assert plan["stale"] == {"train": "models/candidate lacks 1 of 3 objects: weights.bin"}
    assert clone.slipway("repro").out == "ran: reference, train, champion\n"
    assert buckets.keys(server) == before


def test_without_credentials_the_remote_is_said_to_be_unreadable(
    done: Checkout, tmp_path: Path
) -> None:
    env = {**done.env, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    clone = replace(fresh(done, tmp_path / "ci"), env={**env, "AWS_EC2_METADATA_DISABLED": "true"})
    plan = json.loads(clone.slipway("plan", "--json").out)
    assert plan["remote"].startswith("the remote cannot be read")
    refused = clone.slipway("repro", code=4).err.strip().splitlines()
    assert refused[0] == "Running stage 'reference':"  # it asks the ledger, before any data
    assert [line.split(":")[0] for line in refused[-3:]] == ["slipway", "  where", "  to do"]
    assert "the remote cannot be read" in refused[-3]
    assert [line for line in refused if line.startswith("Running stage")] == refused[:1]
    assert "secret" not in json.dumps(plan)


def test_a_pull_request_without_credentials_makes_what_the_shared_cache_lacks(
    done: Checkout, server: Mapping[str, str], tmp_path: Path
) -> None:
    parent = fresh(done, tmp_path / "parent", BRANCH_NAME="main")
    parent.slipway("data", "pull")
    parent.slipway("repro")
    pipelines.branch_with(done, "request", "params.yaml", "epochs: 3", "epochs: 4")
    before = buckets.keys(server)
    env = {**done.env, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "CHANGE_ID": "3"}
    clone = fresh(done, tmp_path / "ci", "request")
    request = replace(clone, env={**env, "AWS_EC2_METADATA_DISABLED": "true"})
    plan = json.loads(request.slipway("plan", "--json").out)
    assert plan["restored"]["prepare"] == "the shared cache"
    assert plan["stale"]["train"] == "params.yaml:train.epochs modified"
    assert request.slipway("repro").out == "ran: reference, train, champion, evaluate, gate-model\n"
    assert buckets.keys(server) == before
