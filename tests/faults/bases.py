"""The real data that faults are planted in, as the files of a project."""

import contextlib
import functools
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tomlkit

from ml import params
from ml.prepare import prepare
from slipway.records import Dataset, canonical, seal
from slipway.tools import folders
from slipway.typed import plain
from tests.datasets import real_months
from tests.projects import ROOT, few_customers

from .fault import Base
from .lines import Files

PERCENT = 12  # of the customers, who have 93,275 lines: a tenth of all, and some more
COUNTS = {  # floors and ceilings that count lines, and are a tenth for so few customers
    "data": (
        "min_rows",
        "min_rows_per_month",
        "max_rows_per_month",
        "min_rows_per_day",
        "max_rows_per_day",
    ),
    "prepared": ("min_rows",),
}
PARTS = ("delivery.toml", "params.yaml", "ml/expectations/*.json")

FEW = {  # what so few customers cannot hold: they know less, and what they lack comes in lumps
    "gates/data/completeness/max_nulls_per_day": {"AGE_GROUP": 0.2},  # 0.123; all: 0.065
    "gates/data/drift/max_new": 0.18,  # 0.131; all: 0.080
}


@functools.cache
def base(kind: Base, percent: int = PERCENT) -> Files:
    """A project's files with real data: some customers' lines, all lines, or prepared tables."""
    if kind == "prepared":
        return prepared(base("some", percent))
    months = real_months()
    chosen = few_customers(months, percent=percent) if kind == "some" else months
    found = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for pattern in PARTS
        for path in sorted(ROOT.glob(pattern))
    }
    if kind == "some":
        found["delivery.toml"] = a_tenth(found["delivery.toml"])
    return named({**found, **{f"data/{name}": lines for name, lines in chosen.items()}})


def a_tenth(content: bytes) -> bytes:
    """`delivery.toml` with a tenth of every number of lines that has to be there."""
    standing: Any = tomlkit.parse(content.decode())["gates"]
    changes: dict[str, Any] = {}
    for subject, names in COUNTS.items():
        table = standing[subject]["completeness"]
        for name in names:
            changes[f"gates/{subject}/completeness/{name}"] = _tenth(table[name].unwrap())
    return with_settings(content, changes | FEW)


def _tenth(count: Any) -> Any:
    return {k: n // 10 for k, n in count.items()} if isinstance(count, dict) else count // 10


def with_settings(content: bytes, changes: Mapping[str, Any]) -> bytes:
    """`delivery.toml` with other values: `table/key` → value."""
    document: Any = tomlkit.parse(content.decode())
    for dotted, value in changes.items():
        *tables, key = dotted.split("/")
        table = document
        for name in tables:
            table = table.setdefault(name, tomlkit.table())
        table[key] = value
    return tomlkit.dumps(document).encode()


def named(files: Files) -> Files:
    """The files as a version of their own: `data.dvc` and the record of the data name them."""
    data = {p.removeprefix("data/"): files[p] for p in files if p.startswith("data/")}
    hashes = {name: md5_of(content) for name, content in data.items()}
    digest, size = folders.digest(hashes), sum(map(len, data.values()))
    pointer = (
        f"outs:\n- md5: {digest.removeprefix('md5:')}\n  size: {size}\n"
        f"  nfiles: {len(data)}\n  hash: md5\n  path: data\n"
    )
    listed = {f"data/{name}": md5 for name, md5 in hashes.items()}
    record = plain(Dataset(subject=digest, files=listed, bytes=size, source="planted"))
    sealed = canonical({**record, "seal": seal(record)})
    return {**files, "data.dvc": pointer.encode(), "delivery/dataset.json": sealed}


def md5_of(content: bytes) -> str:
    """The md5 by which DVC names a file's bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def prepared(files: Files) -> Files:
    """The files with what the DVC stage `prepare` makes of their data."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, files)
        kinds = (params.Prepare, params.Window, params.Engine)
        limits, window, engine = (params.load(kind, root / "params.yaml") for kind in kinds)
        settings = (limits, window, engine)
        with contextlib.redirect_stdout(io.StringIO()):
            prepare(root / "data", root / "prepared", settings, root / "data.dvc")
        tables = {f"prepared/{p.name}": p.read_bytes() for p in (root / "prepared").iterdir()}
    return {**files, **tables}


def put(root: Path, files: Files) -> None:
    """Writes files into a folder."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
