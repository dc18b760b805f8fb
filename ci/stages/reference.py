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
    book = ledger.open_ledger(project)
    found, why = _reference(project, book, ledger.read(book))
    write_atomically(profiled.path_of(project), render(found))
    say(f"reference: {found.version if found else 'none'}{why and f', {why}'}")
    return Done(found.version if found else "none")


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
