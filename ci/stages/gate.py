"""`slipway gate`: judges one subject, writes the verdict, exits 3 where it blocks."""

import argparse
import contextlib
import functools
import importlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..config import Project, showing_later
from ..errors import SlipwayError
from ..gates import Gate, asked, judge, limits, raised, settings_digest, worst
from ..gates.reference import Profile
from ..gates.suites import accepted
from ..records import (
    Deployment,
    Verdict,
    canonical,
    digest_file,
    digest_of,
    read,
    write,
    write_atomically,
)
from ..report import junit, terminal
from ..settings import CANARY
from ..tools import git, ledger
from ..tools.dvc import access, passed
from ..tools.quarantine import keeping, writing
from ..typed import build, plain
from . import Done, canary, data, profiled, promotion, reference, repro, say, warn
from .subjects import Subject

KINDS = ("data", "prepared", "model", "image", "service")
IN_DVC = ("data", "prepared", "model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("subject", choices=KINDS)
    parser.add_argument("--data", type=Path, metavar="DIR", help="judge this folder of raw data")
    parser.add_argument(
        "--evaluation", type=Path, metavar="FILE", help="judge this evaluation (model)"
    )
    parser.add_argument("--of", metavar="ENV", default="staging", help="which service, or canary")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the bare verdict there, for DVC"
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Judges, writes and shows the verdict."""
    started = time.monotonic()
    gates = asked(args.subject, project.config.gates)
    if args.subject in IN_DVC and not (args.out or args.data or args.evaluation):
        blocked = _bring_up_to_date(project, args.subject)
        if blocked:
            return blocked
    elif args.subject in profiled.TABLES and not args.out:
        reference.bring(project)
    beside = args.subject == "service" and args.of == CANARY
    if beside and canary.absent(project):
        say(f"service: the canary had {canary.NOTHING}: nothing is judged")
        return Done(canary.NOTHING)
    subject = subject_of(project, args)
    known = None if args.out else _judged_here(project, subject, gates)
    verdict = known or _judged(project, args, subject, gates)
    if args.out:
        _write_bare(project, args.out, verdict, _profile(project, subject, verdict))
    else:
        verdict = _today(verdict, gates)
        verdict = record(project, subject, replace(verdict, seconds=time.monotonic() - started))
        if profile := _profile(project, subject, verdict):
            profiled.record(project, subject.of, profile)
    if not (args.out and project.shown_later == args.subject):
        terminal.show(verdict, color=project.color)
    if beside and verdict.outcome == "block":
        _take_back(project, verdict)
    return Done(verdict.outcome, verdict.of, 3 if verdict.outcome == "block" else 0)


def _judged(
    project: Project, args: argparse.Namespace, subject: Subject, gates: list[Gate]
) -> Verdict:
    """The verdict of now; rows that a gate names go into the quarantine.

    Raises:
        Unsaid: a bug, without what it says about somebody's data.
    """
    asked = partial(
        judge,
        kind=subject.kind,
        of=subject.of,
        gates=gates,
        evidence=subject.evidence,
        files=subject.files,
        unproven=subject.unproven,
    )
    if subject.kind not in profiled.TABLES:  # whose offending rows are set apart
        return asked()
    folder = (project.root if args.out else project.scratch) / access.QUARANTINE / subject.kind
    try:
        with writing.opened(project, folder) as writer:
            verdict = writer.close(asked(keep=writer.take))
            if verdict.quarantine and (why := keeping.keep(project, folder)):
                warn(f"slipway: quarantined rows are in this checkout's cache alone: {why}")
        return verdict
    except SlipwayError:
        raise
    except Exception as error:
        raise raised.unsaid(error) from None


def _today(verdict: Verdict, gates: list[Gate]) -> Verdict:
    """The verdict as it stands today: acceptances end, and DVC's repeatable one can't know when."""
    findings = verdict.findings
    for gate in gates:
        if isinstance(gate.settings, accepted.Settings):
            today = datetime.now(UTC).date()
            findings = accepted.on_the_day(findings, gate.settings, today)
    if findings == verdict.findings:
        return verdict
    return replace(verdict, findings=findings, outcome=worst(findings))


def _take_back(project: Project, verdict: Verdict) -> None:
    """Ends the canary that a verdict is about, where it still has its part of the traffic."""
    record = read(project.delivery, CANARY, Deployment)
    found = next(f for f in verdict.findings if f.outcome == "block")
    reason = f"{found.gate}: {found.message}"
    try:
        with promotion.at(project, record.environment) as place:
            opened = ledger.read(place.ledger).open_canary(place.name)
            if opened and opened.digest == record.subject:
                canary.take_back(place, opened, reason)
        say(f"{record.environment}: the canary {record.version} was taken back: {reason}")
    except SlipwayError as error:  # the verdict is the answer, and it stands
        warn(f"slipway: the canary {record.version} was not taken back: {error}")


def subject_of(project: Project, args: argparse.Namespace) -> Subject:
    """What is to be judged, collected by its kind's module."""
    module = importlib.import_module(f".subjects.{args.subject}", __package__)
    subject: Subject = module.collect(project, args)
    return subject


def _bring_up_to_date(project: Project, kind: str) -> Done | None:
    """Lets DVC run or restore what this gate judges; an answer only if an earlier gate blocked."""
    if kind == "data" and data.altered(project):  # DVC would take it for a new version
        reference.bring(project)
        return None
    with showing_later(kind):
        done = repro.reproduce(project, (f"gate-{kind}",))
    earlier = done.blocked_by.removeprefix("slipway ")
    if earlier and not earlier.startswith(f"gate {kind} "):
        say(f"{kind}: not judged, since 'slipway {earlier}' blocked")
        return Done("block", "", 3)
    if kind in profiled.TABLES:
        reference.check(project)
    return None


def _marker(project: Project, kind: str) -> Path:
    """What was judged last in this checkout; no commit can bring it along."""
    checkout = digest_of(str(project.root).encode()).removeprefix("sha256:")[:16]
    return project.home / "judged" / f"{checkout}-{kind}.json"


def _marked(project: Project, kind: str, content: bytes) -> dict[str, Any] | None:
    """The marker, if it is about a verdict with this content, given by the code that runs now."""
    with contextlib.suppress(OSError, ValueError):  # nothing was judged, or an older slipway did
        found = json.loads(_marker(project, kind).read_bytes())
        same = isinstance(found, dict) and found.get("verdict") == digest_of(content)
        if same and found.get("code") == _code():
            return dict(found)
    return None


@functools.cache
def _code() -> str:
    """One sha256 over slipway's own code: DVC does not ask a gate again whose code changed."""
    package = Path(__file__).parents[1]
    paths = sorted(package.rglob("*.py"))
    return digest_of("".join(f"{path}\0{digest_file(path)}\n" for path in paths).encode())


def _write_bare(project: Project, path: Path, verdict: Verdict, profile: Profile | None) -> None:
    content = canonical(bare(verdict))
    write_atomically(path, content)
    token = passed.beside(path)
    if verdict.outcome == "block" or verdict.subject_kind not in profiled.TABLES:
        token.unlink(missing_ok=True)
    else:
        data = project.config.data
        folder = data.path if verdict.subject_kind == "data" else data.prepared
        write_atomically(token, passed.of_folder(project.root / folder))
    marked = {"verdict": digest_of(content), "code": _code(), "profile": plain(profile)}
    write_atomically(_marker(project, verdict.subject_kind), canonical(marked))


def _profile(project: Project, subject: Subject, verdict: Verdict) -> Profile | None:
    """What raw data are like that did not block; taken from their DVC stage where that ran here."""
    if subject.kind != "data" or verdict.outcome == "block":
        return None
    with contextlib.suppress(ValueError):
        if marked := _marked(project, subject.kind, canonical(bare(verdict))):
            return build(Profile, marked.get("profile"))
    profile: Profile = subject.evidence.profile
    return profile


def _judged_here(project: Project, subject: Subject, gates: list[Gate]) -> Verdict | None:
    """The verdict that DVC's stage gave here, by this code, about the very same files and settings.

    One restored from a cache is not taken: whoever may write to the cache could have made it.
    """
    path = project.root / "verdicts" / f"{subject.kind}.json"
    if not path.exists() or _marked(project, subject.kind, path.read_bytes()) is None:
        return None
    verdict = build(Verdict, json.loads(path.read_bytes()))
    same = (verdict.of, verdict.evidence, verdict.settings_digest)
    asked = (subject.of, limits.files(subject.files), settings_digest(gates))
    return verdict if same == asked else None


def record(project: Project, subject: Subject, verdict: Verdict) -> Verdict:
    """Writes a verdict as a record of this delivery, with its JUnit file beside it."""
    full = replace(verdict, on=subject.on, commit=git.commit(project.root))
    standing = write(project.delivery, subject.name, full)
    xml = junit.render(standing, subject.kind)
    write_atomically(project.delivery / f"{subject.name}.xml", xml)
    return standing


def bare(verdict: Verdict) -> dict[str, object]:
    """A verdict without time, commit and seconds: the same judgement, the same bytes."""
    dropped = ("written_at", "commit", "seconds", "on")
    return {k: v for k, v in plain(verdict).items() if k not in dropped}
