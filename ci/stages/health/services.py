"""What a delivery speaks to: remote, index, ledger, Docker and registry, tried and judged."""

import shutil
from collections.abc import Iterator

from ...config import Project
from ...settings import FILE
from ...tools import docker_host, reach
from ...tools.engines import choice
from ...tools.reach import Reached
from . import Check, check
from .machine import reached


def judge(project: Project) -> Iterator[Check]:
    """Tries each; one after the other, 20 seconds at most for each."""
    yield reached(
        "DVC remote",
        reach.dvc_remote(project),
        "readable: data and models come from there",
        "'dvc remote list' tells where it is; give this user its login, or mount it",
    )
    yield reached(
        "package index",
        reach.package_index(project),
        "answers: 'make env' asks it whenever requirements change",
        "run 'make env'; set PIP_INDEX_URL to an index that this machine reaches",
        vital=False,
    )
    yield from _ledger(project)
    yield from _images(project)


def _ledger(project: Project) -> Iterator[Check]:
    if not project.ledger_remote:
        where = Reached(str(project.home / "ledger.git"), True, "of this machine, for rehearsals")
        yield reached("ledger", where, "readable", "")
        return
    read, push = reach.shared_ledger(project)
    mend = "give this user the right at the git server: a key in ~/.ssh, or git's credential helper"
    yield reached("ledger", read, "readable", mend)
    yield reached("ledger, to write", push, "a push is let in (tried without sending)", mend)


def _images(project: Project) -> Iterator[Check]:
    """Docker, what makes a base, the registry; without them a bundle is delivered, if it may be."""
    config = project.config
    asked = config.artefact.kind in ("image", "local-image") or any(
        environment.engine == "docker" or environment.requires in ("image", "local-image")
        for environment in config.environments.values()
    )
    there = docker_host.answers(project.docker_host)
    without = "for images" if asked else "for images; without it a bundle is delivered"
    where = Reached(project.docker_host, there, "answers" if there else "does not answer")
    mend = "start it, let this user speak to it (group docker), or set DOCKER_HOST"
    yield reached("Docker engine", where, without, mend, vital=asked)
    if not there and not asked:
        return
    lacking = choice.lacking(project)
    yield check(
        "services",
        "base image",
        not lacking,
        measured=f"there is no {choice.MAKER}" if lacking else "named, or can be made",
        needed=without,
        mend=f"apt-get install {choice.MAKER}, or name [image] base and proxy in {FILE}",
        otherwise="missing" if asked else "warn",
    )
    yield _registry(project, asked=asked)


def _registry(project: Project, *, asked: bool) -> Check:
    if project.config.image.registry:
        mend = f"see that it runs; [image] ca, insecure in {FILE}; 'docker login'"
        return reached("registry", reach.image_registry(project), "answers this user", mend)
    there = bool(shutil.which(choice.REGISTRY))
    where = Reached("this user's own", there, "can be started" if there else "not installed")
    mend = f"apt-get install {choice.REGISTRY}, or name [image] registry in {FILE}"
    needed = "to keep images; without one they stay in the engine"
    vital = asked and project.config.artefact.kind == "image"
    return reached("registry", where, needed, mend, vital=vital)
