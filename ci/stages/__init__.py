"""The commands. Each is one module with `add_arguments(parser)` and `run(project, args)`."""

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn

from ..config import Project, load
from ..errors import ConfigError

# command → what it does; the module has the same name. Only the one that is called is imported.
COMMANDS = {
    "run": "the whole delivery on this machine, from data to production",
    "plan": "what will run and why",
    "lint": "run the linters and judge what they find",
    "data": "get the data version that data.dvc names",
    "gate": "judge the data, the prepared data, the model, the image or a service",
    "quarantine": "fetch the rows that a verdict set apart",
    "test": "run one layer of tests and judge it",
    "repro": "dvc repro, hardened for CI",
    "reference": "write down what production's data were like (a DVC stage)",
    "champion": "write down which model is in production (a DVC stage)",
    "image": "pack the model that will be promoted",
    "deploy": "put the image into an environment, without a failed request",
    "probe": "ask an environment's service and write down what it answers",
    "approve": "say yes to production",
    "release": "close the delivery",
    "report": "write the delivery's page for people",
    "describe": "one line about this delivery",
    "status": "what is live where, and whether the ledger agrees",
    "history": "what was live when, since when, why, by whom",
    "verify": "walk the evidence of a release back to its commit",
    "rollback": "put an earlier release back",
    "drill": "put releases made sick into an environment, and see them undone",
    "reproduce": "train a release again from its commit and data, and compare",
    "prune": "remove what no environment and no rollback window needs",
    "stop": "end an environment's services",
    "jenkins": "start, follow, approve and end builds of a Jenkins",
    "doctor": "what this machine, or a Jenkins, lacks, and how to mend it",
    "env": "set up this checkout's Python environment",
}


@dataclass(frozen=True)
class Done:
    """What a command answers: an exit code, a word, and what it was about."""

    answer: str = "done"
    digest: str = ""
    code: int = 0


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message, f"{self.prog} …", f"see '{self.prog} --help'")


def execute(argv: Sequence[str], project: Project | None = None) -> Done:
    """Runs one command line.

    Raises:
        ConfigError: no such command, or arguments that it does not take.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return Done()
    if argv[0] in ("-V", "--version"):
        from .. import __version__

        print(f"slipway {__version__}")
        return Done()
    arguments = parse(argv)
    return module_of(argv[0]).run(project or load(), arguments)  # type: ignore[no-any-return]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of one command line, without running it."""
    parser = Parser(prog=f"slipway {argv[0]}", description=COMMANDS.get(argv[0]))
    module_of(argv[0]).add_arguments(parser)
    return parser.parse_args(list(argv[1:]))


def module_of(command: str) -> ModuleType:
    """The module of a command."""
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        todo = f"did you mean 'slipway {near[0]}'?" if near else "see 'slipway --help'"
        raise ConfigError(f"no command '{command}'", f"slipway {command}", todo)
    return importlib.import_module(f".{command}", __package__)


def overview() -> str:
    """The help text: every command with one line."""
    rows = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    return f"usage: slipway COMMAND …\n\n{rows}\n\n'slipway COMMAND --help' tells its arguments."


def say(text: str) -> None:
    """Prints a line for people, at once."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Prints a line beside the answer, so that pipes stay clean."""
    print(text, file=sys.stderr, flush=True)
