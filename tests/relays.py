"""A relay in front of a registry: counts what passes, and breaks it as it is told."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE = 1 << 16


@dataclass
class Rule:
    """What happens to some requests instead of, or on, their way to the registry."""

    method: str
    part: str = ""  # of the path
    times: int = 1
    status: int = 0  # answered by the relay itself
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_request: int | None = None  # bytes of the body that pass before the connection ends
    cut_answer: int | None = None
    lose_answer: bool = False  # the registry did it, and nobody hears of it
    wait_s: float = 0.0
    then: Callable[[], None] = lambda: None  # done before anything else


@dataclass
class Asked:
    """One request that came."""

    method: str
    path: str
    sent: int  # bytes of its body
    authorization: str


@dataclass
class Relay:
    """A listening relay."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def sent(self) -> int:
        """Bytes of all bodies that clients sent."""
        return sum(one.sent for one in self.asked)

    def methods(self) -> list[str]:
        return [one.method for one in self.asked]

    def rule(self, method: str, path: str) -> Rule | None:
        with self.lock:
            for rule in self.rules:
                if rule.times and rule.method == method and rule.part in path:
                    rule.times -= 1
                    return rule
        return None


@contextlib.contextmanager
def relaying(target: int, *rules: Rule) -> Iterator[Relay]:
    """A relay to a port of loopback for the length of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(target))
    server.daemon_threads = True
    relay = Relay(server.server_port, rules=list(rules))
    server.relay = relay  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()


def _handler(target: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def relayed(self) -> None:
            relay: Relay = self.server.relay  # type: ignore[attr-defined]
            length = int(self.headers.get("Content-Length", 0))
            shown = self.headers.get("Authorization", "")
            relay.asked.append(Asked(self.command, self.path, length, shown))
            rule = relay.rule(self.command, self.path) or Rule("")
            rule.then()
            time.sleep(rule.wait_s)
            try:
                if rule.status:
                    self.rfile.read(length)
                    self.reply(rule.status, rule.headers, [rule.body])
                else:
                    self.forward(length, rule)
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # what broke behind the relay breaks in front of it

        def forward(self, length: int, rule: Rule) -> None:
            behind = http.client.HTTPConnection("127.0.0.1", target, timeout=20)
            behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                behind.putheader(name, value)
            behind.endheaders()
            left = length if rule.cut_request is None else rule.cut_request
            while left:
                piece = self.rfile.read(min(left, PIECE))
                behind.send(piece)
                left -= len(piece)
            if rule.cut_request is not None:
                behind.close()
                raise OSError("cut")
            answer = behind.getresponse()
            if rule.lose_answer:
                answer.read()
                behind.close()
                raise OSError("lost")
            self.reply(answer.status, dict(answer.getheaders()), answer, rule.cut_answer)
            behind.close()

        def reply(
            self, status: int, headers: Mapping[str, str], body: Any, cut: int | None = None
        ) -> None:
            known = {name.lower(): value for name, value in headers.items()}
            content = body if isinstance(body, list) else iter(lambda: body.read(PIECE), b"")
            if "content-length" not in known:
                content = [b"".join(content)]
                known["content-length"] = str(len(content[0]))
                known.pop("transfer-encoding", None)
            self.send_response_only(status)
            for name, value in known.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in content:
                self.wfile.write(piece if cut is None else piece[:cut])
                if cut is not None:
                    cut -= min(cut, len(piece))
                    if not cut:
                        self.wfile.flush()
                        raise OSError("cut")

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = relayed

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler
