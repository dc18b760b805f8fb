"""Gates: each file `gates/<subject>/<name>.py` asks one question of one subject.

A gate module has a docstring that asks the question, a frozen `Settings`, and
`judge(evidence, settings)` that yields findings. It never writes and never calls out.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, SlipwayError
from ..records import Finding, Outcome, Verdict, canonical, digest_of
from ..typed import Mismatch, build, plain
from . import limits, masks, offending, raised
from .offending import Keep, Offending

SUBJECTS = ("lint", "data", "prepared", "tests", "model", "image", "service")
# asked where `delivery.toml` names no gate for the subject
USUAL: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "lint": {"clean": {}},
    "tests": {"ran": {}},
}
# asked in any case, and no answer to whether the subject is good
ALWAYS: Mapping[str, tuple[str, ...]] = {"data": ("suites",), "prepared": ("suites",)}
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

    What tells that a gate is not asked any more is asked in any case.

    Args:
        gates: subject → gate → its table, all of `[gates]`.

    Raises:
        ConfigError: as `configured`.
    """
    named = gates.get(subject, USUAL.get(subject, {}))
    return configured(
        subject, {**named, **{n: {} for n in ALWAYS.get(subject, ()) if n not in named}}
    )


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
    keep: Keep | None = None,
) -> Verdict:
    """All gates' answers as one verdict. No answer blocks, and a gate that raises gave none.

    Args:
        kind: the subject's kind, one of `SUBJECTS`.
        of: the content digest of the subject.
        evidence: what the gates of this subject read.
        files: file → sha256 of what the answers rest on.
        keep: sets the offending rows apart, whole and as they are.

    Raises:
        SlipwayError: the evidence cannot be read.
    """
    personal: Sequence[str] = getattr(evidence, "personal", ())
    answers = [answer for gate in gates for answer in _answers(gate, evidence, personal, keep)]
    findings = masks.mask(answers, personal, lambda: _tables(evidence))
    about_it = [f for f in findings if f.gate not in ALWAYS.get(kind, ())]
    if not any(f.outcome in ("pass", "warn", "block") for f in about_it):
        findings.append(
            Finding("verdict", "block", len(findings), "at least one answer", "nothing was judged")
        )
    fitting = limits.fit(findings, RANK)
    return Verdict(
        subject=of,
        subject_kind=kind,
        of=of,
        outcome=worst(fitting),
        findings=fitting,
        evidence=limits.files(files),
        settings_digest=settings_digest(gates),
        unproven=tuple(unproven),
    )


def _answers(
    gate: Gate, evidence: Any, personal: Sequence[str], keep: Keep | None
) -> Iterator[Finding]:
    """One gate's findings, unmasked; a blocked one where it raises, or gives none."""
    given, where, known = False, "", bool(personal)
    try:
        for answer in gate.module.judge(evidence, gate.settings):
            finding = _finding_of(answer)
            given, where = True, finding.where
            try:
                if isinstance(answer, Offending):
                    finding = offending.named(answer, personal, keep)
                yield limits.clean(finding)
            except SlipwayError:
                raise
            except Exception as error:  # its rows: what it found stands, and it blocks
                yield limits.clean(finding)
                yield raised.finding(gate.name, error, personal=known, where=where)
    except SlipwayError:
        raise
    except Exception as error:  # whatever it raises instead of an answer
        yield raised.finding(gate.name, error, personal=known, where=where)
        return
    if not given:
        yield Finding(gate.name, "block", None, "an answer", "the gate gave no answer")


def _finding_of(answer: Any) -> Finding:
    """The finding of an answer.

    Raises:
        TypeError, ValueError: it is no answer.
    """
    finding = answer.finding if isinstance(answer, Offending) else answer
    if not isinstance(finding, Finding):
        raise TypeError("an answer is a Finding, or an Offending with one")
    if finding.outcome not in RANK:
        raise ValueError("a finding's outcome is one of: " + ", ".join(RANK))
    return finding


def _tables(evidence: Any) -> list[Any]:
    """The subject's tables, if a gate looked at them: else none can have quoted a value."""
    reading = vars(evidence).get("reading")
    if reading is None:
        return []
    return list(reading.tables.values()) if hasattr(reading, "tables") else [reading.table]


def worst(findings: Sequence[Finding]) -> Outcome:
    """The outcome of a verdict: the worst of its findings, block where there is none."""
    return max((f.outcome for f in findings), key=RANK.__getitem__, default="block")


def settings_of(gates: Sequence[Gate]) -> dict[str, Any]:
    """Gate → its settings, as JSON has them."""
    return {gate.name: plain(gate.settings) for gate in gates}


def settings_digest(gates: Sequence[Gate]) -> str:
    """The digest of what was asked: gate names and their settings."""
    return digest_of(canonical({gate.name: gate.settings for gate in gates}))
