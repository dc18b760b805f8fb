"""DVC: what its files say, and its commands with their lock waited for."""

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, EvidenceError, ToolError
from .. import folders
from ..process import Finished, watch
from .places import entries, path_of
from .setup import cache_of

BUSY = re.compile(r"Unable to acquire lock|is busy|waiting for it to finish", re.I)
LOCK_WAIT_S = 900.0
TRANSFER_S = 6 * 3600.0


@dataclass(frozen=True)
class Pointer:
    """One data version, as a `.dvc` file names it."""

    path: str
    md5: str  # `md5:….dir`
    files: int | None  # how many, where the file says so
    bytes: int | None


def pointer(path: Path) -> Pointer:
    """The folder that a `.dvc` file names.

    Raises:
        EvidenceError: it is missing, malformed, or names something else than one folder.
    """
    todo = "restore it from git, or make it with 'dvc add'"
    out = _outs(path, todo)
    try:
        found = Pointer(str(out["path"]), f"md5:{out['md5']}", out.get("nfiles"), out.get("size"))
        if re.fullmatch(r"md5:[0-9a-f]{32}\.dir", found.md5):
            return found
    except (KeyError, TypeError, AttributeError) as error:
        raise EvidenceError(f"{path.name} names no folder of data", str(path), todo) from error
    raise EvidenceError(f"{path.name} names no folder of data", str(path), todo)


def pointer_md5(path: Path) -> str:
    """The digest of the data version that a `.dvc` file names: `md5:….dir`."""
    return pointer(path).md5


def _outs(path: Path, todo: str) -> Any:
    try:
        content = _yaml(path)
        (out,) = content["outs"]
    except FileNotFoundError as error:
        raise EvidenceError(f"there is no {path.name}", str(path), todo) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"{path.name} is malformed", str(path), todo) from error
    return out


def _yaml(path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ValueError(f"{path.name} is not YAML") from error


def listing(root: Path, digest: str) -> dict[str, str] | None:
    """Relative path → md5 of a folder's version, if the cache holds that version whole."""
    return _listing(cache_of(root), digest)


def _listing(store: Path, digest: str) -> dict[str, str] | None:
    try:
        files = entries((store / path_of(digest.removeprefix("md5:"))).read_bytes())
    except OSError:
        return None
    if files is None or folders.digest(files) != digest:
        return None
    return files if all((store / path_of(md5)).is_file() for md5 in files.values()) else None


def in_cache(root: Path, files: Mapping[str, str]) -> bool:
    """Whether the cache holds every one of these files (relative path → md5)."""
    return all((cache_of(root) / path_of(md5)).is_file() for md5 in files.values())


def heal(root: Path, md5s: Iterable[str]) -> bool:
    """Drops objects of the cache whose bytes are not what they are named after; whether it had any.

    A file that was written through a hard link is such an object, and DVC would not notice.
    """
    paths = {cache_of(root) / path_of(md5): md5 for md5 in md5s}
    bad = [p for p, md5 in paths.items() if p.is_file() and folders.md5(p) != md5]
    for path in bad:
        path.unlink(missing_ok=True)
    return bool(bad)


def call(
    root: Path,
    *words: str,
    timeout_s: float = TRANSFER_S,
    line: Callable[[str], None] | None = None,
) -> Finished:
    """Runs a DVC command, waiting while another one holds DVC's lock.

    Its output is in `out`, and goes to `line` as it is written; it ends when this process does.
    """
    return module(root, "dvc", *words, timeout_s=timeout_s, line=line)


def module(
    root: Path,
    *words: str,
    timeout_s: float = TRANSFER_S,
    line: Callable[[str], None] | None = None,
) -> Finished:
    """Runs `python -m WORDS…`, something of DVC's, as `call` does."""
    until = time.monotonic() + LOCK_WAIT_S
    for wait_s in _waits():
        command = [sys.executable, "-m", *words]
        done = watch(command, cwd=root, timeout_s=timeout_s, line=line or _unheard)
        if not (done.code and BUSY.search(done.out)) or time.monotonic() > until:
            break
        time.sleep(wait_s)
    return done


def _waits() -> Iterator[float]:
    wait_s = 1.0
    while True:
        yield wait_s
        wait_s = min(wait_s * 2, 30.0)


def _unheard(_: str) -> None:
    return


def cause(done: Finished) -> str:
    """The line of a failed DVC command that says why."""
    lines = [line.strip() for line in done.out.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    crashed = not errors and any(line.startswith("Traceback") for line in lines)
    return (errors or lines or ["no output"])[-1 if crashed else 0]


def _must(root: Path, *words: str) -> Finished:
    done = call(root, *words)
    if done.code:
        raise ToolError(cause(done), f"dvc {' '.join(words)} (in {root})", "mend what it names")
    return done


def commit(root: Path, target: str) -> None:
    """Keeps in the cache what a `.dvc` file names and the workspace holds.

    Raises:
        ToolError: the cache cannot be written, or the workspace holds something else.
    """
    _must(root, "commit", "--quiet", target)


def needs(root: Path) -> dict[str, list[str]]:
    """DVC stage → the stages whose outs it depends on, as `dvc.yaml` says.

    Raises:
        ConfigError: the file is missing or malformed.
    """
    deps, outs = paths(root)
    return {
        name: [other for other in outs if other != name and _reads(wanted, outs[other])]
        for name, wanted in deps.items()
    }


def paths(root: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """DVC stage → the paths that it reads, and those that it leaves, as `dvc.yaml` says.

    Raises:
        ConfigError: the file is missing or malformed.
    """
    path = root / "dvc.yaml"
    try:
        stages = _yaml(path)["stages"]
        outs = {
            name: [str(next(iter(out)) if isinstance(out, dict) else out) for out in made]
            for name, made in ((name, stage.get("outs", ())) for name, stage in stages.items())
        }
        deps = {name: [str(dep) for dep in stage.get("deps", ())] for name, stage in stages.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError("dvc.yaml is missing or malformed", str(path), "mend it") from error
    return deps, outs


def _reads(deps: list[str], outs: list[str]) -> bool:
    """Whether one of some paths is an out, stands in one, or holds one."""
    pairs = [(f"{dep}/", f"{out}/") for dep in deps for out in outs]
    return any(dep.startswith(out) or out.startswith(dep) for dep, out in pairs)
