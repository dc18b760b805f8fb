"""Small real data versions in checkouts of their own, without the model around them."""

import functools
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway import config
from slipway.tools import source
from tests.projects import ROOT, Checkout, few_customers

PERCENT = 6  # of the customers
LAST = "2001-02.csv"
ENOUGH: dict[str, Any] = {  # what so few customers can hold
    "gates/data/completeness/min_rows": 30_000,
    "gates/data/completeness/min_rows_per_month": 5_000,
    "gates/data/completeness/min_rows_per_day": 1,
    "gates/data/completeness/max_missing_days": 3,
    "gates/data/completeness/max_day_deviation": 1_000.0,  # Christmas warns, elsewhere
    "gates/data/freshness/as_of": "",  # some tests leave months out
    "gates/data/integrity/max_more_unknown": {"CUSTOMER_ID": 0.1, "PRODUCT_ID": 0.12},
    "gates/data/drift/max_psi": 0.2,  # chance moves so few
    "gates/data/drift/max_new": 0.4,
    "gates/prepared/completeness/min_rows": {
        "lines": 25_000,
        "test": 5_000,
        "baskets": 4_000,
        "customers": 1_000,
        "products": 5_000,
    },
}
PARTS = (".dvc", ".dvcignore", ".gitignore", "delivery.toml", "dvc.yaml", "params.yaml", "ml")
PARTS += ("requirements", "data.dvc")


@functools.cache
def real_months() -> Mapping[str, bytes]:
    """All purchases from the pinned source, as one CSV file a month."""
    project = config.load(ROOT)
    assert project.config.data.source
    member = source.fetch(project, project.config.data.source)
    return source.split_by_month(member, project.config.data.columns)


@functools.cache
def small_months() -> Mapping[str, bytes]:
    """The purchases of a few customers."""
    return few_customers(real_months(), percent=PERCENT)


def data_project(
    folder: Path, months: Mapping[str, bytes] | None, settings: Mapping[str, Any] = ENOUGH
) -> Checkout:
    """A committed checkout whose `data.dvc` names these months; None keeps the real version."""
    root = folder / "project"
    root.mkdir(parents=True)
    for name in PARTS:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
    checkout = Checkout(root, folder / "home")
    checkout.settings(settings)
    checkout.run("git", "init", "-q", "-b", "main")
    if months is not None:
        (root / "data.dvc").unlink()
        put(root / "data", months)
        checkout.run("dvc", "add", "-q", "data")
    checkout.commit("A data version")
    return checkout


def put(folder: Path, months: Mapping[str, bytes]) -> None:
    """Writes a data folder."""
    folder.mkdir()
    for name, content in months.items():
        (folder / name).write_bytes(content)


def change(path: Path, how: Callable[[list[bytes]], list[bytes]]) -> None:
    """Changes a raw file's lines below its header."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([header, *how(lines)]))


def state_of(root: Path) -> str:
    """A digest of what `data/` and `data.dvc` hold, byte for byte."""
    files = [root / "data.dvc", *sorted((root / "data").rglob("*"))]
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()}
    return json.dumps(found, sort_keys=True)
