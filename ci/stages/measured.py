"""What was measured on an instance or a service: a record, so that judging it again is free."""

from typing import Any, TypeVar

from ..config import Project
from ..errors import EvidenceError
from ..records import Probe, Verdict, read_if_there
from ..typed import Mismatch, build

T = TypeVar("T")


def standing(project: Project, name: str, *, on: str, verdict: str) -> Probe | None:
    """The record of an earlier measurement of the same thing, unless its verdict blocked.

    Args:
        on: digest of the record that a measurement has to stand on.
        verdict: the name of the verdict about it.
    """
    probe = read_if_there(project.delivery, name, Probe)
    judged = read_if_there(project.delivery, verdict, Verdict)
    if probe is None or probe.on != on or (judged and judged.outcome == "block"):
        return None
    return probe


def evidence(cls: type[T], probe: Probe, name: str) -> T:
    """What a probe measured, as the gates read it.

    Raises:
        EvidenceError: the record has another shape.
    """
    try:
        return build(cls, probe.measured)
    except Mismatch as error:
        raise EvidenceError(
            f"{name}.json is malformed: {error}",
            f"delivery/{name}.json",
            "remove it, measure again",
        ) from error


def phrases(texts: list[Any], most: int = 5) -> tuple[str, ...]:
    """The first few different texts."""
    return tuple(dict.fromkeys(str(text) for text in texts if text))[:most]
