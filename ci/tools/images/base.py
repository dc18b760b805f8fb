"""The image below the runtime: configured by digest, or made of Debian's packages."""

import json
from dataclasses import dataclass
from pathlib import Path

from ...config import Project
from ...errors import ToolError
from ...records import write_atomically
from ...settings import FILE
from .. import docker_host
from . import pulled, systems
from .systems import System

BASE = System("base", {"User": "10001:10001", "Env": ["PATH=/usr/bin"]})
ASK = "import json,platform,sys;print(json.dumps([sys.version_info[:2],platform.libc_ver()[1]]))"


@dataclass(frozen=True)
class Python:
    """What a base runs packages with."""

    version: str  # 3.11
    glibc: str  # 2.36


MADE = Python("3.11", "2.36")  # of docker/base


def identity(project: Project) -> str:
    """What decides the base: its digest, or the content key of what it is made of."""
    return project.config.image.base or f"made of {systems.key(project, BASE)}"


def ensure(project: Project, host: str = "") -> str:
    """What an engine knows the base by.

    Raises:
        ToolError: it can be neither pulled nor made.
        EvidenceError: the configured digest is not there.
    """
    host, named = host or project.docker_host, project.config.image.base
    return pulled.ensure(named, host, "base") if named else systems.ensure(project, BASE, host)


def digest(project: Project, reference: str) -> str:
    """The digest of a base that the engine has: as configured, else its id."""
    named = project.config.image.base
    if named:
        return named.rpartition("@")[2]
    client = docker_host.connect(project.docker_host)
    with docker_host.explained("the engine lost the base", reference, "run the same command again"):
        return str(client.images.get(reference).id)


def python(project: Project) -> Python:
    """The Python of the base; a configured one is asked once, and remembered.

    Raises:
        ToolError: there is none in it, or not on glibc.
    """
    named = project.config.image.base
    if not named:
        return MADE
    kept = project.cache / "images" / f"python-{named.rpartition(':')[2]}.json"
    if not kept.is_file():
        write_atomically(kept, json.dumps(_asked(project, named)).encode())
    return _parsed(kept, named)


def _asked(project: Project, named: str) -> object:
    client = docker_host.connect(project.docker_host)
    reference = pulled.ensure(named, project.docker_host, "base")
    what, todo = "the base has no python3 to ask", "name an image with python3 and glibc"
    with docker_host.explained(what, named, todo):
        container = client.containers.create(
            reference,
            command=["-I", "-c", ASK],
            entrypoint=["python3"],
            network_disabled=True,
            labels={docker_host.ROLE: "trial"},
        )
        try:  # not `run`: that leaves a container that does not start
            container.start()
            container.wait()
            said = container.logs(stderr=False)
        finally:
            docker_host.remove(container)
    try:
        return json.loads(said)
    except ValueError as error:
        raise ToolError("the base's python3 gives no answer", named, todo) from error


def _parsed(kept: Path, named: str) -> Python:
    (major, minor), glibc = json.loads(kept.read_bytes())
    if not glibc:
        what, todo = "the base's Python is not on glibc", "name an image of Debian or alike"
        raise ToolError(what, f"{FILE} [image] base = {named}", todo)
    return Python(f"{major}.{minor}", glibc)
