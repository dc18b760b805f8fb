"""DVC's configuration: its remote and its cache; what slipway adds stands in `.dvc/config.local`.

A user's own setting stays as it is, but for one: a build of a pull request writes no shared cache.
"""

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...records import write_atomically
from ..locks import held

if TYPE_CHECKING:  # reading every setting's type takes the worker 20 ms, and it needs none
    from ...config import Project

OURS = "slipway"  # the remote that slipway adds where a project names none
OWN = "cache"  # DVC's name for the checkout's own cache, below .dvc
LINKS = (
    "reflink",
    "hardlink",
    "copy",
)  # how files come out of a shared cache: the first that works

Sections = dict[str, dict[str, str]]


def ensure(project: "Project") -> None:
    """Makes sure that DVC has a remote and the right cache; changes nothing where it has.

    Raises:
        ConfigError: this is no DVC project, or its configuration cannot be read.
    """
    if not (project.root / ".dvc").is_dir():
        raise ConfigError("DVC does not know this project", str(project.root), "run 'dvc init'")
    if not _lacking(project):
        return
    with held(project.scratch / "dvc-config.lock"):
        _write(project.root / ".dvc" / "config.local", _lacking(project))


def read(root: Path) -> Sections:
    """`.dvc/config` with `.dvc/config.local` over it."""
    return _parsed(root / ".dvc" / "config", root / ".dvc" / "config.local")


def settled(project: "Project") -> Sections:
    """The same as it will be once slipway has added what is lacking."""
    settings = read(project.root)
    added = _lacking(project)
    return {n: {**settings.get(n, {}), **added.get(n, {})} for n in {**settings, **added}}


def cache_of(root: Path) -> Path:
    """The cache that DVC writes."""
    return root / ".dvc" / read(root).get("cache", {}).get("dir", OWN)


def remote_folder(root: Path, settings: Sections) -> Path | None:
    """The folder that is the default remote; None where a network leads to it, or none is named."""
    name = settings.get("core", {}).get("remote", "")
    url = settings.get(f"'remote \"{name}\"'", {}).get("url", "")
    return root / ".dvc" / url if url and "://" not in url else None


def shared_cache(project: "Project") -> Path | None:
    """The cache that the checkouts of this host share; None where each has its own.

    Named by `[data] cache` or SLIPWAY_DVC_CACHE; a CI server's builds share one without being told.
    """
    if project.dvc_cache:
        return project.root / Path(project.dvc_cache).expanduser()
    return project.home / "dvc-cache" if project.branch or project.change else None


def readable_cache(project: "Project") -> Path | None:
    """The cache that a build of a pull request reads and does not write."""
    if not project.change:
        return None
    named = _parsed(project.root / ".dvc" / "config").get("cache", {}).get("dir")
    shared = project.root / ".dvc" / named if named else shared_cache(project)
    return shared if shared and shared.is_dir() else None


def _lacking(project: "Project") -> Sections:
    """What has to be written: section → key → value."""
    settings = read(project.root)
    found = {**_remote(project, settings), **_cache(project, settings)}
    return {name: keys for name, keys in found.items() if not keys.items() <= _of(settings, name)}


def _of(settings: Sections, name: str) -> set[tuple[str, str]]:
    return set(settings.get(name, {}).items())


def _remote(project: "Project", settings: Sections) -> Sections:
    wanted, default = project.config.data.remote, settings.get("core", {}).get("remote", "")
    if wanted and f"'remote \"{wanted}\"'" in settings:
        return {"core": {"remote": wanted}}
    if default and default != OURS and not wanted:
        return {}
    return {"core": {"remote": OURS}, f"'remote \"{OURS}\"'": {"url": _url(project)}}


def _url(project: "Project") -> str:
    wanted = project.config.data.remote
    if "://" in wanted:
        return wanted
    return str(project.root / wanted if wanted else project.home / "dvc-remote")


def _cache(project: "Project", settings: Sections) -> Sections:
    present, shared = settings.get("cache", {}), shared_cache(project)
    if project.change:  # whatever it was: what this build writes stays in its workspace
        return {"cache": {"dir": OWN}} if present.get("dir", OWN) != OWN else {}
    ours = _parsed(project.root / ".dvc" / "config.local").get("cache", {}).get("type") == _links()
    if shared is None or ("dir" in present and not ours):
        return {}
    links = {} if "type" in present and not ours else {"type": _links()}
    return {"cache": {"dir": str(shared), **links}}


def _links() -> str:
    return ", ".join(LINKS)


def _parsed(*paths: Path) -> Sections:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(paths, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(
            f"malformed: {str(error).splitlines()[0]}", str(paths[0]), "mend it"
        ) from error
    return {name: dict(parser[name]) for name in parser.sections()}


def _write(path: Path, sections: Mapping[str, Mapping[str, str]]) -> None:
    """Adds these keys to a file of DVC's, whose comments and other keys stay."""
    from configobj import ConfigObj, ConfigObjError

    if not sections:
        return
    try:
        content = ConfigObj(str(path) if path.exists() else None, list_values=False)
    except ConfigObjError as error:
        raise ConfigError(f"malformed: {error}", str(path), "mend it") from error
    for name, keys in sections.items():
        content.setdefault(name.strip("'"), {}).update(keys)
    content.filename = None
    write_atomically(path, "".join(f"{line}\n" for line in content.write()).encode())
