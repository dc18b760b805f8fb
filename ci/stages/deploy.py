"""`slipway deploy`: puts this delivery's artefact into an environment, without a failed request."""

import argparse
from dataclasses import replace

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..records import (
    Approval,
    Candidate,
    Deployment,
    Evaluation,
    Image,
    Plan,
    digest_file,
    read,
    read_if_there,
    write,
)
from ..settings import FILE
from ..tools import git, ledger
from ..tools.ledger import events
from . import Done, approval, approve, promotion, say, tickets

STANDS_ON = ("approval", "staging-verdict", "image-verdict")  # the last of these that there is


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument(
        "--version", metavar="V", default="", help="register as this; default: minor + 1"
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Checks the ticket, then promotes under the environment's lease."""
    name = args.environment
    project.environment(name)
    if args.version:
        events.parse_version(args.version)
    image = read(project.delivery, "image", Image)
    evidence = _evidence(project, name)
    _refuse_foreign(project, name, image)
    approved = _approval(project, name)
    if approved:
        evidence["approval"] = digest_file(project.delivery / "approval.json")
    with promotion.at(project, name) as place:
        _refuse_moved(project, place, image, ledger.read(place.ledger))
        version = _registered(project, place, image, args.version)
        goal = _goal(project, place, image, version, approved)
        put = promotion.promote(
            place,
            goal,
            records_of(project),
            right=lambda history: _refuse_moved(project, place, image, history),
            done=lambda put: _record(project, place, put, evidence),
        )
    say(f"{name}: {put.assignment.version} is {put.state} at {put.live.url}")
    return Done(f"{put.assignment.version} {put.state}", image.subject)


def records_of(project: Project) -> dict[str, bytes]:
    """The delivery's records as they are: file name → bytes."""
    return {
        path.name: path.read_bytes()
        for path in sorted(project.delivery.glob("*.json"))
        if not path.name.startswith(".")
    }


def _evidence(project: Project, name: str) -> dict[str, str]:
    """The records that this deployment relies on, by digest."""
    step = name if name in tickets.RELIES_ON else "staging"
    verdicts = tickets.require(project, step)
    return {"image": digest_file(project.delivery / "image.json"), **verdicts}


def _refuse_foreign(project: Project, name: str, image: Image) -> None:
    standing = read_if_there(project.delivery, name, Deployment)
    if standing and standing.subject != image.subject:
        raise EvidenceError(
            f"{name}.json is about {standing.subject}, not about {image.subject}",
            str(project.delivery / f"{name}.json"),
            "run 'slipway plan': it moves the earlier delivery aside",
        )


def _approval(project: Project, name: str) -> Approval | None:
    """The yes that an environment asks for, checked; given here where the policy gives it."""
    asked = project.environment(name).approval
    if asked == "none":
        if name == approval.PRODUCTION and project.ledger_remote:
            raise ConfigError(
                "production asks for no approval, and its ledger is shared",
                f"{FILE} [environments.{name}] approval",
                "set it to 'person' or 'policy'",
            )
        return approval.standing(project) if name == approval.PRODUCTION else None
    if asked == approval.POLICY and approval.standing(project) is None:
        approve.approve(project, approval.POLICY)
    return approval.check(project)


def _refuse_moved(
    project: Project, place: promotion.Place, image: Image, history: events.History
) -> None:
    """Stops where an environment is not as it was when this delivery was planned."""
    planned = read(project.delivery, "plan", Plan).ledger.get(place.name, "")
    last = history.last(place.name)
    if last and last.id != planned and last.digest != image.subject:
        raise ToolError(
            f"{place.name} moved: {last.version} by {last.by} since {last.at}",
            f"{last.id[:12]} in {place.ledger.copy.address}",
            "run 'slipway plan' again and look at what is live now",
        )
    if place.name == ledger.PRODUCTION:
        judged = read(project.delivery, "evaluation", Evaluation).champion
        if judged != ledger.champion_of(history, image.model):
            raise EvidenceError(
                f"the model was judged against {(judged or {}).get('version', 'no champion')}, "
                "production runs another one now",
                str(project.delivery / "evaluation.json"),
                "run 'slipway plan', then 'slipway gate model' and what follows it",
            )


def _registered(project: Project, place: promotion.Place, image: Image, wanted: str) -> str:
    """The version of this artefact; it is registered now where staging has it first.

    Raises:
        ConfigError: it is registered under another version than the wanted one.
        EvidenceError: it is to go to production without ever having been in staging.
    """
    base = _facts(project, place, image)

    def draft(history: events.History) -> ledger.Draft | events.Event:
        known = history.registered(digest=image.subject)
        if known is None and place.name == ledger.PRODUCTION:
            raise EvidenceError(
                f"{image.subject} is not registered in this ledger",
                place.ledger.copy.address,
                "run 'slipway deploy staging' first",
            )
        if known:
            return known
        version = events.next_version(history, wanted)
        return ledger.Draft(replace(base, version=version), records_of(project))

    event = ledger.append(place.ledger, draft)
    if wanted and events.parse_version(wanted) != events.parse_version(event.version):
        raise ConfigError(
            f"this artefact is registered as {event.version}",
            f"--version {wanted}",
            "leave --version out",
        )
    return event.version


def _facts(project: Project, place: promotion.Place, image: Image) -> events.Event:
    candidate = read(project.delivery, "candidate", Candidate)
    return events.Event(
        kind="register",
        name=place.ledger.name,
        digest=image.subject,
        artefact=image.kind,
        model=image.model,
        dataset=image.dataset,
        trained_until=candidate.trained_until,
        champion=read(project.delivery, "evaluation", Evaluation).champion,
        commit=git.commit(project.root),
        by=promotion.who(),
    )


def _goal(
    project: Project,
    place: promotion.Place,
    image: Image,
    version: str,
    approved: Approval | None,
) -> events.Event:
    return replace(
        _facts(project, place, image),
        kind="assign",
        environment=place.name,
        version=version,
        approved_by=approved.approved_by if approved else "",
    )


def _record(
    project: Project, place: promotion.Place, put: promotion.Put, evidence: dict[str, str]
) -> None:
    """Writes the deployment's record; what the ledger says already is taken from there."""
    event = put.assignment
    write(
        project.delivery,
        place.name,
        Deployment(
            subject=event.digest,
            on=next(evidence[name] for name in STANDS_ON if name in evidence),
            commit=git.commit(project.root),
            environment=place.name,
            version=event.version,
            kind=event.artefact,
            engine=place.engine.name,
            url=put.live.url,
            previous=event.previous,
            ledger=event.id,
            switch_ms=event.switch_ms,
            evidence=evidence,
        ),
    )
