"""What a service's gates read: the probe of one environment."""

import argparse

from ...config import Project
from ...errors import EvidenceError
from ...gates.service import ServiceEvidence
from ...records import Deployment, Probe, digest_file, read
from ...settings import CANARY
from .. import measured
from . import Subject


def collect(project: Project, args: argparse.Namespace) -> Subject:
    """The service of the environment `--of` as a subject, or production's canary.

    Raises:
        EvidenceError: it was not probed since it was deployed, another artefact answered, or a
            canary was not measured beside its champion.
    """
    what = args.of
    if what != CANARY:
        project.environment(what)
    name = f"{what}-probe"
    deployment = read(project.delivery, what, Deployment)
    probe = read(project.delivery, name, Probe)
    where, todo = str(project.delivery / f"{name}.json"), f"run 'slipway probe {what}'"
    if probe.on != digest_file(project.delivery / f"{what}.json"):
        raise EvidenceError("the probe is older than the deployment", where, todo)
    if probe.subject != deployment.subject:
        raise EvidenceError(
            f"{probe.subject} was probed, {deployment.subject} is deployed", where, todo
        )
    evidence = measured.evidence(ServiceEvidence, probe, name)
    if (what == CANARY) != (evidence.beside is not None):
        raise EvidenceError(f"{name}.json does not measure what {what} is", where, todo)
    return Subject(
        kind="service",
        of=f"{deployment.subject}@{what}",
        name=f"{what}-verdict",
        evidence=evidence,
        files={f"{name}.json": digest_file(project.delivery / f"{name}.json")},
        on=digest_file(project.delivery / f"{name}.json"),
    )
