"""Small real projects for the tests: this repository with a few customers' real purchases."""

import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {  # the small project's own tests: real ones, and few
    "unit": "tests/unit/test_small.py",
    "integration": "tests/integration/test_small.py",
    "e2e": "tests/e2e/test_candidate.py",
}
UNIT = '''"""Reads what trains the model."""

import ast
from pathlib import Path


def test_every_module_of_the_model_can_be_read() -> None:
    modules = sorted(Path("ml").rglob("*.py"))
    assert len(modules) > 5
    assert all(ast.get_docstring(ast.parse(path.read_text())) for path in modules)
'''
INTEGRATION = '''"""Reads the prepared data as training does."""

from pathlib import Path


def test_the_data_of_each_month_is_there() -> None:
    files = sorted(Path("data").glob("*.csv"))
    assert files
    assert all(path.stat().st_size > 1000 for path in files)
'''


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Checkout:
    """One clone of a project, with the home that its commands use."""

    root: Path
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What its commands inherit: this home, no CI server's or other project's settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPWAY_LEDGER", "DVC_"))}
        return {**kept, "SLIPWAY_HOME": str(self.home), "DVC_NO_ANALYTICS": "1", **self.env}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """A `slipway` command, running."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "slipway"), *words],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def slipway(self, *words: str, code: int | None = 0) -> Answer:
        """Runs a `slipway` command; fails the test unless it ends with `code`."""
        with self.start(*words) as child:
            out, err = child.communicate(timeout=900)
        if code is not None:
            shown = (
                f"slipway {' '.join(words)} gave {child.returncode}\n{out[-4000:]}\n{err[-6000:]}"
            )
            assert child.returncode == code, shown
        return Answer(child.returncode, out, err)

    def run(self, *words: str, code: int | None = 0) -> Answer:
        """Runs another command in the checkout, as in an activated environment."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            words,
            cwd=self.root,
            env={**self.environment(), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return Answer(done.returncode, done.stdout, done.stderr)

    def record(self, name: str) -> Any:
        """A record of its delivery."""
        return json.loads((self.root / "delivery" / f"{name}.json").read_bytes())

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def settings(self, changes: Mapping[str, Any]) -> None:
        """Changes `delivery.toml`: dotted key → value, or None to take the key away."""
        path = self.root / "delivery.toml"
        document: Any = tomlkit.parse(path.read_text())
        for dotted, value in changes.items():
            *tables, key = dotted.split("/")
            table = document
            for name in tables:
                table = table.setdefault(name, tomlkit.table())
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
        path.write_text(tomlkit.dumps(document))

    def clone(self, into: Path, **env: str) -> "Checkout":
        """Another clone of the project's origin, with the same home."""
        subprocess.run(
            ["git", "clone", "-q", str(self.root.parent / "origin.git"), str(into)], check=True
        )
        (into / ".venv").symlink_to(Path(sys.executable).parent.parent)
        return Checkout(into, self.home, {**self.env, **env})


def few_customers(months: Mapping[str, bytes], *, percent: int) -> dict[str, bytes]:
    """The lines of about `percent` % of the customers, chosen by their id, in every month."""
    chosen = {}
    for name, content in months.items():
        header, *lines = content.splitlines(keepends=True)
        kept = [line for line in lines if zlib.crc32(line.split(b",", 2)[1]) % 100 < percent]
        chosen[name] = header + b"".join(kept)
    return chosen


def small_project(
    folder: Path, months: Mapping[str, bytes], settings: Mapping[str, Any] | None = None
) -> Checkout:
    """A committed project below `folder` with this data, and a bare `origin.git` beside it."""
    root = folder / "project"
    root.mkdir(parents=True)
    for name in _tracked():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    _own_tests(root)
    (root / "data.dvc").unlink()
    (root / "dvc.lock").unlink(missing_ok=True)
    (root / "data").mkdir()
    for name, content in months.items():
        (root / "data" / name).write_bytes(content)
    (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
    checkout = Checkout(root, folder / "home")
    checkout.settings({**SMALL, **(settings or {})})
    checkout.run("git", "init", "-q", "-b", "main")
    checkout.run("dvc", "add", "-q", "data")
    checkout.commit("A small project")
    checkout.run("git", "init", "-q", "--bare", "-b", "main", str(folder / "origin.git"))
    checkout.run("git", "remote", "add", "origin", str(folder / "origin.git"))
    checkout.run("git", "push", "-q", "origin", "main")
    return checkout


SMALL: dict[str, Any] = {  # what a few customers can hold
    "gates/data/completeness/min_rows": 1_000,
    "gates/data/completeness/min_rows_per_month": 1_000,
    "gates/data/completeness/min_rows_per_day": 1,
    "gates/data/completeness/max_day_deviation": 1_000.0,  # Christmas warns, elsewhere
    "gates/data/freshness/as_of": "",  # some tests leave months out
    "gates/data/integrity/max_more_unknown": {"CUSTOMER_ID": 0.1, "PRODUCT_ID": 0.12},
    "gates/data/drift/max_psi": 0.2,  # chance moves so few
    "gates/data/drift/max_new": 0.4,
    "gates/prepared/completeness/min_rows": {
        "lines": 1_000,
        "baskets": 500,
        "customers": 100,
        "products": 100,
    },
    "gates/model/floors/least": {"ndcg_at_10": 0.01},
    "gates/model/baselines/margins": {"popularity": -1.0, "personal_frequency": -1.0},
    "gates/model/regression/max_drop": {"ndcg_at_10": 1.0},
    "gates/service/latency": {  # a busy machine; how fast it is, is not what these tests ask
        "max_p50_ms": 2000.0,
        "max_p95_ms": 5000.0,
        "max_p99_ms": 8000.0,
        "min_rate": 0.2,
    },
    "gates/service/canary": {"max_p95_times": 3.0, "p95_slack_ms": 2000.0},
    "tests/unit/paths": [LAYERS["unit"]],
    "tests/unit/workers": 1,
    "tests/integration/paths": [LAYERS["integration"]],
    "tests/integration/workers": 1,
    "tests/e2e/paths": [LAYERS["e2e"]],
    "environments/staging/port": 0,
    "environments/staging/load_for_s": 1.0,
    "environments/staging/watch_s": 0.3,
    "environments/production/port": 0,
    "environments/production/load_for_s": 1.0,
    "environments/production/watch_s": 0.3,
}


def _tracked() -> Sequence[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    skipped = ("tests/", "docs/", "bench/")
    names = [name for name in listed.split("\0") if name and not name.startswith(skipped)]
    return [name for name in names if (ROOT / name).is_file()]


def _own_tests(root: Path) -> None:
    for layer, name in LAYERS.items():
        target = root / name
        target.parent.mkdir(parents=True)
        if layer == "e2e":
            shutil.copy2(ROOT / name, target)
        else:
            target.write_text(UNIT if layer == "unit" else INTEGRATION)
    shutil.copy2(ROOT / "tests/surroundings.py", root / "tests")  # the candidate's test asks it
