"""Does a release's commit give its model again, byte for byte? If not: what differs?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..records import Finding, Outcome

UNKNOWN = ""  # what the release has not kept, or is not to be had here
ANYTHING = "whatever it was"


@dataclass(frozen=True)
class Made:
    """A model, and what decided its bytes.

    Attributes:
        model, prepared, pipeline: digests; empty where they are not known.
        files: path in the model's folder → sha256; None where they are not known.
        environment: the content of `environment.json`; None where it is not known.
    """

    model: str
    dataset: str
    prepared: str
    pipeline: str
    hardware: str
    files: Mapping[str, str] | None
    environment: Mapping[str, Any] | None


def judge(released: Made, found: Made) -> Iterator[Finding]:
    """The model first, then each thing that decides it.

    What differs beside an equal model is a warning: it did not matter this time.
    """
    same = released.model == found.model
    worst: Outcome = "warn" if same else "block"
    yield Finding(
        "model",
        "pass" if same else "block",
        found.model,
        released.model,
        "the same model, byte for byte" if same else "another model came of it",
        "model",
    )
    if not same:
        yield from _mapping("files", released.files, found.files, "block")
    pairs = {
        "data": (released.dataset, found.dataset, "the data version"),
        "prepared": (released.prepared, found.prepared, "the prepared data"),
        "pipeline": (released.pipeline, found.pipeline, "code, dvc.yaml and params.yaml"),
    }
    for name, (before, now, words) in pairs.items():
        yield _one(name, before, now, words, worst)
    if not same:
        then, again = _flat(released.environment), _flat(found.environment)
        yield from _mapping("environment", then, again, worst)
        yield _one("hardware", released.hardware, found.hardware, "the machine", "warn")


def _one(name: str, before: str, now: str, words: str, differs: Outcome) -> Finding:
    if before == UNKNOWN:
        said = f"the release does not say what it was: {words}"
        return Finding(name, "skip", now, ANYTHING, said, name)
    if before == now:
        return Finding(name, "pass", now, before, f"the same: {words}", name)
    return Finding(name, differs, now, before, f"another one: {words}", name)


def _mapping(
    name: str, before: Mapping[str, str] | None, now: Mapping[str, str] | None, differs: Outcome
) -> Iterator[Finding]:
    """One finding for each entry that differs; one for all where none does."""
    if before is None or now is None:
        yield Finding(name, "skip", None, ANYTHING, "it cannot be had: not compared", name)
        return
    differing = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    for key in differing:
        said = f"{key} is another one"
        if key not in now:
            said = f"{key} was there, and is not now"
        elif key not in before:
            said = f"{key} is new"
        yield Finding(name, differs, now.get(key), before.get(key), said, key)
    if not differing:
        yield Finding(name, "pass", len(now), len(before), f"all {len(now)} are the same", name)


def _flat(content: Mapping[str, Any] | None, above: str = "") -> dict[str, str] | None:
    """Nested tables as dotted key → value."""
    if content is None:
        return None
    flat: dict[str, str] = {}
    for key, value in content.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping):
            flat |= _flat(value, name) or {}
        else:
            flat[name] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return flat
