"""Plants faults in a project of their own and asks its gates, all in this process."""

import argparse
import functools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from random import Random
from tempfile import TemporaryDirectory

from slipway import config
from slipway.gates import RANK, Gate, asked, judge, worst
from slipway.gates.reference import Reference, render
from slipway.records import Finding, Outcome, Verdict
from slipway.stages import profiled
from slipway.stages.gate import subject_of
from slipway.stages.subjects import Subject

from .bases import base, named
from .fault import Base, Fault, Good
from .lines import MONTHS, Files
from .versions import only

SEED = 7
REFERENCE = "models/reference.json"


@dataclass
class Bench:
    """A project's folder, and what stands in it."""

    root: Path
    standing: dict[str, bytes] = field(default_factory=dict)

    def put(self, files: Files) -> None:
        """Writes what differs from what stands there."""
        for path in self.standing.keys() - files.keys():
            (self.root / path).unlink()
        for path, content in files.items():
            if self.standing.get(path) != content:
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_bytes(content)
        self.standing = dict(files)


@contextmanager
def bench() -> Iterator[Bench]:
    """A bench that is gone afterwards."""
    with TemporaryDirectory(prefix="slipway-faults-") as folder:
        yield Bench(Path(folder))


@dataclass(frozen=True)
class Asked:
    """A subject, and the gates that `delivery.toml` names for it."""

    subject: Subject
    gates: tuple[Gate, ...]

    def verdict(self, gates: Sequence[Gate] | None = None) -> Verdict:
        """What `slipway gate` judges, of these gates alone where they are given."""
        return judge(
            kind=self.subject.kind,
            of=self.subject.of,
            gates=self.gates if gates is None else gates,
            evidence=self.subject.evidence,
            files=self.subject.files,
        )


@dataclass(frozen=True)
class Answer:
    """What the gates said to one planted fault.

    Attributes:
        outcome: of the whole verdict.
        by: the gates with a finding as severe as the fault.
        named: whether the finding that the fault names is among them.
        alone: whether that finding says so where its gate is the only one.
        without: the outcome where that gate and those in `also` are not asked.
    """

    fault: Fault
    outcome: Outcome
    by: tuple[str, ...]
    named: bool
    alone: bool
    without: Outcome
    findings: tuple[Finding, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the finding that should stop it does."""
        return self.named and self.outcome == self.fault.severity

    @property
    def problems(self) -> list[str]:
        """What is not as the catalogue says."""
        gate, where = self.fault.stopped_by
        others = tuple(name for name in self.by if name != gate)
        checks = {
            f"the verdict is {self.outcome}, not {self.fault.severity}": (
                self.outcome == self.fault.severity
            ),
            f"{gate} does not say so of '{where}'": self.named,
            f"{gate} alone does not say so": self.alone,
            f"also stopped by {others}, not by {self.fault.also}": (
                set(others) == set(self.fault.also)
            ),
            f"without these gates it is {self.without}": RANK[self.without]
            < RANK[self.fault.severity],
        }
        return [text for text, good in checks.items() if not good]


def asked_of(place: Bench, kind: str) -> Asked:
    """The subject in a bench, collected as `slipway gate KIND` does."""
    project = config.load(place.root)
    arguments = argparse.Namespace(subject=kind, data=None, out=None, evaluation=None)
    return Asked(subject_of(project, arguments), tuple(asked(kind, project.config.gates)))


@functools.cache
def champion(kind: Base) -> bytes:
    """What production has where faults are planted: the version before, without the last month."""
    return released(only(*MONTHS[:-1]).act(base(kind), Random()))


def released(files: Files) -> bytes:
    """The reference that a release with these files leaves: what its data are like, its suites."""
    with bench() as place:
        place.put(named(files))
        profile = asked_of(place, "data").subject.evidence.profile
        project = config.load(place.root)
        gates = {kind: profiled.gates(project, kind) for kind in profiled.TABLES}
    suites = {
        PurePath(path).stem: tuple(json.loads(content)["expectations"])
        for path, content in files.items()
        if path.startswith("ml/expectations/")
    }
    return render(Reference("v1.0.0", profile, suites, gates))


def planted(fault: Fault, seed: int = SEED) -> Files:
    """The project's files with a fault in them."""
    files = fault.how.act(base(fault.base), chance(fault.name, seed))
    return named(files) if fault.known else files


def chance(name: str, seed: int) -> Random:
    """The source of chance of one entry."""
    return Random(f"{seed} {name}")


def answer(place: Bench, fault: Fault, seed: int = SEED) -> Answer:
    """What the gates say to a planted fault: all of them, the named one alone, all the others."""
    place.put({**planted(fault, seed), REFERENCE: champion(fault.base)})
    found = asked_of(place, fault.subject)
    verdict = found.verdict()
    stopping = tuple(f for f in verdict.findings if f.outcome == fault.severity)
    gate, _ = fault.stopped_by
    alone = found.verdict([g for g in found.gates if g.name == gate])
    others = [f for f in verdict.findings if f.gate not in {gate, *fault.also}]
    return Answer(
        fault=fault,
        outcome=verdict.outcome,
        by=tuple(dict.fromkeys(f.gate for f in stopping)),
        named=_says_so(stopping, fault),
        alone=_says_so(alone.findings, fault),
        without=worst(others) if others else "skip",
        findings=stopping,
    )


@dataclass(frozen=True)
class Passed:
    """What the gates said to a good data version."""

    good: Good
    outcome: Outcome
    findings: tuple[Finding, ...]  # those that do not pass

    @property
    def problems(self) -> list[str]:
        """What blocks or warns, and should not; what should warn, and does not."""
        said = {(f.gate, f.where): f for f in self.findings if f.outcome in ("block", "warn")}
        wrong = [
            f"{f.outcome} of {f.gate}: {f.message}"
            for place, f in said.items()
            if f.outcome == "block" or place not in self.good.warns
        ]
        missed = [place for place in self.good.warns if place not in said]
        return wrong + [f"{gate} does not warn of '{where}'" for gate, where in missed]


def passed(place: Bench, good: Good, seed: int = SEED) -> Passed:
    """What the gates say to a good data version, beside the one before it."""
    files = named(good.how.act(base(good.base), chance(good.name, seed)))
    before = {REFERENCE: released(good.before.act(files, Random()))} if good.before else {}
    place.put({**files, **before})
    verdict = asked_of(place, good.subject).verdict()
    strange = tuple(f for f in verdict.findings if f.outcome in ("block", "warn"))
    return Passed(good, verdict.outcome, strange)


def _says_so(findings: Sequence[Finding], fault: Fault) -> bool:
    said = [f for f in findings if (f.gate, f.where) == fault.stopped_by]
    return any(f.outcome == fault.severity for f in said)
