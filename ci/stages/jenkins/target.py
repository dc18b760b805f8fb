"""Which controller, job and build a command line means."""

import argparse
import contextlib
import math
import re
import shlex
from collections.abc import Iterator

from ...config import Project
from ...errors import ConfigError
from ...tools import git
from ...tools.jenkins import Connection, Patience, builds, jobs
from ...tools.jenkins.builds import Build
from ...tools.jenkins.jobs import Job
from .. import warn

MAIN = "main"  # where no branch is checked out


def add_build(parser: argparse.ArgumentParser) -> None:
    """Declares BRANCH and BUILD."""
    add_branch(parser)
    parser.add_argument("build", metavar="BUILD", nargs="?", help="default: the latest")


def add_branch(parser: argparse.ArgumentParser) -> None:
    """Declares BRANCH."""
    text = "default: the one that is checked out here, else main"
    parser.add_argument("branch", metavar="BRANCH", nargs="?", help=text)


@contextlib.contextmanager
def connected(
    project: Project, url: str | None, *, longest_s: float = math.inf, stranger: bool = False
) -> Iterator[Connection]:
    """A connection to the controller.

    Args:
        url: stands above what is configured.
        longest_s: for which a controller that does not answer is waited for, at most.
        stranger: without the user's login.

    Raises:
        ConfigError: none is named, or half of a login.
    """
    settings = project.config.jenkins
    url = url or settings.url or project.jenkins_url
    if not url:
        todo = "name it: url under [jenkins] in delivery.toml, JENKINS_URL, or --url"
        raise ConfigError("no Jenkins is named", "url", todo)
    user, token = ("", "") if stranger else project.jenkins_login
    if bool(user) != bool(token):
        there, missing = ("USER", "TOKEN") if user else ("TOKEN", "USER")
        what = f"SLIPWAY_JENKINS_{there} is set, and SLIPWAY_JENKINS_{missing} is not"
        raise ConfigError(what, "the environment", "set both, or none")
    ca = project.root / settings.ca if settings.ca else None
    if ca and not ca.is_file():
        raise ConfigError(f"there is no {settings.ca}", str(ca), "mend ca under [jenkins]")
    restart_s = min(settings.restart_s, longest_s)
    patience = Patience(
        restart_s=restart_s,
        first_s=min(Patience.first_s, restart_s),
        answer_s=settings.answer_s,
        poll_s=settings.poll_s,
    )
    connection = Connection(url, (user, token), patience, ca=ca, tell=warn)
    try:
        yield connection
    finally:
        connection.close()


def job_of(project: Project, args: argparse.Namespace, connection: Connection) -> Job:
    """The job of the branch that is meant.

    Raises:
        ConfigError: no job is named, or Jenkins does not have it.
    """
    job = (args.job or project.config.jenkins.job).strip("/")
    if not job:
        todo = "name it: job under [jenkins] in delivery.toml, or --job"
        raise ConfigError("no job is named", "slipway jenkins", todo)
    branch = args.branch or git.branch(project.root) or project.branch or MAIN
    return jobs.find(connection, job, branch, named=bool(args.branch))


def command(args: argparse.Namespace, verb: str, job: Job, number: int = 0) -> str:
    """What to type for another verb about the same job."""
    words = ["slipway", "jenkins", verb, job.name, *([str(number)] if number else [])]
    for option, value in (("--job", args.job), ("--url", args.url)):
        words += [option, value] if value else []
    return shlex.join(words)


def build_of(connection: Connection, job: Job, build: str | None) -> Build:
    """The build that is meant.

    Raises:
        ConfigError: it is no number, or there is no such build.
    """
    if build and not re.fullmatch(r"[0-9]{1,9}", build):
        where = f"slipway jenkins … {job.name} {build}"
        raise ConfigError(f"'{build}' is not a build's number", where, "give its number")
    if not build and not job.last:
        todo = f"start one: slipway jenkins trigger {job.name}"
        raise ConfigError(f"{job.name} has not been built yet", connection.url + job.path, todo)
    return builds.read(connection, job, int(build or job.last))
