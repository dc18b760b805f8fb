"""A throw-away container of an image: started, measured, gone."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....config import Project
from ....errors import ToolError
from ....settings import Environment
from ... import daemons, docker_host
from ...artefacts import Artefact
from .. import Instance
from . import pulled, services
from .place import HOLDER, HOLDER_HOST, Place, drop, dropped_on_failure

READY_S = 60.0
BORN = "slipway.holder-born"  # tells a holder from a later process with its number
# Tried by the service's own user: a new file in every folder, and each own file opened to write.
WRITE = """
import json, os
skip, done = ("/proc", "/sys", "/dev", "/tmp"), []
for folder, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in skip]
    paths = [os.path.join(folder, ".slipway-trial")]
    if folder.startswith(("/srv", "/opt")):
        paths += [os.path.join(folder, f) for f in files]
    for path in paths:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        except OSError:
            continue
        if path == paths[0]:
            os.unlink(path)
            path = folder
        done.append(path)
print(json.dumps(done))
"""
STATUS = "print(open('/proc/1/status').read())"


@dataclass(frozen=True)
class Trial:
    """A running throw-away instance; its id names the container.

    Attributes:
        cpu_s: processor time that it took to get ready.
        uid: the user that its process really has.
    """

    instance: Instance
    cpu_s: float
    uid: int
    _place: Place
    _container: str

    def memory_bytes(self) -> int:
        """What the process takes now."""
        return int(_status(self._place, self._container)["VmRSS"].split()[0]) * 1024

    def changed(self) -> bool:
        """Whether the instance changed its own files."""
        with self._place.explained("the container's changes cannot be had"):
            return bool(self._place.api.diff(self._container))

    def writable(self) -> tuple[str, ...]:
        """What of its file system it could write, but for the scratch space of every container."""
        return tuple(json.loads(_python(self._place, self._container, WRITE)))


@contextlib.contextmanager
def trial(project: Project, artefact: Artefact) -> Iterator[Trial]:
    """An instance of its own, that ends with the block; one that a crash left is ended first.

    It gets no GPU: whether one would serve is asked by other means.

    Raises:
        ToolError: it did not get ready.
        EvidenceError: it is no image, or is not there.
    """
    place = _place(project)
    _sweep(place)
    image = pulled.image(place, artefact)
    own = {docker_host.DIGEST: artefact.digest, docker_host.VERSION: "trial", **_holder()}
    labels = place.labels("trial", **own)
    container, name = services.create(place, image.id, labels, gpu=False, network_mode="bridge")
    try:
        with dropped_on_failure(place.api, container):
            services.begin(place, container)
            named = Instance(name, artefact.digest, "trial", "")
            instance = services.ready(place, container, named)
            cpu_s = _cpu_s(place, container)
            uid = int(_status(place, container)["Uid"].split()[1])
        yield Trial(instance, cpu_s, uid, place, container)
    finally:
        with place.explained("the throw-away container cannot be removed"):
            drop(place.api, container)


def sweep(project: Project) -> list[str]:
    """Ends the containers whose starter is gone; tells which."""
    return _sweep(_place(project))


def _place(project: Project) -> Place:
    """Where images are tried: the engine that builds, with what the largest environment gives."""
    environments = project.config.environments.values()
    settings = Environment(
        ready_s=READY_S,
        memory_mb=max((one.memory_mb for one in environments), default=Environment.memory_mb),
        cpus=max((one.cpus for one in environments), default=Environment.cpus),
    )
    return Place(project, "", settings, project.docker_host)


def _holder() -> dict[str, str]:
    own = daemons.of(os.getpid())
    born = own.created if own else 0.0
    return {HOLDER: str(os.getpid()), HOLDER_HOST: socket.gethostname(), BORN: f"{born:.2f}"}


def _sweep(place: Place) -> list[str]:
    told = []
    for container in place.containers("trial"):
        if _abandoned(container["Labels"]):
            with place.explained("a throw-away container cannot be removed"):
                drop(place.api, container["Id"])
            told.append(f"trial container {container['Names'][0].removeprefix('/')}")
    return told


def _abandoned(labels: Mapping[str, str]) -> bool:
    """Whether its starter was a process of this machine that is gone."""
    if labels.get(HOLDER_HOST) != socket.gethostname():
        return False
    starter = daemons.Daemon(int(labels[HOLDER]), float(labels[BORN]))
    return not daemons.alive(starter)


def _cpu_s(place: Place, container: str) -> float:
    with place.explained("the container's processor time cannot be had"):
        stats = place.api.stats(container, stream=False, one_shot=True)
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def _status(place: Place, container: str) -> dict[str, str]:
    """What the kernel says of the container's first process."""
    lines = _python(place, container, STATUS).splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name: value.strip() for name, _, value in pairs}


def _python(place: Place, container: str, code: str) -> str:
    """What a short program prints that runs in the container as its user."""
    with place.explained("nothing can be asked in the container"):
        asked: Any = place.api.exec_create(container, ["python3", "-I", "-S", "-c", code])
        said, errors = place.api.exec_start(asked["Id"], demux=True)
        code_of_end = place.api.exec_inspect(asked["Id"])["ExitCode"]
    if code_of_end:
        words = (errors or said or b"").decode("utf-8", "replace").split("\n")
        raise ToolError(
            f"the container's python3 ended with {code_of_end}: {' / '.join(words[-3:]).strip()}",
            f"{place.host}, {container[:12]}",
            "the image needs the python3 that it serves with",
        )
    return bytes(said or b"").decode("utf-8", "replace")
