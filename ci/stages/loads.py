"""A service under its stated load: all of it, or a canary and its champion side by side.

Each request to a split address has a key of its own, and each key was asked before whom it leads
to. So a request that fails, or that the other side answers in its place, counts where it belongs.
"""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..gates.service import Beside, Load
from ..settings import Environment
from ..tools import load
from . import measured

LEAST = 150  # requests that a canary should get: a few percent of a short load say nothing


@dataclass(frozen=True)
class Split:
    """A split address, and the keys of the requests to come.

    Attributes:
        canary, champion: their digests.
        percent: of the requests that the canary should get.
        sides: key → digest of whom it leads to; another one or none where that is not known.
    """

    canary: str
    champion: str
    percent: int
    sides: Mapping[str, str]

    @property
    def key(self) -> str:
        """A key that leads to the canary; without one the canary cannot be asked, and it shows."""
        led = (key for key, side in self.sides.items() if side == self.canary)
        return next(led, next(iter(self.sides)))


def learn(url: str, canary: str, champion: str, percent: int, settings: Environment) -> Split:
    """Asks whom each key of the coming load leads to."""
    wanted = round(settings.load_per_s * settings.load_for_s)
    count = max(wanted, math.ceil(LEAST * 100 / percent))
    run = secrets.token_hex(4)  # other keys each time: chance is not the same twice
    return Split(canary, champion, percent, load.sides(url, [f"{run}-{n}" for n in range(count)]))


def alone(url: str, digest: str, settings: Environment, bodies: Sequence[bytes]) -> Load:
    """What becomes of the load where one artefact gets all of it."""
    results = load.run(url, bodies, per_s=settings.load_per_s, for_s=settings.load_for_s)
    return _summed(results, digest, len(results) / settings.load_per_s)


def beside(
    url: str, split: Split, settings: Environment, bodies: Sequence[bytes]
) -> tuple[Load, Beside]:
    """What becomes of the canary's part of the load, and of the champion's at the same time."""
    per_s = settings.load_per_s
    planned = load.plan(url, bodies, list(split.sides), per_s=per_s)
    own, other, unknown = (
        [request for request in planned if _side(split, request.key) == side]
        for side in (split.canary, split.champion, "")
    )
    canary, champion, doubtful = load.send(url, own, other, unknown)
    for result in doubtful:  # nobody's failure is the canary's
        (champion if result[1].digest == split.champion else canary).append(result)
    planned_s = len(planned) / per_s
    least = Beside(split.champion, split.percent, _summed(champion, split.champion, planned_s))
    return _summed(canary, split.canary, planned_s), least


def _side(split: Split, key: str) -> str:
    side = split.sides[key]
    return side if side in (split.canary, split.champion) else ""


def _summed(results: Sequence[load.Result], digest: str, planned_s: float) -> Load:
    """One artefact's requests as the gates read them.

    Args:
        planned_s: how long the whole load was to take.
    """
    answers = [answer for _, answer in results]
    good = [seconds * 1000 for seconds, answer in results if answer.status == 200]
    failed = [answer for answer in answers if answer.status != 200]
    p50, p95, p99 = (round(load.percentile(good, share), 3) for share in (0.5, 0.95, 0.99))
    late = max((seconds for seconds, _ in results), default=0.0)
    return Load(
        sent=len(answers),
        failed=len(failed),
        foreign=sum(answer.status == 200 and answer.digest != digest for answer in answers),
        rate=round(len(good) / (planned_s + late), 1),
        wanted_rate=len(answers) / planned_s,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        errors=measured.phrases([a.error or f"status {a.status}" for a in failed]),
    )
