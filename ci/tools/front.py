"""The switch in front of an environment's services: one address, whatever serves behind it.

A program of its own, started by path: `python -I front.py STATE --host HOST --port PORT`. It reads
`STATE/route.json` anew for each request, so that a renamed file moves all traffic at once. A
request whose service vanishes before it answers is asked again, of the other service where the
traffic is split: to recommend changes nothing.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientPayloadError,
    ClientSession,
    ClientTimeout,
    TCPConnector,
    web,
)
from yarl import URL

EXIT_IN_USE = 98
KEY = "X-Slipway-Key"  # requests with the same key get the same service
PARTS = 10_000  # into which the keys are divided
MAX_BODY_BYTES = 1 << 20  # as the service itself: its early 413 would race with the body
BODY_S = 20.0  # for a request's body to arrive
ANSWER_S = 60.0  # for a service's answer
PAUSES_S = (0.0, 0.02, 0.1)  # before each further try
HOUSEKEEPING_S = 5.0
MAX_LOG_BYTES = 4 << 20
HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length"),
}


@dataclass
class Route:
    """`route.json`, read again when another file stands there."""

    path: Path
    _seen: tuple[int, ...] = ()
    _backends: list[dict[str, Any]] = field(default_factory=list)

    def backends(self) -> list[dict[str, Any]]:
        """Whatever has traffic now, each with its `weight` in percent."""
        try:
            stat = self.path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._backends = json.loads(self.path.read_bytes())["backends"]
                self._seen = seen
        except FileNotFoundError:
            return []
        return self._backends


def part_of(key: str) -> int:
    """Where a key stands among `PARTS`, in every front process alike; no key stands anywhere."""
    if not key:
        return random.randrange(PARTS)  # noqa: S311
    digest = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest) % PARTS


def chosen(backends: list[dict[str, Any]], key: str, part: int) -> dict[str, Any] | None:
    """Who gets that part: the last one the lowest parts, so that it keeps them as it grows.

    The id of a backend is a key that leads to it, whatever its part: so it can be asked for.
    """
    for backend in backends:
        if backend["id"] == key:
            return backend
    for backend in backends[:0:-1]:
        part -= backend["weight"] * PARTS // 100
        if part < 0:
            return backend
    return backends[0] if backends else None


async def forward(request: web.BaseRequest, route: Route, session: ClientSession) -> web.Response:
    """The answer of whichever service is behind the address now, for this request."""
    key = request.headers.get(KEY, "")
    part = part_of(key)  # once: a request without a key does not change sides on its way

    def refuse(status: int, why: str) -> web.Response:
        return _refuse(status, why, chosen(route.backends(), key, part))

    if not request.raw_path.startswith("/"):
        return refuse(400, "ask for a path, not for an address")
    try:
        body = await asyncio.wait_for(request.read(), BODY_S)
    except web.HTTPRequestEntityTooLarge:
        return refuse(413, f"the body may have at most {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        return refuse(408, f"the body did not arrive within {BODY_S:g} s")
    gone: list[str] = []
    for pause in PAUSES_S:
        await asyncio.sleep(pause)
        backends = route.backends()
        left = [backend for backend in backends if backend["id"] not in gone]
        backend = chosen(left or backends, key, part)
        if backend is None:
            return refuse(503, "nothing is deployed here")
        try:
            return await _ask(request, body, backend["url"], session)
        except (ClientConnectionError, ClientPayloadError):
            gone.append(backend["id"])
        except TimeoutError:
            return refuse(504, f"the service did not answer within {ANSWER_S:g} s")
    return refuse(502, "the service cannot be reached")


async def _ask(
    request: web.BaseRequest, body: bytes, base: str, session: ClientSession
) -> web.Response:
    headers = [(k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP]
    headers.append(("X-Forwarded-For", request.remote or ""))
    target = URL(base + request.raw_path, encoded=True)
    async with session.request(
        request.method, target, headers=headers, data=body or None, allow_redirects=False
    ) as answer:
        content = await answer.read()
        kept = [(k, v) for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP]
        if request.method == "HEAD" and "Content-Length" in answer.headers:
            kept.append(("Content-Length", answer.headers["Content-Length"]))
        return web.Response(status=answer.status, reason=answer.reason, headers=kept, body=content)


def _refuse(status: int, why: str, backend: dict[str, Any] | None) -> web.Response:
    headers = {
        "X-Slipway-Release": backend["version"] if backend else "none",
        "X-Slipway-Digest": backend["digest"] if backend else "none",
    }
    return web.json_response({"error": why}, status=status, headers=headers)


async def serve(state: Path, listening: socket.socket) -> None:
    """Forwards until SIGTERM, or until the state folder is gone; open requests are answered."""
    route = Route(state / "route.json")
    timeout = ClientTimeout(total=ANSWER_S)
    connector = TCPConnector(limit=0, keepalive_timeout=30, use_dns_cache=False)
    async with ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:  # fmt: skip

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await forward(request, route, session)

        server = web.Server(
            handle, request_factory=_limited, access_log=None, auto_decompress=False
        )
        runner = web.ServerRunner(server, shutdown_timeout=10.0)
        await runner.setup()
        await web.SockSite(runner, listening, backlog=1024).start()
        _say_where(state, listening)
        ending = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, ending.set)
        while not ending.is_set() and state.is_dir():
            trim_logs(state / "logs")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), HOUSEKEEPING_S)
        await runner.cleanup()
        if not state.is_dir():
            _end_services(state)


def _end_services(state: Path) -> None:
    """Ends what runs from a state folder that somebody removed: nobody would find it again."""
    import psutil

    mark = f"{state / 'releases'}/"
    for process in psutil.process_iter(["cmdline"]):
        if any(word.startswith(mark) for word in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                process.terminate()


def _limited(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES
    )


def _say_where(state: Path, listening: socket.socket) -> None:
    import psutil

    host, port = listening.getsockname()[:2]
    own = psutil.Process()
    facts = {"pid": own.pid, "created": own.create_time(), "host": host, "port": port}
    partial = state / f".front.json.{own.pid}"
    partial.write_text(json.dumps(facts, sort_keys=True) + "\n")
    partial.replace(state / "front.json")


def trim_logs(folder: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Cuts each log above `max_bytes` to its last quarter; its writer appends and goes on."""
    for path in folder.glob("*.log"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > max_bytes:
                with path.open("r+b") as stream:
                    stream.seek(-max_bytes // 4, os.SEEK_END)
                    tail = stream.read()
                    stream.seek(0)
                    stream.write(tail[tail.find(b"\n") + 1 :])
                    stream.truncate()


def main() -> int:
    """Takes the port and serves; 98 where somebody else has it."""
    parser = argparse.ArgumentParser(description="the switch of one environment")
    parser.add_argument("state", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((args.host, args.port))
        listening.listen(1024)
    except OSError as error:
        print(f"cannot listen on {args.host}:{args.port}: {error}", file=sys.stderr)
        return EXIT_IN_USE
    asyncio.run(serve(args.state, listening))
    return 0


if __name__ == "__main__":
    sys.exit(main())
