"""Why a build is asked for, in one bounded line: words, or what a file says."""

import json
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...report import words

LONGEST = 500  # characters
READ = 1 << 20  # bytes of a file that are looked at
TOLD = ("summary", "message", "reason", "description", "title")  # of a drift report or an alert
NESTED = ("commonAnnotations", "annotations", "drift", "report")


def cause_of(given: str) -> str:
    """The cause on one line: a report's summary, a file's first lines, or the words themselves.

    Raises:
        ConfigError: it is empty, or a file that is not there or is no text.
    """
    path = Path(given)
    text = _of_file(path) if given.strip() and _is_file(path) else given
    if not text.strip():
        raise ConfigError("the cause is empty", f"--cause {given[:80]}", "say why")
    return words.tidy(" ".join(text.split()), LONGEST)


def _is_file(path: Path) -> bool:
    try:
        if path.is_file():
            return True
    except (OSError, ValueError):
        return False
    looks_so = path.suffix in (".json", ".txt", ".md", ".log") and " " not in str(path)
    if looks_so or path.is_dir():
        raise ConfigError(f"there is no file {path}", f"--cause {path}", "name a file, or say why")
    return False


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            text = stream.read(READ).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path.name}: {error}", str(path), "name a text") from error
    try:
        return _summary(json.loads(text)) or text
    except (ValueError, RecursionError):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return "; ".join(lines[:5])


def _summary(report: Any) -> str:
    """What a report or an alert says of itself."""
    if not isinstance(report, dict):
        return ""
    told = [report[key] for key in TOLD if isinstance(report.get(key), str) and report[key].strip()]
    return told[0] if told else next(filter(None, (_summary(report.get(k)) for k in NESTED)), "")
