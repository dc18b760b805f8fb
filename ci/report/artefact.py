"""What is promoted: where it is, what it consists of, and what was found inside it."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..records import Image, Probe
from . import words
from .metrics import table
from .sources import Sources

LONG = re.compile(r"([0-9a-f]{12})[0-9a-f]{52}")
UNSHOWN = "not looked at"


def facts(sources: Sources) -> list[tuple[str, str, str]]:
    """Label, text and digest (or nothing) of each fact about the artefact."""
    image, probe = sources.get("image", Image), sources.get("image-probe", Probe)
    if image is None:
        return []
    found = table(probe.measured) if probe else {}
    rows = [
        ("Kind", f"{_kind(image)}, {words.size(image.bytes)}", ""),
        ("Digest", "", image.subject),
        ("Reference", *_reference(image)),
        ("Model", "", image.model),
        ("Data version", "", image.dataset),
        ("Code of ml/", "", image.tree),
        ("Requirements", "", image.requirements),
    ]
    if image.runtime:
        rows.insert(3, ("Runtime below it", "", image.runtime))
    if image.kind != "bundle":
        rows += [(label, text, "") for label, text in _inside(image, found)]
    return rows


def _kind(image: Image) -> str:
    names = {
        "image": "image in a registry",
        "local-image": "image in this engine alone",
        "bundle": "bundle",
    }
    kind = names.get(image.kind, image.kind)
    return kind if image.kind == "bundle" else f"{kind}, variant {image.variant}"


def _reference(image: Image) -> tuple[str, str]:
    """Where it can be had, and under which digest if that is part of its name."""
    place, at, digest = image.reference.rpartition("@")
    return (place, digest) if at else (image.reference, "")


def _inside(image: Image, found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sbom, confined = table(found.get("sbom")), table(found.get("confinement"))
    yield "Contents (SBOM)", _sbom(sbom)
    yield "Runs as", _user(confined)
    yield "Secrets", _secrets(table(found.get("secrets")))
    if image.variant == "gpu":
        yield "GPU", _gpu(table(found.get("gpu")))


def _sbom(sbom: Mapping[str, Any]) -> str:
    if not sbom.get("form"):
        return _failed(sbom)
    parts = words.plural(_whole(sbom.get("components")), "component")
    stored = LONG.sub(r"\1…", words.tidy(sbom.get("stored") or "", 200))
    return f"{words.tidy(sbom['form'], 40)}, {parts}" + (f", kept as {stored}" if stored else "")


def _user(confined: Mapping[str, Any]) -> str:
    if confined.get("error") or not confined.get("tried"):
        return _failed(confined)
    tried = table(confined["tried"])
    written = [words.tidy(path, 60) for path, came in tried.items() if came == "written"]
    user = f"{words.value(confined.get('uid'))}:{words.value(confined.get('gid'))}"
    root = f"could write {', '.join(written)}" if written else "could write nowhere it was tried"
    return f"{user.replace(',', '')}, {root} ({words.plural(len(tried), 'place')})"


def _secrets(secrets: Mapping[str, Any]) -> str:
    searched = table(secrets.get("searched"))
    if secrets.get("error") or not searched:
        return _failed(secrets)
    found = secrets.get("found")
    amount = len(found) if isinstance(found, list) else 0
    amount += _whole(secrets.get("more"))
    places = ", ".join(f"{words.value(n)} in {words.tidy(p, 30)}" for p, n in searched.items())
    return f"{amount or 'none'} found; looked at {places}"


def _gpu(gpu: Mapping[str, Any]) -> str:
    if not gpu or gpu.get("error"):
        return _failed(gpu)
    built = f"{words.tidy(gpu.get('runtime'), 40)} {words.tidy(gpu.get('version'), 40)}"
    ready = (
        f"{built} built for CUDA {words.tidy(gpu.get('built_for_cuda') or words.NONE, 20)}, "
        f"{words.plural(_whole(gpu.get('libraries')), 'library').replace('librarys', 'libraries')}"
    )
    for name, step in (("inference_ms", "inference"), ("training_ms", "training step")):
        took = gpu.get(name)
        if isinstance(took, float | int) and math.isfinite(took):
            where = words.tidy(gpu.get("device") or "a device", 60)
            return f"{ready}; one {step} took {words.number(took)} ms on {where}"
    return f"{ready}; it never ran on a GPU: unproven"


def _failed(part: Mapping[str, Any]) -> str:
    error = part.get("error")
    return f"{UNSHOWN}: {words.tidy(error, 120)}" if error else UNSHOWN


def _whole(amount: object) -> int:
    return amount if isinstance(amount, int) else 0
