"""Facts about a delivery: frozen dataclasses, each written once as `delivery/<name>.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from .content import canonical as canonical
from .content import digest_file as digest_file
from .content import digest_of as digest_of
from .content import digest_tree as digest_tree
from .content import write_atomically as write_atomically
from .errors import EvidenceError
from .typed import Mismatch, build, plain

Outcome = Literal["pass", "warn", "block", "skip", "not_applicable"]
Kind = Literal["image", "local-image", "bundle"]


@dataclass(frozen=True)
class Finding:
    """One gate's answer to one question."""

    gate: str
    outcome: Outcome
    measured: Any
    expected: Any
    message: str
    where: str = ""
    column: str = ""  # which it is about, if one
    rows: tuple[dict[str, Any], ...] = ()  # some of those that offend, personal values masked
    offending: int = 0  # how many rows offend, where a gate can name them
    quarantined: int = 0  # how many of them stand in the quarantine
    file: str = ""  # which file of the quarantine holds them
    traceback: tuple[str, ...] = ()  # where a gate raised, the innermost call last


@dataclass(frozen=True, kw_only=True)
class Record:
    """The fields that every record has."""

    schema: str
    subject: str  # content digest of what the record is about
    on: str | None = None  # digest of the record file it stands on
    commit: str = ""
    written_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan(Record):
    """What will run and why."""

    schema: str = "plan/2"
    inputs: dict[str, str]  # what decides this delivery, each with its digest
    stale: dict[str, str]  # DVC stage → why it runs
    reused: tuple[str, ...]
    train_on: Literal["none", "cpu", "gpu"]
    ledger: dict[str, str]  # environment → ledger commit of its last assignment, or ""
    delivered: dict[str, str] | None  # version, digest and url where all of it is live already
    retrain: bool = False  # training was asked for, whatever stands
    cause: str = ""  # why it was asked for
    restored: dict[str, str] = field(default_factory=dict)  # DVC stage → where its outs come from
    missing: dict[str, str] = field(default_factory=dict)  # path of data → why it cannot be had
    remote: str = ""  # why the DVC remote could not be asked; empty: it answered, or had no need
    minutes: float | None = None  # what all of it may take; null: no release tells
    as_release: str = ""  # the release that took so long


@dataclass(frozen=True, kw_only=True)
class Dataset(Record):
    """The data version in the workspace; its subject is the md5 in `data.dvc`."""

    schema: str = "dataset/1"
    files: dict[str, str]  # path → md5
    bytes: int
    source: str


@dataclass(frozen=True, kw_only=True)
class Verdict(Record):
    """All gates' answers about one subject."""

    schema: str = "verdict/2"
    subject_kind: str
    of: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    evidence: dict[str, str]  # file → sha256
    settings_digest: str
    unproven: tuple[str, ...] = ()
    quarantine: str = ""  # digest of the folder with the offending rows; empty: none were set apart
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DataProfile(Record):
    """What the data of a delivery are like: the next one is compared with it."""

    schema: str = "data-profile/1"
    question: str  # digest of what decides the data gates' answers but for the reference
    profile: dict[str, Any]  # numbers about its rows and columns, as in `models/reference.json`
    suites: dict[str, tuple[dict[str, Any], ...]]  # name → what was expected
    reference: dict[str, Any] | None  # what it was compared with; null: nothing was released
    gates: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # how they were asked


@dataclass(frozen=True, kw_only=True)
class Candidate(Record):
    """A trained model; its subject is the model digest."""

    schema: str = "candidate/1"
    dataset: str
    prepared: str  # digest of the prepared data it was trained on
    files: dict[str, str]  # path → sha256
    trained_until: str
    seconds: float
    hardware: str
    source: Literal["trained", "restored"]


@dataclass(frozen=True, kw_only=True)
class Evaluation(Record):
    """How the candidate scored, beside champion and baselines."""

    schema: str = "evaluation/1"
    dataset: str
    champion: dict[str, str] | None  # the pointer it was judged against
    candidate_metrics: dict[str, float]
    champion_metrics: dict[str, float] | None
    baselines: dict[str, dict[str, float]]
    window: dict[str, str]
    evidence: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Image(Record):
    """The artefact that is promoted, of kind `image`, `local-image` or `bundle`."""

    schema: str = "image/2"
    kind: Kind
    reference: str  # where it can be had
    model: str
    dataset: str
    tree: str  # tree digest of the code that serves
    requirements: str  # sha256 of the serving requirements
    bytes: int
    variant: Literal["cpu", "gpu"] = "cpu"  # what its packages compute on
    runtime: str = ""  # digest of what it shares with other models' images; bundles have none
    evidence: dict[str, str]  # record → sha256, what it was built on
    unproven: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Deployment(Record):
    """What was put into an environment; its subject is the artefact's digest."""

    schema: str = "deployment/1"
    environment: str
    version: str
    kind: str
    engine: str
    url: str
    previous: dict[str, str] | None  # version and digest that served before
    ledger: str  # ledger commit of the assignment, or of the canary
    switch_ms: float
    evidence: dict[str, str]
    percent: int = 100  # of the requests


@dataclass(frozen=True, kw_only=True)
class Probe(Record):
    """What an environment's service answered; its subject is the digest that answered."""

    schema: str = "probe/1"
    environment: str
    version: str
    url: str
    measured: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Approval(Record):
    """A person's, a policy's or a rehearsal's yes to one digest, with an end date."""

    schema: str = "approval/1"
    approved_by: str
    expires_at: str
    verdicts: dict[str, str]  # verdict record → sha256
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Release(Record):
    """The record of a promotion to production."""

    schema: str = "release/1"
    version: str
    model: str
    dataset: str
    kind: str
    url: str
    champion: dict[str, str] | None  # the pointer the model was judged against
    approved_by: str
    evidence: dict[str, str]
    ledger: str


@dataclass(frozen=True, kw_only=True)
class Rollback(Record):
    """The promotion of an earlier release, or a canary taken back."""

    schema: str = "rollback/1"
    environment: str
    version: str
    previous: dict[str, str] | None
    reason: str
    by: str
    url: str
    ledger: str
    switch_ms: float
    percent: int = 100  # of the requests that the previous one had; less: it was a canary


@dataclass(frozen=True)
class DrillCase:
    """One way for a release to be sick, put live on purpose, and what became of it."""

    name: str
    noticed: Literal["before traffic", "in traffic", "never"]  # when it was found to be sick
    said: str  # what was said against it
    seconds: float  # from the beginning of its promotion until all of it was undone
    sick_s: float  # of these, how long it had requests while it was sick
    sent: int  # requests to the environment's address meanwhile
    failed: int  # of these, how many got no good answer
    answered: int  # of these, how many the sick release answered
    restored: bool  # whether what was live before serves all requests, and is well
    agrees: bool  # whether the ledger says so too, with nothing left open
    left: tuple[str, ...] = ()  # instances that ran on, and had to be ended
    kept: tuple[str, ...] = ()  # why its artefact could not be removed
    errors: tuple[str, ...] = ()  # the first few different reasons of failed requests


@dataclass(frozen=True, kw_only=True)
class Drill(Record):
    """Bad releases put into an environment and undone; its subject is what was live, and where."""

    schema: str = "drill/1"
    environment: str
    version: str
    engine: str
    url: str
    cases: tuple[DrillCase, ...]
    outcome: Outcome
    findings: tuple[Finding, ...]
    ledger: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Reproduction(Record):
    """A release trained again from its commit and data; its subject is the released model."""

    schema: str = "reproduction/1"
    version: str
    dataset: str
    found: str  # digest of the model that came of it
    prepared: str  # digest of the prepared data that came of it
    hardware: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    seconds: dict[str, float]  # step → how long it took


R = TypeVar("R", bound=Record)
BESIDE = ("drill", "reproduction")  # about a release, and no part of its delivery
VOLATILE = ("written_at", "commit", "seconds", "seal")


def seal(content: Mapping[str, Any]) -> str:
    """The digest of a record's content: a changed byte shows, a forger does not (unsigned)."""
    return digest_of(canonical({k: v for k, v in content.items() if k != "seal"}))


def write(folder: Path, name: str, record: R) -> R:
    """Writes `folder/<name>.json` and gives the record as it stands there.

    The same facts again leave the file byte for byte as it was.

    Raises:
        EvidenceError: the file there is about another subject.
    """
    path = folder / f"{name}.json"
    if path.exists():
        standing = read(folder, name, type(record))
        if standing.subject != record.subject:
            raise EvidenceError(
                f"{path.name} is about {standing.subject}, not about {record.subject}",
                str(path),
                "run 'slipway plan': it moves the earlier delivery aside",
            )
        if _facts(standing) == _facts(record):
            return standing
    if not record.written_at:
        record = replace(record, written_at=datetime.now(UTC).isoformat(timespec="seconds"))
    content = plain(record)
    write_atomically(path, canonical({**content, "seal": seal(content)}))
    return record


def _facts(record: Record) -> dict[str, Any]:
    return {k: v for k, v in plain(record).items() if k not in VOLATILE}


def read(folder: Path, name: str, cls: type[R]) -> R:
    """The record `folder/<name>.json`.

    Raises:
        EvidenceError: it is missing, malformed, or was altered after it was written.
    """
    path = folder / f"{name}.json"
    try:
        return parse(path.read_bytes(), cls, str(path))
    except FileNotFoundError as error:
        raise EvidenceError(
            f"there is no {path.name}", str(path), f"run the step that writes {path.name} first"
        ) from error


def parse(content: bytes, cls: type[R], where: str) -> R:
    """The record in some bytes, its seal checked.

    Raises:
        EvidenceError: the bytes are malformed or were altered after they were written.
    """
    todo = "find out who changed it; then remove it and run the step that writes it"
    try:
        data = json.loads(content)
        claimed = data.pop("seal", None) if isinstance(data, dict) else None
        if claimed is None or claimed != seal(data):
            raise EvidenceError("a record was altered after it was written", where, todo)
        return build(cls, data)
    except (ValueError, Mismatch, RecursionError) as error:
        raise EvidenceError(f"a record is malformed: {error}", where, todo) from error


def read_if_there(folder: Path, name: str, cls: type[R]) -> R | None:
    """The record, or None where the file does not exist."""
    return read(folder, name, cls) if (folder / f"{name}.json").exists() else None
