"""The record of what a delivery's data are like, and the question that it was asked."""

import json
from pathlib import Path
from typing import Any

from ..config import Project
from ..errors import ConfigError
from ..gates import asked, settings_of, suites
from ..gates.reference import Profile, Reference, parse
from ..records import DataProfile, canonical, digest_file, digest_of, digest_tree, write
from ..tools import dvc, git
from ..typed import plain

NAME = "data-profile"
TABLES = ("data", "prepared")
EXPECTATIONS = "expectations"  # the gate
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
                "gates": gates(project),
                "suites": digest_tree(project.root / SUITES),
                "expectations": list(data.expectations),  # modules; their order may matter
            }
        )
    )


def gates(project: Project) -> dict[str, dict[str, dict[str, Any]]]:
    """Subject → gate → how it is asked; for the suites, by which code of the project's own, too."""
    found = {kind: settings_of(asked(kind, project.config.gates)) for kind in TABLES}
    for tables in found.values():
        if EXPECTATIONS in tables:
            tables[EXPECTATIONS]["code"] = code(project)
    return found


def code(project: Project) -> dict[str, str]:
    """Path → sha256 of the modules that define the project's own kinds of expectations."""
    stems = [Path(*module.split(".")) for module in project.config.data.expectations]
    paths = [place for stem in stems for place in (stem.with_suffix(".py"), stem / "__init__.py")]
    return {
        path.as_posix(): digest_file(project.root / path)
        for path in paths
        if (project.root / path).is_file()
    }


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
            gates=gates(project),
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
