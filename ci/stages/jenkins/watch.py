"""`slipway jenkins watch`: follows a build's stages and log; exits as its delivery did."""

import argparse
from collections.abc import Iterator

from ...config import Project
from ...errors import ToolError
from ...report import words
from ...tools.jenkins import Connection, builds
from ...tools.jenkins.builds import Build, Pending, Progress, Stage
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
        return follow(project, connection, job, build, args)


def follow(
    project: Project, connection: Connection, job: Job, build: Build, args: argparse.Namespace
) -> Done:
    """Shows stages and log until a build has ended, then its verdict; gives its exit code.

    Raises:
        ToolError: the build was deleted meanwhile, or Jenkins does not come back.
    """
    with view(quiet=args.quiet) as shown:
        how = target.command(args, "approve", job, build.number)
        follower = _Follower(connection, build, shown, how)
        while not follower.look():
            connection.patience.sleep(follower.pause_s)
    ended = builds.read(connection, job, build.number)
    return _conclude(project, connection, ended, follower.progress, follower.traces)


class _Follower:
    """Shows what is new of one build at each look."""

    def __init__(self, connection: Connection, build: Build, shown: View, how: str) -> None:
        self._connection, self._build, self._shown, self._how = connection, build, shown, how
        self._log = Log(connection, build.path, self._take)
        self._asked: set[str] = set()  # questions that were told
        self._lines = self._still = 0
        self.traces = Traces()
        self.progress = builds.progress(connection, build)

    @property
    def pause_s(self) -> float:
        """Until the next look: longer while nothing moves."""
        return self._connection.patience.poll_s * min(1 + self._still / 10, 5)

    def look(self) -> bool:
        """Whether the build has ended."""
        self._lines, before = 0, _standing(self.progress)
        state = self._log.read()
        if self.progress.known:
            self.progress = builds.progress(self._connection, self._build)
        self._shown.stages(self.progress.stages)
        self._tell_questions()
        moved = self._lines or _standing(self.progress) != before
        self._still = 0 if moved else self._still + 1
        return state != "more" and not self._builds()

    def _builds(self) -> bool:
        building = builds.building(self._connection, self._build)
        if building is None:
            todo = "see Jenkins; what it had archived is gone with it"
            what = f"{self._build.name} was deleted while it was watched"
            raise ToolError(what, self._build.url, todo)
        return building

    def _take(self, lines: list[str]) -> None:
        self._lines += len(lines)
        self.traces.see(lines)
        self._shown.lines(lines)

    def _tell_questions(self) -> None:
        if not self.progress.waits:
            self._asked.clear()
            return
        for question in builds.pending(self._connection, self._build) or ():
            if question.key not in self._asked:
                self._asked.add(question.key)
                self._shown.note(waiting(self._build, question))
                self._shown.note(f"to answer: {self._how}   (or with --reject)")


def _standing(progress: Progress) -> list[tuple[str, str]]:
    """What counts as news of the stages: not that they take longer."""
    return [(stage.key, stage.status) for stage in progress.stages]


def waiting(build: Build, question: Pending) -> str:
    """That a build waits for a person, and what it asks."""
    return f"{build.name} waits for a person: {words.tidy(question.message)} [{question.key}]"


def _conclude(
    project: Project, connection: Connection, build: Build, progress: Progress, traces: Traces
) -> Done:
    """Prints the verdict; gives the exit code."""
    found = verdicts.read(connection, build)
    stage = outcome.culprit(progress.stages) if build.result == "FAILURE" else None
    code = traces.code if traces.code is not None else outcome.code_of(stage)
    verdicts.show(found, color=project.color)
    loud = any(verdict.outcome in ("warn", "block") for verdict in found.values())
    if build.result in ("FAILURE", "UNSTABLE") and not loud:
        verdicts.show_tests(connection, build)
    word = outcome.WORDS.get(build.result, build.result.lower())
    took = words.duration(build.duration_ms / 1000)
    say(f"{build.name}: {word} ({build.result}), after {took}")
    for line in _why(build, stage, code, traces):
        say(f"  {line}")
    answer = outcome.exit_code(build.result, code, [v.outcome for v in found.values()])
    return Done(word, code=answer)


def _why(build: Build, stage: Stage | None, code: int | None, traces: Traces) -> Iterator[str]:
    if build.result in ("ABORTED", "NOT_BUILT"):
        yield words.tidy("; ".join(build.reasons) or traces.ended or "Jenkins does not say why")
    if build.result == "FAILURE":
        ended = f"exit {code}" if code is not None else "no step's exit code: see the log"
        yield f"in stage {words.tidy(stage.name)}: {ended}" if stage else ended
    if build.description:
        yield words.tidy(build.description)
    if build.report:
        yield f"report: {build.url}Delivery/"
