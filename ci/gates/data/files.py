"""Are the raw files whole, readable, as declared, and the bytes that `data.dvc` names?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

from ...records import Finding
from . import DataEvidence, RawFile

GATE = "files"


@dataclass(frozen=True)
class Settings:
    """Which files are raw data."""

    pattern: str = "*.csv"  # the name of a raw file


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a file, one on the version as a whole, one on their number."""
    yield _version(evidence)
    count = len(evidence.reading.files)
    yield Finding(
        GATE,
        "pass" if count > 0 else "block",
        count,
        "at least 1",
        "there are raw files" if count else "there is no raw file",
        "number of files",
    )
    for file in evidence.reading.files:
        yield _file(file, evidence, settings)
    for name in sorted(set(evidence.listing) - {file.name for file in evidence.reading.files}):
        yield Finding(GATE, "block", "missing", "a file", f"{name} is missing", name)


def _version(evidence: DataEvidence) -> Finding:
    same = evidence.found == evidence.expected
    return Finding(
        GATE,
        "pass" if same else "block",
        evidence.found,
        evidence.expected,
        "the bytes are those of data.dvc" if same else "the bytes are not those of data.dvc",
        "version",
    )


def _file(file: RawFile, evidence: DataEvidence, settings: Settings) -> Finding:
    problems = list(_problems(file, evidence, settings))
    expected = f"whole lines of {', '.join(evidence.columns)}"
    if problems:
        text = "; ".join(problems)
        return Finding(GATE, "block", text, expected, f"{file.name}: {text}", file.name)
    message = f"{file.name} is whole and as declared"
    return Finding(GATE, "pass", f"{file.rows} lines", expected, message, file.name)


def _problems(file: RawFile, evidence: DataEvidence, settings: Settings) -> Iterator[str]:
    if not fnmatch(file.name, settings.pattern):
        yield f"its name is not like {settings.pattern}"
    if file.problem:
        yield file.problem
        return
    if file.header != tuple(evidence.columns):
        yield _header(file.header, tuple(evidence.columns))
    if not file.ends_with_newline:
        yield "its last line is cut off"
    if not file.rows > 0:
        yield "it holds no line but the header"
    known = evidence.listing.get(file.name)
    if known is None and evidence.listing:
        yield "it is not part of the version that data.dvc names"
    elif known is not None and known != file.md5:
        yield "its bytes are not those of data.dvc"


def _header(found: tuple[str, ...], declared: tuple[str, ...]) -> str:
    missing = [name for name in declared if name not in found]
    unknown = [name for name in found if name not in declared]
    parts = [f"misses {', '.join(missing)}"] if missing else []
    parts += [f"names {', '.join(unknown)[:200]}, which is not declared"] if unknown else []
    return "its header " + (" and ".join(parts) or "has the columns in another order")
