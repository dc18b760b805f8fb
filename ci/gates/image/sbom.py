"""Is there a list of what it contains, about this very image, and does it name what is known?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import ImageEvidence, Sbom, not_asked

GATE = "sbom"


@dataclass(frozen=True)
class Settings:
    """How much has to be known to compare the list with."""

    min_pinned: int = 1  # packages that the requirements pin
    min_base: int = 1  # packages in the base's own database


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """Whether it is there and parses, what it is about, and each package that it should name."""
    skipped = not_asked(GATE, evidence.kind, "SBOM")
    if skipped:
        yield skipped
        return
    seen = evidence.sbom or Sbom(error="not measured")
    yield found(
        GATE,
        "there",
        good=not seen.error and seen.form.startswith("CycloneDX ") and seen.components > 0,
        measured=seen.error or f"{seen.form or 'no CycloneDX'}, {seen.components} components",
        expected="CycloneDX with components",
        what=f"{seen.error or seen.form or 'no CycloneDX'}: {seen.components} components in "
        f"{seen.digest or 'nothing'}" + (f", kept as {seen.stored}" if seen.stored else ""),
    )
    yield found(
        GATE,
        "about this image",
        good=bool(evidence.digest) and seen.about == evidence.digest,
        measured=seen.about,
        expected=evidence.digest,
    )
    same = bool(seen.runtime_recorded) and seen.runtime == seen.runtime_recorded
    yield found(
        GATE,
        "about its runtime",
        good=same and seen.runtime_layers > 0,
        measured=f"{seen.runtime or 'nothing'}, {seen.runtime_layers} layers below this image",
        expected=f"{seen.runtime_recorded or 'a runtime'}, its layers below this image",
    )
    yield _compared("pinned packages", seen.pinned, seen, settings.min_pinned)
    yield _compared("base packages", seen.base, seen, settings.min_base)


def _compared(where: str, wanted: Mapping[str, str], seen: Sbom, least: int) -> Finding:
    missing = [
        f"{name} {version}"
        + (f" (it names {', '.join(seen.named[name])})" if name in seen.named else "")
        for name, version in sorted(wanted.items())
        if not version or version not in seen.named.get(name, ())
    ]
    return found(
        GATE,
        where,
        good=not missing and len(wanted) >= least,
        measured=len(wanted) - len(missing),
        expected=f"all {len(wanted)}, >= {least}",
        what=f"it names {len(wanted) - len(missing)} of {len(wanted)} {where}"
        + (f"; not {', '.join(missing[:5])}" if missing else ""),
    )
