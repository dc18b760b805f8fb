"""What each DVC stage would do, and where its outs can be had: asked of DVC itself, in one process.

Nothing is run, restored or downloaded; of a remote only names, listings and run records are read.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .. import folders
from . import passed
from .places import OBJECT, Folder, Place, entries, path_of

HERE = "the workspace"


@dataclass(frozen=True)
class Step:
    """One DVC stage, or the data.

    Attributes:
        reason: why it has to run; empty: it has not.
        outs: path → md5 of what it leaves, as far as that is known.
        origin: the farthest place that is needed to have all of its outs.
        lost: the outs that no place has whole, each with what is missing of it.
        record: path of the run record that says what it leaves; empty: `dvc.lock` says it.
        reads: the paths that it depends on.
    """

    name: str
    reason: str = ""
    outs: Mapping[str, str] = field(default_factory=dict)
    origin: str = HERE
    lost: Mapping[str, str] = field(default_factory=dict)
    record: str = ""
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """All stages in the order of the pipeline, and the data."""

    steps: Mapping[str, Step]
    data: Step
    silent: str = ""  # why the remote was not asked to the end

    @property
    def stale(self) -> dict[str, str]:
        """DVC stage → why it runs."""
        return {name: step.reason for name, step in self.steps.items() if step.reason}

    @property
    def needs_data(self) -> bool:
        """Whether a stage that has to run, or a run record to be checked, reads the data itself."""
        changed = (s for s in self.steps.values() if s.reason or s.record)
        return any(_below(path, out) for s in changed for path in s.reads for out in self.data.outs)


class Surveyor:
    """One look at a project: its stages, and the places that may have their outs.

    Args:
        repo: DVC's `Repo`.
        places: the nearest first; the first is the cache that DVC writes.
        pointer: the `.dvc` file of the data.

    Raises:
        ConfigError: DVC does not know that file.
    """

    def __init__(self, repo: Any, places: Sequence[Place], pointer: str) -> None:
        self.repo, self.places = repo, places
        self.made: dict[str, str | None] = {}  # path of an out → md5; None: not known before it ran
        self.makers: dict[str, str] = {}  # path of an out → the stage that makes it
        self.steps: dict[str, Step] = {}
        self.stages = {getattr(s, "name", s.path_in_repo): s for s in repo.index.stages}
        self.sources = [self._known(pointer), *self._absent(posixpath.normpath(pointer))]
        self.data = self._data()

    def look(self, names: Iterable[str], forced: Mapping[str, str]) -> Survey:
        """What these stages would do, in the order of the pipeline; `forced` ones for a reason."""
        for name in names:
            if name in self.stages:
                self.steps[name] = self._step(self.stages[name], forced.get(name, ""))
        silent = next(filter(None, (getattr(p, "silent", "") for p in self.places)), "")
        return Survey(self.steps, self.data, silent)

    def _known(self, pointer: str) -> Any:
        stage = self.stages.get(posixpath.normpath(pointer))
        if stage is None:
            where, todo = "delivery.toml [data] pointer", "name a .dvc file that .dvcignore allows"
            raise ConfigError(f"DVC does not know '{pointer}'", where, todo)
        return stage

    def _absent(self, pointer: str) -> Iterator[Any]:
        """The other `.dvc` files that the pipeline reads, where the workspace lacks what they name.

        What is there stays as it is: somebody may have edited it.
        """
        reads = [dep.def_path for stage in self.stages.values() if stage.cmd for dep in stage.deps]
        for name, stage in self.stages.items():
            read = any(_below(path, out.def_path) for out in stage.outs for path in reads)
            if name != pointer and not stage.cmd and read and not any(o.exists for o in stage.outs):
                yield stage

    def _data(self) -> Step:
        kept = [out for stage in self.sources for out in stage.outs]
        outs = {out.def_path: str(out.hash_info.value) for out in kept}
        self.made |= outs
        origin, lost = self._had(kept, outs)
        return Step(self.sources[0].path_in_repo, outs=outs, origin=origin, lost=lost)

    def _step(self, stage: Any, forced: str) -> Step:
        reads = tuple(d.def_path for d in stage.deps if d.hash_name != "params")
        first = [n for n in self.steps if self.steps[n].reason and not self.steps[n].lost]
        after = [n for n in first if any(self._waits(path, n) for path in reads)]
        outs = {out.def_path: str(out.hash_info.value) for out in stage.outs if out.hash_info}
        # What always runs is taken to leave what it left last, until something before it runs.
        own = [] if forced or (stage.always_changed and outs) else self._changes(stage)
        reason, record = forced or "; ".join(own), ""
        if after and not forced:
            reason = reason or f"after {', '.join(after)}"
        elif own and not stage.always_changed:
            record, recorded = self._recorded(stage)
            outs, reason = (recorded, "") if record else (outs, reason)
        origin, lost = HERE, dict[str, str]()
        if not reason and not stage.always_changed:
            origin, lost = self._had(stage.outs, outs)
            reason = "; ".join(f"{path} {what}" for path, what in lost.items())
        known = not reason or bool(lost)
        for out in stage.outs:
            self.makers[out.def_path] = stage.name
            left = outs.get(out.def_path)
            self.made[out.def_path] = left if known or left in self._tokens(stage) else None
        return Step(stage.name, reason, outs, origin, lost, record, reads)

    def _waits(self, path: str, name: str) -> bool:
        """Whether a path is made by a stage, and what it will be is not known before that ran."""
        return self._maker(path) == name and self._unknown(path)

    def _tokens(self, stage: Any) -> set[str]:
        """The md5s of what a gate may leave that passes: it names what it judged, and no more."""
        deps = (dep for dep in stage.deps if dep.hash_name != "params")
        return {passed.md5(f"md5:{md5}") for dep in deps if (md5 := self._hash(dep))}

    def _maker(self, path: str) -> str:
        return next((name for out, name in self.makers.items() if _below(path, out)), "")

    def _changes(self, stage: Any) -> list[str]:
        """How a stage differs from what `dvc.lock` says of it.

        Raises:
            ConfigError: a parameter that it depends on is not there.
        """
        if not any(out.hash_info for out in stage.outs):
            for dep in stage.deps:
                if dep.hash_name == "params":
                    _refuse_without(dep)
            return ["never run"]
        found = ["command changed"] if stage.cmd_changed else []
        found += [f"{out.def_path} new" for out in stage.outs if not out.hash_info]
        for dep in stage.deps:
            if dep.hash_name == "params":
                found += _parameters(dep)
                continue
            now = self._hash(dep)
            if now != dep.hash_info.value and not self._unknown(dep.def_path):
                how = "is missing" if now is None else "modified" if dep.hash_info else "new"
                found.append(f"{dep.def_path} {how}")
        return found

    def _unknown(self, path: str) -> bool:
        return any(md5 is None and _below(path, out) for out, md5 in self.made.items())

    def _hash(self, dep: Any) -> str | None:
        """The md5 that a dependency has now; None: it is missing, or not made yet."""
        path = dep.def_path
        for out, md5 in self.made.items():
            if path == out:
                return md5
            if md5 and _below(path, out):
                return self._part(dep, md5, path[len(out) + 1 :])
        return str(dep.get_hash().value) if dep.exists else None

    def _part(self, dep: Any, md5: str, name: str) -> str | None:
        """The md5 of a file or folder inside an out; as `dvc.lock` says where none has its listing.

        Then the out itself is lost, and made again.
        """
        files = self._files(md5)
        if files is None:
            return str(dep.hash_info.value) if dep.hash_info else None
        inside = {n[len(name) + 1 :]: m for n, m in files.items() if n.startswith(f"{name}/")}
        return files.get(name) or (folders.digest(inside).removeprefix("md5:") if inside else None)

    def _files(self, md5: str) -> dict[str, str] | None:
        """Relative path → md5 of a folder's version, where the nearest place has its listing."""
        for place in self.places:
            found = entries(place.read(path_of(md5)))
            if found is not None and folders.digest(found) == f"md5:{md5}":
                return found
        return None

    def _recorded(self, stage: Any) -> tuple[str, dict[str, str]]:
        """Path and outs of the newest run record of what a stage would do now, outs had."""
        key = self._key(stage)
        if not key:
            return "", {}
        for place in self.places:
            for path in place.records(key):
                outs = recorded_outs(place.read(path))
                if outs and not self._had(stage.outs, outs)[1]:
                    return path, outs
        return "", {}

    def _key(self, stage: Any) -> str:
        """The run-cache key of a stage as its dependencies are now; empty where that is not known.

        Source: dvc 3.67, `dvc/stage/cache.py`; `_get_stage_hash` there wants them in the workspace.
        """
        from dvc.dependency.param import BadParamFileError, MissingParamsError
        from dvc.stage.cache import _get_cache_hash
        from dvc.stage.serialize import to_single_stage_lockfile
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta

        as_locked = [(item, item.hash_info, item.meta) for item in (*stage.deps, *stage.outs)]
        try:
            for out in stage.outs:
                out.meta = Meta()
            for dep in stage.deps:
                if dep.hash_name == "params":
                    dep.hash_info = dep.get_hash()
                    continue
                now = self._hash(dep)
                if now is None:
                    return ""
                made = any(_below(dep.def_path, out) for out in self.made)
                dep.meta = Meta() if made else dep.get_meta()
                dep.hash_info = HashInfo("md5", now)
            return str(_get_cache_hash(to_single_stage_lockfile(stage), key=True))
        except (MissingParamsError, BadParamFileError):
            return ""
        finally:  # DVC itself compares them with what is there
            for item, hash_info, meta in as_locked:
                item.hash_info, item.meta = hash_info, meta

    def _had(self, kept: Iterable[Any], outs: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The farthest place that is needed to have some outs whole, and what no place has."""
        farthest, lost = 0, dict[str, str]()
        for out in kept:
            md5 = outs.get(out.def_path, "")
            if not md5 or _is_here(out, md5):
                continue
            near, missing = self._found(md5)
            farthest = max(farthest, near)
            if missing:
                lost[out.def_path] = missing
        return ([HERE, *(p.name for p in self.places)][farthest], lost)

    def _found(self, md5: str) -> tuple[int, str]:
        """Up to which place one has to go for all objects of an out, and what even that lacks."""
        files = self._files(md5) if md5.endswith(".dir") else {}
        if files is None:
            return 0, "is " + self._nowhere()
        wanted, count = {md5, *files.values()}, 0
        left = set(wanted)
        for count, place in enumerate(self.places, 1):
            left -= place.has(left)
            if not left:
                return count, ""
        if len(left) == len(wanted):
            return count, "is " + self._nowhere()
        named = [name for name, own in files.items() if own in left]
        which = f"{len(left)} of {len(wanted)} objects: {', '.join(named[:3])}"
        return count, f"lacks {which.removesuffix(': ')}{', …' if len(named) > 3 else ''}"

    def _nowhere(self) -> str:
        if any(getattr(place, "silent", "") for place in self.places):
            return "not here, and the remote does not answer"
        return f"neither here nor in {' nor '.join(place.name for place in self.places)}"


def _parameters(dep: Any) -> list[str]:
    """How the parameters of a file differ from those in `dvc.lock`, each by its own key."""
    states = dep.status().get(str(dep), {})
    if not states:
        return []
    _refuse_without(dep)
    if not isinstance(states, dict):
        return [f"{dep.def_path} {states}"]
    then, now = dep.hash_info.value or {}, dep.read_params()
    found = []
    for key, how in states.items():
        inner = list(_differences(key, then.get(key), now.get(key))) or [key]
        found += [f"{dep.def_path}:{name} {how}" for name in inner]
    return found


def _refuse_without(dep: Any) -> None:
    """Says no where a file lacks a parameter that a stage depends on: DVC would not run it."""
    from dvc.dependency.param import BadParamFileError, MissingParamsError

    try:
        dep.get_hash()
    except (MissingParamsError, BadParamFileError) as error:
        raise ConfigError(str(error), str(dep.fs_path), "restore it from git") from error


def _differences(key: str, then: Any, now: Any) -> Iterator[str]:
    """The keys below `key` whose values differ."""
    if not (isinstance(then, dict) and isinstance(now, dict)):
        if then != now:
            yield key
        return
    for name in [*then, *(name for name in now if name not in then)]:
        yield from _differences(f"{key}.{name}", then.get(name), now.get(name))


def _is_here(out: Any, md5: str) -> bool:
    """Whether the workspace holds this version of an out."""
    return bool(out.exists and out.get_hash().value == md5)


def _below(path: str, out: str) -> bool:
    return path == out or path.startswith(f"{out}/")


def recorded_outs(record: bytes | None) -> dict[str, str]:
    """Path → md5 of the outs that a run record names; empty where it is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(record or b"")
        outs = {str(out["path"]): str(out["md5"]) for out in found["outs"]}
    except (YAMLError, KeyError, TypeError, UnicodeDecodeError):
        return {}
    return outs if all(map(OBJECT.fullmatch, outs.values())) else {}


def cache_place(root: Path) -> Folder:
    """The cache that DVC writes."""
    from .setup import cache_of

    return Folder("the cache", cache_of(root))
