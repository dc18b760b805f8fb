"""An engine inside the test's own process: real HTTP on loopback, no process to start.

For tests of what stands around an engine; the real engine has its own, and those of promotions.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from slipway.config import Project
from slipway.errors import ToolError
from slipway.tools import store
from slipway.tools.engines import Instance, Live


@dataclass
class Server:
    """One listening server; `speaks` is the instance that it answers for."""

    speaks: Instance | None
    answers: dict[str, object] = field(default_factory=dict)  # request as JSON → answer
    http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def begin(self) -> "Server":
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({"ready": True})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(server.answers.get(json.dumps(asked)))

            def answer(self, content: object) -> None:
                body = json.dumps(content).encode()
                self.send_response(200 if server.speaks else 503)
                if server.speaks:
                    self.send_header("X-Slipway-Digest", server.speaks.digest)
                    self.send_header("X-Slipway-Release", server.speaks.version)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def end(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@dataclass
class ThreadEngine:
    """One environment of the engine for tests."""

    name = "thread"
    front: Server | None = None
    running: dict[str, Server] = field(default_factory=dict)
    busy: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def lease(self, wait_s: float) -> Iterator[None]:
        if not self.busy.acquire(timeout=wait_s):
            raise ToolError("somebody else is at work", "here", "wait")
        try:
            yield
        finally:
            self.busy.release()

    def live(self) -> Live | None:
        if self.front is None or self.front.speaks is None:
            return None
        return Live(self.front.url, self.front.speaks, self.front.speaks.id in self.running)

    def start(self, artefact: Path, *, digest: str, version: str) -> Instance:
        samples = json.loads(store.member(artefact, "model/samples.json"))
        answers = {json.dumps(sample["request"]): sample["answer"] for sample in samples}
        server = Server(None, answers).begin()
        instance = Instance(f"{digest[:19]}-{len(self.running)}", digest, version, server.url)
        server.speaks = instance
        self.running[instance.id] = server
        return instance

    def switch(self, to: Instance) -> float:
        self.front = self.front or Server(None).begin()
        self.front.speaks, self.front.answers = to, self.running[to.id].answers
        return 0.1

    def retire(self, instance: Instance, drain_s: float) -> None:
        if instance.id in self.running:
            self.running.pop(instance.id).end()

    def clean(self, *, keep: Callable[[Instance], bool]) -> list[str]:
        gone = [server.speaks for server in self.running.values() if not keep(server.speaks)]
        for instance in gone:
            self.retire(instance, 0)
        return [instance.id for instance in gone]

    def stop(self) -> list[str]:
        told = self.clean(keep=lambda _: False)
        if self.front:
            self.front.end()
            self.front = None
        return told


def thread_engines() -> Callable[[Project, str], ThreadEngine]:
    """What stands for `engine_of`: one engine an environment and home, kept."""
    kept: dict[tuple[Path, str], ThreadEngine] = {}
    return lambda project, name: kept.setdefault((project.home, name), ThreadEngine())
