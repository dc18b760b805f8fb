"""`slipway probe`: asks an environment's service and writes down what it answers."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..gates.service import BadRequest, Exported, Load, ServiceEvidence
from ..records import Deployment, Image, Probe, digest_file, read, write
from ..settings import Environment
from ..tools import artefacts, bad_requests, git, load, service
from ..tools.artefacts import Artefact
from ..tools.engines import engine_of
from . import Done, measured, say
from .subjects.image import judged

ANSWERED = 'slipway_requests_total{route="recommend",status="200"}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("environment", metavar="ENV")
    parser.add_argument(
        "--requests", type=Path, metavar="FILE", help="a JSON list of requests to send as the load"
    )
    parser.add_argument("--again", action="store_true", help="measure even if it was measured")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Measures the live service of this delivery's deployment."""
    settings = project.environment(args.environment)
    name = f"{args.environment}-probe"
    deployment = read(project.delivery, args.environment, Deployment)
    on = digest_file(project.delivery / f"{args.environment}.json")
    url = _url(project, args.environment, deployment)
    verdict = f"{args.environment}-verdict"
    standing = measured.standing(project, name, on=on, verdict=verdict)
    if standing and not args.again:
        say(f"{args.environment} was probed already since it was deployed")
        return Done("already probed", standing.subject)
    image = read(project.delivery, "image", Image)
    artefact = artefacts.open_artefact(
        project, image.kind, image.subject, model=image.model, environment=args.environment
    )
    bodies = _bodies(args.requests) if args.requests else None
    evidence = measure(url, artefact, settings, bodies)
    record = Probe(
        subject=deployment.subject,
        on=on,
        commit=git.commit(project.root),
        environment=args.environment,
        version=deployment.version,
        url=url,
        measured=asdict(evidence),
    )
    write(project.delivery, name, record)
    _show(evidence)
    return Done("probed", deployment.subject)


def measure(
    url: str, artefact: Artefact, settings: Environment, bodies: list[bytes] | None = None
) -> ServiceEvidence:
    """Everything that the service's gates read.

    Args:
        artefact: what should answer.
        bodies: what the load sends; None sends the model's samples.
    """
    samples, model, digest = artefact.samples, artefact.name, artefact.digest
    before = _metrics(url)
    sent = _load(url, digest, settings, bodies or _encoded([s["request"] for s in samples]))
    after = _metrics(url)
    asked = service.ask_samples(url, samples)
    paths = ("/v2/health/live", "/v2/health/ready", f"/v2/models/{model}/ready")
    server = service.ask(url, f"/v2/models/{model}").json()
    return ServiceEvidence(
        digest=digest,
        health={path: _status(service.ask(url, path)) for path in paths},
        model=model,
        models=(str(server.get("name")),) if isinstance(server, dict) else (),
        samples=judged(asked, artefact.tolerance),
        load=sent,
        bad_requests=_bad_requests(url, model),
        metrics=_exported(before, after),
    )


def _url(project: Project, environment: str, deployment: Deployment) -> str:
    """The environment's address, if what was deployed is what serves."""
    live = engine_of(project, environment).live()
    if live is None:
        raise ToolError(
            f"nothing serves in {environment}", deployment.url, f"slipway deploy {environment}"
        )
    answering = service.ready(live.url).digest or live.instance.digest
    if answering != deployment.subject:
        raise EvidenceError(
            f"{environment} runs {answering}, this delivery deployed {deployment.subject}",
            live.url,
            f"run 'slipway deploy {environment}' again",
        )
    return live.url


def _load(url: str, digest: str, settings: Environment, bodies: list[bytes]) -> Load:
    results = load.run(url, bodies, per_s=settings.load_per_s, for_s=settings.load_for_s)
    answers = [answer for _, answer in results]
    good = [seconds * 1000 for seconds, answer in results if answer.status == 200]
    failed = [answer for answer in answers if answer.status != 200]
    p50, p95, p99 = (round(load.percentile(good, share), 3) for share in (0.5, 0.95, 0.99))
    late = max((seconds for seconds, _ in results), default=0.0)
    return Load(
        sent=len(answers),
        failed=len(failed),
        foreign=sum(answer.status == 200 and answer.digest != digest for answer in answers),
        rate=round(len(good) / (len(answers) / settings.load_per_s + late), 1),
        wanted_rate=settings.load_per_s,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        errors=measured.phrases([a.error or f"status {a.status}" for a in failed]),
    )


def _bad_requests(url: str, model: str) -> tuple[BadRequest, ...]:
    found = []
    for case, answer in bad_requests.send(url, model):
        content = answer.json()
        why = isinstance(content, dict) and isinstance(content.get("error"), str)
        found.append(BadRequest(case, answer.status, why))
    return tuple(found)


def _metrics(url: str) -> dict[str, float] | str:
    """The metrics, or why they cannot be read."""
    answer = service.ask(url, "/metrics")
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
    sent = evidence.load
    say(
        f"{sent.sent} requests at {sent.rate:.0f} a second, {sent.failed} failed; "
        f"p50 {sent.p50_ms:.1f} ms, p95 {sent.p95_ms:.1f} ms, p99 {sent.p99_ms:.1f} ms"
    )
