"""Objects on their way: into the cache, their bytes checked, and out to the remote."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...errors import EvidenceError, ToolError
from . import locked
from .places import Folder, Place, entries, path_of, whole
from .task import Task


def bring(cache: Folder, others: Sequence[Place], outs: Mapping[str, str]) -> None:
    """Takes all objects of some outs (path → md5) into the cache, each from the nearest place.

    Raises:
        EvidenceError: a place holds other bytes under an object's name.
        ToolError: a place stopped to answer.
    """
    for path, md5 in outs.items():
        _bring_one(cache, others, md5, path)
        files = entries(cache.read(path_of(md5))) if md5.endswith(".dir") else {}
        with ThreadPoolExecutor(8) as pool:
            brought = [
                pool.submit(_bring_one, cache, others, own, f"{path}/{name}")
                for name, own in (files or {}).items()
            ]
            for one in brought:
                one.result()


def _bring_one(cache: Folder, others: Sequence[Place], md5: str, name: str) -> None:
    if cache.has([md5]):
        return None
    for place in others[1:]:
        if place.has([md5]):
            try:
                return cache.keep(md5, place, name)
            except (OSError, ValueError) as error:
                said, todo = f"{place.name} does not give {name}: {error}", "run it again"
                raise ToolError(said, path_of(md5), todo) from error
    raise ToolError(f"{name} went away meanwhile", path_of(md5), "run the same command again")


def push(cache: Folder, remote: Place, task: Task, *, must: bool) -> None:
    """Sends what the remote lacks: files, then listings, then the run records that name them.

    Each object is asked for by itself: DVC takes a listing for a proof of all that it names.

    Args:
        must: whether a remote that does not answer is a failure; else it is only said.

    Raises:
        ToolError: the remote does not answer, or does not take an object.
        EvidenceError: the cache holds other bytes under an object's name.
    """
    root = Path(task.root)
    for _, md5 in locked.outs(root, task.pointer, task.stages):
        files = entries(cache.read(path_of(md5))) if md5.endswith(".dir") else {}
        objects = set((files or {}).values())
        if files is None or cache.has({md5, *objects}) != {md5, *objects}:
            continue  # an earlier version's, not whole here
        send(cache, remote, objects)
        send(cache, remote, {md5})
    if silent := getattr(remote, "silent", ""):
        if must:
            raise ToolError(f"cannot push: {silent}", task.root, "check the DVC remote")
        print(f"WARNING: nothing changed and nothing was sent: {silent}", flush=True)
        return
    for path in locked.records(root, task.stages):
        if cache.read(path) and not remote.records(path.rpartition("/")[0].rpartition("/")[2]):
            sent(remote, cache.path / path, path)


def send(cache: Folder, remote: Place, objects: set[str]) -> None:
    """Sends those of some objects that the remote lacks; a remote that is silent gets none.

    Raises:
        ToolError: the remote does not take one.
        EvidenceError: the cache holds other bytes under an object's name.
    """
    missing = objects - remote.has(objects)
    if getattr(remote, "silent", ""):
        return
    for md5 in missing:
        if not whole(cache.path / path_of(md5), md5):
            cache.drop(md5)
            raise EvidenceError(
                f"the cache held other bytes under the name {md5}; dropped",
                str(cache.path / path_of(md5)),
                "run the same command again",
            )

    def put(md5: str) -> None:
        sent(remote, cache.path / path_of(md5), path_of(md5))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, missing))


def sent(remote: Place, source: Path, path: str) -> None:
    """Puts a file into a remote.

    Raises:
        ToolError: it does not take it.
    """
    try:
        remote.put(source, path)
    except Exception as error:  # each file system raises its own
        said = " ".join(str(error).split())[:200]
        raise ToolError(
            f"cannot push to {remote.name}: {said}", "the DVC remote", "check the right to write"
        ) from error
