"""`slipway stop`: ends an environment's services; the ledger keeps what was assigned."""

import argparse
from dataclasses import replace

from ..config import Project
from ..errors import ConfigError
from ..settings import Environment
from ..tools import docker_host, engines
from ..tools.engines import Engine, choice, trial
from ..tools.registry import local
from . import Done, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", nargs="?", metavar="ENV")
    parser.add_argument("--all", action="store_true", help="every environment that ever ran here")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Ends everything of one environment, or of all."""
    if bool(args.environment) == args.all:
        raise ConfigError("name one environment, or --all", "slipway stop …", "slipway stop --all")
    if args.all:
        project = _with_forgotten(project)
    names = list(project.config.environments) if args.all else [args.environment]
    ended = 0
    for name in names:
        told = _end(project, name)
        say(f"{name}: {'ended ' + ', '.join(told) if told else 'nothing ran'}")
        ended += len(told)
    if args.all:
        ended += len(_sweep(project))
        ended += _end_registry(project)
    return Done(f"ended {ended} processes")


def _end(project: Project, name: str) -> list[str]:
    """Ends what every engine has of an environment, a canary too; tells what."""
    told = []
    for engine in _engines(project, name):
        with engine.lease(project.environment(name).lease_s):
            told += engine.stop()
    choice.forget(project, name)
    return told


def _engines(project: Project, name: str) -> list[Engine]:
    """The environment's engine; where that was left open, the other one that has some of it."""
    found = [engines.engine_of(project, name)]
    if project.environment(name).engine == "auto" and found[0].name == "process":
        if choice.usable(docker_host.host_of(project, name)):
            from ..tools.engines.containers import DockerEngine

            other = DockerEngine(project, name)
            if other.place.containers():  # else a lease alone would want an image of its own
                found.append(other)
    elif project.environment(name).engine == "auto":
        from ..tools.engines.process import ProcessEngine

        found.append(ProcessEngine(project, name))
    return found


def _sweep(project: Project) -> list[str]:
    """Ends what gates tried when they were killed, on either engine; tells what."""
    told = trial.sweep(project.home)
    if choice.usable(docker_host.host_of(project)):
        from ..tools.engines.containers import trial as tried

        told += tried.sweep(project)
    return told


def _end_registry(project: Project) -> int:
    """Ends this machine's own registry; its images stay."""
    if not local.stop(project):
        return 0
    say("registry: ended; what it stores stays")
    return 1


def _with_forgotten(project: Project) -> Project:
    """The project with the environments that `delivery.toml` does not name any more."""
    folder = project.home / "environments"
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    known = {**dict.fromkeys(names, Environment()), **project.config.environments}
    return replace(project, config=replace(project.config, environments=known))
