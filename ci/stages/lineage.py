"""The evidence of one release, walked from its record back to the commit."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import Project
from ..errors import EvidenceError
from ..gates import worst
from ..records import (
    Approval,
    Candidate,
    DataProfile,
    Dataset,
    Deployment,
    Evaluation,
    Image,
    Plan,
    Probe,
    Record,
    Release,
    Verdict,
    digest_of,
    parse,
)
from ..settings import CANARY
from ..tools import artefacts as made
from ..tools import git, ledger, store
from ..tools.ledger import Event, History
from . import repositories

PROFILE = "data-profile"  # earlier releases kept none
KINDS: Mapping[str, type[Record]] = {
    "plan": Plan,
    "dataset": Dataset,
    PROFILE: DataProfile,
    "candidate": Candidate,
    "evaluation": Evaluation,
    "image": Image,
    "approval": Approval,
    "release": Release,
    "staging": Deployment,
    "production": Deployment,
    "canary": Deployment,
}
MD5 = re.compile(r"^\s*-?\s*md5:\s*(\S+)", re.M)


@dataclass(frozen=True)
class Link:
    """One thing that was looked at."""

    step: str
    what: str
    holds: bool = True
    proven: bool = True


@dataclass(frozen=True)
class Evidence:
    """The records of one release, as bytes and parsed, and where they are kept."""

    where: str
    raw: Mapping[str, bytes]  # record name → its bytes
    parsed: Mapping[str, Record]

    def get(self, name: str) -> Record | None:
        """One record."""
        return self.parsed.get(name)

    def digests(self) -> dict[str, str]:
        """Record name → sha256 of its bytes."""
        return {name: digest_of(content) for name, content in self.raw.items()}


def load(raw: Mapping[str, bytes], where: str) -> Evidence:
    """Parses records, each with its seal.

    Args:
        raw: file name → bytes.

    Raises:
        EvidenceError: one is malformed or was altered.
    """
    named = {name.removesuffix(".json"): content for name, content in raw.items()}
    known = {name: content for name, content in named.items() if _kind(name)}
    parsed = {
        name: parse(content, _kind(name) or Record, f"{name}.json of {where}")
        for name, content in known.items()
    }
    return Evidence(where, known, parsed)


def _kind(name: str) -> type[Record] | None:
    if name.endswith("-verdict") or name.startswith("tests-") or name == "lint":
        return Verdict
    if name.endswith("-probe"):
        return Probe
    return KINDS.get(name)


def walk(evidence: Evidence) -> Iterator[Link]:
    """Follows each record to those that it names by digest."""
    digests = evidence.digests()
    names = {digest: name for name, digest in digests.items()}
    for name in sorted(evidence.parsed):
        record = evidence.parsed[name]
        yield Link(name, "sealed")
        if record.on:
            on = names.get(record.on)
            yield Link(name, f"stands on {on or record.on}", holds=on is not None)
        for other, digest in sorted(_named(record).items()):
            if _kind(other):
                yield Link(name, f"names {other} by digest", holds=digests.get(other) == digest)
    yield from _path(evidence, names)
    yield from _verdicts(evidence)


def _named(record: Record) -> dict[str, str]:
    """The records that a record names by the digest of their files."""
    if isinstance(record, Approval):
        return record.verdicts
    if isinstance(record, Deployment | Release | Image):
        return {name.removesuffix(".json"): digest for name, digest in record.evidence.items()}
    return {}


def _path(evidence: Evidence, names: Mapping[str, str]) -> Iterator[Link]:
    """The line of `on` from the release; it has to pass through each of these."""
    passed: list[str] = []
    name: str | None = "release"
    while name and name not in passed:
        passed.append(name)
        record = evidence.get(name)
        name = names.get(record.on) if record and record.on else None
    asked = ["release", "image", "candidate", "dataset"]
    if "approval" in evidence.parsed:
        asked.insert(1, "approval")
    missing = [step for step in asked if step not in passed]
    path = " → ".join(passed)
    yield Link("lineage", f"{path}; without {missing[0]}" if missing else path, holds=not missing)


def _verdicts(evidence: Evidence) -> Iterator[Link]:
    for name, record in sorted(evidence.parsed.items()):
        if isinstance(record, Verdict):
            passed = record.outcome in ("pass", "warn") and worst(record.findings) == record.outcome
            yield Link(name, f"{record.outcome}, {len(record.findings)} findings", holds=passed)
    evaluation, verdict = evidence.get("evaluation"), evidence.get("model-verdict")
    if isinstance(evaluation, Evaluation) and isinstance(verdict, Verdict):
        judged = verdict.evidence.get("evaluation.json")
        same = judged == evaluation.evidence.get("evaluation.json")
        yield Link("model-verdict", "judged the evaluation that is recorded", holds=same)


def subjects(evidence: Evidence, event: Event) -> Iterator[Link]:
    """Whether all records are about the same artefact, model and data as the ledger's event."""
    wanted = {
        **dict.fromkeys(("image", "approval", "release", "staging", "production"), event.digest),
        **dict.fromkeys(("candidate", "evaluation", "model-verdict"), event.model),
        **dict.fromkeys(("dataset", "data-verdict"), event.dataset),
    }
    wanted |= {CANARY: event.digest} if CANARY in evidence.parsed else {}
    wanted |= {PROFILE: event.dataset} if PROFILE in evidence.parsed else {}
    for name, subject in wanted.items():
        record = evidence.get(name)
        if record:
            yield Link(name, f"is about {subject}", holds=record.subject == subject)
        elif name != "approval":
            yield Link(name, "is kept", holds=False)


def assignment(evidence: Evidence, history: History, event: Event) -> Iterator[Link]:
    """Whether the ledger has the assignment that was released, and it was approved in time."""
    production = evidence.get("production")
    wanted = production.ledger if isinstance(production, Deployment) else ""
    found = next((e for e in history.events if e.id == wanted), None)
    same = found is not None and (found.kind, found.digest) == ("assign", event.digest)
    yield Link("production", f"assigned by {wanted[:12] or 'nothing'} in the ledger", holds=same)
    yield from _tried(evidence, history, event)
    approval = evidence.get("approval")
    if found and isinstance(approval, Approval):
        told = f"by {approval.approved_by}, until {approval.expires_at}"
        yield Link("approval", told, holds=found.at <= approval.expires_at)


def _tried(evidence: Evidence, history: History, event: Event) -> Iterator[Link]:
    """Whether the ledger has the canary that was judged before."""
    record = evidence.get(CANARY)
    if isinstance(record, Deployment) and record.percent:
        found = next((e for e in history.events if e.id == record.ledger), None)
        facts = (found.kind, found.digest, found.percent) if found else None
        what = f"had {record.percent} % of the requests by {record.ledger[:12]} in the ledger"
        yield Link(CANARY, what, holds=facts == (CANARY, event.digest, record.percent))


def artefacts(project: Project, evidence: Evidence, event: Event) -> Iterator[Link]:
    """Whether the artefact is where it was put and the model in the store, byte for byte."""
    if event.artefact == "bundle":
        yield _looked(
            *("image", f"bundle {event.digest} is in the store"),
            lambda: store.bundle(project.home, event.digest),
        )
    elif event.artefact == "image":
        yield from _manifests(project, event)
    else:
        yield _looked(
            *("image", f"{event.artefact} {event.digest} is in the engine"),
            lambda: made.open_artefact(project, event.artefact, event.digest, model=event.model),
        )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        yield _looked(
            "candidate",
            f"model {event.model} is in the store",
            lambda: store.fetch_model(project.home, event.model, folder),
        )
        candidate = evidence.get("candidate")
        if isinstance(candidate, Candidate) and folder.is_dir():
            found = {n: digest_of(p.read_bytes()) for n, p in store.tree_files(folder).items()}
            yield Link("candidate", f"{len(found)} files", holds=found == dict(candidate.files))


def _manifests(project: Project, event: Event) -> Iterator[Link]:
    """Whether the registry has the manifest, under its digest and as the release's tag."""
    yield _looked(
        *("image", f"manifest {event.digest} is in the registry"),
        lambda: repositories.kept(project, event.digest),
    )
    tagged = repositories.tagged(project, event.version)
    what = f"tag {event.version} names {tagged or 'nothing'}"
    yield Link("image", what, holds=tagged == event.digest)


def _looked(step: str, what: str, check: Callable[[], object]) -> Link:
    try:
        check()
        return Link(step, what)
    except EvidenceError as error:
        return Link(step, error.what, holds=False)


def source(project: Project, event: Event) -> Iterator[Link]:
    """Whether the commit is here, and names this data."""
    commit, _, dirty = event.commit.partition("-")
    if not git.has(project.root, commit):
        yield Link("commit", f"{commit} is not in this checkout", holds=False)
        return
    if dirty:
        yield Link("commit", f"{commit}, with changes that were not committed", proven=False)
        return
    pointer = git.show(project.root, commit, project.config.data.pointer)
    found = MD5.search((pointer or b"").decode("utf-8", "replace"))
    named = f"md5:{found[1]}" if found else "nothing"
    yield Link("dataset", f"{commit[:12]} names {named}", holds=named == event.dataset)
    yield Link("commit", commit)


def tags(history: History, event: Event, found: Mapping[str, str]) -> Iterator[Link]:
    """Whether the ledger's tags still say what its events say."""
    registration = history.registered(version=event.version)
    if registration is None:
        yield Link("ledger", f"{event.version} is registered", holds=False)
        return
    wanted = {f"{event.name}@{event.version}": registration.id}
    for assigned in history.events:
        if assigned.kind in ("assign", "rollback") and assigned.version == event.version:
            tag = f"{event.name}#{assigned.environment}#{assigned.number}"
            wanted[tag] = registration.id
    for tag, commit in wanted.items():
        yield Link("ledger", f"tag {tag} on {commit[:12]}", holds=found.get(tag) == commit)


def release_event(history: History, version: str) -> Event:
    """The release to verify; an empty version stands for the last one.

    Raises:
        EvidenceError: there is none.
    """
    found = [e for e in history.releases() if not version or e.version == version]
    if not found:
        raise EvidenceError(
            f"there is no release {version}".rstrip(), "the ledger", "see 'slipway history'"
        )
    return found[-1]


def records_of(book: ledger.Ledger, event: Event) -> Evidence:
    """The records that the ledger keeps of a release."""
    return load(ledger.records_of(book, event), f"release {event.version} in the ledger")
