"""What `dvc.lock` and a `.dvc` file name: outs, and the run records that say the same."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .places import runs_of

TODO = "mend it, or restore it from git"
_known: dict[bytes, Any] = {}  # what YAML says, by its bytes; nobody changes it


def take_over(repo: Any) -> None:
    """Keeps what DVC itself has read of `dvc.lock`: to read it once more takes 40 ms.

    Args:
        repo: DVC's `Repo`, its lock held. What it cannot read is told by whoever needs it.
    """
    from dvc.exceptions import DvcException

    root = Path(repo.root_dir)
    with contextlib.suppress(DvcException, FileNotFoundError):
        content = (root / "dvc.lock").read_bytes()
        files = {stage.dvcfile.path: stage.dvcfile for stage in repo.index.stages}
        if pipeline := files.get(str(root / "dvc.yaml")):
            _known[content] = pipeline.lockfile_contents


def outs(root: Path, pointer: str, stages: Iterable[str]) -> list[tuple[str, str]]:
    """Path and md5 of the data and of what these DVC stages left, the data first."""
    named = [*_load(root / pointer).get("outs", ())]
    for entry in _entries(root, stages):
        named += entry.get("outs", ())
    return [(str(out["path"]), str(out["md5"])) for out in named if "md5" in out]


def records(root: Path, stages: Iterable[str]) -> list[str]:
    """The paths of the run records of what these DVC stages left.

    Source: dvc 3.67, `dvc/stage/cache.py`: a record is named by the hash of its stage's entry.
    """
    from dvc.stage.cache import _get_cache_hash

    found = []
    for entry in _entries(root, stages):
        value = _get_cache_hash(dict(entry))
        found.append(f"{runs_of(_get_cache_hash(dict(entry), key=True))}/{value}")
    return found


def _entries(root: Path, stages: Iterable[str]) -> list[dict[str, Any]]:
    known = _load(root / "dvc.lock").get("stages", {})
    return [known[name] for name in stages if name in known]


def _load(path: Path) -> dict[str, Any]:
    """One of DVC's files; empty where it is not there.

    Raises:
        ConfigError: it is malformed, by a merge that was not finished for example.
    """
    from ruamel.yaml.error import YAMLError

    try:
        found = _parsed(path.read_bytes()) if path.exists() else {}
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is malformed", str(path), TODO) from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path.name} is malformed", str(path), TODO)
    return found


def _parsed(content: bytes) -> Any:
    """What some YAML says, read once."""
    from ruamel.yaml import YAML

    if content not in _known:
        _known[content] = YAML(typ="safe").load(content) or {}
    return _known[content]
