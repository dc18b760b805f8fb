"""A stated load on a service, and what its metrics say."""

import threading
import time
from collections.abc import Sequence

from ..errors import ToolError
from .service import Answer, Client

WORKERS = 8
LEAD_S = 0.05  # for the workers to stand ready


def run(
    url: str, bodies: Sequence[bytes], *, per_s: float, for_s: float
) -> list[tuple[float, Answer]]:
    """Sends requests at fixed times, whether or not earlier ones were answered.

    Args:
        bodies: requests in the plain form, sent in turn.

    Returns:
        Per request the seconds from its planned time to its answer, and the answer.

    Raises:
        ToolError: there is nothing to send.
    """
    if not bodies:
        raise ToolError("there is no request to send", url, "the model's samples.json is empty")
    count = max(1, round(per_s * for_s))
    results: list[tuple[float, Answer]] = []
    turn = iter(range(count))
    lock = threading.Lock()
    started = time.perf_counter() + LEAD_S

    def work() -> None:
        client = Client(url)
        while True:
            with lock:
                index = next(turn, None)
            if index is None:
                client.close()
                return
            planned = started + index / per_s
            time.sleep(max(0.0, planned - time.perf_counter()))
            answer = client.ask("POST", "/recommend", bodies[index % len(bodies)])
            results.append((time.perf_counter() - planned, answer))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(WORKERS, count))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


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
