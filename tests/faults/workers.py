"""Many faults in several processes; each imports Great Expectations once and keeps its data."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from .catalogue import faults
from .good import GOOD
from .harness import Answer, Passed, answer, bench, passed

Job = tuple[str, str]  # `fault` or `good`, and its name
CHUNK = 6  # jobs in a row that a worker gets: the slow ones are shared out, the data stay warm


def answered(
    jobs: Sequence[Job], seed: int, workers: int
) -> Iterator[tuple[Mapping[Job, Answer | Passed], float]]:
    """The answers to some jobs after the others, as they come, and the cpu seconds of each part."""
    planted, good = faults(), {one.name: one for one in GOOD}
    chunks = [tuple(jobs[n : n + CHUNK]) for n in range(0, len(jobs), CHUNK)]
    with ProcessPoolExecutor(max(1, workers), mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_ask, chunk, seed) for chunk in chunks]):
            found, cpu_s = done.result()
            yield {job: _whole(job, values, planted, good) for job, values in found.items()}, cpu_s


def _ask(jobs: Sequence[Job], seed: int) -> tuple[dict[Job, dict[str, Any]], float]:
    """The answers to some jobs, in a worker, without the entries: their functions do not travel."""
    before = time.process_time()
    planted, good = faults(), {one.name: one for one in GOOD}
    with bench() as place:
        found = {
            (kind, name): answer(place, planted[name], seed)
            if kind == "fault"
            else passed(place, good[name], seed)
            for kind, name in jobs
        }
    return {job: _travelling(one) for job, one in found.items()}, time.process_time() - before


def _travelling(found: Answer | Passed) -> dict[str, Any]:
    return {name: value for name, value in vars(found).items() if name not in ("fault", "good")}


def _whole(
    job: Job, values: Mapping[str, Any], planted: Mapping[str, Any], good: Mapping[str, Any]
) -> Answer | Passed:
    kind, name = job
    if kind == "fault":
        return Answer(fault=planted[name], **values)
    return Passed(good=good[name], **values)
