"""`slipway jenkins lint`: lets the controller check a Jenkinsfile."""

import argparse
from pathlib import Path

from ...config import Project
from ...errors import ConfigError
from ...report import words
from ...tools.jenkins import linter
from .. import Done, say
from . import target

MOST = 1 << 20  # bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="Jenkinsfile", help="default: `Jenkinsfile`"
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Prints what is wrong, with line and column.

    Raises:
        ConfigError: it does not pass.
    """
    path = Path(args.file)
    path = path if path.is_absolute() or path.exists() else project.root / path
    text = _read(path)
    with target.connected(project, args.url) as connection:
        found = linter.lint(connection, text)
    if found:
        for line in found:
            say(f"  {words.tidy(line)}")
        todo = "mend the lines that are named above"
        raise ConfigError(f"{path.name} does not pass the linter", str(path), todo)
    say(f"{path.name}: the controller finds no fault in it")
    return Done("passed")


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path.name}: {error}", str(path), "mend it") from error
    if not text.strip() or len(content) > MOST:
        size = "empty" if not text.strip() else f"longer than {MOST >> 20} MB"
        raise ConfigError(f"{path.name} is {size}", str(path), "name a Jenkinsfile")
    return text
