"""Where quarantines are kept, under the names of DVC's objects: cache and remote."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...config import Project
from ...errors import ConfigError, EvidenceError, SlipwayError, ToolError
from ...records import canonical, write_atomically
from ...typed import build
from .. import folders
from ..dvc import access, setup, usage
from ..dvc.places import OBJECT, Folder, Patience, Place, entries, path_of, remote_at, whole
from ..dvc.setup import cache_of
from ..dvc.transfer import send, sent
from . import INDEX, Entry, explained, swap

NOTES = "slipway/quarantine"  # what is there of quarantines, for pruning: a file names its objects
PATIENCE = Patience(60.0)  # with a remote's answers


def keep(project: Project, folder: Path) -> str:
    """Puts a quarantine into the cache and, unless this is a passing build, into the remote.

    Gives why it is not in the remote; empty where it is.
    """
    if not (project.root / ".dvc").is_dir():
        return "DVC does not know this project"
    access.ensure(project)
    cache = Folder("the cache", cache_of(project.root))
    md5, objects = _into(project, cache, folder)
    if project.passing:
        return "this build leaves nothing in the DVC remote"
    remote = remote_at(project.root, setup.read(project.root), PATIENCE)
    try:
        send(cache, remote, objects)
        send(cache, remote, {md5})  # the listing last, since it names all others
        if not getattr(remote, "silent", ""):
            sent(remote, cache.path / _note(md5), _note(md5))
    except SlipwayError as error:  # the verdict is the answer, and it stands
        return error.what
    return str(getattr(remote, "silent", ""))


def _into(project: Project, cache: Folder, folder: Path) -> tuple[str, set[str]]:
    """Puts all objects of a quarantine into the cache: its own md5, and those of its files."""
    files = folders.hash_files(folder)
    md5, objects = folders.digest(files).removeprefix("md5:"), set(files.values())
    with _used(project, cache, {*objects, md5}), explained(cache.path):
        for name, own in files.items():
            if not whole(cache.path / path_of(own), own):
                cache.put(folder / name, path_of(own))
        write_atomically(cache.path / path_of(md5), folders.listing(files))
        write_atomically(cache.path / _note(md5), canonical(sorted({*objects, md5})))
    return md5, objects


def _note(md5: str) -> str:
    return f"{NOTES}/{md5.removesuffix('.dir')}.json"


@contextlib.contextmanager
def _used(project: Project, cache: Folder, md5s: set[str]) -> Iterator[None]:
    """Keeps a shared cache from being pruned meanwhile, and these objects for its while."""
    if cache.path.is_relative_to(project.root / ".dvc"):
        yield
        return
    with usage.together(cache.path):
        yield
        usage.note(cache.path, md5s)


def fetch(project: Project, digest: str, into: Path) -> list[Entry]:
    """Brings a quarantine into a new folder, from cache or remote; gives what its index says.

    Raises:
        ConfigError: that is no digest of a folder.
        EvidenceError: no place has it whole, or it is no quarantine.
        ToolError: the remote does not answer.
    """
    md5 = digest.removeprefix("md5:")
    if not (OBJECT.fullmatch(md5) and md5.endswith(".dir")):
        todo = "take it from the verdict: md5:….dir"
        raise ConfigError(f"'{digest}' is no digest of a quarantine", "slipway quarantine", todo)
    places = _places(project)
    files = _listing(places, md5)
    if INDEX not in files:
        raise _other(digest)
    mode = int(project.config.data.quarantine_mode, 8)
    aside = into.with_name(f".{into.name}.partial")  # on the same disk
    with explained(into):
        shutil.rmtree(aside, ignore_errors=True)
        access.make(aside, mode)
        try:
            for name, own in files.items():
                _take(places, own, aside / name, mode)
            found = _index(aside / INDEX, digest)
            swap(aside, into)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return found


def _index(path: Path, digest: str) -> list[Entry]:
    try:
        return [build(Entry, entry) for entry in json.loads(path.read_bytes())]
    except (ValueError, RecursionError) as error:  # a Mismatch is a ValueError
        raise _other(digest) from error


def _other(digest: str) -> EvidenceError:
    todo = "take the digest from a verdict's 'quarantine'"
    return EvidenceError("this folder of DVC's is no quarantine", digest, todo)


def _places(project: Project) -> list[Place]:
    root, shared = project.root, setup.readable_cache(project)
    cache = Folder("the cache", cache_of(root))
    more = [Folder("the shared cache", shared)] if shared else []
    return [cache, *more, remote_at(root, setup.read(root), PATIENCE)]


def _listing(places: list[Place], md5: str) -> dict[str, str]:
    """The files of the nearest place that has this folder's listing."""
    for place in places:
        found = entries(place.read(path_of(md5)))
        if found is not None and folders.digest(found) == f"md5:{md5}":
            return found
    silent = "".join(getattr(place, "silent", "") for place in places)
    if silent:
        raise ToolError(silent, f"md5:{md5}", "check its address, credentials and the network")
    names = " nor ".join(place.name for place in places)
    todo = "ask whoever judged: a build that may not go live leaves it in its own cache"
    raise EvidenceError(f"neither {names} has this quarantine", f"md5:{md5}", todo)


def _take(places: list[Place], md5: str, target: Path, mode: int) -> None:
    for place in places:
        if place.has([md5]):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode & 0o666)
            place.get(md5, target)
            if folders.md5(target) == md5:
                target.chmod(mode & 0o666)
                return
    todo = "see what became of it there; judge the same data again"
    raise EvidenceError(f"no place has {target.name} of this quarantine", f"md5:{md5}", todo)
