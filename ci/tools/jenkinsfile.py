"""What a Jenkinsfile asks of its Jenkins: labels, locks, credentials, people, steps."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError

FILE = "Jenkinsfile"
COMMENT = re.compile(r"(?<!:)//[^\n]*|/\*.*?\*/", re.S)
LABEL = re.compile(r"\b(?:label|node)[ (]+'([^']+)'")
LOCK = re.compile(r"\block\s*\(\s*(?:resource:\s*)?'([^']+)'")
CREDENTIAL = re.compile(r"\b(?:credentials\(|credentialsId:\s*)'([^']+)'")
SUBMITTER = re.compile(r"\bsubmitter\s+'([^']+)'")
STEP = re.compile(r"(?<![\w.])([a-z]\w+)(?=\s*[({]|\s+[\w'\"])")
TEXT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
CHOSEN = re.compile(r"\blabel\s+env\.")  # a label that the plan decides


@dataclass(frozen=True)
class Wanted:
    """What has to be there for a Jenkinsfile to run."""

    labels: tuple[str, ...]
    locks: tuple[str, ...]
    credentials: tuple[str, ...]
    submitters: tuple[str, ...]
    words: frozenset[str]  # that may be steps
    chosen: bool  # an agent's label is decided while it runs


def read(root: Path) -> Wanted | None:
    """What a checkout's Jenkinsfile wants; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    path = root / FILE
    if not path.is_file():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the {FILE}: {error}", str(path), "mend it") from error


def parse(text: str) -> Wanted:
    """What the text of a Jenkinsfile wants."""
    plain = COMMENT.sub("", text)
    people = [name.strip() for found in SUBMITTER.findall(plain) for name in found.split(",")]
    return Wanted(
        labels=_once(LABEL.findall(plain)),
        locks=_once(LOCK.findall(plain)),
        credentials=_once(CREDENTIAL.findall(plain)),
        submitters=_once(people),
        words=frozenset(STEP.findall(TEXT.sub("''", plain))),
        chosen=bool(CHOSEN.search(plain)),
    )


def _once(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
