"""`slipway deploy`: puts this delivery's artefact into an environment, without a failed request."""

import argparse
from dataclasses import replace

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..records import (
    BESIDE,
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
from ..settings import CANARY, FILE
from ..tools import git, ledger
from ..tools.engines import Live, choice
from ..tools.ledger import events
from . import Done, approval, approve, canary, places, promotion, repositories, say, tickets
from .places import Place

# the last of these that there is
STANDS_ON = (tickets.TRIED, "approval", "staging-verdict", "image-verdict")
MOST = 50  # percent: a canary is the smaller part
AS_ASKED = -1  # `--canary` alone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument(
        "--version", metavar="V", default="", help="register as this; default: minor + 1"
    )
    parser.add_argument(
        "--canary",
        metavar="PERCENT",
        type=int,
        nargs="?",
        const=AS_ASKED,
        help=f"give it this part of the requests only, 1 to {MOST}; what is live keeps the rest; "
        "default: what delivery.toml asks for",
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Checks the ticket, then promotes under the environment's lease, wholly or as a canary."""
    name = args.environment
    asked = project.environment(name).canary
    percent = asked if args.canary == AS_ASKED else args.canary
    if args.version:
        events.parse_version(args.version)
    if args.canary not in (None, AS_ASKED):
        _refuse_odd(project, name, args.canary)
    image = read(project.delivery, "image", Image)
    evidence = _evidence(project, name, image, whole=percent is None)
    _refuse_foreign(project, name if percent is None else CANARY, image)
    approved = _approval(project, name)
    if approved:
        evidence["approval"] = digest_file(project.delivery / "approval.json")
    with promotion.at(project, name) as place:

        def right(history: events.History) -> None:
            _refuse_moved(project, place, image, history)
            canary.refuse_other(place, history, image.subject)

        right(ledger.read(place.ledger))
        choice.refuse_kind(project, name, image.kind)
        version = _registered(project, place, image, args.version)
        goal = _goal(project, place, image, version, approved)
        if percent is not None:
            return _beside(place, replace(goal, percent=percent), right, evidence)
        put = promotion.promote(
            place,
            goal,
            records_of(project),
            right=right,
            done=lambda put: _record(place, name, put.assignment, put.live, evidence),
        )
    say(f"{name}: {put.assignment.version} is {put.state} at {put.live.url}")
    return Done(f"{put.assignment.version} {put.state}", image.subject)


def _refuse_odd(project: Project, name: str, percent: int) -> None:
    """Stops a canary that means nothing."""
    line = f"slipway deploy {name} --canary {percent}"
    if not 1 <= percent <= MOST:
        raise ConfigError(
            f"a canary gets 1 to {MOST} percent of the requests", line, "name a percent in between"
        )
    if name != ledger.PRODUCTION and project.environment(name).approval == "none":
        raise ConfigError(
            f"a canary stands where people are served; {name} asks nobody",
            line,
            f"leave --canary out, or set [environments.{name}] approval in {FILE}",
        )


def _beside(
    place: Place, goal: events.Event, right: places.Right, evidence: dict[str, str]
) -> Done:
    """Gives the artefact its part of the traffic; says so where there is nothing to part with."""
    project, name = place.project, place.name

    def done(tried: canary.Tried) -> None:
        there = (project.delivery / f"{CANARY}.json").exists()
        if tried.event.percent or not there:  # else it tells what was tried before it went live
            _record(place, CANARY, tried.event, tried.live, evidence)

    tried = canary.stand(place, replace(goal, kind="canary"), records_of(project), right, done)
    event = tried.event
    if not event.percent:
        whole = places.serves(tried.live, event)
        why = "it serves all of it" if whole else "nothing is live, deploy it whole"
        why = why if goal.percent else f"{FILE} asks for none"
        say(f"{name}: a canary of {event.version} has {canary.NOTHING}: {why}")
        return Done(canary.NOTHING, event.digest)
    url = tried.live.url if tried.live else ""
    say(f"{name}: {event.version} is {tried.state} with {event.percent} % of the requests at {url}")
    return Done(f"{event.version} {tried.state} with {event.percent} %", event.digest)


def records_of(project: Project) -> dict[str, bytes]:
    """The delivery's records as they are: file name → bytes."""
    return {
        path.name: path.read_bytes()
        for path in sorted(project.delivery.glob("*.json"))
        if not path.name.startswith(".") and path.stem not in BESIDE
    }


def _evidence(project: Project, name: str, image: Image, *, whole: bool) -> dict[str, str]:
    """The records that this deployment relies on, by digest; a whole one on a canary's too."""
    step = name if name in tickets.RELIES_ON else "staging"
    verdicts = tickets.require(project, step)
    tried = (project.delivery / f"{tickets.TRIED}.json").exists()
    if whole and (tried or project.environment(name).canary):
        history = ledger.read(ledger.open_ledger(project))
        if tickets.wants_canary(project, name, history, image.subject):
            verdicts = tickets.require(project, step, tried=True)
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


def _refuse_moved(project: Project, place: Place, image: Image, history: events.History) -> None:
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


def _registered(project: Project, place: Place, image: Image, wanted: str) -> str:
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
        if image.kind == "image":
            repositories.refuse_taken(project, image.subject, version)
        return ledger.Draft(replace(base, version=version), records_of(project))

    event = ledger.append(place.ledger, draft)
    if wanted and events.parse_version(wanted) != events.parse_version(event.version):
        raise ConfigError(
            f"this artefact is registered as {event.version}",
            f"--version {wanted}",
            "leave --version out",
        )
    if image.kind == "image":
        repositories.tag(project, image.subject, event.version)
    return event.version


def _facts(project: Project, place: Place, image: Image) -> events.Event:
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
        by=places.who(project),
    )


def _goal(
    project: Project,
    place: Place,
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
    place: Place, name: str, event: events.Event, live: Live | None, evidence: dict[str, str]
) -> None:
    """Writes the deployment's record; what the ledger says already is taken from there."""
    write(
        place.project.delivery,
        name,
        Deployment(
            subject=event.digest,
            on=next(evidence[name] for name in STANDS_ON if name in evidence),
            commit=git.commit(place.project.root),
            environment=place.name,
            version=event.version,
            kind=event.artefact,
            engine=place.engine.name,
            url=live.url if live else "",
            previous=event.previous,
            ledger=event.id,
            switch_ms=event.switch_ms,
            evidence=evidence,
            percent=event.percent if name == CANARY else 100,
        ),
    )
