"""`slipway stop`: ends an environment's services; the ledger keeps what was assigned."""

import argparse
from dataclasses import replace

from ..config import Project
from ..errors import ConfigError
from ..settings import Environment
from ..tools.engines import choice, engine_of, trial
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
        settings, engine = project.environment(name), engine_of(project, name)
        with engine.lease(settings.lease_s):
            told = engine.stop()
            choice.forget(project, name)
        say(f"{name}: {'ended ' + ', '.join(told) if told else 'nothing ran'}")
        ended += len(told)
    if args.all:
        ended += len(trial.sweep(project.home))
    return Done(f"ended {ended} processes")


def _with_forgotten(project: Project) -> Project:
    """The project with the environments that `delivery.toml` does not name any more."""
    folder = project.home / "environments"
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    known = {**dict.fromkeys(names, Environment()), **project.config.environments}
    return replace(project, config=replace(project.config, environments=known))
