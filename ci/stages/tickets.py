"""What a step must find before it acts: the records it relies on, passed, and about its subject.

Skipping a stage of the Jenkinsfile cannot skip a gate: the next step with effects asks for it here.
"""

from collections.abc import Mapping

from ..config import Project
from ..errors import EvidenceError
from ..gates import configured, settings_digest, worst
from ..records import Candidate, Dataset, Evaluation, Image, Verdict, digest_file, read
from ..tools import git

TESTED = ("tests-unit", "tests-integration")
GATED = ("data-verdict", "prepared-verdict", "model-verdict")
RELIES_ON: Mapping[str, tuple[str, ...]] = {
    "image": (*GATED, *TESTED),
    "staging": (*GATED, *TESTED, "image-verdict", "tests-e2e"),
    "production": (*GATED, *TESTED, "image-verdict", "tests-e2e", "staging-verdict"),
    "release": (
        *(*GATED, *TESTED, "image-verdict", "tests-e2e"),
        *("staging-verdict", "production-verdict"),
    ),
}


def require(project: Project, step: str) -> dict[str, str]:
    """Record name → sha256 of every verdict that `step` relies on.

    Raises:
        EvidenceError: one is missing, altered, blocked, judged by other settings, or is about
            another subject.
    """
    subjects = _subjects(project, step)
    for name in RELIES_ON[step]:
        verdict = read(project.delivery, name, Verdict)
        where = str(project.delivery / f"{name}.json")
        again = f"run the step that writes {name}.json again"
        if verdict.outcome not in ("pass", "warn") or worst(verdict.findings) != verdict.outcome:
            raise EvidenceError(f"{name} says {verdict.outcome}", where, "mend what it names")
        if verdict.of != subjects[name]:
            raise EvidenceError(f"{name} is about {verdict.of}, not {subjects[name]}", where, again)
        if verdict.settings_digest != _settings(project, verdict.subject_kind):
            raise EvidenceError(f"{name} was judged by other settings", where, again)
    _refuse_other_evaluation(project)
    return {name: digest_file(project.delivery / f"{name}.json") for name in RELIES_ON[step]}


def _refuse_other_evaluation(project: Project) -> None:
    """The model's verdict has to be about the evaluation that this delivery recorded."""
    judged = read(project.delivery, "model-verdict", Verdict).evidence.get("evaluation.json")
    recorded = read(project.delivery, "evaluation", Evaluation).evidence.get("evaluation.json")
    if judged != recorded:
        raise EvidenceError(
            f"model-verdict judged evaluation {judged}, this delivery recorded {recorded}",
            str(project.delivery / "model-verdict.json"),
            "run 'slipway gate model' again",
        )


def _settings(project: Project, kind: str) -> str:
    default: dict[str, dict[str, object]] = {"ran": {}} if kind == "tests" else {}
    return settings_digest(configured(kind, project.config.gates.get(kind, default)))


def _subjects(project: Project, step: str) -> dict[str, str]:
    """Verdict record → the digest that it has to be about."""
    dataset = read(project.delivery, "dataset", Dataset)
    candidate = read(project.delivery, "candidate", Candidate)
    if candidate.dataset != dataset.subject:
        raise EvidenceError(
            f"the candidate was trained on {candidate.dataset}, the data is {dataset.subject}",
            str(project.delivery / "candidate.json"),
            "run 'slipway plan', then 'slipway repro'",
        )
    tested = git.tree_digest(project.root, project.config.tests.subject)
    subjects = {
        "data-verdict": dataset.subject,
        "prepared-verdict": candidate.prepared,
        "model-verdict": candidate.subject,
        **dict.fromkeys((*TESTED, "tests-e2e"), tested),
    }
    if step != "image":
        image = read(project.delivery, "image", Image)
        if image.model != candidate.subject:
            raise EvidenceError(
                f"the image holds {image.model}, the candidate is {candidate.subject}",
                str(project.delivery / "image.json"),
                "run 'slipway image' again",
            )
        subjects["image-verdict"] = image.subject
        for environment in ("staging", "production"):
            subjects[f"{environment}-verdict"] = f"{image.subject}@{environment}"
    return subjects
