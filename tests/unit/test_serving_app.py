"""The server's routes, asked without a network: as an ASGI server would."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.serving import app, model, telemetry
from tests import tiny

IDENTITY = telemetry.Identity("v1.2.0", "sha256:abc")
MODEL = f"/v2/models/{tiny.NAME}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    application: Any
    traffic: telemetry.Traffic
    served: model.Served

    def ask(self, method: str, path: str, *chunks: bytes, **headers: str) -> Answer:
        return asyncio.run(self._ask(method, path, chunks, headers))

    async def _ask(
        self, method: str, path: str, chunks: tuple[bytes, ...], headers: dict[str, str]
    ) -> Answer:
        parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks] + [
            {"type": "http.request", "body": b"", "more_body": False}
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        named = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": named,
        }
        await self.application(scope, receive, send)
        start, *bodies = sent
        names = {k.decode(): v.decode() for k, v in start["headers"]}
        return Answer(start["status"], names, b"".join(m.get("body", b"") for m in bodies))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def server(folder: Path) -> Server:
    traffic, served = telemetry.Traffic(), model.load(folder)
    return Server(app.application(served, IDENTITY, traffic), traffic, served)


def test_it_says_that_it_lives_and_is_ready(server: Server) -> None:
    assert server.ask("GET", "/v2/health/live").json() == {"live": True}
    assert server.ask("GET", "/v2/health/ready").json() == {"ready": True}
    assert server.ask("GET", f"{MODEL}/ready").status == 200


def test_a_closing_server_lives_but_is_not_ready(server: Server) -> None:
    server.traffic.closing = True
    assert server.ask("GET", "/v2/health/live").status == 200
    assert server.ask("GET", "/v2/health/ready").status == 503
    assert server.ask("GET", f"{MODEL}/ready").status == 503
    assert server.ask("POST", "/recommend", b'{"customer":"1"}').status == 200


def test_it_describes_itself_and_its_model(server: Server) -> None:
    assert server.ask("GET", "/v2").json()["version"] == "v1.2.0"
    told = server.ask("GET", MODEL).json()
    assert (told["name"], told["versions"]) == (tiny.NAME, ["v1.2.0"])
    assert [t["name"] for t in told["inputs"]] == ["customer", "history", "as_of"]
    assert [t["datatype"] for t in told["outputs"]] == ["BYTES", "FP32"]


def test_it_answers_its_samples_as_the_model_does(server: Server, folder: Path) -> None:
    for sample in json.loads((folder / "samples.json").read_text()):
        answer = server.ask("POST", "/recommend", json.dumps(sample["request"]).encode())
        assert answer.status == 200
        told = answer.json()
        assert told["items"] == sample["answer"]["items"]
        np.testing.assert_allclose(told["scores"], sample["answer"]["scores"], atol=1e-6)


def test_a_batch_gets_the_same_answers_as_its_rows(server: Server) -> None:
    names = ["00000001", "00000002", "nobody"] * 5  # more rows than are answered at once
    tensor = {"name": "customer", "datatype": "BYTES", "shape": [len(names)], "data": names}
    body = {"inputs": [tensor], "parameters": {"k": 4}}
    answer = server.ask("POST", f"{MODEL}/infer", json.dumps(body).encode()).json()
    items = {o["name"]: o for o in answer["outputs"]}["items"]
    assert items["shape"] == [15, 4]
    single = server.ask("POST", "/recommend", b'{"customer":"00000002","k":4}').json()
    assert items["data"][4:8] == single["items"]
    assert answer["parameters"]["fallback_rows"] == 5


@pytest.mark.parametrize(
    ("request_", "fallback"),
    [
        ({"customer": "00000001"}, False),
        ({"customer": "nobody"}, True),
        ({"customer": "00000001", "as_of": "1990-01-01"}, True),  # before all purchases
        ({"history": []}, True),
        ({"history": [["nothing", "2001-01-01"]]}, True),
        ({"history": [[tiny.ITEMS[3], "2001-01-01"], ["nothing", "2001-01-01"]]}, False),
    ],
)
def test_whom_nothing_is_known_about_gets_what_is_popular(
    server: Server, request_: dict[str, Any], fallback: bool
) -> None:
    told = server.ask("POST", "/recommend", json.dumps(request_).encode()).json()
    assert told["fallback"] is fallback
    if fallback:
        assert told["items"] == list(tiny.ITEMS[:10])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 404),
        ("GET", "/v2/health/live/", b"", 404),
        ("GET", "/v2/models/other", b"", 404),
        ("GET", "/v2/models/other/ready", b"", 404),
        ("POST", "/v2/models/other/infer", b"{}", 404),
        ("GET", "/recommend", b"", 405),
        ("DELETE", "/recommend", b"", 405),
        ("POST", "/v2/health/live", b"", 405),
        ("POST", "/recommend", b"", 400),
        ("POST", "/recommend", b"{", 400),
        ("POST", "/recommend", b'{"customer":"1","k":101}', 400),
        ("POST", f"{MODEL}/infer", b'{"inputs":[]}', 400),
        ("POST", "/recommend", b" " * (app.MAX_BODY_BYTES + 1), 413),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason_and_the_identity(
    server: Server, method: str, path: str, body: bytes, status: int
) -> None:
    answer = server.ask(method, path, body)
    assert answer.status == status
    assert answer.json()["error"]
    assert answer.headers["x-slipway-release"] == "v1.2.0"
    assert answer.headers["x-slipway-digest"] == "sha256:abc"


def test_a_body_may_be_as_long_as_the_limit_says(server: Server) -> None:
    body = b'{"customer":"1"}'
    padded = body + b" " * (app.MAX_BODY_BYTES - len(body))
    assert server.ask("POST", "/recommend", padded).status == 200
    assert server.ask("POST", "/recommend", padded, b" ").status == 413


@pytest.mark.parametrize("announced", ["-1", "1e3", "²", "9" * 30])
def test_an_announced_length_that_is_none_is_refused(server: Server, announced: str) -> None:
    answer = server.ask("POST", "/recommend", b"{}", content_length=announced)
    assert 400 <= answer.status < 500


def test_a_body_that_does_not_arrive_in_time_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "BODY_S", 0.02)

    async def ask() -> int:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/recommend", "headers": []}
        await server.application({**scope, "query_string": b""}, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(ask()) == 408


def test_metrics_count_answers_by_route_and_never_by_path(server: Server) -> None:
    server.ask("POST", "/recommend", b'{"customer":"00000001"}')
    server.ask("POST", "/recommend", b'{"customer":"nobody"}')
    for number in range(5):
        server.ask("GET", f"/secret/{number}")
    text = server.ask("GET", "/metrics").body.decode()
    assert 'slipway_requests_total{route="recommend",status="200"} 2.0' in text
    assert 'slipway_requests_total{route="other",status="404"} 5.0' in text
    assert "slipway_fallbacks_total 1.0" in text
    assert "slipway_requests_in_flight 1.0" in text  # this very request
    assert 'digest="sha256:abc",model="next-basket",release="v1.2.0"} 1.0' in text
    assert "secret" not in text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_the_servers_fault(
    server: Server, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    class Broken:
        def get_outputs(self) -> list[Any]:
            return list(server.served.session.get_outputs())

        def run(self, names: Any, inputs: Any) -> list[Any]:
            (scores,) = server.served.session.run(names, inputs)
            scores[:, 0] = value
            return [scores]

    broken = model.Served(server.served.name, 10, 1e-5, server.served.reference, session=Broken())
    other = Server(app.application(broken, IDENTITY, telemetry.Traffic()), server.traffic, broken)
    answer = other.ask("POST", "/recommend", b'{"customer":"00000001"}')
    assert answer.status == 500
    assert answer.json() == {"error": "the server failed; its log says why"}
    assert answer.headers["x-slipway-digest"] == "sha256:abc"


@pytest.mark.parametrize("name", ["model.onnx", "signature.json", "reference.npz"])
@pytest.mark.parametrize("damage", ["missing", "empty", "malformed"])
def test_a_damaged_model_is_not_served(tmp_path: Path, name: str, damage: str) -> None:
    folder = tiny.write_model(tmp_path / "model")
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"" if damage == "empty" else b"\x00{]")
    with pytest.raises(model.LoadError, match="cannot load the model"):
        model.load(folder)
