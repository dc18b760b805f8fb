"""What a service's gates read: the probe of one environment."""

import argparse

from ...config import Project
from ...errors import EvidenceError
from ...gates.service import ServiceEvidence
from ...records import Deployment, Probe, digest_file, read
from .. import measured
from . import Subject


def collect(project: Project, args: argparse.Namespace) -> Subject:
    """The service of the environment `--of` as a subject.

    Raises:
        EvidenceError: it was not probed since it was deployed, or another artefact answered.
    """
    environment = args.of
    project.environment(environment)
    name = f"{environment}-probe"
    deployment = read(project.delivery, environment, Deployment)
    probe = read(project.delivery, name, Probe)
    where = str(project.delivery / f"{name}.json")
    if probe.on != digest_file(project.delivery / f"{environment}.json"):
        raise EvidenceError(
            "the probe is older than the deployment", where, f"run 'slipway probe {environment}'"
        )
    if probe.subject != deployment.subject:
        raise EvidenceError(
            f"{probe.subject} was probed, {deployment.subject} is deployed",
            where,
            f"run 'slipway probe {environment}'",
        )
    return Subject(
        kind="service",
        of=f"{deployment.subject}@{environment}",
        name=f"{environment}-verdict",
        evidence=measured.evidence(ServiceEvidence, probe, name),
        files={f"{name}.json": digest_file(project.delivery / f"{name}.json")},
        on=digest_file(project.delivery / f"{name}.json"),
    )
