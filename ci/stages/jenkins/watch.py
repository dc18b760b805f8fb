"""`slipway jenkins watch`: follows a build's stages and log; exits as its delivery did."""

import argparse

from ...config import Project
from ...errors import ToolError
from ...report import words
from ...tools.jenkins import Connection, builds
from ...tools.jenkins.builds import Build, Pending, Progress
from ...tools.jenkins.jobs import Job
from ...tools.jenkins.log import Log
from .. import Done, say, warn
from . import outcome, target, verdicts
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
    with target.connected(project, args.url) as connection:
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
    try:
        with view(quiet=args.quiet) as shown:
            how = target.command(args, "approve", job, build.number)
            follower = _Follower(connection, build, shown, how)
            while not follower.look():
                connection.patience.sleep(follower.pause_s)
    except KeyboardInterrupt:
        warn(f"{build.name} goes on: {target.command(args, 'watch', job, build.number)}")
        return Done("left", code=130)
    ended = builds.read(connection, job, build.number)
    return _conclude(project, connection, ended, follower)


class _Follower:
    """Shows what is new of one build at each look."""

    def __init__(self, connection: Connection, build: Build, shown: View, how: str) -> None:
        self._connection, self._build, self._shown, self._how = connection, build, shown, how
        self._log = Log(connection, build.path, self._take)
        self._asked: set[str] = set()  # questions that were told
        self._lines = self._still = 0
        self.traces = outcome.Traces()
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


def _conclude(project: Project, connection: Connection, build: Build, follower: _Follower) -> Done:
    """Prints the verdict; gives the exit code."""
    archived, traces = verdicts.read(connection, build), follower.traces
    stage = outcome.culprit(follower.progress.stages) if build.result == "FAILURE" else None
    code = traces.code if traces.code is not None else outcome.code_of(stage)
    verdicts.show(archived, color=project.color)
    if build.result in ("FAILURE", "UNSTABLE") and not archived.outcomes & {"warn", "block"}:
        verdicts.show_tests(connection, build)
    word = outcome.WORDS.get(build.result, "ended")
    say(f"{build.name}: {word} ({build.result}), after {words.duration(build.duration_ms / 1000)}")
    if build.result in ("ABORTED", "NOT_BUILT"):
        why = "; ".join(build.reasons) or traces.ended or "Jenkins does not say why"
        say(f"  {words.tidy(why)}")
    if build.result == "FAILURE":
        place = f"in stage {words.tidy(stage.name)}: " if stage else ""
        say(f"  {place}{_ended(code, archived)}")
    if build.description:
        say(f"  {words.tidy(build.description)}")
    verdicts.show_report(connection, build)
    return Done(word, code=outcome.exit_code(build.result, code, archived.outcomes))


def _ended(code: int | None, archived: verdicts.Archived) -> str:
    if code is None:
        return "no step's exit code: see the log"
    unseen = code == 3 and "block" not in archived.outcomes
    return f"exit {code}{', and no archived verdict says why: see the log' if unseen else ''}"
