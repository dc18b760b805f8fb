"""What one pruning asks, and what that makes known: needed, ours, and too young."""

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import Project
from ...records import Candidate, Evaluation, Image, read_if_there
from .. import ledger, made
from ..ledger import History
from . import Known, Made, Survey, needs

if TYPE_CHECKING:
    from ..registry import Registry

ON_ITS_WAY = "this checkout's delivery"


@dataclass(frozen=True)
class Scope:
    """A project, the ledgers that its home may serve, and what its engines serve.

    Attributes:
        served: digest → which environment serves it.
        registry: where images are kept; none was ever used here: None.
        caches: DVC caches that checkouts share, and that no build uses now.
    """

    project: Project
    books: tuple[ledger.Ledger, ...]
    served: Mapping[str, str]
    registry: "Registry | None" = None
    caches: tuple[Path, ...] = ()


def ledgers(project: Project) -> tuple[ledger.Ledger, ...]:
    """The ledger in use, and the others that this home may serve: rehearsals, the shared one."""
    others = [project.config.ledger.remote]
    if (project.home / "ledger.git").exists():
        others.append("")
    first, *more = dict.fromkeys((project.ledger_remote, *others))
    books = [ledger.open_ledger(replace(project, ledger_remote=first))]
    for number, remote in enumerate(more):
        book = ledger.open_ledger(replace(project, ledger_remote=remote))
        copy = replace(book.copy, folder=project.scratch / f"ledger-beside-{number}.git")
        books.append(replace(book, copy=copy))
    return tuple(books)


def read(scope: Scope) -> list[History]:
    """What the ledgers say now.

    Raises:
        ToolError: one does not answer.
    """
    return [ledger.read(book) for book in scope.books]


def known(scope: Scope, histories: Sequence[History]) -> Known:
    """What is needed and what is ours, by all that can be asked now.

    Raises:
        EvidenceError: a record of this delivery cannot be relied on.
    """
    retention = scope.project.config.retention
    needed = {**_delivered(scope.project)}
    ours: dict[str, Made] = {}
    for book, history in zip(scope.books, histories, strict=True):
        needed |= needs.needed(history, retention.releases)
        for digest, artefact in needs.registered(history).items():
            ours[digest] = replace(artefact, runtime=_runtime(book, history, artefact))
    for note in made.notes(scope.project.home):
        own = ours.get(note.digest) or Made(note.digest, note.kind)
        runtime = note.runtime or own.runtime
        ours[note.digest] = replace(own, runtime=runtime, at=max(own.at, note.at))
    before = time.time() - retention.hours * 3600
    return Known({**needed, **scope.served}, ours, before)


def _runtime(book: ledger.Ledger, history: History, artefact: Made) -> str:
    """The runtime below an artefact, as the record that was registered with it says."""
    event = history.registered(digest=artefact.digest)
    if event is None or artefact.kind == "bundle":
        return ""
    content = ledger.records_of(book, event).get("image.json", b"{}")
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(content).get("runtime", ""))
    return ""


def _delivered(project: Project) -> dict[str, str]:
    """What the delivery in this checkout is about."""
    folder = project.delivery
    image = read_if_there(folder, "image", Image)
    candidate = read_if_there(folder, "candidate", Candidate)
    evaluation = read_if_there(folder, "evaluation", Evaluation)
    digests = [image.subject, image.model] if image else []
    digests += [candidate.subject] if candidate else []
    digests += [evaluation.champion["model"]] if evaluation and evaluation.champion else []
    return dict.fromkeys(digests, ON_ITS_WAY)


def forget(scope: Scope, survey: Survey, histories: Sequence[History]) -> None:
    """Drops the notes about artefacts that are nowhere any more."""
    now = known(scope, histories)
    there = {piece.digest for piece in survey.stays}
    for note in list(made.notes(scope.project.home)):
        if note.digest not in there and not now.why(note.digest, note.at):
            made.forget(scope.project.home, note.digest)
