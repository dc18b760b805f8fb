"""`slipway jenkins abort`: ends a build, or takes it out of the queue."""

import argparse
import time

from ...config import Project
from ...errors import ToolError
from ...tools.jenkins import Connection, builds, jobs
from ...tools.jenkins.builds import Build
from ...tools.jenkins.jobs import Job
from .. import Done, say
from . import target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    target.add_build(parser)


def run(project: Project, args: argparse.Namespace) -> Done:
    """Ends it and waits until it has ended: a switch is finished or undone first."""
    with target.connected(project, args.url) as connection:
        job = target.job_of(project, args, connection)
        if not args.build and job.queued:
            jobs.cancel(connection, job.queued)
            say(f"{job.name}: the build that waited in the queue was taken out of it")
            return Done("cancelled")
        build = target.build_of(connection, job, args.build)
        if not build.building:
            say(f"{build.name} had ended already: {build.result}")
            return Done("ended already")
        builds.stop(connection, build)
        ended = _wait(connection, job, build)
        say(f"{ended.name} has ended: {ended.result}")
        return Done("ended")


def _wait(connection: Connection, job: Job, build: Build) -> Build:
    patience = connection.patience
    until = time.monotonic() + patience.restart_s
    while build.building:
        if time.monotonic() > until:
            todo = "look at its log; the same command asks again"
            what = f"{build.name} was asked to end and is still at it"
            raise ToolError(what, build.url, todo)
        patience.sleep(patience.poll_s)
        build = builds.read(connection, job, build.number)
    return build
