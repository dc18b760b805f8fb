"""`slipway doctor`: what this machine, or a Jenkins, lacks for a delivery, and how to mend it.

Exit 0 where nothing is missing (a warning is none), 4 where something is. It changes nothing.
"""

import argparse
import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from ..config import Project
from ..errors import ConfigError
from ..report import terminal, words
from ..tools import jenkins_facts, jenkinsfile, machine_facts
from ..tools.jenkins import failures
from . import Done, say
from .health import Check, jenkins, machine, privacy, services
from .jenkins import target

JOB = "slipway"
PATIENCE_S = 5.0  # with a Jenkins that does not answer
MARKS = {"ok": "pass", "warn": "warn", "missing": "block"}  # how a terminal paints them
MISSING = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "--jenkins",
        metavar="URL",
        nargs="?",
        const="",
        help="look at a Jenkins instead of at this machine; without URL at that of `[jenkins]`",
    )
    parser.add_argument("--job", help=f"instead of `job` under `[jenkins]`, or else of `{JOB}`")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Prints every check, what is wrong with its cure below it, and a count."""
    if args.jenkins is not None:
        checks = list(_of_jenkins(project, args.jenkins, args.job))
    else:
        checks = [
            *machine.judge(project, machine_facts.measure(project)),
            *privacy.judge(project),
            *services.judge(project),
        ]
    if args.json:
        print(json.dumps([asdict(one) for one in checks], indent=1, sort_keys=True))
    else:
        _show(checks, color=project.color)
    missing = any(one.outcome == "missing" for one in checks)
    return Done("missing" if missing else "well", code=MISSING if missing else 0)


def _of_jenkins(project: Project, url: str, job: str | None) -> Iterator[Check]:
    wanted = jenkinsfile.read(project.root)
    people = wanted.submitters if wanted else ()
    named = job or project.config.jenkins.job or JOB
    with (
        target.connected(project, url, longest_s=PATIENCE_S) as connection,
        target.connected(project, url, longest_s=PATIENCE_S, stranger=True) as stranger,
    ):
        if not all(project.jenkins_login):
            todo = f"set {failures.VARIABLES} (an API token of that user)"
            raise ConfigError("nobody is named to look at Jenkins as", connection.url, todo)
        facts = jenkins_facts.look(connection, stranger, named, people)
    yield from jenkins.judge(project, facts, wanted)


def _show(checks: list[Check], *, color: bool) -> None:
    """One line a check, grouped; below what is not well, what is needed and what to do."""
    left = 12 + max(len(one.name) for one in checks)
    section = ""
    for one in checks:
        if one.section != section:
            section = one.section
            say(f"\n{section}" if one is not checks[0] else section)
        mark = terminal.paint(MARKS[one.outcome], color).replace(MARKS[one.outcome], one.outcome)
        room = " " * (8 - len(one.outcome))
        say(f"  {mark}{room}{one.name:<{left - 12}}  {_folded(one.measured, left)}")
        if one.outcome != "ok":
            say(f"{'':<10}{'needed:':<8}{_folded(one.needed, 18)}")
            say(f"{'':<10}{'to do:':<8}{_folded(one.mend, 18)}")
    counts = Counter(one.outcome for one in checks)
    say("\n" + ", ".join(f"{counts[name]} {name}" for name in ("ok", "warn", "missing")))


def _folded(text: str, left: int) -> str:
    """A text in lines of a page's width, all but the first one moved in."""
    room, tidy = max(terminal.WIDTH - left, 40), words.tidy(text)
    lines = textwrap.wrap(tidy, room, break_long_words=False, break_on_hyphens=False)
    return f"\n{'':<{left}}".join(lines)
