"""Gates of the subject: service."""

from dataclasses import dataclass

from ..found import Samples


@dataclass(frozen=True)
class Load:
    """What became of requests sent at fixed times.

    Attributes:
        sent: requests sent; `failed` those without an answer of status 200.
        foreign: answers from another artefact.
        rate: answers a second, from the first planned time to the last answer.
        p50_ms, p95_ms, p99_ms: from the planned time to the answer.
        wanted_rate: requests a second as planned.
    """

    sent: int
    failed: int
    foreign: int
    rate: float
    wanted_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: tuple[str, ...] = ()

    @property
    def answered(self) -> int:
        """Requests that the artefact itself answered well."""
        return self.sent - self.failed - self.foreign


@dataclass(frozen=True)
class Beside:
    """What a canary stood beside while it was measured.

    Attributes:
        digest: of the champion.
        percent: of the requests that the canary should get.
        load: the champion's part of the same load; each request had a key of its own.
    """

    digest: str
    percent: int
    load: Load


@dataclass(frozen=True)
class BadRequest:
    """A request that nobody can answer, and the status that came back; 0 for no answer."""

    case: str
    status: int
    says_why: bool  # whether the answer is JSON with an error


@dataclass(frozen=True)
class Exported:
    """What `/metrics` says; `error` where it cannot be read."""

    names: tuple[str, ...]
    counted: float  # answers of status 200 that it counted while the load ran
    digests: tuple[str, ...]  # of the models that it names
    error: str = ""


@dataclass(frozen=True)
class ServiceEvidence:
    """What an environment's service answered.

    Attributes:
        digest: what was deployed.
        health: path → status and the digest that answered, as `200 sha256:…`.
        model: what the model calls itself; `models` what the service calls it.
        beside: the champion's side, where this is a canary; all else is the canary's own.
    """

    digest: str
    health: dict[str, str]
    model: str
    models: tuple[str, ...]
    samples: Samples
    load: Load
    bad_requests: tuple[BadRequest, ...]
    metrics: Exported
    beside: Beside | None = None
