"""`slipway jenkins watch`: follows a build's stages and log; exits as its delivery did."""

import argparse
from collections.abc import Sequence

from ...config import Project
from ...errors import ToolError
from ...report import words
from ...tools.jenkins import Connection, builds
from ...tools.jenkins.builds import Build, Pending, Progress
from ...tools.jenkins.jobs import Job
from ...tools.jenkins.log import Log
from .. import Done, say
from . import outcome, target, verdicts
from .outcome import Traces
from .view import View, view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    target.add_build(parser)
    add_quiet(parser)


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Declares `--quiet`."""
    parser.add_argument("--quiet", action="store_true", help="stages and verdict, without the log")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Follows a build to its end."""
    with target.connected(project, args) as connection:
        job = target.job_of(project, args, connection)
        build = target.build_of(connection, job, args.build)
        say(f"{build.name}: {build.url}")
        return follow(project, connection, job, build, quiet=args.quiet)


def follow(
    project: Project, connection: Connection, job: Job, build: Build, *, quiet: bool
) -> Done:
    """Shows stages and log until a build has ended, then its verdict; gives its exit code.

    Raises:
        ToolError: the build was deleted meanwhile, or Jenkins does not come back.
    """
    traces, shown = Traces(), view(quiet=quiet)
    with shown:
        ended, progress = _to_its_end(connection, job, build, shown, traces)
    return _conclude(project, connection, ended, progress, traces)


def _to_its_end(
    connection: Connection, job: Job, build: Build, shown: View, traces: Traces
) -> tuple[Build, Progress]:
    news = 0

    def take(lines: list[str]) -> None:
        nonlocal news
        news += len(lines)
        traces.see(lines)
        shown.lines(lines)

    log, asked = Log(connection, build.path, take), _Questions(connection, build, job, shown)
    progress, still = builds.progress(connection, build), 0
    while True:
        news, before = 0, progress
        state = log.read()
        if state == "gone" and not builds.still_there(connection, build):
            todo = "see Jenkins; what it had archived is gone with it"
            raise ToolError(f"{build.name} was deleted while it was watched", build.url, todo)
        progress = builds.progress(connection, build) if progress.known else progress
        shown.stages(progress.stages)
        asked.look(progress)
        if state != "more":
            build = builds.read(connection, job, build.number)
            if not build.building:
                return build, progress
        still = 0 if news or progress != before else still + 1
        pause = connection.patience.poll_s * min(1 + still / 10, 5)
        connection.patience.sleep(pause)


class _Questions:
    """Tells once of each question that a build asks."""

    def __init__(self, connection: Connection, build: Build, job: Job, shown: View) -> None:
        self._connection, self._build, self._shown = connection, build, shown
        self._how = f"slipway jenkins approve {job.name} {build.number}"
        self._told: set[str] = set()

    def look(self, progress: Progress) -> None:
        """Tells of what is asked now."""
        if not progress.waits:
            self._told.clear()
            return
        for question in builds.pending(self._connection, self._build) or ():
            if question.key not in self._told:
                self._told.add(question.key)
                self._shown.note(waiting(self._build, question))
                self._shown.note(f"to answer: {self._how}   (or with --reject)")


def waiting(build: Build, question: Pending) -> str:
    """That a build waits for a person, and what it asks."""
    return f"{build.name} waits for a person: {words.tidy(question.message)} [{question.key}]"


def _conclude(
    project: Project, connection: Connection, build: Build, progress: Progress, traces: Traces
) -> Done:
    """Prints the verdict; gives the exit code."""
    found = verdicts.read(connection, build)
    failed = outcome.culprit(progress.stages) if build.result == "FAILURE" else None
    code = traces.code if traces.code is not None else outcome.code_of(failed)
    answer = outcome.exit_code(build.result, code, [v.outcome for v in found.values()])
    verdicts.show(found, color=project.color)
    if build.result in ("FAILURE", "UNSTABLE") and not any(
        verdict.outcome in ("warn", "block") for verdict in found.values()
    ):
        verdicts.show_tests(connection, build)
    word = outcome.WORDS.get(build.result, build.result.lower())
    took = words.duration(build.duration_ms / 1000)
    say(f"{build.name}: {word} ({build.result}), after {took}")
    for line in _why(build, failed.name if failed else "", code, traces):
        say(f"  {line}")
    return Done(word, code=answer)


def _why(build: Build, stage: str, code: int | None, traces: Traces) -> Sequence[str]:
    said = []
    if build.result in ("ABORTED", "NOT_BUILT"):
        why = "; ".join(build.reasons) or traces.ended or "Jenkins does not say why"
        said.append(words.tidy(why))
    if build.result == "FAILURE":
        ended = f"exit {code}" if code is not None else "no step's exit code: see the log"
        said.append(f"in stage {words.tidy(stage)}: {ended}" if stage else ended)
    if build.description:
        said.append(words.tidy(build.description))
    if build.report:
        said.append(f"report: {build.url}Delivery/")
    return said
