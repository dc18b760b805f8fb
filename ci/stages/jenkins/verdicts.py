"""The verdicts that a build has archived, and what it says where there are none."""

import re
from dataclasses import dataclass
from typing import TypeVar

from ...errors import SlipwayError, ToolError
from ...records import Image, Record, Verdict, parse
from ...report import terminal, words
from ...tools.jenkins import Connection, evidence
from ...tools.jenkins.builds import Build
from .. import say, warn

VERDICT = re.compile(r"delivery/([a-z0-9]+-verdict|tests-[a-z0-9]+|lint)\.json")
IMAGE = "delivery/image.json"
MOST = 20  # tests that are shown
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Archived:
    """What a build has archived about its decision."""

    verdicts: dict[str, Verdict]  # by the record's name
    image: Image | None
    doubtful: tuple[str, ...]  # files that cannot be relied on

    @property
    def outcomes(self) -> set[str]:
        """How the verdicts ended."""
        return {verdict.outcome for verdict in self.verdicts.values()}


def read(connection: Connection, build: Build) -> Archived:
    """The records that are archived; one that cannot be relied on is named and left out."""
    found: dict[str, Verdict] = {}
    image, doubtful = None, []
    for path in build.artifacts:
        match = VERDICT.fullmatch(path)
        try:
            if match:
                found[match[1]] = _record(connection, build, path, Verdict)
            elif path == IMAGE:
                image = _record(connection, build, path, Image)
        except SlipwayError as error:
            if isinstance(error, ToolError):
                raise
            warn(f"jenkins: {path} is left out: {error.what}")
            doubtful.append(path)
    return Archived(found, image, tuple(doubtful))


def _record(connection: Connection, build: Build, path: str, cls: type[R]) -> R:
    return parse(evidence.content(connection, build, path), cls, f"{build.url}artifact/{path}")


def show(archived: Archived, *, color: bool) -> None:
    """Prints the verdicts, what blocked last: that is where people look."""
    for verdict in sorted(archived.verdicts.values(), key=lambda v: v.outcome == "block"):
        terminal.show(verdict, color=color)


def show_report(connection: Connection, build: Build) -> None:
    """Prints where the page for people is."""
    try:
        where = evidence.report(connection, build)
    except SlipwayError as error:
        where = ""
        warn(f"jenkins: the report is left out: {error.what}")
    if where:
        say(f"  report: {where}")


def show_tests(connection: Connection, build: Build) -> None:
    """Prints the failed tests that Jenkins shows; a warning is one, too."""
    try:
        failed = evidence.failed_tests(connection, build)
    except SlipwayError as error:  # they only illustrate
        warn(f"jenkins: the test results are left out: {error.what}")
        return
    for test in failed[:MOST]:
        say(f"  {words.tidy(test.name)}: {words.tidy(test.message)}")
        for line in test.details:
            say(f"        {words.tidy(line)}")
    if len(failed) > MOST:
        say(f"  … and {words.count(len(failed) - MOST)} more, in Jenkins")
