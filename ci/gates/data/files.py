"""Are the raw files there and readable, each of them whole lines to its end?"""

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
    """One finding a file, one on their number."""
    files = evidence.reading.files
    yield Finding(
        GATE,
        "pass" if files else "block",
        len(files),
        "at least 1",
        "there are raw files" if files else "there is no raw file",
        "number of files",
    )
    for file in files:
        yield _file(file, settings)
    for name in sorted(set(evidence.listing) - {file.name for file in files}):
        yield Finding(GATE, "block", "missing", "a file", f"{name} is missing", name)


def _file(file: RawFile, settings: Settings) -> Finding:
    text = "; ".join(_problems(file, settings))
    if text:
        return Finding(GATE, "block", text, "whole lines", f"{file.name}: {text}", file.name)
    message = f"{file.name} is whole"
    return Finding(GATE, "pass", f"{file.rows} lines", "whole lines", message, file.name)


def _problems(file: RawFile, settings: Settings) -> Iterator[str]:
    if not fnmatch(file.name, settings.pattern):
        yield f"its name is not like {settings.pattern}"
    if file.problem:
        yield file.problem
        return
    if not file.ends_with_newline:
        yield "its last line is cut off"
    if not file.rows > 0:
        yield "it holds no line but the header"
