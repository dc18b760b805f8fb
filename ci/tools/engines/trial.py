"""A throw-away instance of an artefact: started, measured, gone."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...config import Project
from ...records import digest_tree
from .. import daemons, locks
from ..artefacts import Artefact
from . import Instance, backends, releases
from .backends import Backend, Place

READY_S = 60.0


@dataclass(frozen=True)
class Trial:
    """A running throw-away instance.

    Attributes:
        folder: its unpacked files.
        cpu_s: processor time that it took to get ready.
        tree: digest of its files before it was asked anything.
    """

    instance: Instance
    folder: Path
    cpu_s: float
    tree: str
    _backend: Backend

    def memory_bytes(self) -> int:
        """What the process takes now."""
        return daemons.memory_bytes(self._backend.daemon)

    def changed(self) -> bool:
        """Whether the instance changed its own files."""
        return digest_tree(self.folder) != self.tree

    def writable(self) -> tuple[str, ...]:
        """What of it the mode bits let it write."""
        paths = [self.folder, *sorted(self.folder.rglob("*"))]
        bits = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
        return tuple(
            path.relative_to(self.folder).as_posix() for path in paths if path.stat().st_mode & bits
        )


@contextlib.contextmanager
def trial(project: Project, artefact: Artefact) -> Iterator[Trial]:
    """An instance of its own, that ends with the block; one that a crash left is ended first.

    Raises:
        ToolError: it did not get ready.
        EvidenceError: it is no bundle, or its bytes are not those of its digest.
    """
    with contextlib.ExitStack() as held:
        state = held.enter_context(_state(project.home / "trials"))
        place = Place(state, project.cache, project.config.artefact.module, READY_S)
        backend = backends.start(place, artefact, version="trial")
        cpu_s = daemons.cpu_s(backend.daemon)
        folder = state / releases.FOLDER / artefact.digest.removeprefix("sha256:")
        yield Trial(backend.instance, folder, cpu_s, digest_tree(folder), backend)


@contextlib.contextmanager
def _state(trials: Path) -> Iterator[Path]:
    """A state folder of this process, gone when the block ends."""
    state = (trials / str(os.getpid())).resolve()
    with contextlib.ExitStack() as lease:
        with locks.held(trials / ".lock"):
            _sweep(trials)
            state.mkdir(parents=True, exist_ok=True)
            stream = lease.enter_context((state / "lease").open("w"))
            fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            yield state
        finally:
            _end(state)


def sweep(home: Path) -> list[str]:
    """Ends the instances whose starter is gone; tells which."""
    trials = home / "trials"
    if not trials.is_dir():
        return []
    with locks.held(trials / ".lock"):
        return _sweep(trials)


def _sweep(trials: Path) -> list[str]:
    told = []
    for state in sorted(path for path in trials.iterdir() if path.is_dir()):
        with (state / "lease").open("a") as stream, contextlib.suppress(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            told += _end(state.resolve())
    return told


def _end(state: Path) -> list[str]:
    told = []
    for backend in backends.running(state):
        backends.end(backend, 0.0)
        told.append(f"trial instance ({backend.daemon.pid})")
    releases.remove(state)
    return told
