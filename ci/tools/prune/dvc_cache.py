"""What a DVC cache that checkouts share holds and nothing names: no branch, no tag, no release.

A build notes what it used (`slipway/used` in the cache), so that what several projects or branches
keep there is known without asking them. A cache that a build uses now is left for another time.
"""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ...config import Project
from ...errors import ToolError
from .. import ledger
from ..dvc.places import OBJECT, entries, path_of
from ..dvc.setup import shared_cache
from ..dvc.usage import USED, alone
from ..ledger import History
from ..process import Finished, run
from . import Piece, Survey, quarantines

NAMED = re.compile(rb"\bmd5: ([0-9a-f]{32}(?:\.dir)?)")
NAMING = (":(top)*.dvc", ":(top)*dvc.lock")  # the data's own and others, of every project in there
UNWANTED = "no branch, no tag, no release and no recent build names them"
FETCH_S = 120.0


@contextlib.contextmanager
def reserved(project: Project, *, dry_run: bool) -> Iterator[tuple[list[Path], list[Path]]]:
    """The shared caches that no build uses within the block, and those that one does."""
    named = [project.home / "dvc-cache", *filter(None, (shared_cache(project),))]
    free, busy = list[Path](), list[Path]()
    with contextlib.ExitStack() as held:
        for cache in dict.fromkeys(path.resolve() for path in named if path.is_dir()):
            ours = dry_run or held.enter_context(alone(cache))
            (free if ours else busy).append(cache)
        yield free, busy


def survey(
    project: Project,
    caches: Sequence[Path],
    books: Sequence[ledger.Ledger],
    histories: Sequence[History],
) -> Survey:
    """What may go from each cache, as one piece, and quarantines that are old.

    Raises:
        ToolError: the repository does not answer.
    """
    old = quarantines.noted(project, caches)
    if not caches and not old:
        return Survey((), tuple(quarantines.pieces(project, (), set())))
    named = {*_named_by_git(project), *_named_by_releases(project, books, histories)}
    pieces = [piece for cache in caches if (piece := _piece(project, cache, named))]
    wholly = {md5 for note in old for md5 in _whole(note.parent.parent.parent, named)}
    return Survey((), (*pieces, *quarantines.pieces(project, old, wholly)))


def _piece(project: Project, cache: Path, named: set[str]) -> Piece | None:
    now, retention = time.time(), project.config.retention
    used = now - retention.cache_days * 86400
    notes = list((cache / USED).glob("*.json"))
    old = [note for note in notes if note.stat().st_mtime <= used]
    kept = _whole(cache, named | _named_by(note for note in notes if note not in old))
    goes = list(_unnamed(cache, kept, now - retention.hours * 3600))
    if not goes:
        return None
    size = sum(path.stat().st_size for path in goes)
    objects = sum(path.is_relative_to(cache / "files") for path in goes)
    remove = partial(_remove, cache, (*goes, *old))
    return Piece("data", f"{objects} objects", str(cache), "", size, UNWANTED, remove)


def _named_by(notes: Iterable[Path]) -> set[str]:
    found = set[str]()
    for note in notes:
        with contextlib.suppress(OSError, ValueError):
            found |= set(filter(OBJECT.fullmatch, map(str, json.loads(note.read_bytes()))))
    return found


def _whole(cache: Path, named: set[str]) -> set[str]:
    """These objects, and the files of each folder among them."""
    found = set(named)
    for md5 in named:
        path = cache / path_of(md5)
        if md5.endswith(".dir") and path.is_file():
            found |= set((entries(path.read_bytes()) or {}).values())
    return found


def _unnamed(cache: Path, kept: set[str], before: float) -> Iterator[Path]:
    """Objects, leftovers of killed writes and run records, old enough and of no use."""
    for path in (cache / "files" / "md5").glob("??/*"):
        status = path.stat()
        old = max(status.st_mtime, status.st_ctime) <= before  # a link made of it counts
        if old and path.parent.name + path.name not in kept:
            yield path
    for path in (cache / "runs").glob("??/*/*"):
        names = {md5.decode() for md5 in NAMED.findall(path.read_bytes().partition(b"outs:")[2])}
        if path.stat().st_mtime <= before and not names <= kept:
            yield path


def _remove(cache: Path, paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            todo = "mend its rights, then prune again"
            raise ToolError(f"cannot remove: {error.strerror}", str(path), todo) from error
    for folder in (*(cache / "runs").glob("??/*"), *(cache / "files" / "md5").glob("??")):
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()


def _named_by_releases(
    project: Project, books: Sequence[ledger.Ledger], histories: Sequence[History]
) -> set[str]:
    """The data of the releases in the rollback window, so that each can be trained again."""
    found = set[str]()
    for book, history in zip(books, histories, strict=True):
        for event in history.releases()[-project.config.retention.releases :]:
            content = ledger.records_of(book, event).get("dataset.json", b"{}")
            with contextlib.suppress(ValueError, AttributeError):
                record = json.loads(content)
                digest = str(record.get("subject", "")).removeprefix("md5:")
                found |= {digest, *map(str, record.get("files", {}).values())}
    return set(filter(OBJECT.fullmatch, found))


def _named_by_git(project: Project) -> set[str]:
    """What DVC's files name on every branch and tag, at the origin and here, and what lies here."""
    head = _git(project.root, "rev-parse", "--quiet", "--verify", "HEAD").out.split()
    found = _md5s(project.root, "--untracked", [])
    for folder, refs in ((project.root, [*head, *_refs(project.root)]), *_origin(project)):
        found |= _md5s(folder, "--full-name", refs) if refs else set()
    return found


def _md5s(folder: Path, option: str, commits: Sequence[str]) -> set[str]:
    """The objects that DVC's files name: in some commits, or in the working tree.

    Raises:
        ToolError: git cannot read all of it.
    """
    done = _git(folder, "grep", "-hIE", option, "md5: [0-9a-f]{32}", *commits, "--", *NAMING)
    if done.code > 1:  # 1: it found none
        said = (done.err.strip() or "no output").splitlines()[-1]
        todo = "mend the repository; nothing is removed before"
        raise ToolError(f"git cannot be asked what is needed: {said}", str(folder), todo)
    return {md5.decode() for md5 in NAMED.findall(done.raw)}


def _origin(project: Project) -> Iterator[tuple[Path, list[str]]]:
    """A copy of the origin's newest commits: a CI checkout knows one branch alone.

    Raises:
        ToolError: it does not answer; without it nobody knows what is needed.
    """
    address = _git(project.root, "remote", "get-url", "origin").out.strip()
    if not address:
        return
    folder = project.scratch / "refs.git"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet", "--bare")
    ours = f"^refs/heads/{project.config.ledger.branch}"
    specs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", ours)
    where = str(project.root / address) if address.startswith(".") else address
    done = _git(folder, "fetch", "--quiet", "--depth=1", "--no-tags", where, *specs)
    if done.code:
        said = (done.err.strip() or "no output").splitlines()[-1]
        raise ToolError(f"the origin cannot be read: {said}", where, "check the network and rights")
    yield folder, _refs(folder)


def _refs(folder: Path) -> list[str]:
    return sorted({*_git(folder, "for-each-ref", "--format=%(objectname)").out.split()})


def _git(folder: Path, *words: str) -> Finished:
    return run(["git", *words], cwd=folder, timeout_s=FETCH_S)
