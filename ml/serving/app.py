"""The routes: Open Inference Protocol V2, the plain form, and Prometheus metrics."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from . import protocol
from .model import PLATFORM, Recommendation, Served, answer
from .telemetry import Application, Identity, Metrics, Traffic, observed

MAX_BODY_BYTES = 1 << 20
BODY_S = 10.0  # for the whole body to arrive
LINGER_S = 1.0  # for what is left of a refused one
LINGER_BYTES = 16 << 20
SMALL = 8  # rows that are answered at once; more go to a thread, so that health still answers


@dataclass(frozen=True)
class Service:
    """What the routes share."""

    served: Served
    identity: Identity
    traffic: Traffic
    metrics: Metrics


def application(served: Served, identity: Identity, traffic: Traffic) -> Application:
    """The whole ASGI application for one model."""
    service = Service(served, identity, traffic, Metrics(served.name, identity))
    routes = [
        Route("/v2/health/live", live),
        Route("/v2/health/ready", ready),
        Route("/v2", server),
        Route("/v2/models/{name}", model),
        Route("/v2/models/{name}/ready", model_ready),
        Route("/v2/models/{name}/infer", infer, methods=["POST"]),
        Route("/recommend", recommend, methods=["POST"]),
        Route("/metrics", metrics),
    ]
    handlers = {HTTPException: _refused, Exception: _failed}
    routed = Starlette(routes=routes, exception_handlers=handlers)
    routed.router.redirect_slashes = False
    routed.state.service = service
    return observed(routed, service.metrics, identity, traffic)


async def live(_: Request) -> Response:
    """Whether the process answers."""
    return _json({"live": True})


async def ready(request: Request) -> Response:
    """Whether more requests may come."""
    closing = _service(request).traffic.closing
    return _json({"ready": not closing}, 503 if closing else 200)


async def server(request: Request) -> Response:
    """What this server is."""
    release = _service(request).identity.release
    return _json({"name": "slipway", "version": release, "extensions": []})


async def model(request: Request) -> Response:
    """What the model takes and gives."""
    service = _named(request)
    return _json(
        {
            "name": service.served.name,
            "versions": [service.identity.release],
            "platform": PLATFORM,
            "inputs": protocol.INPUTS,
            "outputs": protocol.OUTPUTS,
            "parameters": {
                "k": service.served.default_k,
                "max_k": protocol.MAX_K,
                "provider": service.served.provider,
            },
        }
    )


async def model_ready(request: Request) -> Response:
    """Whether this model may be asked."""
    _named(request)
    return await ready(request)


async def infer(request: Request) -> Response:
    """Recommendations for a batch, as tensors."""
    service = _named(request)
    asked = await _asked(request, protocol.parse_v2, service.served)
    answers = await _answers(service, asked)
    name, release = service.served.name, service.identity.release
    return _raw(protocol.render_v2(asked, answers, name, release))


async def recommend(request: Request) -> Response:
    """Recommendations for one customer or history."""
    service = _service(request)
    asked = await _asked(request, protocol.parse_plain, service.served)
    return _raw(protocol.render_plain(await _answers(service, asked)))


async def metrics(request: Request) -> Response:
    """What was counted, in Prometheus' text form."""
    content = generate_latest(_service(request).metrics.registry)
    return Response(content, media_type=CONTENT_TYPE_LATEST)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _named(request: Request) -> Service:
    """The service, if the path names its model."""
    service, name = _service(request), request.path_params["name"]
    if name != service.served.name:
        raise HTTPException(404, f"no model '{name[:80]}'; there is '{service.served.name}'")
    return service


async def _asked(
    request: Request, parse: Callable[[bytes, int], protocol.Asked], served: Served
) -> protocol.Asked:
    try:
        return parse(await _body(request), served.default_k)
    except protocol.BadRequest as error:
        raise HTTPException(400, str(error)) from error


async def _answers(service: Service, asked: protocol.Asked) -> list[Recommendation]:
    if len(asked.requests) <= SMALL:
        answers = answer(service.served, asked.requests, asked.k)
    else:
        answers = await asyncio.to_thread(answer, service.served, asked.requests, asked.k)
    service.metrics.fallbacks.inc(sum(row.fallback for row in answers))
    return answers


async def _body(request: Request) -> bytes:
    """The request's body, all of it and in time."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > MAX_BODY_BYTES:
        raise await _too_large(request)
    try:
        return await asyncio.wait_for(_read(request), BODY_S)
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not arrive within {BODY_S:g} s") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the client went away") from error


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise await _too_large(request)
    return bytes(body)


async def _too_large(request: Request) -> HTTPException:
    """The refusal, once what is left of the body has come, within reason.

    An answer that crosses the body is lost: the connection closes on whoever is still sending.
    """
    passed = 0
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(LINGER_S):
            async for chunk in request.stream():
                passed += len(chunk)
                if passed > LINGER_BYTES:
                    break
    return HTTPException(413, f"the body may have at most {MAX_BODY_BYTES} bytes")


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _json({"error": error.detail}, error.status_code, error.headers)


async def _failed(_: Request, __: Exception) -> Response:
    return _json({"error": "the server failed; its log says why"}, 500)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _raw(orjson.dumps(content), status, headers)


def _raw(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, status, headers, media_type="application/json")
