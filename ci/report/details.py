"""What stands behind the records: the evaluation, the cleaning, the versions, the pictures.

These files lie in the workspace. Their digests stand in the records, so that a file of another
run is left out. Beside the page they are kept, and read from there where an agent has `delivery/`
alone.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Project
from ..records import Candidate, Evaluation, Verdict, digest_of
from .sources import Found, Sources, content_of, records

KEPT = "report/raw"  # below delivery/
WELL_KNOWN = {  # as a verdict names its evidence → where it lies
    "evaluation.json": "evaluation/evaluation.json",
    "champion.json": "models/champion.json",
    "cleaning.json": "prepared/cleaning.json",
}


@dataclass(frozen=True)
class _Wanted:
    """One file: where it lies, its sha256 if a record names it, the data it has to be about."""

    name: str
    path: str
    sha: str
    data: str

    @property
    def kept(self) -> str:
        """Its path below the kept files, whatever the settings say."""
        parts = Path(self.path).parts
        return "/".join(part for part in parts if part not in ("..", "/"))


def gather(project: Project) -> Sources:
    """Everything about the delivery in `delivery/`, else about the last `dvc repro`."""
    found, bare = records(project)
    details: dict[str, Any] = {}
    origins: dict[str, Path] = {}
    for wanted in _wanted(project, found, bare=bare):
        chosen = _choose(project, found, wanted, bare=bare)
        if chosen:
            origins[wanted.name], content = chosen
            _keep(found, details, wanted, content)
    return Sources(
        found.records,
        found.digests,
        details,
        found.broken,
        tuple(found.notes),
        found.raw,
        _pictures(project, origins) if "evaluation" in details else None,
        bare,
    )


def _wanted(project: Project, found: Found, *, bare: bool) -> list[_Wanted]:
    model = project.config.model.candidate
    paths = {
        "cleaning": f"{project.config.data.prepared}/cleaning.json",
        "environment": f"{model}/environment.json",
        "champion": f"{Path(model).parent}/champion.json",
        "evaluation": "evaluation/evaluation.json",
    }
    if bare and found.blocked("data-verdict"):
        return []  # what is there is of an earlier run
    if bare and found.blocked("prepared-verdict"):
        paths = {"cleaning": paths["cleaning"]}
    known = _named(found, model)
    data = found.records.get("data-verdict") or found.records.get("dataset")
    about = data.subject if data else ""
    return [_Wanted(n, path, known.get(path, ""), about) for n, path in paths.items()]


def _named(found: Found, model: str) -> dict[str, str]:
    """File → sha256, as the sound records name it."""
    known: dict[str, str] = {}
    for record in found.records.values():
        if isinstance(record, Candidate):
            known |= {f"{model}/{path}": sha for path, sha in record.files.items()}
        elif isinstance(record, Evaluation | Verdict):
            known |= {WELL_KNOWN.get(path, path): sha for path, sha in record.evidence.items()}
    return known


def _choose(
    project: Project, found: Found, wanted: _Wanted, *, bare: bool
) -> tuple[Path, bytes] | None:
    """The file of this run, in the workspace or as it was kept, and the root it lies under."""
    if not (wanted.sha or bare or wanted.name == "cleaning"):
        return None  # no record names it: whose it is cannot be told
    foreign = False
    places = {project.root: wanted.path}
    if wanted.sha:  # what was kept may be of any earlier run
        places[project.delivery / KEPT] = wanted.kept
    for root, path in places.items():
        content = content_of(root / path, wanted.path, found.broken)
        if content is None:
            continue
        if _belongs(content, wanted):
            return root, content
        foreign = True
    if foreign:
        found.notes.append(f"{wanted.path} is of another run and was left out")
    elif wanted.sha and wanted.path not in found.broken:
        found.notes.append(f"{wanted.path} is not here; what it would show is left out")
    return None


def _belongs(content: bytes, wanted: _Wanted) -> bool:
    if wanted.sha:
        return digest_of(content) == wanted.sha
    if wanted.name not in ("cleaning", "evaluation") or not wanted.data:
        return True
    try:
        about = json.loads(content).get("dataset")
    except (ValueError, AttributeError, RecursionError):
        return True  # `_keep` says that it is malformed
    return about in (None, wanted.data)


def _keep(found: Found, details: dict[str, Any], wanted: _Wanted, content: bytes) -> None:
    found.raw[wanted.kept] = content
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        found.broken[wanted.path] = f"not JSON: {error}"
        return
    if wanted.name != "champion" and not isinstance(parsed, dict):
        found.broken[wanted.path] = f"expected a JSON object, found {type(parsed).__name__}"
        return
    details[wanted.name] = parsed


def _pictures(project: Project, origins: dict[str, Path]) -> Path:
    """Where the evaluation's pictures lie: beside it, or beside the page where it was kept."""
    here = origins["evaluation"] == project.root
    return project.root / "evaluation/plots" if here else project.delivery / "report/plots"
