"""The record of what a delivery's data are like, and the question that it was asked."""

import json
from pathlib import Path
from typing import Any

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..gates import asked, settings_of, suites
from ..gates.reference import Profile, Reference, parse
from ..gates.suites import parsed
from ..records import DataProfile, canonical, digest_file, digest_of, digest_tree, write
from ..tools import dvc, git
from ..typed import plain

NAME = "data-profile"
TABLES = ("data", "prepared")
EXPECTATIONS, DECLARED = "expectations", "[data]"  # a gate, and a table beside the gates
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
    found = parse(path.read_bytes(), str(path)) if path.exists() else None
    try:
        for name, entries in found.suites.items() if found else ():
            parsed.suite(name, entries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"the reference's suite {name} is malformed: {error}"
        todo = "find out who wrote it; a newer slipway may have"
        raise EvidenceError(what, str(path), todo) from error
    return found


def files(project: Project) -> dict[str, str]:
    """Name → sha256 of the reference, as the evidence of a verdict."""
    path = path_of(project)
    return {path.name: digest_file(path)} if path.exists() else {}


def question(project: Project) -> str:
    """The digest of what decides the data gates' answers, but for the reference.

    Raises:
        ConfigError: `delivery.toml` asks for a gate that does not exist, or not as it can be asked.
    """
    return digest_of(
        canonical(
            {
                "dataset": dvc.pointer_md5(project.root / project.config.data.pointer),
                "gates": {kind: gates(project, kind) for kind in TABLES},
                "suites": digest_tree(project.root / SUITES),
            }
        )
    )


def gates(project: Project, kind: str) -> dict[str, dict[str, Any]]:
    """Gate → how it is asked, and as a gate of its own what is declared about raw data.

    Raises:
        ConfigError: as `question`.
    """
    found = settings_of(asked(kind, project.config.gates))
    if EXPECTATIONS in found:
        found[EXPECTATIONS]["code"] = code(project)
    if kind == "data":
        data = project.config.data
        found[DECLARED] = {
            "header": list(data.columns),
            "columns": dict(data.columns),
            "personal": sorted(data.personal),
            "window_days": data.window_days,
            "expectations": list(data.expectations),  # modules; their order may matter
        }
    return found


def code(project: Project) -> dict[str, str]:
    """Path → sha256 of the modules and packages of the project's own kinds of expectations."""
    stems = [Path(*module.split(".")) for module in project.config.data.expectations]
    paths = {
        path.relative_to(project.root).as_posix(): path
        for stem in stems
        for path in (
            (project.root / stem).with_suffix(".py"),
            *sorted((project.root / stem).rglob("*.py")),
        )
    }
    return {name: digest_file(path) for name, path in paths.items() if path.is_file()}


def record(project: Project, dataset: str, profile: Profile) -> None:
    """Writes `data-profile.json`, which stands on the data's verdict.

    Raises:
        ConfigError: as `question`, or a suite cannot be read.
    """
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
            gates={kind: gates(project, kind) for kind in TABLES},
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
