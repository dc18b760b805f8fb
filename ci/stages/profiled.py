"""The record of what a delivery's data are like, and the question that it was asked."""

import json
from pathlib import Path
from typing import Any

from ..config import Project
from ..errors import ConfigError
from ..gates import asked, settings_digest, suites
from ..gates.reference import Profile, Reference, parse
from ..records import DataProfile, canonical, digest_file, digest_of, digest_tree, write
from ..tools import dvc, git
from ..typed import plain

NAME = "data-profile"
SUITES = Path("ml/expectations")


def path_of(project: Project) -> Path:
    """Where the DVC stage `reference` leaves what it found."""
    return project.candidate.parent / "reference.json"


def standing(project: Project) -> Reference | None:
    """The reference in `models/`; None where nothing was released, or no DVC stage brings it.

    Raises:
        EvidenceError: it is malformed or was altered.
    """
    path = path_of(project)
    return parse(path.read_bytes(), str(path)) if path.exists() else None


def files(project: Project) -> dict[str, str]:
    """Name → sha256 of the reference, as the evidence of a verdict."""
    path = path_of(project)
    return {path.name: digest_file(path)} if path.exists() else {}


def question(project: Project) -> str:
    """The digest of what decides the data gates' answers, but for the reference."""
    data = project.config.data
    return digest_of(
        canonical(
            {
                "dataset": dvc.pointer_md5(project.root / data.pointer),
                "columns": list(data.columns.items()),  # their order is asked for too
                "personal": sorted(data.personal),
                "window_days": data.window_days,
                "gates": settings_digest(asked("data", project.config.gates)),
                "suites": digest_tree(project.root / SUITES),
                "expectations": list(data.expectations),  # modules; their order may matter
            }
        )
    )


def record(project: Project, dataset: str, profile: Profile) -> None:
    """Writes `data-profile.json`, which stands on the data's verdict."""
    write(
        project.delivery,
        NAME,
        DataProfile(
            subject=dataset,
            on=digest_file(project.delivery / "data-verdict.json"),
            commit=git.commit(project.root),
            question=question(project),
            profile=plain(profile),
            suites=_suites(project),
            reference=plain(standing(project)),
        ),
    )


def _suites(project: Project) -> dict[str, tuple[dict[str, Any], ...]]:
    """Name → expectations of every suite, as its file has them."""
    found = {}
    for path in sorted((project.root / SUITES).glob("*.json")):
        try:
            content = path.read_bytes()
        except OSError as error:
            where, todo = str(path), "make it readable"
            raise ConfigError(f"cannot read the suite: {error.strerror}", where, todo) from error
        suites.parse(path.stem, content, str(path))
        found[path.stem] = tuple(json.loads(content)["expectations"])
    return found
