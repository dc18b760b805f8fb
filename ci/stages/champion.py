"""`slipway champion`: writes down which model is in production (a DVC stage).

Standard library and git only, since every `dvc repro` runs it; where another agent's delivery made
the champion, its model is taken out of the image in the registry.
"""

import argparse
import shutil
from pathlib import Path

from ..config import Project
from ..records import canonical, digest_tree, write_atomically
from ..tools import ledger, store
from . import Done, say


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Takes no arguments."""


def run(project: Project, _: argparse.Namespace) -> Done:
    """Writes `champion.json` beside the candidate, and the champion's model below `champion/`."""
    history = ledger.read(ledger.open_ledger(project))
    candidate = digest_tree(project.candidate) if project.candidate.is_dir() else ""
    pointer = ledger.champion_of(history, candidate)
    models = project.candidate.parent
    wanted = pointer["model"] if pointer else ""
    _tidy(models / "champion", keep=wanted.removeprefix("sha256:"))
    if pointer:
        _restore(project, history, wanted)
        store.fetch_model(project.home, wanted, folder_of(models, wanted))
    write_atomically(models / "champion.json", canonical(pointer))
    say(f"champion: {pointer['version']} {wanted}" if pointer else "champion: none yet")
    return Done(pointer["version"] if pointer else "none", wanted)


def _restore(project: Project, history: ledger.History, model: str) -> None:
    """Brings a model that this home never had from the image that it was released in."""
    shipped = [event for event in history.assignments(ledger.PRODUCTION) if event.model == model]
    if shipped and shipped[-1].artefact == "image" and not store.has_model(project.home, model):
        from ..tools.images import stored

        place = stored.Place(project, "image", shipped[-1].digest, model)
        stored.restore_model(place)


def folder_of(models: Path, digest: str) -> Path:
    """Where a champion's model is unpacked."""
    return models / "champion" / digest.removeprefix("sha256:")


def _tidy(folder: Path, *, keep: str) -> None:
    """Removes earlier champions: evaluation and DVC see the present one alone."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
