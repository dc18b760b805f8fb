"""`slipway env`: sets up this checkout's Python environment; needs Python alone."""

import argparse
from pathlib import Path

from ..config import Project, installer_environment
from ..tools.environment import attach, ensure
from . import Done, say

REQUIREMENTS = "requirements/project.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--requirements", type=Path, default=Path(REQUIREMENTS), metavar="FILE")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Makes the shared environment if need be, and the thin one of this checkout."""
    shared = ensure(project.root / args.requirements, project.cache, installer_environment())
    thin = attach(project.root, shared)
    say(f"{thin} is ready (packages in {shared})")
    return Done()
