"""`slipway run`: the whole delivery on one machine; each step is a command of its own."""

import argparse
import time
from dataclasses import dataclass

from ..config import Project
from ..errors import SlipwayError
from ..records import Deployment, Plan, read
from ..report import terminal
from . import Done, execute, say, warn

# step → command line; the same lines, in the same order, stand in the Jenkinsfile
STEPS: dict[str, tuple[str, ...]] = {
    "plan": ("plan",),
    "lint": ("lint",),
    "unit tests": ("test", "unit"),
    "data": ("data", "pull"),
    "data gate": ("gate", "data"),
    "prepared gate": ("gate", "prepared"),
    "integration tests": ("test", "integration"),
    "train": ("repro", "train"),
    "model gate": ("gate", "model"),
    "image": ("image",),
    "image gate": ("gate", "image"),
    "e2e tests": ("test", "e2e"),
    "staging": ("deploy", "staging"),
    "staging probe": ("probe", "staging"),
    "staging gate": ("gate", "service", "--of", "staging"),
    "approval": ("approve", "--rehearsal"),
    "canary": ("deploy", "production", "--canary"),
    "canary probe": ("probe", "canary"),
    "canary gate": ("gate", "service", "--of", "canary"),
    "production": ("deploy", "production"),
    "production probe": ("probe", "production"),
    "production gate": ("gate", "service", "--of", "production"),
    "release": ("release",),
}


@dataclass(frozen=True)
class Step:
    """What one step answered."""

    name: str
    done: Done
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--to", choices=list(STEPS), metavar="STEP", help="stop after this step")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="approve production too: a rehearsal, recorded as such, on a ledger of your own only",
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Runs the steps until one says no; the report is written in every case."""
    steps: list[Step] = []
    failure: SlipwayError | None = None
    try:
        for name, argv in STEPS.items():
            if name == "approval" and not args.yes:
                say("\nwaiting for approval: slipway approve --by WHO, then slipway run --yes")
                break
            steps.append(_step(project, name, argv))
            if steps[-1].done.code or name == args.to:
                break
            if name == "plan" and (live := read(project.delivery, "plan", Plan).delivered):
                return _unchanged(project, live)
    except SlipwayError as error:
        failure = error
    report = execute(["report"], project) if (project.delivery / "plan.json").exists() else None
    _show(project, steps)
    say(f"\nreport      {report.answer}" if report else "")
    if failure:
        raise failure
    code = steps[-1].done.code
    return Done("blocked" if code else "delivered", steps[-1].done.digest, code)


def _step(project: Project, name: str, argv: tuple[str, ...]) -> Step:
    warn(f"\n▸ {name}: slipway {' '.join(argv)}")
    started = time.monotonic()
    done = execute(argv, project)
    return Step(name, done, time.monotonic() - started)


def _unchanged(project: Project, delivered: dict[str, str]) -> Done:
    say(f"\nnothing to deliver: {delivered['version']} is live")
    _service(delivered["url"], delivered["version"])
    page = project.delivery / "report" / "index.html"
    say(f"report      {page if page.exists() else 'slipway report writes it'}")
    return Done(f"{delivered['version']} is live", delivered["digest"])


def _show(project: Project, steps: list[Step]) -> None:
    rows = [(step.name, step.done.answer, step.seconds, step.done.digest) for step in steps]
    say("\n" + terminal.delivery_table(rows, color=project.color) + "\n")
    if steps and steps[-1].name == "release" and not steps[-1].done.code:
        live = read(project.delivery, "production", Deployment)
        _service(live.url, live.version)


def _service(url: str, version: str) -> None:
    example = '{"customer": "01104905"}'
    say(f"production  {url}  ({version})")
    say(f"try         curl -s {url}/recommend -d '{example}'")
