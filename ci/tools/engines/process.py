"""The engine without a container engine: processes behind a front process, on this machine."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from ...config import Project
from ...errors import ToolError
from ...records import Kind
from .. import daemons, service
from ..artefacts import Artefact
from . import Canary, Instance, Live, backends, releases, route
from .backends import Backend, Place
from .route import Address, Traffic


class ProcessEngine:
    """One environment of the process engine.

    What it keeps is in one folder: `lease`, `route.json`, `front.json`, `releases/`, `logs/`.
    """

    name = "process"
    kinds: tuple[Kind, ...] = ("bundle",)

    def __init__(self, project: Project, environment: str) -> None:
        self.environment = environment
        self._project = project
        self._settings = project.environment(environment)
        self.state = (project.home / "environments" / environment).resolve()
        self._place = Place(
            state=self.state,
            cache=project.cache,
            module=project.config.artefact.module,
            ready_s=self._settings.ready_s,
        )

    def _address(self) -> Address:
        self._make_state()
        return route.ensure(self.state, self._settings.host, self._settings.port)

    @contextlib.contextmanager
    def lease(self, wait_s: float) -> Iterator[None]:
        """The right to change this environment; ends with the process that holds it."""
        path = self.state / "lease"
        with self._opened(path) as stream:
            until = time.monotonic() + wait_s
            while not _locked(stream.fileno()):
                if time.monotonic() >= until:
                    stream.seek(0)
                    raise ToolError(
                        f"{stream.read().strip() or 'somebody else'} is changing "
                        f"{self.environment}",
                        str(path),
                        "wait until it has ended, then run the same command again",
                    )
                time.sleep(0.05)
            stream.truncate(0)
            stream.write(f"process {os.getpid()}\n")
            stream.flush()
            try:
                yield
            finally:
                stream.truncate(0)

    def live(self) -> Live | None:
        """What serves now; a front process that died is started again on the way."""
        traffic = route.routed(self.state)
        if traffic is None:
            return None
        instance, canary = traffic.instance, traffic.canary
        kept = route.kept(self.state, self._settings.host, self._settings.port)
        try:  # where it is now: only who changes the environment may move it
            url = route.ensure(self.state, kept.host, kept.port).url
        except ToolError:
            return Live(kept.url, instance, healthy=False, canary=canary)
        answer = service.ready(url, timeout_s=5.0, key=instance.id)
        return Live(url, instance, route.says(answer, instance), canary)

    def start(self, artefact: Artefact, *, version: str) -> Instance:
        """A service of this bundle, ready to answer, without traffic yet."""
        self._address()  # a port that is in use stops a deployment before it began
        return backends.start(self._place, artefact, version=version).instance

    def switch(self, to: Instance) -> float:
        """Sends all traffic to an instance without failing a request; gives milliseconds."""
        return route.move(self._address(), Traffic(to))

    def split(self, to: Instance, percent: int) -> float:
        """Sends a part of the requests to a second instance; gives milliseconds."""
        if not 1 <= percent <= 99:
            raise ValueError(f"{percent} % is no part of the requests")
        traffic = route.routed(self.state)
        if traffic is None or traffic.instance.id == to.id:
            raise ToolError(
                f"nothing is live beside {to.version} in {self.environment}",
                str(self.state),
                f"run 'slipway deploy {self.environment}' without a canary",
            )
        return route.move(self._address(), Traffic(traffic.instance, Canary(to, percent)))

    def retire(self, instance: Instance, drain_s: float) -> None:
        """Ends an instance that has no traffic any more, after its last answer."""
        if instance.id in self._with_traffic():
            raise ValueError(f"{instance.id} still has traffic")
        for backend in backends.running(self.state):
            if backend.instance.id == instance.id:
                backends.end(backend, drain_s)

    def hurt(self, instance: Instance, *, mortally: bool) -> None:
        """Makes an instance unwell, for a drill: it closes down, or is gone with all it has."""
        for backend in backends.running(self.state):
            if backend.instance.id == instance.id:
                return daemons.hurt(backend.daemon, mortally=mortally)
        raise ToolError(f"{instance.version} does not run", str(self.state), "drill again")

    def clean(self, *, keep: Callable[[Instance], bool]) -> list[str]:
        """Ends what a crash left beside what has traffic, and drops files nobody needs."""
        live = self._with_traffic()
        told, used = [], {instance.digest for instance in live.values()}
        for backend in backends.running(self.state):
            if backend.instance.id in live or keep(backend.instance):
                used.add(backend.instance.digest)
                continue
            backends.end(backend, self._settings.drain_s)
            told.append(_told(backend))
        releases.prune(self.state, used)
        return told

    def stop(self) -> list[str]:
        """Ends everything of this environment; its address stays its own."""
        told = []
        for front in route.find(self.state):
            daemons.end(front, self._settings.drain_s)
            told.append(f"front process {front.pid}")
        if self.state.is_dir():
            route.route_to(self.state, None)
        for backend in backends.running(self.state):
            backends.end(backend, self._settings.drain_s)
            told.append(_told(backend))
        releases.prune(self.state, ())
        return told

    def _with_traffic(self) -> dict[str, Instance]:
        traffic = route.routed(self.state)
        return {instance.id: instance for instance in traffic.instances} if traffic else {}

    def _opened(self, path: Path) -> TextIO:
        self._make_state()
        try:
            return path.open("a+")
        except OSError as error:
            raise ToolError(
                f"cannot take the lease: {error.strerror}", str(path), "mend the rights"
            ) from error

    def _make_state(self) -> None:
        try:
            self.state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToolError(
                f"cannot write the state: {error.strerror}", str(self.state), "mend the rights"
            ) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _told(backend: Backend) -> str:
    return f"service {backend.instance.version} ({backend.daemon.pid})"
