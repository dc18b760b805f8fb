"""`slipway report`: the delivery's page for people and its summary, from whatever there is."""

import argparse

from ..config import Project
from ..errors import EvidenceError
from ..records import digest_file, write_atomically
from ..report import details, markdown, page
from . import Done, say, warn


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Writes `delivery/report/index.html`; what cannot be relied on is named there, and here.

    `delivery/summary.md` is the same in short, for a pull request's check.

    Raises:
        EvidenceError: there is nothing at all to report on.
    """
    sources = details.gather(project)
    if sources.empty:
        raise EvidenceError(
            "there is nothing to report on",
            str(project.delivery),
            "run 'slipway run', or 'dvc repro' for the repeatable half alone",
        )
    for name, why in sources.broken.items():
        warn(f"slipway: the report says that {name} cannot be relied on: {why}")
    path = page.write(project, sources)
    summary = markdown.render(project, sources)
    write_atomically(project.delivery / "summary.md", summary.encode("utf-8", "replace"))
    say(f"report: {path}")
    return Done(str(path), digest_file(path))
