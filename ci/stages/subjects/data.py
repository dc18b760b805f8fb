"""The raw data, as its gates read it: every file looked at, whatever it holds."""

import argparse
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...config import Project
from ...errors import ConfigError, ToolError
from ...gates import asked, suites
from ...gates.data import DataEvidence, RawFile, Reading, check
from ...records import Dataset, digest_file, read_if_there
from ...tools import dvc, folders, frames, tables
from .. import profiled
from . import Subject


def collect(project: Project, args: argparse.Namespace) -> Subject:
    """The data under `data/`, or in the folder of `--data`, beside what `data.dvc` names.

    The subject is that version in both cases: a folder is judged as the bytes it should be.
    """
    data = project.config.data
    _declared(data.columns)
    check(asked("data", project.config.gates), data.columns)
    expected = dvc.pointer(project.root / data.pointer)
    folder = args.data or project.root / data.path
    hashes = _hashes(folder)
    found = folders.digest(hashes)
    evidence = DataEvidence(
        read=lambda: _read_all(frames.engine(project), folder, hashes, data.columns),
        found=found,
        expected=expected.md5,
        columns=data.columns,
        suite=suite_of(project, suites.RAW),
        listing=_listing(project, expected),
        personal=data.personal,
        custom=custom(project),
        reference=profiled.standing(project),
        gates=profiled.gates(project, "data"),
        window_days=data.window_days,
    )
    shown = args.data.as_posix() if args.data else data.path
    return Subject(
        kind="data",
        of=expected.md5,
        name="data-verdict",
        evidence=evidence,
        files={
            **{f"{shown}/{name}": digest_file(folder / name) for name in hashes},
            **suite_files(project, [suites.RAW]),
            **profiled.code(project),
            **profiled.files(project),
        },
        on=dataset_record(project, args),
    )


def _declared(columns: Mapping[str, str]) -> None:
    if not columns:
        raise ConfigError(
            "the raw columns are not declared",
            "delivery.toml [data.columns]",
            'add the header, e.g. AMOUNT = "integer"',
        )
    tables.check_kinds(columns)


def _hashes(folder: Path) -> dict[str, str]:
    """Relative path → md5 of every file that can be read; what cannot is left to the gates."""
    hashes = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file():
            with contextlib.suppress(ToolError):
                hashes[path.relative_to(folder).as_posix()] = folders.md5(path)
    return hashes


def _read_all(
    engine: frames.Engine, folder: Path, hashes: Mapping[str, str], columns: Mapping[str, str]
) -> Reading:
    """Every file of a folder as it is found, and one table of all that can be read."""
    files, parts = [], []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        name = path.relative_to(folder).as_posix()
        if name in hashes:
            file, part = _read(engine, path, RawFile(name, hashes[name]), columns)
            files.append(file)
            parts += [part] if part else []
        elif not path.is_dir() or path.is_symlink() or path.match("*.csv"):
            files.append(RawFile(name, problem="it is no readable file"))
    return Reading(tuple(files), engine.raw(parts, columns), _malformed(parts))


def _read(
    engine: frames.Engine, path: Path, file: RawFile, columns: Mapping[str, str]
) -> tuple[RawFile, frames.Part | None]:
    """What one file holds, and its rows where it has some."""
    try:
        file = replace(file, ends_with_newline=_ends_with_newline(path))
        file = replace(file, header=tuple(tables.header(path)))
        part = engine.csv(path, columns)
    except (tables.Unreadable, OSError) as error:
        return replace(file, problem=str(error)), None
    ends = (end.date().isoformat() if end else "" for end in (part.first, part.last))
    return replace(file, rows=part.rows, first=next(ends), last=next(ends)), part


def _malformed(parts: Sequence[frames.Part]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.malformed)
    return dict(counts)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - 1, 0))
        return stream.read(1) == b"\n"


def _listing(project: Project, pointer: dvc.Pointer) -> dict[str, str]:
    """File → md5 of the version that `data.dvc` names, where cache or record know it."""
    known = dvc.listing(project.root, pointer.md5)
    if known is not None:
        return known
    record = read_if_there(project.delivery, "dataset", Dataset)
    if record is None or record.subject != pointer.md5:
        return {}
    return {name.removeprefix(f"{pointer.path}/"): md5 for name, md5 in record.files.items()}


def suite_of(project: Project, name: str) -> suites.Suite | None:
    """One of the project's expectation suites, or None where the file is missing.

    Raises:
        ConfigError: the file is no suite.
    """
    path = project.root / profiled.SUITES / f"{name}.json"
    try:
        return suites.parse(name, path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read the suite: {error.strerror}", str(path), "mend") from error


def suite_files(project: Project, names: list[str]) -> dict[str, str]:
    """Path → sha256 of the suites that are there."""
    paths = {
        f"{profiled.SUITES}/{name}.json": project.root / profiled.SUITES / f"{name}.json"
        for name in names
    }
    return {name: digest_file(path) for name, path in paths.items() if path.is_file()}


def custom(project: Project) -> suites.Custom:
    """The project's own kinds of expectations, as `delivery.toml` names their modules."""
    return suites.Custom(project.config.data.expectations, project.root)


def dataset_record(project: Project, args: argparse.Namespace) -> str | None:
    """The digest of `delivery/dataset.json`; None where DVC keeps the verdict, or there is none."""
    path = project.delivery / "dataset.json"
    return digest_file(path) if path.exists() and not args.out else None
