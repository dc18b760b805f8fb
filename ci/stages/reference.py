"""`slipway reference`: writes down what production's data were like (a DVC stage).

Standard library and git only, since every `dvc repro` runs it.
"""

import argparse

from ..config import Project
from ..errors import EvidenceError
from ..gates.reference import Profile, Reference, render
from ..records import DataProfile, parse, write_atomically
from ..tools import ledger
from ..typed import Mismatch, build
from . import Done, profiled, say

TOLD = ("register", "release")  # the events of an artefact that hold the records of its data


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Writes `reference.json` beside the candidate."""
    found, why = bring(project)
    say(f"reference: {found.version if found else 'none'}{why and f', {why}'}")
    return Done(found.version if found else "none")


def bring(project: Project) -> tuple[Reference | None, str]:
    """Writes down what the ledger says, and why that is none or not production's own.

    Raises:
        EvidenceError: what the ledger holds is malformed.
        ToolError: it cannot be read.
    """
    book = ledger.open_ledger(project)
    found, why = _reference(project, book, ledger.read(book))
    write_atomically(profiled.path_of(project), render(found))
    return found, why


def check(project: Project) -> None:
    """Refuses a reference that is not what the ledger says: no commit may bring its own.

    Raises:
        EvidenceError: it is another one, or missing; or what the ledger holds is malformed.
        ToolError: the ledger cannot be read.
    """
    book, path = ledger.open_ledger(project), profiled.path_of(project)
    found, _ = _reference(project, book, ledger.read(book))
    standing = path.read_bytes() if path.exists() else None
    if standing != render(found) and (found or standing):
        told = f"the data of {found.version}" if found else "none: nothing was released"
        raise EvidenceError(
            f"the reference is not what the ledger says: {told}",
            str(path),
            "let the DVC stage 'reference' write it, then run the same command again",
        )


def _reference(
    project: Project, book: ledger.Ledger, history: ledger.History
) -> tuple[Reference | None, str]:
    """The data of what is live, and why they are not, where they are not.

    A delivery that asks what production's asked already is compared with the same data as it was:
    so it is answered alike, and is nothing new.
    """
    live = history.last(ledger.PRODUCTION)
    if live is None:
        return None, "nothing was released yet"
    told = [e for e in history.events if e.digest == live.digest and e.kind in TOLD]
    content = ledger.records_of(book, told[-1]).get(f"{profiled.NAME}.json") if told else None
    if content is None:
        return None, f"{live.version} kept no profile of its data"
    where = f"{profiled.NAME}.json of {live.version} in the ledger"
    kept = parse(content, DataProfile, where)
    try:
        if kept.question == profiled.question(project):
            return (
                build(Reference, kept.reference) if kept.reference else None,
                f"as {live.version} was compared with it",
            )
        profile = build(Profile, kept.profile)
        return Reference(live.version, profile, kept.suites, kept.gates), ""
    except Mismatch as error:
        todo = "find out who wrote it; a newer slipway may have"
        raise EvidenceError(f"a profile is malformed: {error}", where, todo) from error
