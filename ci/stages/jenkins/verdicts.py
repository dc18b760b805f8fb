"""The verdicts that a build has archived, and what it says where there are none."""

import re

from ...errors import SlipwayError
from ...records import Image, Verdict, parse
from ...report import terminal, words
from ...tools.jenkins import Connection, evidence
from ...tools.jenkins.builds import Build
from .. import say, warn

VERDICT = re.compile(r"delivery/([a-z0-9]+-verdict|tests-[a-z0-9]+)\.json")
IMAGE = "delivery/image.json"
MOST = 20  # tests that are shown


def read(connection: Connection, build: Build) -> dict[str, Verdict]:
    """Name → verdict; one that cannot be relied on is named and left out."""
    found = {}
    for path in build.artifacts:
        match = VERDICT.fullmatch(path)
        if match:
            try:
                content = evidence.content(connection, build, path)
                found[match[1]] = parse(content, Verdict, f"{build.url}artifact/{path}")
            except SlipwayError as error:
                if error.exit_code == 4:
                    raise
                warn(f"jenkins: {path} is left out: {error.what}")
    return found


def image(connection: Connection, build: Build) -> Image | None:
    """What was packed; None where nothing is archived about it."""
    if IMAGE not in build.artifacts:
        return None
    content = evidence.content(connection, build, IMAGE)
    return parse(content, Image, f"{build.url}artifact/{IMAGE}")


def show(found: dict[str, Verdict], *, color: bool) -> None:
    """Prints them, what blocked last: that is where people look."""
    for verdict in sorted(found.values(), key=lambda v: v.outcome == "block"):
        terminal.show(verdict, color=color)


def show_tests(connection: Connection, build: Build) -> None:
    """Prints the failed tests that Jenkins shows; a warning is one, too."""
    failed = evidence.failed_tests(connection, build)
    for test in failed[:MOST]:
        say(f"  {words.tidy(test.name)}: {words.tidy(test.message)}")
        for line in test.details:
            say(f"        {words.tidy(line)}")
    if len(failed) > MOST:
        say(f"  … and {words.count(len(failed) - MOST)} more, in Jenkins")
