"""The benches: what they say where something is missing, and that they see what fails."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from bench import __main__ as bench
from bench import deploys
from slipway.tools import daemons

SAMPLE = {"request": {"customer": "1"}, "answer": {"items": ["a"], "scores": [1.0]}}


@pytest.fixture
def wrong() -> Iterator[str]:
    """The address of a service that always answers, and is always wrong."""

    class Wrong(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps({"items": ["b"], "scores": [0.5]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Wrong) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def faults(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(deploys, "REQUESTS", 20)
    with deploys.Traffic(url, [SAMPLE], 1e-5) as traffic:
        pass
    return deploys.counted(traffic.seen)


def test_where_docker_is_missing_the_bench_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["images", "docker"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in said] == [
        "images: not measured",
        "docker: not measured",
    ]
    assert "no Docker engine answers" in said[0]


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["imges"]) == 2
    assert "no section imges" in capsys.readouterr().out


def test_requests_that_nobody_answers_are_counted_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = faults(f"http://127.0.0.1:{daemons.free_port('127.0.0.1')}", monkeypatch)
    assert told["failed"] == told["sent"] >= 20


def test_answers_that_are_not_trainings_are_counted_as_failed(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = faults(wrong, monkeypatch)
    assert told["failed"] == told["sent"] >= 20
    assert told["faults"] == ["another answer than training's"]
