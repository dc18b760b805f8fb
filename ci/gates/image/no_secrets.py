"""Is there a secret in its layers, its history, its environment or its labels?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ...records import Finding
from ..found import found
from . import ImageEvidence, Secret, Secrets, not_asked

GATE = "no_secrets"
PLACES = ("layers", "history", "environment", "labels")


@dataclass(frozen=True)
class Settings:
    """What looks like a secret and is none."""

    allow: dict[str, str] = field(default_factory=dict)  # pattern of `where` → the reason


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a place, and one a secret; what nobody searched is not clean."""
    skipped = not_asked(GATE, evidence.kind, "secrets")
    if skipped:
        yield skipped
        return
    seen = evidence.secrets or Secrets(error="not measured")
    if seen.error or not seen.scanner:
        what = seen.error or "nobody searched"
        yield Finding(GATE, "block", None, "a search", f"no answer: {what}", "search")
    for place in PLACES:
        here = [secret for secret in seen.found if secret.place == place]
        bad = [secret for secret in here if not _reason(secret, settings)]
        searched = seen.searched.get(place, 0)
        yield found(
            GATE,
            place,
            good=not bad and searched > 0,
            measured=len(bad),
            expected="0 secrets, something searched",
            what=f"{len(bad)} secrets in {searched} {_counted(place)}",
        )
        yield from (_one(secret, _reason(secret, settings)) for secret in here)
    if seen.more:
        what = f"{seen.more} more secrets that are not listed"
        yield Finding(GATE, "block", seen.more, "0", what, "more")


def _counted(place: str) -> str:
    names = {"layers": "files", "history": "steps", "environment": "variables"}
    return names.get(place, place)


def _reason(secret: Secret, settings: Settings) -> str:
    """Why it is none, as the settings say; empty where they say nothing."""
    matching = (r for pattern, r in settings.allow.items() if fnmatchcase(secret.where, pattern))
    return next((reason.strip() for reason in matching if reason.strip()), "")


def _one(secret: Secret, reason: str) -> Finding:
    what = f"{secret.rule} in {secret.where}, begins with '{secret.start}'"
    if reason:
        return Finding(
            GATE, "pass", secret.rule, "allowed", f"{what}; allowed: {reason}", secret.where
        )
    what += "; make it invalid, then make the image without it"
    return Finding(GATE, "block", secret.rule, "no secret", what, secret.where)
