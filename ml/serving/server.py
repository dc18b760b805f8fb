"""Runs the application in this process, and ends it without cutting anybody off."""

import asyncio
import logging
import signal
import time
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from .telemetry import Traffic

HEADER_MS = 10_000  # for a request's headers to arrive
QUIET_S = 0.25  # without a request, before a closing server ends
STOP_S = 1.0  # for connections to close, before they are dropped
BACKLOG = 1024  # connections that wait for the first byte
log = logging.getLogger("serving")


async def serve(app: Any, host: str, port: int, traffic: Traffic, *, drain_s: float) -> None:
    """Serves until SIGTERM or SIGINT; then answers what still comes, for at most `drain_s`."""
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS),
        websockets=False,
        backlog=BACKLOG,
        log_level=LogLevels.error,
    )
    closing = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, closing.set)
    serving = asyncio.create_task(server.serve())
    asked_to_end = asyncio.create_task(closing.wait())
    await asyncio.wait((serving, asked_to_end), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        await _drain(traffic, drain_s)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait((serving,), timeout=STOP_S)
    asked_to_end.cancel()
    if serving.done():
        await serving


async def _drain(traffic: Traffic, drain_s: float) -> None:
    """Waits until nobody asks any more; the server still answers, but says it is not ready."""
    traffic.closing = True
    started = time.monotonic()
    while (now := time.monotonic()) < started + drain_s:
        if traffic.in_flight == 0 and now - max(traffic.last, started) >= QUIET_S:
            return
        await asyncio.sleep(0.02)
    log.warning("closed with %d requests open after %g s", traffic.in_flight, drain_s)
