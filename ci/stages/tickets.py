"""What a step must find before it acts: the records it relies on, passed, and about its subject.

Skipping a stage of the Jenkinsfile cannot skip a gate: the next step with effects asks for it here.
"""

from collections.abc import Mapping

from ..config import Project
from ..errors import EvidenceError
from ..gates import asked, settings_digest, worst
from ..records import (
    Candidate,
    Dataset,
    Deployment,
    Evaluation,
    Image,
    Probe,
    Verdict,
    digest_file,
    read,
    read_if_there,
)
from ..settings import CANARY, FILE
from ..tools import git
from ..tools.ledger import History

TRIED = f"{CANARY}-verdict"  # a full deployment relies on it where `wants_canary` says so
LINT = "lint"  # where `delivery.toml` names a linter, every step with effects relies on it
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


def require(project: Project, step: str, *, tried: bool = False) -> dict[str, str]:
    """Record name → sha256 of every verdict that `step` relies on.

    Args:
        tried: it also relies on what was judged of a canary.

    Raises:
        EvidenceError: one is missing, altered, blocked, judged by other settings, or is about
            another subject.
    """
    subjects = _subjects(project, step)
    linted = (LINT,) if project.config.lint.tools else ()
    names = (*RELIES_ON[step], *linted, *((TRIED,) if tried else ()))
    for name in names:
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
    if tried:
        _refuse_other_canary(project)
    return {name: digest_file(project.delivery / f"{name}.json") for name in names}


def wants_canary(project: Project, environment: str, history: History, digest: str) -> bool:
    """Whether a full deployment has to have been tried on a part of the traffic.

    What is live already needs no more than what this delivery did try; and what it did try and
    judge counts, whether or not it had to.

    Raises:
        EvidenceError: it has to, and had less than `delivery.toml` asks for, or none at all.
    """
    asked, last = project.environment(environment).canary, history.last(environment)
    record = read_if_there(project.delivery, CANARY, Deployment)
    stood = record.percent if record and record.environment == environment else 0
    if not asked:
        return last is not None and stood > 0 and (project.delivery / f"{TRIED}.json").exists()
    if last is None or (last.digest == digest and not stood):
        return False
    if stood < asked:
        had = f"its canary had {stood} %" if stood else "it had no canary"
        raise EvidenceError(
            f"{environment} wants {asked} % of the requests tried first, {had}",
            f"{project.delivery / CANARY}.json, {FILE} [environments.{environment}] canary",
            f"run 'slipway deploy {environment} --canary {asked}', probe and judge it",
        )
    return True


def _refuse_other_canary(project: Project) -> None:
    """The verdict has to be about the very canary that this delivery recorded."""
    folder = project.delivery
    probed = f"{CANARY}-probe"
    judged = read(folder, TRIED, Verdict).evidence.get(f"{probed}.json")
    on = read(folder, probed, Probe).on
    if (judged, on) != (
        digest_file(folder / f"{probed}.json"),
        digest_file(folder / f"{CANARY}.json"),
    ):
        raise EvidenceError(
            f"{TRIED} is not about the canary that was recorded",
            str(folder / f"{TRIED}.json"),
            "run 'slipway probe canary', then 'slipway gate service --of canary'",
        )


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
    return settings_digest(asked(kind, project.config.gates))


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
        **dict.fromkeys((*TESTED, "tests-e2e", LINT), tested),
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
        for environment in ("staging", "production", CANARY):
            subjects[f"{environment}-verdict"] = f"{image.subject}@{environment}"
    return subjects
