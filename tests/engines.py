"""An engine inside the test's own process: real HTTP on loopback, no process to start.

For tests of what stands around an engine; the real engine has its own, and those of promotions.
"""

import contextlib
import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from slipway.config import Project
from slipway.errors import ToolError
from slipway.tools.artefacts import Artefact
from slipway.tools.engines import Canary, Instance, Live

Answers = dict[str, object]  # request as JSON → answer


@dataclass
class Server:
    """One listening server; `speaks` is what it answers for, and with what."""

    speaks: tuple[Instance, Answers] | None = None
    beside: tuple[Instance, Answers] | None = None
    percent: int = 0  # of the requests that `beside` answers
    http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def side(self, key: str | None) -> tuple[Instance, Answers] | None:
        """Who answers a request: by its key, else by chance."""
        place = random.Random(key).random() * 100
        return self.beside if self.beside and place < self.percent else self.speaks

    def begin(self) -> "Server":
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({"ready": True})

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, content: object) -> None:
                side = server.side(self.headers.get("X-Slipway-Key"))
                if side and isinstance(content, bytes):
                    content = side[1].get(json.dumps(json.loads(content)))
                body = json.dumps(content if side else None).encode()
                self.send_response(200 if side else 503)
                if side:
                    self.send_header("X-Slipway-Digest", side[0].digest)
                    self.send_header("X-Slipway-Release", side[0].version)
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
    kinds = ("bundle",)
    front: Server | None = None
    running: dict[str, Server] = field(default_factory=dict)
    busy: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=itertools.count)

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
        instance, beside = self.front.speaks[0], self.front.beside
        canary = Canary(beside[0], self.front.percent) if beside else None
        return Live(self.front.url, instance, instance.id in self.running, canary)

    def start(self, artefact: Artefact, *, version: str) -> Instance:
        answers = {json.dumps(sample["request"]): sample["answer"] for sample in artefact.samples}
        server = Server().begin()
        name = f"{artefact.digest[:19]}-{next(self.numbers)}"
        instance = Instance(name, artefact.digest, version, server.url)
        server.speaks = (instance, answers)
        self.running[instance.id] = server
        return instance

    def switch(self, to: Instance) -> float:
        speaks = self._well(to)
        self.front = self.front or Server().begin()
        self.front.speaks, self.front.beside, self.front.percent = speaks, None, 0
        return 0.1

    def split(self, to: Instance, percent: int) -> float:
        if self.front is None or self.front.speaks is None:
            raise ToolError("nothing is live beside it", "here", "deploy it whole")
        self.front.percent, self.front.beside = percent, self._well(to)
        return 0.1

    def _well(self, instance: Instance) -> tuple[Instance, Answers]:
        if instance.id not in self.running:
            raise ToolError(f"{instance.version} does not answer", instance.url, "look")
        return self.running[instance.id].speaks

    def retire(self, instance: Instance, drain_s: float) -> None:
        if self.front and instance in [side[0] for side in self._sides()]:
            raise ValueError(f"{instance.id} still has traffic")
        if instance.id in self.running:
            self.running.pop(instance.id).end()

    def hurt(self, instance: Instance, *, mortally: bool) -> None:
        if instance.id not in self.running:
            raise ToolError(f"{instance.version} does not run", instance.url, "look")
        server = self.running[instance.id]
        server.speaks = None  # it answers 503
        if mortally:
            self.running.pop(instance.id).end()

    def clean(self, *, keep: Callable[[Instance], bool]) -> list[str]:
        kept = [side[0] for side in self._sides()]
        every = [server.speaks[0] for server in self.running.values()]
        gone = [one for one in every if one not in kept and not keep(one)]
        for instance in gone:
            self.retire(instance, 0)
        return [instance.id for instance in gone]

    def stop(self) -> list[str]:
        told = list(self.running)
        if self.front:
            self.front.end()
            self.front = None
        for name in told:
            self.running.pop(name).end()
        return told

    def _sides(self) -> list[tuple[Instance, Answers]]:
        sides = [self.front.speaks, self.front.beside] if self.front else []
        return [side for side in sides if side]


def thread_engines() -> Callable[[Project, str], ThreadEngine]:
    """What stands for `engine_of`: one engine an environment and home, kept."""
    kept: dict[tuple[Path, str], ThreadEngine] = {}
    return lambda project, name: kept.setdefault((project.home, name), ThreadEngine())
