"""Who said yes to production, to what exactly, and until when."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ..config import Project
from ..errors import EvidenceError
from ..records import Approval, Image, Verdict, digest_file, read, read_if_there
from ..settings import FILE
from ..tools import git, ledger
from . import tickets

REHEARSAL, POLICY = "rehearsal", "policy"
PRODUCTION = ledger.PRODUCTION


def draft(project: Project, by: str) -> Approval:
    """An approval of this delivery's artefact and of every verdict about it, as they stand.

    Raises:
        EvidenceError: a verdict is missing or blocks.
    """
    verdicts = tickets.require(project, PRODUCTION)
    image = read(project.delivery, "image", Image)
    expires = datetime.now(UTC) + timedelta(hours=project.config.approval.expires_h)
    return Approval(
        subject=image.subject,
        on=verdicts["staging-verdict"],
        approved_by=by,
        expires_at=expires.isoformat(timespec="seconds"),
        verdicts={**verdicts, "image": digest_file(project.delivery / "image.json")},
        warnings=tuple(_warnings(project, verdicts)),
    )


def by_policy(project: Project) -> Approval:
    """The approval that `approval = "policy"` gives by itself: all passed, nothing warned.

    Raises:
        EvidenceError: something warned.
    """
    approval = draft(project, POLICY)
    if approval.warnings:
        raise EvidenceError(
            f"the policy does not approve what warns: {approval.warnings[0]}",
            str(project.delivery),
            "mend it, or let a person decide: slipway approve --by WHO",
        )
    return approval


def standing(project: Project) -> Approval | None:
    """The approval that is there, if it is still good for what is there now."""
    approval = read_if_there(project.delivery, "approval", Approval)
    return approval if approval and why_not(project, approval) is None else None


def check(project: Project) -> Approval:
    """The approval that production needs, or the reason why it is none.

    Raises:
        EvidenceError: it is missing, has expired, names something else, or is by nobody who may.
    """
    approval = read(project.delivery, "approval", Approval)
    reason = why_not(project, approval)
    if reason:
        raise EvidenceError(
            f"the approval does not hold: {reason}",
            str(project.delivery / "approval.json"),
            "look at the delivery again, then run 'slipway approve --by WHO'",
        )
    return approval


def why_not(project: Project, approval: Approval) -> str | None:
    """Why an approval does not hold for the records as they are now; None where it does."""
    now = draft(project, approval.approved_by)
    may = may_not(project, approval.approved_by)
    if may:
        return may
    if approval.subject != now.subject:
        return f"it is about {approval.subject}, the artefact is {now.subject}"
    for name in sorted(now.verdicts.keys() | approval.verdicts.keys()):
        if now.verdicts.get(name) != approval.verdicts.get(name):
            return f"{name} is not the one that was approved"
    if not _in_time(approval.expires_at):
        return f"it expired at {approval.expires_at}"
    return None


def may_not(project: Project, by: str) -> str | None:
    """Why somebody may not approve; None where they may."""
    if by == REHEARSAL:
        shared = bool(project.ledger_remote)
        return "a rehearsal may not release to a shared ledger" if shared else None
    if by == POLICY:
        asked = project.environment(PRODUCTION).approval
        return None if asked == POLICY else f"{FILE} asks for approval by {asked}"
    rules = project.config.approval
    if by not in rules.approvers:
        return f"'{by}' is not among the approvers"
    return _wrote(project, by) if rules.two_people else None


def _wrote(project: Project, by: str) -> str | None:
    """Says so where somebody has a part in the commits that this release adds."""
    last = ledger.read(ledger.open_ledger(project)).last(PRODUCTION)
    people = git.people(project.root, since=last.commit if last else "")
    known = {by, *project.config.approval.identities[by]}
    mine = sorted(people & {name.lower() for name in known})
    return (
        f"'{by}' wrote commits of this release, as {mine[0]}; it takes two people" if mine else None
    )


def _in_time(expires_at: str) -> bool:
    try:
        return datetime.now(UTC) < datetime.fromisoformat(expires_at)
    except (ValueError, TypeError):
        return False


def _warnings(project: Project, verdicts: Mapping[str, str]) -> list[str]:
    return [
        f"{name}: {finding.gate}{f' [{finding.where}]' if finding.where else ''}: {finding.message}"
        for name in sorted(verdicts)
        for finding in read(project.delivery, name, Verdict).findings
        if finding.outcome == "warn"
    ]
