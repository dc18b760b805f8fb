"""`slipway probe`: asks an environment's service and writes down what it answers."""

import argparse
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..gates.service import BadRequest, Exported, Load, ServiceEvidence
from ..records import Deployment, Image, Probe, digest_file, read, write
from ..settings import CANARY, Environment
from ..tools import artefacts, bad_requests, engines, git, load, service
from ..tools.artefacts import Artefact
from ..tools.engines import Live
from . import Done, canary, loads, measured, say
from .subjects.image import judged

ANSWERED = 'slipway_requests_total{route="recommend",status="200"}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV", help="an environment, or 'canary'")
    parser.add_argument(
        "--requests", type=Path, metavar="FILE", help="a JSON list of requests to send as the load"
    )
    parser.add_argument("--again", action="store_true", help="measure even if it was measured")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Measures what this delivery deployed: an environment's service, or production's canary."""
    what = args.environment
    if what != CANARY:
        project.environment(what)
    elif canary.absent(project):
        say("there is no canary to probe: nothing was live that it could stand beside")
        return Done(canary.NOTHING)
    deployment = read(project.delivery, what, Deployment)
    on = digest_file(project.delivery / f"{what}.json")
    standing = measured.standing(project, f"{what}-probe", on=on, verdict=f"{what}-verdict")
    if standing and not args.again:
        if what != CANARY:  # a canary may serve everything by now
            _live(project, what, deployment)
        say(f"{what} was probed already since it was deployed")
        return Done("already probed", standing.subject)
    live = _live(project, what, deployment)
    image = read(project.delivery, "image", Image)
    artefact = artefacts.open_artefact(
        project, image.kind, image.subject, model=image.model, environment=deployment.environment
    )
    evidence = measure(
        live.url,
        artefact,
        project.environment(deployment.environment),
        bodies=_bodies(args.requests) if args.requests else None,
        champion=live.instance.digest if what == CANARY else "",
        percent=deployment.percent,
    )
    record = Probe(
        subject=deployment.subject,
        on=on,
        commit=git.commit(project.root),
        environment=deployment.environment,
        version=deployment.version,
        url=live.url,
        measured=asdict(evidence),
    )
    write(project.delivery, f"{what}-probe", record)
    _show(evidence)
    return Done("probed", deployment.subject)


def measure(
    url: str,
    artefact: Artefact,
    settings: Environment,
    *,
    bodies: list[bytes] | None = None,
    champion: str = "",
    percent: int = 100,
) -> ServiceEvidence:
    """Everything that the service's gates read; a service that hangs is asked less.

    Args:
        artefact: what should answer.
        bodies: what the load sends; None sends the model's samples.
        champion: the digest of what serves the rest, where the artefact is a canary.
        percent: of the requests that the artefact should get.
    """
    samples, model, digest = artefact.samples, artefact.name, artefact.digest
    bodies = bodies or _encoded([sample["request"] for sample in samples])
    split = loads.learn(url, digest, champion, percent, settings) if champion else None
    key = split.key if split else ""
    before = _metrics(url, key)
    sent, side = (
        loads.beside(url, split, settings, bodies)
        if split
        else (loads.alone(url, digest, settings, bodies), None)
    )
    after = _metrics(url, key)
    asked = service.ask_samples(url, samples, key)
    paths = ("/v2/health/live", "/v2/health/ready", f"/v2/models/{model}/ready")
    server = service.ask(url, f"/v2/models/{model}", key=key).json()
    return ServiceEvidence(
        digest=digest,
        health={path: _status(service.ask(url, path, key=key)) for path in paths},
        model=model,
        models=(str(server.get("name")),) if isinstance(server, dict) else (),
        samples=judged([_own(sample, digest) for sample in asked], artefact.tolerance),
        load=sent,
        bad_requests=_bad_requests(url, model, key),
        metrics=_exported(before, after),
        beside=side,
    )


def _live(project: Project, what: str, deployment: Deployment) -> Live:
    """What serves in the deployment's environment, if it is what was deployed."""
    name = deployment.environment
    live = engines.engine_of(project, name).live()
    if live is None:
        raise ToolError(f"nothing serves in {name}", deployment.url, f"slipway deploy {name}")
    if what == CANARY:
        standing = live.canary.instance.digest if live.canary else "no canary"
        there, todo = (
            f"{name} has {standing}",
            f"slipway deploy {name} --canary {deployment.percent}",
        )
    else:
        standing = service.ready(live.url).digest or live.instance.digest
        there, todo = f"{name} runs {standing}", f"slipway deploy {name}"
    if standing != deployment.subject:
        raise EvidenceError(
            f"{there}, this delivery deployed {deployment.subject}",
            live.url,
            f"run '{todo}' again",
        )
    return live


def _own(sample: service.Sample, digest: str) -> service.Sample:
    """A sample that another artefact answered was not answered."""
    if sample.digest == digest or sample.error:
        return sample
    return replace(sample, difference=math.inf, error=f"answered by {sample.digest or 'nobody'}")


def _bad_requests(url: str, model: str, key: str) -> tuple[BadRequest, ...]:
    found = []
    for case, answer in bad_requests.send(url, model, key):
        content = answer.json()
        why = isinstance(content, dict) and isinstance(content.get("error"), str)
        found.append(BadRequest(case, answer.status, why))
    return tuple(found)


def _metrics(url: str, key: str) -> dict[str, float] | str:
    """The metrics, or why they cannot be read."""
    answer = service.ask(url, "/metrics", key=key)
    if answer.status != 200:
        return answer.error or f"status {answer.status}"
    try:
        return load.metrics(answer.body.decode())
    except ValueError as error:
        return str(error)


def _exported(before: dict[str, float] | str, after: dict[str, float] | str) -> Exported:
    if isinstance(before, str) or isinstance(after, str):
        error = before if isinstance(before, str) else str(after)
        return Exported((), float("nan"), (), error)
    info = [name for name in after if name.startswith("slipway_model_info{")]
    return Exported(
        names=tuple(sorted({name.partition("{")[0] for name in after})),
        counted=after.get(ANSWERED, 0.0) - before.get(ANSWERED, 0.0),
        digests=tuple(sorted({name.partition('digest="')[2].partition('"')[0] for name in info})),
    )


def _bodies(path: Path) -> list[bytes]:
    try:
        requests = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the requests: {error}", str(path), "mend it") from error
    if not isinstance(requests, list) or not requests:
        raise ConfigError("the requests are no JSON list", str(path), 'write [{"customer": "…"}]')
    return _encoded(requests)


def _encoded(requests: list[Any]) -> list[bytes]:
    return [json.dumps(request).encode() for request in requests]


def _status(answer: service.Answer) -> str:
    return f"{answer.status} {answer.digest}"


def _show(evidence: ServiceEvidence) -> None:
    if evidence.beside:
        _tell("canary: ", evidence.load)
        _tell("champion: ", evidence.beside.load)
    else:
        _tell("", evidence.load)


def _tell(who: str, sent: Load) -> None:
    say(
        f"{who}{sent.sent} requests at {sent.rate:.0f} a second, {sent.failed} failed; "
        f"p50 {sent.p50_ms:.1f} ms, p95 {sent.p95_ms:.1f} ms, p99 {sent.p99_ms:.1f} ms"
    )
