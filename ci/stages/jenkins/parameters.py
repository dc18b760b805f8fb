"""`NAME=VALUE` from a command line, checked against what a job or an input takes."""

import argparse
import difflib
from collections.abc import Sequence

from ...errors import ConfigError
from ...tools.jenkins.jobs import Parameter

YES_OR_NO = ("true", "false")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares `-p NAME=VALUE`."""
    text = "a parameter; may be given several times"
    parser.add_argument("-p", dest="set", metavar="NAME=VALUE", action="append", help=text)


def parse(pairs: Sequence[str]) -> dict[str, str]:
    """Name → value.

    Raises:
        ConfigError: one is not NAME=VALUE, or stands there twice.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"'{pair}' is not NAME=VALUE", f"-p {pair}", "give it as -p A=1")
        if name in values:
            raise ConfigError(f"{name} is given twice", f"-p {pair}", "give it once")
        values[name] = value
    return values


def check(values: dict[str, str], known: Sequence[Parameter], where: str) -> dict[str, str]:
    """The same values; Jenkins itself drops unknown names, and fails at a wrong choice.

    Raises:
        ConfigError: a name or a value that is not taken there.
    """
    names = {parameter.name: parameter for parameter in known}
    for name, value in values.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            listed = ", ".join(names) or "none"
            todo = f"did you mean {near[0]}?" if near else f"it takes: {listed}"
            raise ConfigError(f"no parameter {name}", where, todo)
        parameter = names[name]
        choices = YES_OR_NO if "Boolean" in parameter.kind else parameter.choices
        if choices and value not in choices:
            todo = f"use one of: {', '.join(choices)}"
            raise ConfigError(f"{name} can't be '{value[:80]}'", where, todo)
    return values
