"""A checkout with the records of one delivery up to the image, around a tiny model that serves."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from slipway.config import Project, load
from slipway.gates import asked, settings_digest
from slipway.gates.reference import ColumnProfile, Profile
from slipway.records import (
    Candidate,
    Dataset,
    Deployment,
    Evaluation,
    Finding,
    Image,
    Outcome,
    Plan,
    Probe,
    Verdict,
    digest_file,
    digest_of,
    read,
    write,
)
from slipway.stages import profiled
from slipway.tools import git, ledger, store
from tests import tiny

ROOT = Path(__file__).resolve().parent.parent
DATA = "md5:" + "1" * 32 + ".dir"
PROFILE = Profile(DATA, 3, {"2001-01-31": 3}, {"WHO": ColumnProfile("text", 0.0, 2)})
SETTINGS = """
[model]
name = "next-basket"

[tests]
subject = ["delivery.toml"]
[tests.unit]
paths = ["tests"]
[tests.integration]
paths = ["tests"]
[tests.e2e]
paths = ["tests"]

[approval]
approvers = ["release-manager"]

[environments.staging]
watch_s = 0.1
drain_s = 5
lease_s = 5

[environments.production]
approval = "person"
watch_s = 0.1
drain_s = 5
lease_s = 5
"""


def checkout(folder: Path, settings: str = SETTINGS) -> Path:
    """A git checkout with a `delivery.toml` and a data version, committed."""
    folder.mkdir(parents=True)
    (folder / "delivery.toml").write_text(settings)
    (folder / "data.dvc").write_text(f"outs:\n- md5: {DATA[4:]}\n  path: data\n")
    (folder / ".gitignore").write_text("/delivery/\n/.slipway/\n/models/\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "a project")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def project_at(folder: Path, home: Path, ledger_remote: str = "") -> Project:
    """The project with a home of its own, and perhaps a shared ledger."""
    from dataclasses import replace

    loaded = load(folder)
    return replace(loaded, home=home / loaded.config.model.name, ledger_remote=ledger_remote)


def environment(home: Path, ledger_remote: str = "") -> dict[str, str]:
    """What a `slipway` process needs to see the same home, ledger and sources."""
    path = os.pathsep.join(sys.path)
    variables = {"SLIPWAY_HOME": str(home), "SLIPWAY_LEDGER": ledger_remote, "PYTHONPATH": path}
    return {**os.environ, **variables}


def prepare(project: Project, *, weight: float = 1.0, outcome: Outcome = "pass") -> Image:
    """Everything that stands before `deploy staging`, about a model of this weight."""
    shutil.rmtree(project.delivery, ignore_errors=True)
    shutil.rmtree(project.candidate, ignore_errors=True)
    model = store.put_model(project.home, tiny.write_model(project.candidate, weight=weight))
    digest = bundle(project)
    judged(project, model, outcome)
    image = write(project.delivery, "image", _image(project, digest, model))
    verdict(project, "image-verdict", "image", digest, on="image")
    return image


def judged(project: Project, model: str, outcome: Outcome = "pass") -> None:
    """What stands before `slipway image`, about the model in the candidate's folder."""
    plan(project)
    dataset = Dataset(subject=DATA, commit=_commit(project), files={}, bytes=1, source="test")
    write(project.delivery, "dataset", dataset)
    verdict(project, "data-verdict", "data", DATA, outcome, on="dataset")
    profiled.record(project, DATA, PROFILE)
    verdict(project, "prepared-verdict", "prepared", "sha256:prepared", on="data-verdict")
    _model(project, model)
    verdict(project, "model-verdict", "model", model, on="evaluation")
    tested = git.tree_digest(project.root, project.config.tests.subject)
    for layer in ("unit", "integration", "e2e"):
        verdict(project, f"tests-{layer}", "tests", tested)


def plan(project: Project) -> Plan:
    """What `slipway plan` leaves: where the ledger stood."""
    history = ledger.read(ledger.open_ledger(project))
    record = Plan(
        subject="sha256:plan",
        commit=_commit(project),
        inputs={},
        stale={},
        reused=(),
        train_on="none",
        ledger=history.marks(project.config.environments),
        delivered=None,
    )
    return write(project.delivery, "plan", record)


def service_verdict(project: Project, name: str, outcome: Outcome = "pass") -> Verdict:
    """What the service gate says of an environment."""
    of = f"{read(project.delivery, 'image', Image).subject}@{name}"
    return verdict(project, f"{name}-verdict", "service", of, outcome, on=name)


def canary_verdict(project: Project, outcome: Outcome = "pass") -> Verdict:
    """What probe and gate say of the canary that is recorded."""
    deployment = read(project.delivery, "canary", Deployment)
    probe = Probe(
        subject=deployment.subject,
        on=digest_file(project.delivery / "canary.json"),
        commit=_commit(project),
        environment=deployment.environment,
        version=deployment.version,
        url=deployment.url,
        measured={},
    )
    write(project.delivery, "canary-probe", probe)
    files = {"canary-probe.json": digest_file(project.delivery / "canary-probe.json")}
    of = f"{deployment.subject}@canary"
    return verdict(project, "canary-verdict", "service", of, outcome, "canary-probe", files)


def verdict(
    project: Project,
    name: str,
    kind: str,
    of: str,
    outcome: Outcome = "pass",
    on: str = "",
    files: Mapping[str, str] | None = None,
) -> Verdict:
    """One verdict with one finding."""
    gates = asked(kind, project.config.gates)
    judged = {"evaluation.json": digest_of(b"evaluation")}
    record = Verdict(
        subject=of,
        commit=_commit(project),
        on=digest_file(project.delivery / f"{on}.json") if on else None,
        subject_kind=kind,
        of=of,
        outcome=outcome,
        findings=(Finding("tested", outcome, 1, 1, f"it is a {outcome}"),),
        evidence=judged if kind == "model" else dict(files or {}),
        settings_digest=settings_digest(gates),
    )
    return write(project.delivery, name, record)


def bundle(project: Project) -> str:
    """The digest of a stored bundle of the candidate and the serving code."""
    files = {f"model/{n}": p for n, p in store.tree_files(project.candidate).items()}
    for path in ("ml/__init__.py", "ml/features.py"):
        files[path] = ROOT / path
    files |= {f"ml/serving/{n}": p for n, p in store.tree_files(ROOT / "ml/serving").items()}
    for path in ("requirements/serve.txt", "requirements/uv.txt"):
        files[path] = ROOT / path
    return store.put_bundle(project.home, files)


def _model(project: Project, model: str) -> None:
    pointer = ledger.champion_of(ledger.read(ledger.open_ledger(project)), model)
    candidate = Candidate(
        subject=model,
        on=digest_file(project.delivery / "dataset.json"),
        commit=_commit(project),
        dataset=DATA,
        prepared="sha256:prepared",
        files={n: digest_file(p) for n, p in store.tree_files(project.candidate).items()},
        trained_until="2001-01-31",
        seconds=1.0,
        hardware="test",
        source="trained",
    )
    write(project.delivery, "candidate", candidate)
    evaluation = Evaluation(
        subject=model,
        on=digest_file(project.delivery / "candidate.json"),
        commit=_commit(project),
        dataset=DATA,
        champion=pointer,
        candidate_metrics={},
        champion_metrics=None,
        baselines={},
        window={},
        evidence={"evaluation.json": digest_of(b"evaluation")},
    )
    write(project.delivery, "evaluation", evaluation)


def _image(project: Project, digest: str, model: str) -> Image:
    names = ("data-verdict", "prepared-verdict", "model-verdict", "tests-unit")
    return Image(
        subject=digest,
        on=digest_file(project.delivery / "model-verdict.json"),
        commit=_commit(project),
        kind="bundle",
        reference=digest,
        model=model,
        dataset=DATA,
        tree="sha256:tree",
        requirements="sha256:requirements",
        bytes=1,
        evidence={name: digest_file(project.delivery / f"{name}.json") for name in names},
    )


def _commit(project: Project) -> str:
    return git.commit(project.root)
