"""`slipway approve`: says yes to production, naming the artefact and every verdict by digest."""

import argparse
from dataclasses import replace

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..records import Approval, write
from ..settings import FILE
from ..tools import git
from . import Done, approval, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    yes = parser.add_mutually_exclusive_group()
    yes.add_argument("--by", metavar="WHO", help=f"who says yes; named in {FILE} as an approver")
    yes.add_argument(
        "--rehearsal", action="store_true", help="stand in for a person, on a ledger of your own"
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Writes `approval.json`; one that still holds stays as it is."""
    by = approval.REHEARSAL if args.rehearsal else args.by
    if not by:
        if project.environment(approval.PRODUCTION).approval != approval.POLICY:
            raise ConfigError("nobody approves", "slipway approve", "name who: --by WHO")
        by = approval.POLICY
    elif by in (approval.REHEARSAL, approval.POLICY) and args.by:
        raise ConfigError(f"'{by}' is no person", f"--by {by}", "name the person who says yes")
    reason = approval.may_not(project, by)
    if reason:
        raise EvidenceError(
            reason, f"{FILE} [approval] approvers", "let one of those approve who are named there"
        )
    record = approve(project, by)
    for warning in record.warnings:
        say(f"  warning accepted: {warning}")
    say(f"approved by {record.approved_by} until {record.expires_at}: {record.subject}")
    return Done(f"by {record.approved_by}", record.subject)


def approve(project: Project, by: str) -> Approval:
    """The approval as a record: the one that holds already, or a new one."""
    held = approval.standing(project)
    if held and (held.approved_by == by or by == approval.REHEARSAL):
        return held
    drafted = approval.by_policy(project) if by == approval.POLICY else approval.draft(project, by)
    return write(project.delivery, "approval", replace(drafted, commit=git.commit(project.root)))
