"""Gates: each file `gates/<subject>/<name>.py` asks one question of one subject.

A gate module has a docstring that asks the question, a frozen `Settings`, and
`judge(evidence, settings)` that yields findings. It never writes and never calls out.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..records import Finding, Outcome, Verdict, canonical, digest_of
from ..typed import Mismatch, build
from .offending import Offending

SUBJECTS = ("lint", "data", "prepared", "tests", "model", "image", "service")
# asked where `delivery.toml` names no gate for the subject
USUAL: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "lint": {"clean": {}},
    "tests": {"ran": {}},
}
RANK: dict[Outcome, int] = {"not_applicable": 0, "skip": 1, "pass": 2, "warn": 3, "block": 4}


@dataclass(frozen=True)
class Gate:
    """One configured gate."""

    name: str
    module: Any
    settings: Any


def available(subject: str) -> list[str]:
    """The names of the gates that exist for a subject."""
    folder = Path(__file__).parent / subject
    return sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))


def asked(subject: str, gates: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Gate]:
    """The gates of a subject: those that `delivery.toml` names, or else the usual ones.

    Args:
        gates: subject → gate → its table, all of `[gates]`.

    Raises:
        ConfigError: as `configured`.
    """
    return configured(subject, gates.get(subject, USUAL.get(subject, {})))


def configured(subject: str, tables: Mapping[str, Mapping[str, Any]]) -> list[Gate]:
    """The gates that `delivery.toml` names for a subject, with their settings.

    Args:
        tables: gate name → its table under `[gates.<subject>]`.

    Raises:
        ConfigError: a gate that does not exist, or settings that it does not take.
    """
    if subject not in SUBJECTS:
        raise ConfigError(
            f"there are no gates for '{subject}'",
            f"delivery.toml [gates.{subject}]",
            f"use one of: {', '.join(SUBJECTS)}",
        )
    gates = []
    for name, table in tables.items():
        if name not in available(subject):
            raise ConfigError(
                f"no gate '{name}' for {subject}",
                f"delivery.toml [gates.{subject}.{name}]",
                f"use one of: {', '.join(available(subject))}",
            )
        module = importlib.import_module(f".{subject}.{name}", __package__)
        try:
            settings = build(module.Settings, table, f"gates.{subject}.{name}")
        except Mismatch as error:
            raise ConfigError(str(error), "delivery.toml", "see docs/reference/gates.md") from error
        gates.append(Gate(name, module, settings))
    return gates


def judge(
    *,
    kind: str,
    of: str,
    gates: Sequence[Gate],
    evidence: Any,
    files: Mapping[str, str],
    unproven: Sequence[str] = (),
) -> Verdict:
    """All gates' answers as one verdict. No answer blocks.

    Args:
        kind: the subject's kind, one of `SUBJECTS`.
        of: the content digest of the subject.
        evidence: what the gates of this subject read.
        files: file → sha256 of what the answers rest on.
    """
    findings: list[Finding] = []
    for gate in gates:
        answers = [_finding(a) for a in gate.module.judge(evidence, gate.settings)]
        findings += answers or [
            Finding(gate.name, "block", None, "an answer", "the gate gave no answer")
        ]
    if not any(f.outcome in ("pass", "warn", "block") for f in findings):
        findings.append(
            Finding("verdict", "block", len(findings), "at least one answer", "nothing was judged")
        )
    return Verdict(
        subject=of,
        subject_kind=kind,
        of=of,
        outcome=worst(findings),
        findings=tuple(findings),
        evidence=dict(files),
        settings_digest=settings_digest(gates),
        unproven=tuple(unproven),
    )


def _finding(answer: Finding | Offending) -> Finding:
    """A gate's answer with some of the rows that it is about, where it does not pass."""
    if isinstance(answer, Finding):
        return answer
    return answer.finding


def worst(findings: Sequence[Finding]) -> Outcome:
    """The outcome of a verdict: the worst of its findings, block where there is none."""
    return max((f.outcome for f in findings), key=RANK.__getitem__, default="block")


def settings_digest(gates: Sequence[Gate]) -> str:
    """The digest of what was asked: gate names and their settings."""
    return digest_of(canonical({gate.name: gate.settings for gate in gates}))
