"""DVC's work for one command, in one process: brings what is needed, runs, checks, pushes.

`python -m slipway.tools.dvc.worker TASK` is started by `ci/tools/pipeline.py`, since importing DVC
takes longer than most of what it then does, and since what runs here must end with its starter.
What DVC says goes to standard output; the last line is the answer, behind `ANSWER`.
"""

import contextlib
import itertools
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import EvidenceError, SlipwayError, ToolError
from ...records import write_atomically
from ...typed import build, plain
from . import locked, setup, usage
from .places import Folder, Patience, Place, entries, path_of, remote_of
from .survey import HERE, Step, Survey, Surveyor, cache_place
from .task import ANSWER, Answer, Task
from .transfer import bring, push

LOOK = Patience(60.0)  # with a remote's answers before anything runs
PUSH = Patience(600.0)  # and afterwards, without the transfers themselves


def main(argument: str) -> int:
    """Does one task and prints its answer; 0, DVC's own 255, or 1 where slipway refuses."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    task = build(Task, json.loads(argument))
    sys.argv[:] = ["slipway", "repro" if task.stages else "data pull", *task.targets]  # for locks
    try:
        repo = Repo(task.root)
        _mend_note(repo)
        answer = _repro(repo, task) if task.stages else _data(repo, task)
    except SlipwayError as error:
        kind = type(error).__name__
        answer = Answer(kind, error.what, error.where, error.todo)
    except DvcException as error:
        print(f"ERROR: {': '.join(_chain(error))}", flush=True)
        return 255
    print(ANSWER + json.dumps(plain(answer)), flush=True)
    return 1 if answer.kind else 0


def _mend_note(repo: Any) -> None:
    """Takes away DVC's note of who reads and writes what, where a kill cut it short.

    DVC writes it in place, and then refuses what it cannot parse.
    """
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    folder = Path(repo.tmp_dir)
    hardlink = repo.config["core"].get("hardlink_lock", False)
    guard = make_lock(str(folder / RWLOCK_LOCK), tmp_dir=repo.tmp_dir, hardlink_lock=hardlink)
    with guard, contextlib.suppress(FileNotFoundError):
        try:
            json.loads((folder / RWLOCK_FILE).read_bytes())
        except ValueError:
            (folder / RWLOCK_FILE).unlink()


def _chain(error: BaseException | None) -> Iterator[str]:
    while error:
        yield str(error)
        error = error.__cause__


def places(repo: Any, shared: str, patience: Patience) -> tuple[Folder, list[Place]]:
    """The cache that DVC writes, and all places, the nearest first."""
    root = Path(repo.root_dir)
    cache = cache_place(root)
    more = [Folder("the shared cache", Path(shared))] if shared else []
    return cache, [cache, *more, remote_of(repo, setup.read(root), patience)]


def _data(repo: Any, task: Task) -> Answer:
    """Brings the data into the workspace; says what no place has."""
    from dvc.repo import lock_repo

    cache, others = places(repo, task.shared, LOOK)
    with _used(cache, task), lock_repo(repo):
        _heal(repo, cache, _named(task))
        surveyor, seen = _look(repo, cache, others, task)
        data = seen.data
        if data.lost:
            silent = next(filter(None, (getattr(p, "silent", "") for p in others)), "")
            return Answer(what=silent, lost=dict(data.lost))
        bring(cache, others, data.outs)
        _check_out(*surveyor.sources)
    return Answer(origin=data.origin)


def _repro(repo: Any, task: Task) -> Answer:
    """Restores what can be had, runs the rest, checks that nothing was damaged, pushes."""
    from dvc.repo import lock_repo

    cache, others = places(repo, task.shared, LOOK)
    lock = Path(task.root) / "dvc.lock"
    with _used(cache, task), lock_repo(repo):
        locked.take_over(repo)
        _heal(repo, cache, _named(task))
        asked = _ask_first(repo, task)
        surveyor, seen = _look(repo, cache, others, task)
        _refuse(seen, task)
        _restore(surveyor, seen, cache, others)
        before = lock.read_bytes() if lock.exists() else None
        failure: Exception | None = None
        try:
            _run(repo, task, _alone(surveyor, seen), asked)
        except Exception as error:  # told after what ran is pushed
            failure = error
        if damaged := _heal(repo, cache, _named(task)):
            _put_back(lock, before)
            raise _damage(damaged, task)
        try:
            changed = bool(seen.stale) or any(step.record for step in seen.steps.values())
            remote = places(repo, "", PUSH)[1][-1]  # asked anew: training may have taken hours
            if task.push:
                push(cache, remote, task, must=changed)
        except SlipwayError as error:
            if failure is None:
                raise
            print(f"WARNING: {error.what}", flush=True)  # a gate that blocked is told first
    if failure:
        raise failure
    return Answer(origin="run")


def _ask_first(repo: Any, task: Task) -> frozenset[str]:
    """Runs what always runs and depends on nothing here: what it leaves decides what has to run.

    The ledger may say something else than it said when `dvc.lock` was written, and then a stage
    needs data that a survey of the lock alone would not bring.
    """
    always = {getattr(s, "name", "") for s in repo.index.stages if s.always_changed and not s.deps}
    names = [name for name in task.stages if name in always and name not in task.forced]
    for name in names:
        repo.reproduce(targets=[name], single_item=True)
    _settle(repo, names)
    return frozenset(names)


def _settle(repo: Any, asked: Iterable[str]) -> None:
    """Lets DVC take stages as they stand that have run by themselves; it forgets that in a run."""
    for stage in repo.index.stages:
        if getattr(stage, "name", "") in asked:
            stage.always_changed = False


def _named(task: Task) -> list[tuple[str, str]]:
    """Path and md5 of the data and of what its stages left, as the files of DVC say."""
    return locked.outs(Path(task.root), task.pointer, task.stages)


def _look(repo: Any, cache: Folder, others: Sequence[Place], task: Task) -> tuple[Surveyor, Survey]:
    """What would be done, once the cache holds no other bytes for data or a run record's outs."""
    while True:
        surveyor = Surveyor(repo, others, task.pointer)
        seen = surveyor.look(task.stages, dict.fromkeys(task.forced, "asked for"))
        steps = seen.steps.values()
        recorded = [seen.data.outs.items(), *(s.outs.items() for s in steps if s.record)]
        if not _heal(repo, cache, itertools.chain(*recorded)):
            return surveyor, seen


@contextlib.contextmanager
def _used(cache: Folder, task: Task) -> Iterator[None]:
    """Keeps a shared cache from being pruned meanwhile, and notes what was used of it.

    What failed has used it too: a gate that blocks is asked again, and a person looks at its model.
    """
    if cache.path.is_relative_to(Path(task.root) / ".dvc"):
        yield
        return
    with usage.together(cache.path):
        try:
            yield
        except Exception:
            with contextlib.suppress(SlipwayError):  # what happened first is told
                _note(cache, task)
            raise
        _note(cache, task)


def _note(cache: Folder, task: Task) -> None:
    outs = {md5 for _, md5 in _named(task)}
    folders = [entries(cache.read(path_of(md5))) for md5 in outs if md5.endswith(".dir")]
    usage.note(cache.path, outs.union(*(found.values() for found in folders if found)))


def _put_back(lock: Path, content: bytes | None) -> None:
    if content is None:
        lock.unlink(missing_ok=True)
    else:
        write_atomically(lock, content)


def _alone(surveyor: Surveyor, seen: Survey) -> list[str]:
    """The stages whose outs no place has, and those before them that always run."""
    lost = [step.name for step in seen.steps.values() if step.lost]
    before = itertools.takewhile(lambda name: name != lost[-1], seen.steps) if lost else ()
    always = {name for name in before if surveyor.stages[name].always_changed}
    return [name for name in seen.steps if name in {*lost, *always}]


def _run(repo: Any, task: Task, alone: Sequence[str], asked: Iterable[str]) -> None:
    """Runs what has to run, in the order of the pipeline; those that were asked have.

    Data that nothing needs to read may be absent; DVC then passes over whatever is absent. So
    some stages are run by themselves before, and everything looked for at the end.
    """

    def reproduce(*targets: str, **how: bool) -> None:
        _settle(repo, asked)
        if wanted := [name for name in targets if name not in asked]:
            repo.reproduce(targets=wanted, **how)

    for name in alone:
        if name not in task.forced:
            reproduce(name, single_item=True)
    absent = any(not out.exists for s in repo.index.stages if not s.cmd for out in s.outs)
    if task.forced:
        reproduce(*task.stages[: min(map(task.stages.index, task.forced))], allow_missing=absent)
        for name in task.forced:
            reproduce(name, force=True, single_item=True)
    reproduce(*(n for n in task.targets if n not in task.forced), allow_missing=absent)
    for stage in repo.index.stages:
        for out in stage.outs if getattr(stage, "name", "") in task.stages else ():
            if not out.exists:
                what = f"'{stage.name}' left no {out.def_path}"
                raise ToolError(what, task.root, "run the same command again")


def _refuse(seen: Survey, task: Task) -> None:
    """Says no where what is needed cannot be had, or nobody can tell.

    Nothing is made that a silent remote may have, or that could not be sent there. A build of a
    pull request sends nothing and may have no credentials: it makes what the caches lack.
    """
    lost = {**(seen.data.lost if seen.needs_data else {})}
    if seen.silent and (lost or (task.push and seen.stale)):
        where = str(Path(task.root) / ".dvc/config")
        raise ToolError(seen.silent, where, "check its address, credentials and the network")
    if lost:
        said = "; ".join(f"{path} {what}" for path, what in lost.items())
        raise EvidenceError(
            f"the data of this commit cannot be had: {said}",
            f"{seen.data.name} names {', '.join(f'md5:{md5}' for md5 in seen.data.outs.values())}",
            "run 'slipway data pull', or 'dvc push' where the data is",
        )


def _restore(surveyor: Surveyor, seen: Survey, cache: Folder, others: Sequence[Place]) -> None:
    """Brings what the stages leave that do not run, and the data where one reads it."""
    if seen.needs_data and seen.data.origin != HERE:
        bring(cache, others, seen.data.outs)
        _check_out(*surveyor.sources)
    for step in seen.steps.values():
        stage = surveyor.stages[step.name]
        if step.reason or stage.always_changed:
            continue
        if step.origin != HERE:
            bring(cache, others, step.outs)
        if step.record:
            _keep_record(cache, others, step)
        elif step.origin != HERE:
            print(f"Stage '{step.name}' is cached - from {step.origin}", flush=True)
            _check_out(stage)
        elif any(out.changed_cache() for out in stage.outs):
            for out in stage.outs:  # here, and not in the cache: it would be made again
                out.commit()


def _keep_record(cache: Folder, others: Sequence[Place], step: Step) -> None:
    """Puts a run record where DVC looks for it, as the newest of its key."""
    content = next(filter(None, (place.read(step.record) for place in others)))
    write_atomically(cache.path / step.record, content)


def _check_out(*stages: Any) -> None:
    """Puts the outs of stages into the workspace, as `dvc.lock` or a `.dvc` file names them."""
    for out in (out for stage in stages for out in stage.outs):
        out.obj = None
        out.checkout(force=True)


def _heal(repo: Any, cache: Folder, outs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Drops every object of these outs whose bytes are not its name; path → md5 of those.

    DVC takes a read-only object for a good one, and root writes through that. Its own table of
    hashes makes this cheap: only what has changed since is read.
    """
    from dvc.fs import LocalFileSystem
    from dvc_data.hashfile.hash import hash_file

    fs, damaged = LocalFileSystem(), dict[str, str]()

    def check(path: str, md5: str) -> None:
        place = cache.path / path_of(md5)
        if not place.is_file():
            return
        _, found = hash_file(str(place), fs, "md5", state=repo.state)
        if str(found.value).removesuffix(".dir") != md5.removesuffix(".dir"):
            cache.drop(md5)
            damaged[path] = md5

    for path, md5 in outs:
        check(path, md5)
        files = entries(cache.read(path_of(md5))) if md5.endswith(".dir") else None
        for name, own in (files or {}).items():
            check(f"{path}/{name}", own)
    for path, md5 in damaged.items():
        print(f"WARNING: {path} was changed inside the cache; dropped {md5} there", flush=True)
    return damaged


def _damage(damaged: Mapping[str, str], task: Task) -> EvidenceError:
    """For what a stage's command wrote into, that it should only have read."""
    for path in damaged:
        target = Path(task.root) / path
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    return EvidenceError(
        f"a DVC stage wrote into {', '.join(sorted(damaged))}, which is not its own to write",
        task.root,
        "let it write a new file and rename it; then run the same command again",
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
