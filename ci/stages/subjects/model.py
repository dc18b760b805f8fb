"""What the model's gates read: the evaluation and the champion pointer."""

import argparse
import json
from pathlib import Path
from typing import Any

from ...config import Project
from ...errors import EvidenceError
from ...gates.model import ModelEvidence
from ...records import digest_file, digest_tree
from . import Subject

EVALUATION = "evaluation/evaluation.json"
CHAMPION = "models/champion.json"


def collect(project: Project, args: argparse.Namespace) -> Subject:
    """The model as a subject; `--evaluation` names another evaluation of the same candidate."""
    path = (args.evaluation or project.root / EVALUATION).absolute()
    evaluation = _json(path)
    if not isinstance(evaluation, dict):
        raise EvidenceError("the evaluation is not a JSON object", str(path), "evaluate again")
    model = digest_tree(project.candidate)
    if evaluation.get("model") != model:
        raise EvidenceError(
            f"the evaluation is of {evaluation.get('model')}, the candidate is {model}",
            str(path),
            "run 'slipway repro gate-model'",
        )
    pointer = project.root / CHAMPION
    return Subject(
        kind="model",
        of=model,
        name="model-verdict",
        evidence=ModelEvidence(evaluation, _json(pointer)),
        files={"evaluation.json": digest_file(path), "champion.json": digest_file(pointer)},
        on=_on(project),
    )


def _on(project: Project) -> str | None:
    record = project.delivery / "evaluation.json"
    return digest_file(record) if record.exists() else None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise EvidenceError(
            f"there is no {path.name}", str(path), "run 'slipway repro gate-model'"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise EvidenceError(
            f"{path.name} is malformed: {error}", str(path), "run 'slipway repro gate-model'"
        ) from error
