"""Asks a service over HTTP: health, recommendations, and whether they are those of training."""

import http.client
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import ToolError
from .artefacts import Artefact

TIMEOUT_S = 10.0
KEY = "X-Slipway-Key"  # where traffic is split, the same key leads to the same side
POLL_S = 0.05


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 where nothing did, and why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    seconds: float = 0.0
    error: str = ""

    @property
    def digest(self) -> str:
        """The artefact that answered."""
        return self.headers.get("x-slipway-digest", "")

    @property
    def release(self) -> str:
        """The version that answered."""
        return self.headers.get("x-slipway-release", "")

    @property
    def timed_out(self) -> bool:
        """Whether nothing came back in time, rather than a failure."""
        return self.status == 0 and self.error.startswith(TimeoutError.__name__)

    def json(self) -> Any:
        """The body parsed, or None where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Client:
    """One kept-alive connection; after a failure the next request opens another."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=timeout_s
        )

    def ask(self, method: str, path: str, body: bytes | None = None, *, key: str = "") -> Answer:
        """One request's answer; a failure of the connection is an answer with status 0."""
        started = time.perf_counter()
        try:
            self._connection.request(method, path, body, {KEY: key} if key else {})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            spent = time.perf_counter() - started
            return Answer(0, seconds=spent, error=f"{type(error).__name__}: {error}")
        seconds = time.perf_counter() - started
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, content, names, seconds)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


@dataclass(frozen=True)
class Sample:
    """One of a model's own samples, asked again.

    Attributes:
        difference: the most by which a score differs from training's; inf for another answer.
        error: why there is no answer to compare.
    """

    request: Mapping[str, Any]
    status: int
    digest: str
    difference: float
    error: str = ""


def ask(
    url: str,
    path: str,
    body: Any = None,
    *,
    method: str = "",
    timeout_s: float = TIMEOUT_S,
    key: str = "",
) -> Answer:
    """The answer to one request on a connection of its own.

    Args:
        body: sent as it is if bytes, else as JSON; None sends nothing.
        method: empty stands for POST with a body, GET without.
        key: decides the side where traffic is split.
    """
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    client = Client(url, timeout_s)
    try:
        return client.ask(method or ("GET" if content is None else "POST"), path, content, key=key)
    finally:
        client.close()


def ready(url: str, timeout_s: float = TIMEOUT_S, key: str = "") -> Answer:
    """What a service says about being ready; status 200 means yes."""
    return ask(url, "/v2/health/ready", timeout_s=timeout_s, key=key)


def ask_samples(url: str, samples: Sequence[Mapping[str, Any]], key: str = "") -> list[Sample]:
    """What a service answers to a model's own samples, compared with training.

    After a sample that gets no answer in time the others are not asked.
    """
    asked: list[Sample] = []
    for sample in samples:
        answer = ask(url, "/recommend", sample["request"], key=key)
        same = difference(sample["answer"], answer.json()) if answer.status == 200 else math.inf
        error = answer.error or ("" if answer.status == 200 else _text(answer))
        asked.append(Sample(sample["request"], answer.status, answer.digest, same, error))
        if answer.timed_out:
            break
    return asked


def difference(expected: Any, answer: Any) -> float:
    """The most by which a score differs from what training gave that rank and that item.

    Two items may change places where training gave both the same score; another number of items,
    or an answer without items and scores, is infinitely far off.
    """
    try:
        items, scores = list(answer["items"]), [float(score) for score in answer["scores"]]
        wanted, least = [float(score) for score in expected["scores"]], list(expected["items"])
        known = dict(zip(least, wanted, strict=True))
        if not (len(items) == len(set(items)) == len(scores) == len(wanted)):
            return math.inf
        gaps = [
            max(abs(score - at_rank), abs(score - known.get(item, wanted[-1])))
            for item, score, at_rank in zip(items, scores, wanted, strict=True)
        ]
    except (TypeError, KeyError, ValueError, OverflowError):
        return math.inf
    worst = max(gaps, default=0.0)
    return math.inf if math.isnan(worst) or any(map(math.isnan, gaps)) else worst


def check(url: str, artefact: Artefact) -> None:
    """Asks an instance whether it is ready, and all samples of the model that it holds.

    Raises:
        ToolError: it is not ready, is another artefact, or answers otherwise than training.
    """
    answer, samples, allowed = ready(url), artefact.samples, artefact.tolerance
    if (answer.status, answer.digest) != (200, artefact.digest):
        raise _sick(f"it says {answer.status or answer.error} as {answer.digest or 'nobody'}", url)
    if not samples:
        raise _sick("its model has no samples to ask", url)
    for number, sample in enumerate(ask_samples(url, samples), 1):
        if sample.digest != artefact.digest or not sample.difference <= allowed:
            said = sample.error or f"off by {sample.difference:g}, allowed is {allowed:g}"
            raise _sick(f"sample {number} of {len(samples)}: {said}", url)


def watch(url: str, *, digest: str, seconds: float) -> None:
    """Asks an address for a while whether it is ready, at least once.

    Raises:
        ToolError: one answer was not from `digest`, or not a yes.
    """
    until = time.monotonic() + seconds
    while True:
        answer = ready(url)
        if (answer.status, answer.digest) != (200, digest):
            said = answer.status or answer.error
            raise _sick(f"while watched it says {said} as {answer.digest or 'nobody'}", url)
        if time.monotonic() >= until:
            return
        time.sleep(POLL_S)


def _sick(what: str, url: str) -> ToolError:
    return ToolError(
        f"the service is not well: {what}", url, "read its log; see the model's samples"
    )


def _text(answer: Answer) -> str:
    return f"status {answer.status}: " + answer.body[:200].decode("utf-8", "replace")
