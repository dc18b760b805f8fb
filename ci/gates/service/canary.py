"""Is a canary as well as the champion beside it, with the part of the requests it should get?"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import Load, ServiceEvidence


@dataclass(frozen=True)
class Settings:
    """How far a canary may fall behind the champion, measured in the same minute."""

    max_error_rate_above: float = 0.005  # the champion's; shares of the requests
    max_p95_times: float = 1.5  # the champion's, plus
    p95_slack_ms: float = 20.0  # and this much on top: small times differ by chance
    share_deviations: float = 4.0  # standard deviations of a binomial count off its percent
    min_requests: int = 100  # that each of the two answered itself


def judge(evidence: ServiceEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding each for enough answers of either side, errors, speed and the share."""
    beside = evidence.beside
    if beside is None:
        why = "all requests go to one artefact"
        yield Finding("canary", "not_applicable", None, "a canary", why, "beside a champion")
        return
    own, champion = evidence.load, beside.load
    for side, load in (("canary", own), ("champion", champion)):
        yield found(
            "canary",
            f"answers of the {side}",
            good=load.answered >= max(settings.min_requests, 1),
            measured=load.answered,
            expected=f">= {settings.min_requests}",
        )
    most = _error_rate(champion) + settings.max_error_rate_above
    yield found(
        "canary",
        "error rate",
        good=_error_rate(own) <= most,
        measured=_error_rate(own),
        expected=f"<= {most:g}, the champion's + {settings.max_error_rate_above:g}",
    )
    slowest = champion.p95_ms * settings.max_p95_times + settings.p95_slack_ms
    yield found(
        "canary",
        "p95 ms",
        good=own.p95_ms <= slowest,
        measured=own.p95_ms,
        expected=f"<= {slowest:g}, the champion's × {settings.max_p95_times:g}"
        f" + {settings.p95_slack_ms:g}",
    )
    yield _share(own.sent, own.sent + champion.sent, beside.percent, settings.share_deviations)


def _share(led: int, sent: int, percent: int, deviations: float) -> Finding:
    """Whether so many of the keys lead to a canary as chance and its percent allow."""
    part = percent / 100
    off = deviations * math.sqrt(part * (1 - part) / sent) if sent and 0 < part < 1 else math.nan
    share = led / sent if sent else math.nan
    return found(
        "canary",
        "share",
        good=abs(share - part) <= off,
        measured=share,
        expected=f"{part:g} ± {off:.4f}",
        what=f"{led} of {sent} requests were the canary's, stated are {percent} %",
    )


def _error_rate(load: Load) -> float:
    """The share of requests that did not get an answer of whom they were for."""
    return (load.sent - load.answered) / load.sent if load.sent else math.nan
