"""The ledger: what is live where, since when, why, on which evidence. One commit an event.

It is an orphan branch of a git remote; `docs/adr/0002-ledger-of-our-own-commits.md` says why.
"""

import contextlib
import json
import os
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...config import Project
from ...errors import ConfigError, EvidenceError, ToolError
from ...records import canonical
from ...settings import FILE
from ...typed import Mismatch, build, plain
from ..process import run
from . import clone
from .events import PRODUCTION, Event, History, champion_of, moment, tag_time, tags

__all__ = [
    "PRODUCTION",
    "Draft",
    "Event",
    "History",
    "Ledger",
    "address_of",
    "append",
    "champion_of",
    "moment",
    "open_ledger",
    "read",
    "records_of",
    "tags_of",
    "until",
]

PATIENCE_S = 60.0  # for a push that meets events of others; each time it is drafted anew
TRIES = 4  # of a push that fails although nobody else wrote
NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/"


@dataclass(frozen=True)
class Ledger:
    """One ledger and its copy here."""

    name: str  # of the model
    shared: bool  # with others; a rehearsal may not write there
    holder: str  # whose engines this process changes
    copy: clone.Clone


@dataclass(frozen=True)
class Draft:
    """An event to be written, and the records that it stands on: file name → bytes."""

    event: Event
    records: Mapping[str, bytes] = field(default_factory=dict)


def open_ledger(project: Project) -> Ledger:
    """The ledger of a project; a local one is made on demand.

    Raises:
        ConfigError: the model's or an environment's name cannot stand in a tag.
    """
    for name in (project.config.model.name, *project.config.environments):
        if not name or set(name) - set(NAME) or name[0] in "-_/" or name[-1] in "-_/":
            raise ConfigError(
                f"'{name}' cannot stand in a tag", FILE, "use letters, digits, '-' and '_'"
            )
    branch, folder = project.config.ledger.branch, project.scratch / "ledger.git"
    shared = bool(project.ledger_remote)
    address = address_of(project) if shared else str(project.home / "ledger.git")
    return Ledger(
        name=project.config.model.name,
        shared=shared,
        holder=_holder(project.home),
        copy=clone.Clone(folder=folder, address=address, branch=branch),
    )


def read(ledger: Ledger) -> History:
    """All events, as the remote has them now.

    Raises:
        ToolError: the remote does not answer.
        EvidenceError: the ledger was rewritten, or an event is malformed.
    """
    with _copy(ledger):
        return _events(ledger, clone.refresh(ledger.copy).head)


def append(ledger: Ledger, draft: Callable[[History], Draft | Event]) -> Event:
    """Writes one event, with its tags, as one push that arrives whole or not at all.

    Args:
        draft: what to write after this history; called again if others wrote meanwhile. It gives
            an event where that says it already, and raises where its reason is gone.

    Raises:
        ToolError: the remote does not answer or take it.
    """
    complaint, heads = "", list[str]()
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        with _copy(ledger):
            seen = clone.refresh(ledger.copy)
            head = seen.head
            if heads.count(head) == TRIES:  # nobody is quicker: it is refused as such
                if ledger.shared or not clone.unlocked(Path(ledger.copy.address)):
                    break
                heads.clear()
            heads.append(head)
            history = _events(ledger, head)
            drafted = draft(history)
            if isinstance(drafted, Event):
                return drafted
            event = _completed(drafted.event, history)
            entry = _entry(event, history, drafted.records, seen.tags)
            commit = clone.commit(ledger.copy, head, entry)
            complaint = clone.push(ledger.copy, commit, head, list(entry.tags))
        if not complaint:
            return replace(event, id=commit)
        time.sleep(random.uniform(0, 0.05) * min(len(heads), 10))  # noqa: S311  (no secret)
    raise ToolError(
        f"the ledger does not take the event: {complaint}",
        ledger.copy.address,
        "check the right to push there, then run the same command again",
    )


def records_of(ledger: Ledger, event: Event) -> dict[str, bytes]:
    """File name → bytes of the records that an event stands on."""
    with _copy(ledger):
        return clone.files(ledger.copy, event.id, "records")


def tags_of(ledger: Ledger) -> dict[str, str]:
    """Tag → commit, as the remote has them."""
    with _copy(ledger):
        return dict(clone.refresh(ledger.copy).tags)


def until(seconds: float) -> str:
    """The moment after which an intent's holder may be taken for dead."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _copy(ledger: Ledger) -> contextlib.AbstractContextManager[None]:
    if not ledger.shared and clone.create(Path(ledger.copy.address), ledger.copy.branch):
        (ledger.copy.folder / "slipway-remote").unlink(missing_ok=True)  # of an earlier one
    return clone.held(ledger.copy)


def _events(ledger: Ledger, head: str) -> History:
    events = []
    for commit, content in clone.read(ledger.copy, head, "event.json"):
        try:
            event = build(Event, json.loads(content))
        except (ValueError, Mismatch, RecursionError) as error:
            raise EvidenceError(
                f"an event of the ledger is malformed: {error}",
                f"{commit}:event.json of {ledger.copy.address}",
                "find out who wrote it; a newer slipway may have",
            ) from error
        if event.name == ledger.name:  # other models may share the branch
            events.append(replace(event, id=commit))
    return History(tuple(events))


def _completed(event: Event, history: History) -> Event:
    number = history.count() + 1 if event.kind in ("assign", "rollback") else 0
    nonce = secrets.token_hex(8)
    return replace(event, at=event.at or moment(), number=number, nonce=nonce)


def _entry(
    event: Event, history: History, records: Mapping[str, bytes], there: Mapping[str, str]
) -> clone.Entry:
    content = {k: v for k, v in plain(event).items() if k != "id"}
    return clone.Entry(
        message=_message(event),
        files={
            "event.json": canonical(content),
            **{f"records/{name}": text for name, text in records.items()},
        },
        tags={**_lost_tags(history, there), **_tags(event, history)},
        time=int(datetime.fromisoformat(event.at).timestamp()),
    )


def _tags(event: Event, before: History) -> dict[str, clone.Tag]:
    time_s = tag_time(before, datetime.fromisoformat(event.at))
    return {
        name: clone.Tag(commit, _message(event), time_s)
        for name, commit in tags(event, before).items()
    }


def _lost_tags(history: History, there: Mapping[str, str]) -> dict[str, clone.Tag]:
    """The tags that a push did not bring: git moves its refs one by one where it is killed."""
    lost: dict[str, clone.Tag] = {}
    for place, event in enumerate(history.events):
        if set(tags(event, history)) <= set(there):
            continue
        made = _tags(event, History(history.events[:place]))
        lost |= {name: replace(tag, commit=tag.commit or event.id) for name, tag in made.items()}
    return lost


def _message(event: Event) -> str:
    title = " ".join(word for word in (event.kind, event.environment, event.version) if word)
    return f"{title}\n\n{event.reason}\n" if event.reason else f"{title}\n"


def address_of(project: Project) -> str:
    """The address behind a shared ledger's name; relative paths are taken from the checkout.

    Raises:
        ToolError: there is no such remote.
    """
    remote = project.ledger_remote
    named = run(["git", "remote", "get-url", "--", remote], cwd=project.root)
    address = named.out.strip() if named.code == 0 else remote
    if "://" in address or (":" in address and not address.startswith((".", "/"))):
        return address
    path = project.root / Path(address).expanduser()
    if named.code and not path.exists():
        raise ToolError(
            f"there is no remote '{remote}'", f"{FILE} [ledger] remote", "add it with 'git remote'"
        )
    return str(path.resolve())


def _holder(home: Path) -> str:
    """A name for this home, made once, which says nothing about it."""
    path = home / "holder"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = home / f".holder.{os.getpid()}"
            try:
                fresh.write_text(secrets.token_hex(8), encoding="utf-8")
                with contextlib.suppress(FileExistsError):
                    os.link(fresh, path)
            finally:
                fresh.unlink(missing_ok=True)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolError(
            f"cannot write slipway's home: {error.strerror}", str(home), "free space or mend rights"
        ) from error
