"""`slipway jenkins trigger`: starts a build of a branch and follows it out of the queue."""

import argparse
import re

from ...config import Project
from ...errors import ConfigError, ToolError
from ...report import words
from ...tools.jenkins import Connection, builds, jobs
from ...tools.jenkins.builds import Build
from ...tools.jenkins.jobs import Job
from .. import Done, say, warn
from . import cause, parameters, target, watch

SEARCHES = 20  # for the build of a place in the queue that Jenkins has forgotten


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    target.add_branch(parser)
    parameters.add_arguments(parser)
    parser.add_argument(
        "--retrain", action="store_true", help="train even if nothing changed (`RETRAIN`)"
    )
    parser.add_argument(
        "--cause",
        metavar="FILE|TEXT",
        help="why, as `REASON`: words, the first lines of a file, or the summary of a report",
    )
    parser.add_argument("--watch", action="store_true", help="follow the build to its end")
    watch.add_quiet(parser)


def run(project: Project, args: argparse.Namespace) -> Done:
    """Starts a build and prints its address."""
    values = parameters.parse(args.set or [])
    for name, value in (
        ("RETRAIN", "true" if args.retrain else ""),
        ("REASON", cause.cause_of(args.cause) if args.cause is not None else ""),
    ):
        if value and name in values:
            raise ConfigError(f"{name} is given twice", f"-p {name}=…", "give it once")
        values |= {name: value} if value else {}
    with target.connected(project, args.url) as connection:
        job = target.job_of(project, args, connection)
        _check(connection, job, values)
        number = jobs.trigger(connection, job, values)
        try:
            build = _begun(connection, job, number)
        except KeyboardInterrupt:
            warn(f"the build stays in the queue: {target.command(args, 'abort', job)} ends it")
            return Done("left", code=130)
        say(f"{build.name} has begun: {build.url}")
        if args.watch:
            return watch.follow(project, connection, job, build, args)
        say(f"follow it: {target.command(args, 'watch', job, build.number)}")
        return Done("begun")


def _check(connection: Connection, job: Job, values: dict[str, str]) -> None:
    where = connection.url + job.path
    if job.parameters is None and values:
        what = f"{job.name} takes no parameters yet: Jenkins learns them from its first build"
        todo = f"build it once: slipway jenkins trigger {job.name}; then again with parameters"
        raise ConfigError(what, where, todo)
    parameters.check(values, job.parameters or (), where)


def _begun(connection: Connection, job: Job, number: int) -> Build:
    """The build, once it has left the queue; says why it waits whenever the reason changes."""
    said, searches = "", 0
    while True:
        item = jobs.queued(connection, number)
        if item.cancelled:
            raise ToolError(
                f"the build of {job.name} was taken out of the queue",
                f"{connection.url}queue/item/{number}/",
                "start it again if that was not meant",
            )
        build = item.build
        if not build and (item.gone or not item.why):
            build = jobs.build_of(connection, job, number)
            searches += 1
            if item.gone and not build and searches >= SEARCHES:
                raise ToolError(
                    "Jenkins has forgotten what became of the build",
                    f"{connection.url}queue/item/{number}/",
                    f"see 'slipway jenkins watch {job.name}'",
                )
        if build:
            return builds.read(connection, job, build)
        why = re.sub(r"Expires in .*", "", item.why).strip()  # counts down
        if why and why != said:
            say(f"{job.name} waits: {words.tidy(why)}")
            said = why
        connection.patience.sleep(connection.patience.poll_s)
