"""Does it run from files it cannot write, without rights and programs that it does not need?"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...records import Finding
from ..found import found
from . import Confinement, ImageEvidence, not_asked

GATE = "confined"
REFUSED = ("EROFS", "EACCES", "EPERM")
SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox")
QUESTIONS = (
    "non-root",
    "read-only root",
    "no new privileges",
    "programs",
    "setuid",
    "health check",
    "entry point",
)
DECORATED = re.compile(r"^(?:[a-z0-9_]+-linux-[a-z0-9]+-)?(.+?)(?:-?\d[\d.]*)?$")


@dataclass(frozen=True)
class Settings:
    """What no serving image needs."""

    # names of commands; a version or an architecture around one makes no difference
    forbidden: tuple[str, ...] = (
        *("apk", "apt", "apt-get", "aptitude", "conda", "dnf", "dpkg", "mamba", "microdnf"),
        *("ensurepip", "npm", "pacman", "pip", "pipx", "poetry", "rpm", "uv", "yum", "zypper"),
        *("as", "c++", "cargo", "cc", "clang", "cmake", "cpp", "g++", "gcc", "gfortran", "go"),
        *("ld", "make", "ninja", "nvcc", "rustc", "tcc"),
    )
    min_tried: int = 5  # places where writing has to have been tried


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """Its own files for every kind; of an image also its user, its system and its start."""
    yield _listed("mode bits", evidence.writable, "of its files are writable")
    changed = "changed" if evidence.changed else "unchanged"
    yield found(
        GATE,
        "unchanged",
        good=not evidence.changed,
        measured=changed,
        expected="unchanged",
        what=f"its files after the samples: {changed}",
    )
    skipped = [not_asked(GATE, evidence.kind, question) for question in QUESTIONS]
    yield from (finding for finding in skipped if finding)
    if not all(skipped):
        yield from _image(evidence.confinement or Confinement(error="not measured"), settings)


def _image(seen: Confinement, settings: Settings) -> Iterable[Finding]:
    if seen.error:
        yield Finding(GATE, "block", None, "an answer", f"not tried: {seen.error}", "inside")
    configured = seen.user.partition(":")[0]
    yield found(
        GATE,
        "non-root",
        good=seen.uid > 0 and seen.gid > 0 and configured not in ("", "0", "root"),
        measured=f"ran as {seen.uid}:{seen.gid}, configured as {seen.user or 'nobody, so root'}",
        expected="another user than root, by the image's own configuration",
    )
    written = sorted(path for path, came in seen.tried.items() if came not in REFUSED)
    yield found(
        GATE,
        "read-only root",
        good=not written and len(seen.tried) >= settings.min_tried,
        measured=len(seen.tried) - len(written),
        expected=f"all writes refused, >= {settings.min_tried} tried",
        what=f"{len(seen.tried) - len(written)} of {len(seen.tried)} writes were refused"
        + (f"; not in {', '.join(written[:3])}" if written else ""),
    )
    rights = bool(seen.capabilities) and not any(int(c, 16) for c in _hexadecimals(seen))
    yield found(
        GATE,
        "no new privileges",
        good=seen.no_new_privileges and rights,
        measured=f"{seen.no_new_privileges}, capabilities {seen.capabilities or 'unknown'}",
        expected="True, capabilities 0",
    )
    yield _listed("programs", forbidden(seen, settings), "compilers or package managers inside")
    yield _listed("setuid", seen.setuid, "files run with their owner's rights")
    yield from _started(seen)


def _hexadecimals(seen: Confinement) -> list[str]:
    words = seen.capabilities.split()
    return [word if re.fullmatch(r"[0-9a-fA-F]+", word) else "1" for word in words]


def _started(seen: Confinement) -> Iterable[Finding]:
    asked = seen.healthcheck[1:] if seen.healthcheck[:1] in (("CMD",), ("CMD-SHELL",)) else ()
    yield found(
        GATE,
        "health check",
        good=bool(asked),
        measured=" ".join(seen.healthcheck) or "none",
        expected="a command",
    )
    name = PurePosixPath(seen.entrypoint[0]).name if seen.entrypoint else ""
    yield found(
        GATE,
        "entry point",
        good=bool(name) and name not in SHELLS,
        measured=" ".join(seen.entrypoint) or "none",
        expected="a list of words, the first no shell",
    )


def forbidden(seen: Confinement, settings: Settings) -> tuple[str, ...]:
    """The programs that have a forbidden name."""
    return tuple(path for path in seen.programs if not _names(path).isdisjoint(settings.forbidden))


def _names(path: str) -> set[str]:
    place = PurePosixPath(path)
    name = place.parent.name if place.name == "__main__.py" else place.name
    plain = DECORATED.match(name)
    return {name, plain[1] if plain else name}


def _listed(where: str, paths: tuple[str, ...], what: str) -> Finding:
    first = ", ".join(paths[:3])
    return found(
        GATE,
        where,
        good=not paths,
        measured=len(paths),
        expected="0",
        what=f"{len(paths)} {what}" + (f": {first}" if first else ""),
    )
