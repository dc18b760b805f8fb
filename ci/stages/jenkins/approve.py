"""`slipway jenkins approve`: answers a build that waits for a person."""

import argparse
import sys
from collections.abc import Sequence

from ...config import Project
from ...errors import ConfigError, EvidenceError
from ...report import terminal, words
from ...tools.jenkins import Connection, builds
from ...tools.jenkins.builds import Build, Pending
from ...tools.jenkins.jobs import Job
from .. import Done, say
from . import parameters, target, verdicts, watch

LATEST = 10  # builds among which one that waits is looked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    target.add_build(parser)
    parser.add_argument("--reject", action="store_true", help="say no")
    parser.add_argument("--yes", action="store_true", help="do not ask back")
    parser.add_argument(
        "--input", metavar="ID", help="which question, where a build asks several at once"
    )
    parameters.add_arguments(parser)


def run(project: Project, args: argparse.Namespace) -> Done:
    """Shows what is asked and on what evidence, asks back, and answers.

    Raises:
        EvidenceError: nothing waits, it was answered already, this user may not answer, or what
            would be approved was altered.
    """
    values = parameters.parse(args.set or [])
    with target.connected(project, args.url) as connection:
        job = target.job_of(project, args, connection)
        build, question = _find(connection, job, args)
        where = f"{build.url}input/{question.key}"
        parameters.check(values, question.parameters, where)
        archived = _show(project, connection, build, question)
        if not args.reject:
            _refuse_doubtful(build, archived)
        verb = "reject" if args.reject else "approve"
        if not args.yes and not _agreed(f"{verb} {build.name}?", where):
            say("nothing was answered")
            return Done("not answered")
        builds.settle(connection, build, question, yes=not args.reject, values=values)
    done = "rejected" if args.reject else "approved"
    say(f"{build.name}: {done}")
    if not args.reject:
        say(f"follow it: {target.command(args, 'watch', job, build.number)}")
    return Done(done)


def _find(connection: Connection, job: Job, args: argparse.Namespace) -> tuple[Build, Pending]:
    """The build that waits, and its question; without a number the latest that waits."""
    build = target.build_of(connection, job, args.build)
    numbers = [build.number] if args.build else range(build.number, 0, -1)[:LATEST]
    for number in numbers:
        try:
            found = build if number == build.number else builds.read(connection, job, number)
        except ConfigError:
            continue  # deleted
        if found.building:
            questions = builds.pending(connection, found)
            if questions is None:
                return found, _unlisted(found, args.input)
            if questions:
                return found, _chosen(found, questions, args.input)
    state = f": {build.result}" if build.result else ", and runs" if build.building else ""
    todo = f"see '{target.command(args, 'watch', job, build.number)}'"
    raise EvidenceError(f"{build.name} waits for nobody{state}", build.url, todo)


def _chosen(build: Build, questions: Sequence[Pending], wanted: str | None) -> Pending:
    keys = ", ".join(question.key for question in questions)
    if wanted is None and len(questions) > 1:
        todo = f"say which with --input: {keys}"
        raise ConfigError(f"{build.name} asks {len(questions)} questions", build.url, todo)
    for question in questions:
        if wanted is None or question.key.lower() == wanted.lower():
            return question
    todo = f"it asks: {keys}"
    raise EvidenceError(f"{build.name} does not ask '{wanted}'", build.url, todo)


def _unlisted(build: Build, wanted: str | None) -> Pending:
    """The question by its name alone, where Jenkins cannot list them."""
    if wanted is None:
        todo = "name it with --input, or install the plugin pipeline-rest-api in Jenkins"
        raise ConfigError("this Jenkins cannot tell what a build asks", build.url, todo)
    return Pending(wanted[:1].upper() + wanted[1:])


def _show(
    project: Project, connection: Connection, build: Build, question: Pending
) -> verdicts.Archived:
    """Prints what would be approved: the artefact, and every verdict that is archived."""
    say(watch.waiting(build, question))
    archived = verdicts.read(connection, build)
    if archived.image:
        image = archived.image
        say(f"  {image.kind} {image.subject} ({words.tidy(image.reference)})")
    verdicts.show(archived, color=project.color)
    if not archived.verdicts:
        say("  no verdict is archived yet; what Jenkins shows as failed tests:")
        verdicts.show_tests(connection, build)
    if "warn" in archived.outcomes:
        say(f"  {terminal.paint('warn', project.color)}: approving accepts the warnings above")
    verdicts.show_report(connection, build)
    return archived


def _refuse_doubtful(build: Build, archived: verdicts.Archived) -> None:
    if archived.doubtful:
        what = f"{', '.join(archived.doubtful)} can't be relied on: nothing was approved"
        raise EvidenceError(what, build.url, "find out who changed it; or reject the build")


def _agreed(text: str, where: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here", where, "add --yes to answer all the same")
    try:
        return input(f"{text} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
