"""What every answer carries, and what is counted about it."""

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
log = logging.getLogger("serving")


@dataclass(frozen=True)
class Identity:
    """What is running here; stands in every answer."""

    release: str
    digest: str

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that say so."""
        return [
            (b"x-slipway-release", self.release.encode("latin-1", "replace")),
            (b"x-slipway-digest", self.digest.encode("latin-1", "replace")),
        ]


class Metrics:
    """The counters of one server."""

    def __init__(self, model: str, identity: Identity) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "slipway_requests", "Answers given.", ("route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "slipway_request_seconds",
            "Time to answer.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "slipway_requests_in_flight", "Requests being answered.", registry=self.registry
        )
        self.fallbacks = Counter(
            "slipway_fallbacks",
            "Rows about whom nothing was known: popularity decided.",
            registry=self.registry,
        )
        info = Gauge(
            "slipway_model_info",
            "The model that answers.",
            ("model", "release", "digest"),
            registry=self.registry,
        )
        info.labels(model, identity.release, identity.digest).set(1)


@dataclass
class Traffic:
    """What is going on now, for a server that wants to end without cutting anybody off."""

    in_flight: int = 0
    last: float = 0.0  # time.monotonic() of the last answer
    closing: bool = False


def observed(
    inner: Application, metrics: Metrics, identity: Identity, traffic: Traffic
) -> Application:
    """`inner`, counted and timed; its answers carry the identity, its crashes go to the log."""
    common = identity.headers

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        status = 0

        async def send_marked(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *common]
            await send(message)

        traffic.in_flight += 1
        metrics.in_flight.inc()
        try:
            await inner(scope, receive, send_marked)
        except Exception:
            log.exception("a request could not be answered")
        finally:
            traffic.in_flight -= 1
            traffic.last = time.monotonic()
            metrics.in_flight.dec()
            route = getattr(scope.get("endpoint"), "__name__", "other")
            metrics.requests.labels(route, str(status)).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - started)

    return application
