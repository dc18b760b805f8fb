"""What a drill or a reproduction leaves: a record, its JUnit file, a word in the terminal."""

from typing import TypeVar

from ..config import Project
from ..gates import settings_digest
from ..records import Drill, Reproduction, Verdict, read_if_there, write, write_atomically
from ..report import junit, terminal

Exercise = TypeVar("Exercise", Drill, Reproduction)


def keep(project: Project, name: str, record: Exercise) -> Exercise:
    """Writes the record; an earlier one about something else gives way to it."""
    standing = read_if_there(project.delivery, name, type(record))
    if standing and standing.subject != record.subject:
        (project.delivery / f"{name}.json").unlink(missing_ok=True)
    return write(project.delivery, name, record)


def show(project: Project, name: str, record: Drill | Reproduction, seconds: float) -> None:
    """Shows it as a verdict to whoever shows verdicts: Jenkins, and the terminal."""
    verdict = Verdict(
        subject=record.subject,
        written_at=record.written_at,
        subject_kind=name,
        of=record.subject,
        outcome=record.outcome,
        findings=record.findings,
        evidence={},
        settings_digest=settings_digest([]),
        seconds=seconds,
    )
    write_atomically(project.delivery / f"{name}.xml", junit.render(verdict, name))
    terminal.show(verdict, color=project.color)
