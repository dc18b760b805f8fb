"""The delivery as a line of steps: what each one answered, when, and about which digest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..records import (
    Approval,
    Candidate,
    Dataset,
    Deployment,
    Evaluation,
    Image,
    Plan,
    Probe,
    Record,
    Release,
    Rollback,
    Verdict,
)
from . import words
from .sources import Sources

PHASES: dict[str, dict[str, str]] = {  # phase → step → the record that it writes
    "Plan": {"plan": "plan"},
    "Checks": {"lint": "lint", "unit tests": "tests-unit"},
    "Data": {
        "data": "dataset",
        "data gate": "data-verdict",
        "prepared gate": "prepared-verdict",
        "integration tests": "tests-integration",
    },
    "Model": {"train": "candidate", "evaluate": "evaluation", "model gate": "model-verdict"},
    "Image": {"image": "image", "image gate": "image-verdict", "e2e tests": "tests-e2e"},
    "Staging": {
        "staging": "staging",
        "staging probe": "staging-probe",
        "staging gate": "staging-verdict",
    },
    "Approval": {"approval": "approval"},
    "Canary": {
        "canary": "canary",
        "canary probe": "canary-probe",
        "canary gate": "canary-verdict",
    },
    "Production": {
        "production": "production",
        "production probe": "production-probe",
        "production gate": "production-verdict",
    },
    "Release": {"release": "release"},
}
STEP_OF = {record: step for steps in PHASES.values() for step, record in steps.items()}
CANARY = ("canary", "canary-probe", "canary-verdict")
OPTIONAL = ("lint",)  # a project without linters has no record of it
WORDS = {"block": "blocked", "pass": "passed", "warn": "warned", "skip": "nothing judged"}


@dataclass(frozen=True)
class Step:
    """One step of the line.

    Attributes:
        state: an outcome, or `done`, `broken`, `missing`.
        seconds: how long it took, where the record says so.
    """

    name: str
    record: str
    state: str
    answer: str
    written_at: str = ""
    seconds: str = ""
    digest: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Phase:
    """Steps that belong together."""

    name: str
    state: str
    steps: tuple[Step, ...]


def line(sources: Sources) -> tuple[Phase, ...]:
    """All phases, each with its steps, whether they were reached or not."""
    return tuple(
        _phase(name, [_step(step, record, sources) for step, record in steps.items()])
        for name, steps in PHASES.items()
    )


def last(sources: Sources) -> str:
    """The last step that left a record, in the order of the line."""
    return ([step for record, step in STEP_OF.items() if record in sources.records] or [""])[-1]


def following(step: str, sources: Sources) -> str:
    """The step behind another one, or an empty string at the end."""
    skipped = (*OPTIONAL, *(CANARY[1:] if _alone(sources) else ()))
    names = [name for record, name in STEP_OF.items() if record not in skipped or name == step]
    return names[names.index(step) + 1] if step in names[:-1] else ""


def _alone(sources: Sources) -> bool:
    """Whether there was nothing that a canary could have stood beside."""
    canary = sources.get("canary", Deployment)
    return canary is not None and canary.percent == 0


def _phase(name: str, steps: Sequence[Step]) -> Phase:
    states = [step.state for step in steps]
    worst = next((s for s in ("broken", "block", "warn") if s in states), "")
    reached = [state for state in states if state != "missing"]
    whole = "done" if len(reached) == len(states) else "part" if reached else "missing"
    return Phase(name, worst or whole, tuple(steps))


def _step(name: str, record: str, sources: Sources) -> Step:
    found = sources.records.get(record)
    if f"delivery/{record}.json" in sources.broken:
        return Step(name, record, "broken", "cannot be relied on")
    if found is None:
        passed_by = record in CANARY and (_alone(sources) or "production" in sources.records)
        passed_by |= record in OPTIONAL and len(sources.records) > 1
        answer_ = "no record" if sources.bare else "none" if passed_by else "not reached"
        return Step(name, record, "missing", answer_)
    seconds = getattr(found, "seconds", 0.0)
    return Step(
        name,
        record,
        found.outcome if isinstance(found, Verdict) else "done",
        answer(found),
        found.written_at,
        words.duration(seconds) if seconds else "",
        found.subject,
        found.commit,
    )


def answer(record: Record) -> str:
    """What a record says, in a few words."""
    match record:
        case Verdict():
            return WORDS.get(record.outcome, record.outcome)
        case Plan():
            return (
                "nothing to train" if record.train_on == "none" else f"train on {record.train_on}"
            )
        case Dataset():
            return f"{words.plural(len(record.files), 'file')}, {words.size(record.bytes)}"
        case Candidate():
            return record.source
        case Evaluation():
            return words.plural(len(record.candidate_metrics), "metric")
        case Image():
            return f"{record.kind}, {words.size(record.bytes)}"
        case Deployment(percent=0):
            return "nothing to stand beside"
        case Deployment() if record.percent < 100:
            return f"{words.tidy(record.version, 40)}, {record.percent} %"
        case Deployment() | Release() | Rollback():
            return words.tidy(record.version, 40)
        case Probe():
            return _latency(record.measured)
        case Approval():
            return f"by {words.tidy(record.approved_by, 40)}"
    return "done"


def _latency(measured: dict[str, Any]) -> str:
    own = measured.get("load") or measured  # beside it may stand a champion's
    for name, figure in words.flat(own):
        if name.split(".")[-1] == "p95_ms":
            return f"p95 {figure} ms"
    return "answered"
