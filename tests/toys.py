"""A project whose training takes no time: real git, DVC and ledger around a few lines of Python."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway.config import Project, load
from slipway.records import Candidate, Plan, digest_file, digest_tree, write
from slipway.stages import plan
from slipway.tools import dvc, git, ledger, store
from slipway.tools.dvc import setup
from slipway.tools.ledger import Event
from tests import deliveries

SETTINGS = """
[model]
name = "toy"
[tests.unit]
paths = ["tests"]
[tests.integration]
paths = ["tests"]
[tests.e2e]
paths = ["tests"]
[environments.staging]
[environments.production]
approval = "person"
"""
PIPELINE = """
stages:
  gate-data:
    cmd: python -m ml.gate verdicts/data.json
    deps: [data]
    outs: [verdicts/data.json]
  prepare:
    cmd: python -m ml.prepare
    deps: [data, verdicts/data.json]
    outs: [prepared]
  gate-prepared:
    cmd: python -m ml.gate verdicts/prepared.json
    deps: [prepared]
    outs: [verdicts/prepared.json]
  train:
    cmd: python -m ml.train
    deps: [prepared, verdicts/prepared.json]
    params: [seed]
    outs: [models/candidate]
"""
GATE = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.parent.mkdir(exist_ok=True)
path.write_text("{}")
"""
PREPARE = """
import pathlib
rows = "".join(path.read_text() for path in sorted(pathlib.Path("data").iterdir()))
pathlib.Path("prepared").mkdir()
pathlib.Path("prepared/rows.txt").write_text(rows)
"""
TRAIN = """
import hashlib, json, os, pathlib, sys, time
with open(os.environ.get("TOY_LOG", os.devnull), "a") as log:
    log.write(f"{os.getpid()} {sys.prefix} {sys.path}\\n")
time.sleep(float(os.environ.get("TOY_SLEEPS", "0")))
rows = pathlib.Path("prepared/rows.txt").read_text() + pathlib.Path("params.yaml").read_text()
threads = os.environ.get("OMP_NUM_THREADS", "")
folder = pathlib.Path("models/candidate")
folder.mkdir(parents=True)
(folder / "model.onnx").write_text(hashlib.sha256((rows + threads).encode()).hexdigest())
made = {"packages": {"toy": "1.0"}, "settings": {"OMP_NUM_THREADS": threads}}
(folder / "environment.json").write_text(json.dumps(made))
"""
FILES = {
    "delivery.toml": SETTINGS,
    "dvc.yaml": PIPELINE,
    "params.yaml": "seed: 7\n",
    "ml/__init__.py": "",
    "ml/gate.py": GATE,
    "ml/prepare.py": PREPARE,
    "ml/train.py": TRAIN,
    "ci/__init__.py": "",
    "data/one.csv": "a,b\n1,2\n",
    "data/two.csv": "a,b\n3,4\n",
    ".gitignore": "/.venv\n/.slipway/\n/delivery/\n/verdicts/\n__pycache__/\n",
}


def trained(folder: Path) -> Project:
    """A committed toy, trained and pushed to its DVC remote, with a bare `origin.git` beside it."""
    root = folder / "toy"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "requirements").mkdir()
    for name in ("project.txt", "uv.txt"):  # an environment that every machine with tests has
        content = (deliveries.ROOT / "requirements" / name).read_bytes()
        (root / "requirements" / name).write_bytes(content)
    project = replace(deliveries.project_at(root, folder / "home"), cache=load(root).cache)
    _git(root, "init", "-q", "-b", "main")
    _dvc(root, "init", "-q")
    _dvc(root, "add", "-q", "data")
    setup.ensure(project)
    _dvc(root, "repro", "-q")
    _dvc(root, "push", "-q")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "A toy")
    _git(folder, "init", "-q", "--bare", "-b", "main", str(folder / "origin.git"))
    _git(root, "remote", "add", "origin", str(folder / "origin.git"))
    _git(root, "push", "-q", "origin", "main")
    return project


def release(
    project: Project,
    version: str = "v1.0.0",
    *,
    candidate: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Event:
    """The ledger's event of a release of what a checkout holds, with the records that count here.

    Args:
        candidate: fields of `candidate.json` that say something else.
        changes: fields of the event that say something else.
    """
    model = store.put_model(project.home, project.candidate)
    dataset = dvc.pointer_md5(project.root / "data.dvc")
    commit = git.commit(project.root)
    files = store.tree_files(project.candidate)
    records = project.home / "records" / version
    write(
        records,
        "candidate",
        Candidate(
            **{
                "subject": model,
                "dataset": dataset,
                "prepared": digest_tree(project.root / "prepared"),
                "files": {name: digest_file(path) for name, path in files.items()},
                "trained_until": "2001-01-31",
                "seconds": 1.0,
                "hardware": "another machine",
                "source": "trained",
                **(candidate or {}),
            }
        ),
    )
    write(
        records,
        "plan",
        Plan(
            subject="sha256:plan",
            commit=commit,
            inputs={"pipeline": git.tree_digest(project.root, plan.PIPELINE)},
            stale={},
            reused=(),
            train_on="none",
            ledger={},
            delivered=None,
        ),
    )
    facts = {
        "kind": "release",
        "name": "toy",
        "environment": "production",
        "version": version,
        "digest": "sha256:" + "1" * 64,
        "artefact": "bundle",
        "model": model,
        "dataset": dataset,
        "commit": commit,
    }
    event = Event(**{**facts, **changes})
    kept = {path.name: path.read_bytes() for path in records.iterdir()}
    return ledger.append(ledger.open_ledger(project), lambda _: ledger.Draft(event, kept))


def worktrees(root: Path) -> list[str]:
    """The checkouts that git knows of."""
    listed = _git(root, "worktree", "list", "--porcelain")
    return [line for line in listed.splitlines() if line.startswith("worktree ")]


def state(root: Path) -> dict[str, str]:
    """What must not change: files, and all that git knows but for objects."""
    kept = {"HEAD": _git(root, "rev-parse", "HEAD"), "refs": _git(root, "for-each-ref")}
    kept["status"] = _git(root, "status", "--porcelain")
    folders = ("data", "prepared", "models", "ml", ".dvc/config.local", "dvc.lock")
    for name in folders:
        path = root / name
        if path.exists():
            kept[name] = digest_tree(path) if path.is_dir() else digest_file(path)
    return kept


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def _dvc(root: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, check=True)


def read(project: Project) -> Any:
    """What `reproduction.json` says."""
    return json.loads((project.delivery / "reproduction.json").read_bytes())
