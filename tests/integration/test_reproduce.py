"""`slipway reproduce` on a toy: what it takes, what it compares, what it leaves."""

import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.config import Project
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.tools import dvc
from tests import deliveries, toys
from tests.promotions import slipway


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = toys.trained(tmp_path_factory.mktemp("toys"))
    toys.release(project)
    return project


@pytest.fixture
def toy(original: Project, tmp_path: Path) -> Project:
    """A copy of the released toy, its home and its origin."""
    shutil.copytree(original.root.parent, tmp_path / "copy", symlinks=True)
    root = tmp_path / "copy" / "toy"
    for text in (root / ".dvc" / "config.local", root / ".git" / "config"):
        text.write_text(text.read_text().replace(str(original.root.parent), str(root.parent)))
    return replace(original, root=root, home=root.parent / "home" / "toy")


def test_a_release_comes_out_again_whatever_the_shell_exports(
    toy: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("TOY_LOG", str(log))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    own = tmp_path / "own"  # on a disk that is not mounted now
    subprocess.run(["git", "worktree", "add", "-q", "--detach", own], cwd=toy.root, check=True)
    shutil.rmtree(own)
    before = toys.state(toy.root)
    done = slipway(toy, "reproduce")
    assert (done.code, done.answer) == (0, "reproduced")
    (line,) = log.read_text().splitlines()  # trained once, though every cache holds the model
    assert "/.slipway/reproductions/" in line.split()[1], "the environment of the worktree"
    assert "/somewhere" not in line
    record = toys.read(toy)
    assert record["subject"] == record["found"]
    assert record["outcome"] == "pass"
    assert list(record["seconds"]) == ["data", "environment", "prepare", "train"]
    assert toys.state(toy.root) == before
    assert len(toys.worktrees(toy.root)) == 2, "somebody's worktree is left alone"
    suite = ET.parse(toy.delivery / "reproduction.xml").getroot()
    assert [case.get("name") for case in suite] == ["model", "data", "prepared", "pipeline"]


def test_what_differs_is_named(toy: Project, capsys: pytest.CaptureFixture[str]) -> None:
    model = toy.candidate / "environment.json"
    other = model.read_text().replace('"OMP_NUM_THREADS": ""', '"OMP_NUM_THREADS": "7"')
    model.unlink()
    model.write_text(other)
    (toy.candidate / "model.onnx").unlink()
    (toy.candidate / "model.onnx").write_text("trained by seven threads")
    toys.release(toy, "v1.1.0", candidate={"prepared": "sha256:tampered"})
    done = slipway(toy, "reproduce", "1.1.0")
    assert (done.code, done.answer) == (3, "differs")
    record = toys.read(toy)
    blocks = {(f["gate"], f["where"]) for f in record["findings"] if f["outcome"] == "block"}
    assert blocks == {
        ("model", "model"),
        ("files", "environment.json"),
        ("files", "model.onnx"),
        ("prepared", "prepared"),
        ("environment", "settings.OMP_NUM_THREADS"),
    }
    passed = {f["gate"] for f in record["findings"] if f["outcome"] == "pass"}
    assert {"data", "pipeline"} <= passed
    (flag,) = [f for f in record["findings"] if f["where"] == "settings.OMP_NUM_THREADS"]
    assert (flag["expected"], flag["measured"]) == ("7", "")
    assert "v1.1.0 is not reproduced" in capsys.readouterr().out
    failures = ET.parse(toy.delivery / "reproduction.xml").getroot().findall(".//failure")
    assert len(failures) == len(blocks) + 1  # the machine, as a warning


def test_another_clone_with_nothing_but_ledger_and_remotes_can_do_it(
    toy: Project, tmp_path: Path
) -> None:
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "On"], cwd=toy.root, check=True)
    subprocess.run(["git", "push", "-q", "origin", "main"], cwd=toy.root, check=True)
    origin, root = f"file://{toy.root.parent}/origin.git", tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", origin, str(root)], check=True)
    remote = f"[core]\n    remote = ours\n['remote \"ours\"']\n    url = {toy.home}/dvc-remote\n"
    (root / ".dvc" / "config.local").write_text(remote)
    clone = replace(
        toy,
        root=root,
        home=tmp_path / "elsewhere" / "toy",
        ledger_remote=str(toy.home / "ledger.git"),
    )
    before = toys.state(root)
    assert slipway(clone, "reproduce").code == 0
    assert toys.state(root) == before
    assert len(toys.worktrees(root)) == 1
    assert not (clone.home / "store").exists()
    gone = tmp_path / "gone"
    subprocess.run(["git", "clone", "-q", "--depth=1", origin, str(gone)], check=True)
    shutil.move(toy.root.parent / "origin.git", toy.root.parent / "moved.git")
    with pytest.raises(EvidenceError, match="is not in this clone, and origin does not give it"):
        slipway(replace(clone, root=gone), "reproduce")


def test_data_that_is_nowhere_is_named(toy: Project) -> None:
    shutil.rmtree(toy.root / ".dvc" / "cache")
    shutil.rmtree(toy.home / "dvc-remote")
    digest = dvc.pointer_md5(toy.root / "data.dvc")
    with pytest.raises(EvidenceError, match="data of this commit cannot be had") as refused:
        slipway(toy, "reproduce")
    assert digest in refused.value.where
    assert len(toys.worktrees(toy.root)) == 1
    assert not (toy.delivery / "reproduction.json").exists()


def test_a_remote_that_does_not_answer_is_no_missing_data(toy: Project) -> None:
    shutil.rmtree(toy.root / ".dvc" / "cache")
    remote = "[core]\nremote = ours\n['remote \"ours\"']\nurl = http://127.0.0.1:9/dvc\n"
    (toy.root / ".dvc" / "config.local").write_text(remote)
    with pytest.raises(ToolError, match="cannot be read"):
        slipway(toy, "reproduce")
    assert len(toys.worktrees(toy.root)) == 1


def test_data_that_the_remote_altered_is_refused(toy: Project) -> None:
    shutil.rmtree(toy.root / ".dvc" / "cache")
    (altered,) = [
        path
        for path in (toy.home / "dvc-remote").rglob("*")
        if path.is_file() and path.read_bytes() == b"a,b\n1,2\n"
    ]
    altered.chmod(0o644)
    altered.write_bytes(b"a,b\n9,9\n")
    with pytest.raises(EvidenceError, match="other bytes"):
        slipway(toy, "reproduce")


def test_what_cannot_be_had_again_is_refused_before_anything_is_made(toy: Project) -> None:
    with pytest.raises(EvidenceError, match=r"there is no release v7\.0\.0"):
        slipway(toy, "reproduce", "v7.0.0")
    with pytest.raises(ConfigError, match="'seven' is no version"):
        slipway(toy, "reproduce", "seven")
    (toy.root / "params.yaml").write_text("seed: 8\n")
    toys.release(toy, "v1.1.0")
    with pytest.raises(EvidenceError, match=r"v1\.1\.0 was made of files that differ"):
        slipway(toy, "reproduce")
    other = "md5:" + "0" * 32 + ".dir"
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=toy.root, check=True, capture_output=True, text=True
    ).stdout.strip()
    toys.release(toy, "v1.2.0", dataset=other, commit=commit)
    with pytest.raises(EvidenceError, match="the commit names md5:"):
        slipway(toy, "reproduce")
    toys.release(toy, "v1.3.0", commit="HEAD")
    with pytest.raises(EvidenceError, match="'HEAD' is no commit"):
        slipway(toy, "reproduce")
    assert len(toys.worktrees(toy.root)) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_ended_half_way_leaves_no_worktree_after_the_next(
    toy: Project, tmp_path: Path, how: signal.Signals
) -> None:
    log = tmp_path / "log"
    variables = {"TOY_SLEEPS": "60", "TOY_LOG": str(log)}
    child = subprocess.Popen(
        [sys.executable, "-m", "slipway", "reproduce"],
        cwd=toy.root,
        env={**deliveries.environment(toy.home.parent), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not log.exists() and time.monotonic() < until and child.poll() is None:
        time.sleep(0.05)
    trainer = int(log.read_text().split()[0])
    assert len(toys.worktrees(toy.root)) == 2
    child.send_signal(how)
    _, said = child.communicate(timeout=30)
    if how == signal.SIGTERM:
        assert child.returncode == 4
        assert "interrupted by SIGTERM" in said
        assert len(toys.worktrees(toy.root)) == 1
    until = time.monotonic() + 10
    while _runs(trainer) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(trainer), "training ends with the command that wanted it"
    if how == signal.SIGKILL:
        assert len(toys.worktrees(toy.root)) == 2
        assert slipway(toy, "reproduce").code == 0
        assert len(toys.worktrees(toy.root)) == 1
        assert list((toy.root / ".slipway" / "reproductions").glob("[0-9]*")) == []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
