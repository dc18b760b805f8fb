"""Which engine an environment has, and which kind of artefact it therefore takes.

`auto` is decided when an environment is first deployed to, kept in slipway's home, and forgotten
when it is stopped: an engine that is down for a minute must not make another one take its place.
"""

import functools
import shutil
from pathlib import Path
from typing import Literal

from ...config import Project
from ...errors import EvidenceError
from ...records import Kind, write_atomically
from ...settings import FILE
from .. import docker_host

Name = Literal["process", "docker"]
RUNS: dict[Name, tuple[Kind, ...]] = {
    "process": ("bundle",),
    "docker": ("image", "local-image"),
}
MAKER, REGISTRY = "mmdebstrap", "docker-registry"  # programs that make a base, keep images


def engine(project: Project, environment: str) -> Name:
    """The engine of an environment: configured, or the one it is on, or the best that is here."""
    asked = project.environment(environment).engine
    if asked != "auto":
        return asked
    kept = _kept(project, environment)
    if kept:
        return kept
    if project.config.artefact.kind == "bundle":
        return "process"
    host = docker_host.host_of(project, environment)
    return "process" if lacking(project) or not usable(host) else "docker"


def kind(project: Project) -> Kind:
    """The kind of artefact that `slipway image` makes: configured, or what all environments take.

    A build of another branch, or of a pull request, makes no image that others could get: a local
    one, or a bundle.
    """
    asked = project.config.artefact.kind
    if asked != "auto":
        return asked
    on = {engine(project, name) for name in project.config.environments}
    if on != {"docker"}:
        return "bundle"
    registry = project.config.image.registry or shutil.which(REGISTRY)
    return "image" if registry and not project.passing else "local-image"


def lacking(project: Project) -> str:
    """What is missing here to make images, beside a Docker engine; empty: nothing."""
    image = project.config.image
    if all((image.base, image.proxy)) or shutil.which(MAKER):
        return ""
    return f"{MAKER}, or [image] base and proxy in {FILE}"


def keep(project: Project, environment: str, name: str) -> None:
    """Notes which engine an environment is on, from the first deployment to it."""
    if project.environment(environment).engine == "auto":
        file = _file(project, environment)
        if not file.is_file() or file.read_text("utf-8").strip() != name:
            write_atomically(file, f"{name}\n".encode())


def forget(project: Project, environment: str) -> None:
    """Lets the next deployment decide anew."""
    _file(project, environment).unlink(missing_ok=True)


def requires(project: Project, environment: str) -> tuple[Kind, ...]:
    """The kinds of artefact that an environment takes."""
    settings = project.environment(environment)
    if settings.requires:
        return (settings.requires,)
    if settings.engine == "docker":
        return ("image",)
    return RUNS[engine(project, environment)]


def refuse_kind(project: Project, environment: str, kind: Kind) -> None:
    """Stops an artefact that an environment does not take.

    Raises:
        EvidenceError: it is of another kind.
    """
    wanted = requires(project, environment)
    if kind not in wanted or kind not in RUNS[engine(project, environment)]:
        raise EvidenceError(
            f"{environment} takes {' or '.join(wanted)}, this delivery's artefact is a {kind}",
            f"{FILE} [environments.{environment}] requires, [artefact] kind",
            "run 'slipway image' again where that kind can be made",
        )


@functools.cache
def usable(host: str) -> bool:
    """Whether a Docker engine answers, asked once a command."""
    return docker_host.answers(host)


def _kept(project: Project, environment: str) -> Name | Literal[""]:
    """The engine that an environment is on; one from before this was noted is the process one."""
    file = _file(project, environment)
    if file.is_file():
        noted = file.read_text("utf-8").strip()
        return next((name for name in RUNS if name == noted), "")
    from . import route  # which imports what imports this

    return "process" if route.routed(file.parent) else ""


def _file(project: Project, environment: str) -> Path:
    return project.home / "environments" / environment / "engine"
