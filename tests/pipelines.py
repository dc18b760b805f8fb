"""A project whose pipeline is eight quick DVC stages: plan and repro, without the model."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway.tools import folders
from tests.projects import ROOT, Checkout

LINES = {f"2001-{month:02}.csv": f"{month},one\n{month},two\n".encode() for month in (1, 2)}
SETTINGS: Mapping[str, Any] = {"data/source": None}
PARAMS = "prepare:\n  keep: 2\ntrain:\n  epochs: 3\n"
PIPELINE = """
stages:
  reference:
    cmd: slipway reference
    always_changed: true
    outs: [models/reference.json]
  gate-data:
    cmd: python ml/step.py gate-data verdicts/data.json data
    deps: [data, ml/step.py, models/reference.json]
    outs: [verdicts/data.json]
  prepare:
    cmd: python ml/step.py prepare prepared/lines.txt data
    deps: [data, ml/step.py, verdicts/data.json]
    params: [prepare]
    outs: [prepared]
  gate-prepared:
    cmd:
      - python ml/step.py gate-prepared verdicts/prepared.json prepared
      - python ml/passed.py prepared verdicts/prepared.passed
    deps: [prepared]
    outs: [verdicts/prepared.json, verdicts/prepared.passed]
  train:
    cmd: python ml/train.py
    deps: [ml/train.py, prepared/lines.txt, verdicts/prepared.passed]
    params: [train]
    outs: [models/candidate]
  champion:
    cmd: slipway champion
    always_changed: true
    deps: [models/candidate]
    outs: [models/champion.json]
  evaluate:
    cmd: python ml/step.py evaluate evaluation/evaluation.json models/candidate models/champion.json
    deps: [models/candidate, models/champion.json, prepared]
    outs: [evaluation]
  gate-model:
    cmd: python ml/step.py gate-model verdicts/model.json evaluation
    deps: [evaluation, models/candidate, models/champion.json]
    outs: [verdicts/model.json]
"""
STEP = '''"""Writes what a stage leaves: a JSON file that names the bytes it was made of."""
import hashlib, json, pathlib, sys

name, target, *deps = sys.argv[1:]
files = [p for d in deps for p in sorted([pathlib.Path(d), *pathlib.Path(d).rglob("*")])]
made_of = hashlib.md5(b"".join(p.read_bytes() for p in files if p.is_file())).hexdigest()
path = pathlib.Path(target)
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps({"step": name, "made_of": made_of, "model": "m", "dataset": "d"}))
'''
PASSED = '''"""Leaves what a gate over prepared data leaves that does not block."""
import pathlib, sys

from slipway.tools.dvc import passed

pathlib.Path(sys.argv[2]).write_bytes(passed.of_folder(pathlib.Path(sys.argv[1])))
'''
TRAIN = '''"""Trains: two files, one of them large enough to be caught while it is written."""
import json, os, pathlib, time

made_of = pathlib.Path("prepared/lines.txt").read_text()
epochs = pathlib.Path("params.yaml").read_text().rpartition("epochs:")[2].strip()
folder = pathlib.Path("models/candidate")
folder.mkdir(parents=True)
time.sleep(float(os.environ.get("SLOW_S", "0")))
(folder / "weights.bin").write_bytes((made_of + epochs).encode() * 5000)
(folder / "signature.json").write_text(json.dumps({"trained_until": "2001-02-28"}))
'''


def pipeline_project(folder: Path, settings: Mapping[str, Any] = SETTINGS) -> Checkout:
    """A committed project below `folder`, with a bare `origin.git` beside it; nothing has run."""
    root = folder / "project"
    (root / "ml").mkdir(parents=True)
    for name in (".dvc", ".dvcignore", ".gitignore", "delivery.toml", "pyproject.toml"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("cache", "tmp", "config.local")
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, root / name)
    contents = {"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "ml/step.py": STEP}
    for name, text in {**contents, "ml/passed.py": PASSED, "ml/train.py": TRAIN}.items():
        (root / name).write_text(text)
    (root / "data").mkdir()
    for name, content in LINES.items():
        (root / "data" / name).write_bytes(content)
    (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
    checkout = Checkout(root, folder / "home")
    checkout.settings(settings)
    origin = folder / "origin.git"
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.run("dvc", "add", "-q", "data")
    checkout.commit("A pipeline")
    checkout.run("git", "init", "-q", "--bare", "-b", "main", str(origin))
    checkout.run("git", "remote", "add", "origin", str(origin))
    checkout.run("git", "push", "-q", "origin", "main")
    return checkout


def delivered_once(folder: Path) -> Checkout:
    """The same after `slipway repro`, its lock committed and its outs in the remote."""
    checkout = pipeline_project(folder)
    checkout.slipway("repro")
    checkout.commit("Lock what ran")
    checkout.run("git", "push", "-q", "origin", "main")
    return checkout


def copied(template: Checkout, folder: Path) -> Checkout:
    """A copy of a project and its home that a test may change."""
    shutil.copytree(template.root.parent, folder, symlinks=True)
    copy = Checkout(folder / "project", folder / "home")
    (copy.root / ".dvc" / "config.local").unlink(missing_ok=True)
    copy.run("git", "remote", "set-url", "origin", str(folder / "origin.git"))
    return copy


def fresh(checkout: Checkout, into: Path, branch: str = "main", **env: str) -> Checkout:
    """A shallow clone as CI makes one: one commit, a detached head, no upstream, nothing else."""
    origin = (checkout.root.parent / "origin.git").as_uri()
    command = ("git", "clone", "-q", "--depth", "1", "--branch", branch, origin, str(into))
    checkout.run(*command)
    (into / ".venv").symlink_to(Path(sys.executable).parent.parent)
    clone = replace(checkout, root=into, env={**checkout.env, **env})
    clone.run("git", "checkout", "-q", "--detach")
    clone.run("git", "remote", "set-branches", "origin", "nowhere")
    return clone


def branch_with(checkout: Checkout, name: str, path: str, old: str, new: str) -> None:
    """Pushes a branch on which a file has another text, its lock as it was."""
    checkout.run("git", "checkout", "-q", "-b", name)
    change(checkout, path, old, new)
    checkout.commit(f"Change {path}")
    checkout.run("git", "push", "-q", "origin", name)
    checkout.run("git", "checkout", "-q", "main")


def change(checkout: Checkout, path: str, old: str, new: str) -> None:
    """Changes a file's text; a change of nothing fails."""
    text = (checkout.root / path).read_text()
    assert old in text
    (checkout.root / path).write_text(text.replace(old, new))


def remote_of(checkout: Checkout) -> Path:
    """The folder that is its DVC remote."""
    return checkout.home / "next-basket" / "dvc-remote"


def damaged(place: Path) -> list[str]:
    """The objects of a cache or remote whose bytes are not what they are named after."""
    objects = [p for p in (place / "files" / "md5").glob("??/*") if not p.name.startswith(".")]
    named = {p: (p.parent.name + p.name).removesuffix(".dir") for p in objects}
    return [name for path, name in named.items() if folders.md5(path) != name]


def contents(place: Path) -> dict[str, str]:
    """Relative path → md5 of all that a folder holds."""
    return folders.hash_files(place) if place.is_dir() else {}


def object_of(checkout: Checkout, place: Path, path: str) -> Path:
    """Where a place keeps the bytes that a file of the workspace has."""
    md5 = folders.md5(checkout.root / path)
    return place / "files" / "md5" / md5[:2] / md5[2:]


def links(path: Path) -> int:
    """How many names a file has."""
    return path.stat().st_nlink


def load(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_bytes())
