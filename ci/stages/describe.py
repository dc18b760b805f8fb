"""`slipway describe`: the delivery in one line, for the list of builds."""

import argparse

from ..config import Project
from ..report import decision, details
from . import Done, say


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Prints the line; without any record it says so and is no failure."""
    text = decision.decide(details.gather(project), project).line
    say(text)
    return Done(text)
