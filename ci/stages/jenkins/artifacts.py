"""`slipway jenkins artifacts`: fetches a build's records and its report."""

import argparse
from pathlib import Path
from urllib.parse import quote

from ...config import Project
from ...errors import ConfigError, EvidenceError
from ...report import words
from ...tools.jenkins import evidence
from ...tools.locks import held
from .. import Done, say
from . import target

FOLDER = "delivery/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    target.add_build(parser)
    parser.add_argument(
        "--into",
        metavar="DIR",
        type=Path,
        help="a folder that is new or empty; default: one of its own below `.slipway/jenkins`",
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Puts the archived `delivery/` into a folder, whole or not at all.

    Raises:
        ConfigError: the folder holds something else.
        EvidenceError: nothing is archived, or under a name that leads elsewhere.
    """
    if args.into and args.into.exists() and (args.into.is_file() or any(args.into.iterdir())):
        todo = "name a folder that is new or empty"
        raise ConfigError(f"{args.into} is not empty", str(args.into), todo)
    with target.connected(project, args.url) as connection:
        job = target.job_of(project, args, connection)
        build = target.build_of(connection, job, args.build)
        names = [name for name in build.artifacts if name.startswith(FOLDER)]
        if not names:
            todo = "wait until it has ended" if build.building else "look at its log"
            raise EvidenceError(f"{build.name} has archived no {FOLDER}", build.url, todo)
        own = f"{quote(job.name, safe='')}-{build.number}"
        into = args.into or project.scratch / "jenkins" / own
        with held(project.scratch / "jenkins" / ".lock"):
            size = evidence.fetch(connection, build, names, into.absolute())
    report = into / FOLDER / "report" / "index.html"
    say(f"{build.name}: {words.plural(len(names), 'file')}, {size / 1e6:.1f} MB, in {into}")
    if build.building:
        say("  the build still runs: more may follow")
    if report.is_file():
        say(f"  the report: {report}")
    return Done("fetched")
