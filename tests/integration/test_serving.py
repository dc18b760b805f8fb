"""The server as a process, in an environment that holds the `serve` requirements alone."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from slipway.config import cache, installer_environment
from slipway.tools import bad_requests, daemons, service
from slipway.tools.environment import ensure
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
READY_S = 30.0
Start = Callable[..., "Server"]


class Server:
    """One running server."""

    def __init__(self, python: Path, model: Path, port: int, *options: str) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [python, "-m", "ml.serving", model, "--port", str(port), *options],
            cwd=ROOT,
            env={"PATH": os.defpath, "SLIPWAY_RELEASE": "v1.0.0", "SLIPWAY_DIGEST": "sha256:x"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def await_ready(self) -> "Server":
        until = time.monotonic() + READY_S
        while service.ready(self.url, 1.0).status != 200:
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < until
            time.sleep(0.01)
        return self

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def python() -> Path:
    folder = ensure(ROOT / "requirements" / "serve.txt", cache(), installer_environment())
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def start(python: Path, model: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def begin(*options: str, folder: Path = model, port: int = 0) -> Server:
        chosen = port or daemons.free_port("127.0.0.1")
        servers.append(Server(python, folder, chosen, *options))
        return servers[-1]

    yield begin
    for server in servers:
        server.process.kill()
        server.process.communicate()


def request(path: str, body: bytes, *, announced: int | None = None) -> bytes:
    length = len(body) if announced is None else announced
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


def test_it_imports_nothing_outside_its_requirements(python: Path) -> None:
    code = "import sys, ml.serving.__main__; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()}
    assert {"onnxruntime", "granian", "starlette"} <= loaded
    assert not loaded & {"tensorflow", "pandas", "pyarrow", "requests", "slipway", "aiohttp"}


def test_it_is_ready_within_little_processor_time_in_one_process(start: Start) -> None:
    server = start().await_ready()
    process = psutil.Process(server.process.pid)
    times = process.cpu_times()
    assert times.user + times.system < 3.0  # 0.3 measured
    assert process.children() == []


def test_it_answers_its_samples_and_refuses_what_nobody_can_answer(
    start: Start, model: Path
) -> None:
    server = start().await_ready()
    samples = json.loads((model / "samples.json").read_text())
    for sample in service.ask_samples(server.url, samples):
        assert sample.difference <= tiny.TOLERANCE, sample
        assert sample.digest == "sha256:x"
    for name, answer in bad_requests.send(server.url, tiny.NAME):
        assert 400 <= answer.status < 500, (name, answer)
        assert answer.json()["error"], name
        assert answer.release == "v1.0.0"
    assert server.end() == 0


def test_a_body_that_is_too_large_is_refused_in_words_whoever_is_quicker(start: Start) -> None:
    server = start().await_ready()
    for size in [(1 << 20) + 1, 2 << 20, 4 << 20] * 10:
        answer = service.ask(server.url, "/recommend", b" " * size)
        assert (answer.status, answer.error) == (413, "")
        assert "at most" in answer.json()["error"]
    assert server.end() == 0


@pytest.mark.parametrize(
    ("name", "words"), [("model.onnx", "model.onnx"), ("signature.json", "signature.json")]
)
def test_without_a_model_it_ends_with_2_and_three_lines(
    start: Start, tmp_path: Path, name: str, words: str
) -> None:
    folder = tiny.write_model(tmp_path / "model")
    (folder / name).unlink()
    server = start(folder=folder)
    said, _ = server.process.communicate(timeout=20)
    assert server.process.returncode == 2
    assert words in said
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == ["where", "to do"]


def test_on_a_port_that_is_taken_it_ends_with_4(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = start(port=taken.getsockname()[1])
        said, _ = server.process.communicate(timeout=20)
    assert server.process.returncode == 4
    assert "in use" in said


def test_two_servers_never_share_a_port(start: Start) -> None:
    first = start().await_ready()
    second = start(port=first.port)
    second.process.communicate(timeout=20)
    assert second.process.returncode == 4


def test_a_request_that_is_open_when_it_is_asked_to_end_is_answered(start: Start) -> None:
    server = start().await_ready()
    body = b'{"customer":"00000001"}'
    with server.connection() as connection:
        connection.sendall(request("/recommend", body[:5], announced=len(body)))
        time.sleep(0.2)  # the server has the head and waits for the rest
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert service.ready(server.url).status == 503  # still there, wants no more
        connection.sendall(body[5:])
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert server.process.wait(timeout=20) == 0


def test_a_request_that_never_ends_does_not_keep_it(start: Start) -> None:
    server = start("--drain-s", "0.5").await_ready()
    with server.connection() as connection:
        connection.sendall(request("/recommend", b"{", announced=100))
        time.sleep(0.2)
        began = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - began < 8


def test_garbage_on_the_wire_does_not_end_it(start: Start) -> None:
    server = start().await_ready()
    for garbage in (b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01"):
        with server.connection() as connection:
            connection.sendall(garbage)
    assert service.ready(server.url).status == 200
    assert server.process.poll() is None
