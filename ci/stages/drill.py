"""`slipway drill`: puts releases made sick into an environment, and sees each of them undone."""

import argparse
import time
from collections.abc import Sequence

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..gates import drill as gate
from ..gates import worst
from ..records import Drill, DrillCase, Finding, read_if_there
from ..report import terminal
from ..settings import FILE
from ..tools import git, sick
from ..tools import ledger as book
from ..tools.artefacts import Artefact
from ..tools.engines import Live
from ..tools.ledger import Event
from . import Done, drilling, exercises, places, promotion, say
from .places import Place

NAME = "drill"
HEADER = ("case", "noticed", "undone", "sick", "requests", "failed", "answered by it")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "environment", metavar="ENV", nargs="?", default="staging", help="default: staging"
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Drills one case after the other, judges them, and leaves what was live as it was."""
    name = args.environment
    _refuse_served(project, name)
    read_if_there(project.delivery, NAME, Drill)  # one that was altered is told at once
    began = time.monotonic()
    with promotion.at(project, name) as place:
        live, last = _standing(place)
        artefact = places.artefact_of(place, last)
        say(f"{name}: {last.version} is live at {live.url}; {len(sick.CASES)} ways to be sick")
        cases = _drilled(place, live, last, artefact)
        findings = tuple(gate.judge(cases, project.config.drill))
        event = _told(place, last, cases, findings)
        record = _record(place, live, event, cases, findings, time.monotonic() - began)
    say(terminal.table([_row(case) for case in cases], HEADER))
    exercises.show(project, NAME, record, record.seconds)
    say(f"{name}: {event.reason}")
    return Done(record.outcome, last.digest, 3 if record.outcome == "block" else 0)


def _refuse_served(project: Project, name: str) -> None:
    """Says no where people are served: there, a canary is what tries a release."""
    asked = project.environment(name).approval
    if name == book.PRODUCTION or asked != "none":
        raise ConfigError(
            f"people are served in {name}: nothing sick is put there on purpose",
            f"slipway drill {name}",
            f"drill in an environment that asks nobody ({FILE} [environments.*] approval)",
        )


def _standing(place: Place) -> tuple[Live, Event]:
    """What is live, and its assignment.

    Raises:
        EvidenceError: there is nothing to protect.
        ToolError: it is not well to begin with, or a canary has a part of the requests.
    """
    history, live = book.read(place.ledger), place.engine.live()
    last, canary = history.last(place.name), history.open_canary(place.name)
    if last is None or live is None:
        raise EvidenceError(
            f"nothing is live in {place.name}: there is nothing to protect",
            f"{place.engine.name} engine, ledger {place.ledger.copy.address}",
            f"deploy there first: slipway deploy {place.name}",
        )
    if canary or live.canary:
        raise ToolError(
            f"{place.name} has a canary", live.url, f"decide on it: slipway rollback {place.name}"
        )
    if not places.serves(live, last):
        raise ToolError(
            f"{place.name} does not serve {last.version} well, as the ledger says",
            live.url,
            "look at 'slipway status'; deploy or roll back, then drill",
        )
    return live, last


def _drilled(place: Place, live: Live, last: Event, artefact: Artefact) -> list[DrillCase]:
    """Each case; none follows one that was not undone."""
    cases: list[DrillCase] = []
    for case, about in sick.CASES.items():
        say(f"▸ {case}: {about}")
        cases.append(drilling.run(place, live, last, artefact, case))
        say(f"  {cases[-1].said}")
        if not cases[-1].restored:
            break
    return cases


def _told(
    place: Place, last: Event, cases: Sequence[DrillCase], findings: Sequence[Finding]
) -> Event:
    """The ledger's event: that there was a drill, and what came of it. It assigns nothing."""
    undone = sum(case.restored and case.agrees for case in cases)
    failed, sent = sum(case.failed for case in cases), sum(case.sent for case in cases)
    answer = "blocked" if worst(findings) == "block" else "passed"
    reason = (
        f"drill {answer}: {undone} of {len(sick.CASES)} sick releases undone, "
        f"{failed} of {sent} requests failed"
    )
    event = Event(
        kind="drill",
        name=last.name,
        environment=place.name,
        version=last.version,
        digest=last.digest,
        artefact=last.artefact,
        model=last.model,
        commit=git.commit(place.project.root),
        by=places.who(place.project),
        reason=reason,
    )
    return book.append(place.ledger, lambda _: book.Draft(event))


def _record(
    place: Place,
    live: Live,
    event: Event,
    cases: Sequence[DrillCase],
    findings: tuple[Finding, ...],
    seconds: float,
) -> Drill:
    record = Drill(
        subject=f"{event.digest}@{place.name}",
        commit=event.commit,
        environment=place.name,
        version=event.version,
        engine=place.engine.name,
        url=live.url,
        cases=tuple(cases),
        outcome=worst(findings),
        findings=findings,
        ledger=event.id,
        seconds=round(seconds, 1),
    )
    return exercises.keep(place.project, NAME, record)  # of an earlier one the ledger tells


def _row(case: DrillCase) -> tuple[object, ...]:
    counts = (case.sent, case.failed, case.answered)
    return (case.name, case.noticed, f"{case.seconds:.1f} s", f"{case.sick_s:.2f} s", *counts)
