"""Which record led to which: a walk over `on`, from the last record back to the commit."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Evaluation, Record, Verdict
from . import words
from .sources import Sources
from .steps import STEP_OF


@dataclass(frozen=True)
class Link:
    """One record of the walk.

    Attributes:
        stands_on: the record behind it, by name; empty at the end.
        gap: what is wrong between the two.
        names: records that its evidence names by digest and that are here as they were.
        amiss: those that are here with another digest.
    """

    record: str
    title: str
    subject: str
    digest: str
    commit: str
    stands_on: str
    gap: str
    names: tuple[str, ...]
    amiss: tuple[str, ...]


@dataclass(frozen=True)
class Lineage:
    """The walk, and the records beside it."""

    walk: tuple[Link, ...]
    beside: tuple[Link, ...]
    commits: tuple[str, ...]


def walk(sources: Sources) -> Lineage:
    """From the last record along `on` as far as it leads; then what is not on that way."""
    by_digest = {digest: name for name, digest in sources.digests.items()}
    names = [name for name in sources.records if name in sources.digests]
    way: list[str] = []
    name = names[-1] if names else ""
    while name and name not in way:
        way.append(name)
        name = by_digest.get(sources.records[name].on or "", "")
    links = {name: _link(name, sources, by_digest) for name in names}
    return Lineage(
        tuple(links[name] for name in way),
        tuple(links[name] for name in names if name not in way),
        tuple(dict.fromkeys(r.commit for r in sources.records.values() if r.commit)),
    )


def _link(name: str, sources: Sources, by_digest: Mapping[str, str]) -> Link:
    record = sources.records[name]
    behind = by_digest.get(record.on or "", "")
    named = {p.removesuffix(".json"): sha for p, sha in _evidence(record).items()}
    here = {n: sha for n, sha in named.items() if n in sources.digests}
    return Link(
        name,
        STEP_OF.get(name, name).capitalize(),
        record.subject,
        sources.digests[name],
        record.commit,
        behind,
        "" if behind or not record.on else f"stands on {words.short(record.on)}, which is not here",
        tuple(n for n, sha in here.items() if sha == sources.digests[n]),
        tuple(n for n, sha in here.items() if sha != sources.digests[n]),
    )


def _evidence(record: Record) -> dict[str, str]:
    """Record name → sha256, for the kinds of record that name others as evidence."""
    if isinstance(record, Verdict | Evaluation):  # theirs are files of the workspace
        return {}
    named = getattr(record, "verdicts", None) or getattr(record, "evidence", None)
    return dict(named) if isinstance(named, dict) else {}
