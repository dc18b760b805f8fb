"""Requests that nobody can answer; a service has to refuse each and say why."""

from .service import Answer, ask

Case = tuple[str, str, str, bytes]  # name, method, path, body
ROWS = 100_000


def cases(model: str) -> list[Case]:
    """The requests for a service of a model."""
    plain, infer = "/recommend", f"/v2/models/{model}/infer"
    tensor = b'{"inputs":[{"name":"customer","datatype":"%s","shape":[%s],"data":%s}]}'
    return [
        ("empty body", "POST", plain, b""),
        ("not JSON", "POST", plain, b"{'customer': 1"),
        ("not UTF-8", "POST", plain, b'{"customer":"\xff\xfe"}'),
        ("not an object", "POST", plain, b'["00000001"]'),
        ("nothing asked", "POST", plain, b"{}"),
        ("customer is a number", "POST", plain, b'{"customer":1}'),
        ("customer and history", "POST", plain, b'{"customer":"1","history":[]}'),
        ("unknown key", "POST", plain, b'{"customer":"1","limit":3}'),
        ("history of numbers", "POST", plain, b'{"history":[[1,2]]}'),
        ("a date that is none", "POST", plain, b'{"history":[["1","2001-02-30"]]}'),
        ("k is zero", "POST", plain, b'{"customer":"1","k":0}'),
        ("k is huge", "POST", plain, b'{"customer":"1","k":1000000}'),
        ("k is NaN", "POST", plain, b'{"customer":"1","k":NaN}'),
        ("deeply nested", "POST", plain, b"[" * ROWS + b"]" * ROWS),
        ("too large", "POST", plain, b'{"customer":"' + b"1" * (2 << 20) + b'"}'),
        ("wrong method", "DELETE", plain, b""),
        ("unknown path", "GET", "/v2/nothing/here", b""),
        ("unknown model", "GET", "/v2/models/nobody", b""),
        ("tensor of another type", "POST", infer, tensor % (b"FP32", b"1", b"[1.5]")),
        ("tensor of another shape", "POST", infer, tensor % (b"BYTES", b"3", b'["1"]')),
        ("tensor without rows", "POST", infer, tensor % (b"BYTES", b"0", b"[]")),
        ("no tensor", "POST", infer, b'{"inputs":[]}'),
    ]


def send(url: str, model: str, key: str = "") -> list[tuple[str, Answer]]:
    """Each case's name and the answer to it, up to the first that gets none in time.

    Args:
        key: decides the side where traffic is split.
    """
    sent: list[tuple[str, Answer]] = []
    for name, method, path, body in cases(model):
        sent.append((name, ask(url, path, body or None, method=method, key=key)))
        if sent[-1][1].timed_out:
            break
    return sent
