"""A stated load on a service, and what its metrics say."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from ..errors import ToolError
from .service import TIMEOUT_S, Answer, Client

WORKERS = 8
LEAD_S = 0.05  # for the workers to stand ready
PATIENCE_S = 30.0  # after the last planned time; a service that hangs must not hang this command
LEARN_S = 2.0  # for one answer about a key

Seen = Callable[[Answer], None]  # gets each answer as it comes, from several threads
Result = tuple[float, Answer]  # seconds from the planned time to the answer, and the answer


@dataclass(frozen=True)
class Planned:
    """One request to come, so many seconds after the first; without a body it is a GET."""

    at_s: float
    path: str
    body: bytes | None = None
    key: str = ""


@dataclass(frozen=True)
class Sending:
    """What the workers of one load share."""

    url: str
    timeout_s: float
    began: float
    over: threading.Event  # once it is set, what was not sent yet is left out
    seen: Seen | None


def run(url: str, bodies: Sequence[bytes], *, per_s: float, for_s: float) -> list[Result]:
    """Sends requests at fixed times, whether or not earlier ones were answered.

    Args:
        bodies: requests in the plain form, sent in turn.

    Raises:
        ToolError: there is nothing to send.
    """
    keys = [""] * max(1, round(per_s * for_s))
    return send(url, plan(url, bodies, keys, per_s=per_s))[0]


def plan(url: str, bodies: Sequence[bytes], keys: Sequence[str], *, per_s: float) -> list[Planned]:
    """One request for each key, evenly over time.

    Raises:
        ToolError: there is nothing to send.
    """
    if not bodies:
        raise ToolError("there is no request to send", url, "the model's samples.json is empty")
    return [
        Planned(index / per_s, "/recommend", bodies[index % len(bodies)], key)
        for index, key in enumerate(keys)
    ]


def sides(url: str, keys: Sequence[str]) -> dict[str, str]:
    """Key → digest of the artefact that it leads to; empty where nobody said."""
    asked = [Planned(0.0, "/v2/health/ready", key=key) for key in keys]
    (results,) = send(url, asked, timeout_s=LEARN_S)
    return {key: answer.digest for key, (_, answer) in zip(keys, results, strict=True)}


def send(
    url: str,
    *plans: Sequence[Planned],
    timeout_s: float = TIMEOUT_S,
    over: threading.Event | None = None,
    seen: Seen | None = None,
) -> tuple[list[Result], ...]:
    """What came of several plans that begin together, each request in its plan's order.

    Each plan has workers of its own, so that a slow side delays nobody else's requests.

    Args:
        over: once it is set, what was not sent yet is left out.
        seen: gets each answer as it comes.
    """
    began = time.perf_counter() + LEAD_S
    sending = Sending(url, timeout_s, began, over or threading.Event(), seen)
    results: list[list[Result | None]] = [[None] * len(plan) for plan in plans]
    workers = []
    for own, into in zip(plans, results, strict=True):
        count = min(WORKERS, len(own))
        turns: SimpleQueue[int | None] = SimpleQueue()
        for turn in (*range(len(own)), *[None] * count):
            turns.put(turn)
        words = (sending, own, turns, into)
        workers += [threading.Thread(target=_work, args=words, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return tuple([result for result in own if result] for own in results)


def _work(
    sending: Sending,
    plan: Sequence[Planned],
    turns: "SimpleQueue[int | None]",
    into: list[Result | None],
) -> None:
    """Sends what is next in turn until the turns end; what is far too late is not sent."""
    client, began = Client(sending.url, sending.timeout_s), sending.began
    until = began + plan[-1].at_s + PATIENCE_S
    for index in iter(turns.get, None):
        request = plan[index]
        planned = began + request.at_s
        if sending.over.wait(max(0.0, planned - time.perf_counter())):
            break
        if time.perf_counter() > until:
            answer = Answer(0, error="not sent: the earlier ones took too long")
        else:
            method = "GET" if request.body is None else "POST"
            answer = client.ask(method, request.path, request.body, key=request.key)
        into[index] = (time.perf_counter() - planned, answer)
        if sending.seen:
            sending.seen(answer)
    client.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def metrics(text: str) -> dict[str, float]:
    """Prometheus' text form as `name{labels}` → value.

    Raises:
        ValueError: a line is neither a comment nor a sample.
    """
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            values[name] = float(value)
    return values
