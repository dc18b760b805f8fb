"""`slipway jenkins`: starts, follows, approves and ends builds of a Jenkins that runs elsewhere."""

import argparse
import importlib
from types import ModuleType

from ...config import Project
from .. import Done

# verb → what it does; the module has the same name
VERBS = {
    "trigger": "start a build of a branch",
    "watch": "follow a build's stages and log; exit as its delivery did",
    "approve": "answer a build that waits for a person",
    "abort": "end a build, or take it out of the queue",
    "artifacts": "fetch a build's records and its report",
    "lint": "let the controller check a Jenkinsfile",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verbs, each with its own arguments."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        _module(name).add_arguments(verb)
        if name != "lint":
            verb.add_argument("--job", help="instead of `job` under `[jenkins]`")
        verb.add_argument("--url", help="the controller, instead of `url` under `[jenkins]`")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Does what the verb says."""
    return _module(args.verb).run(project, args)  # type: ignore[no-any-return]


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f".{verb}", __package__)
