"""What the page shows, assembled: every part of it by the name that the templates use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config import Project
from ..records import (
    Approval,
    Candidate,
    Dataset,
    Deployment,
    Drill,
    Finding,
    Image,
    Plan,
    Probe,
    Record,
    Release,
    Reproduction,
    Rollback,
    Verdict,
)
from . import artefact, canary, drawings, exercises, findings, lineage, metrics, steps, words
from .decision import Decision, decide
from .sources import Sources

LARGEST_RAW = 2_000_000  # bytes of a file that is kept beside the page


@dataclass(frozen=True)
class Room:
    """How much of everything a page shows."""

    rows: int = 60  # of any list
    text: int = words.LONGEST  # characters of one value
    findings: int = 400_000  # bytes of all findings


@dataclass(frozen=True)
class Place:
    """One environment: what was put there, and what its service answered."""

    name: str
    deployment: Deployment | None
    probe: Probe | None
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Change:
    """One thing beside what the champion has in its place."""

    what: str
    before: str
    now: str
    moved: bool


@dataclass(frozen=True)
class Layer:
    """One layer of tests: what pytest counted."""

    name: str
    verdict: Verdict
    counts: Mapping[str, Any]


def view(project: Project, sources: Sources, room: Room) -> dict[str, Any]:
    """What the template shows, by name."""
    decision = decide(sources, project)
    records = list(sources.records.values())
    return {
        "title": project.config.model.title or project.config.model.name,
        "name": project.config.model.name,
        "decision": decision,
        "facts": _facts(sources, decision),
        "bare": sources.bare,
        "broken": dict(sources.broken),
        "phases": steps.line(sources),
        "plan": sources.get("plan", Plan),
        "changes": changes(sources),
        "model": _model(project, sources, room),
        "candidate": sources.get("candidate", Candidate),
        "data": _data(sources),
        "groups": findings.groups(sources, room.findings),
        "layers": _layers(sources),
        "artefact": artefact.facts(sources),
        "canary": canary.canary(sources),
        "places": _places(sources),
        "approval": sources.get("approval", Approval),
        "rollback": sources.get("rollback", Rollback),
        "drill": sources.get("drill", Drill),
        "reproduction": sources.get("reproduction", Reproduction),
        "alone": exercises.alone(sources),
        "lineage": lineage.walk(sources),
        "unproven": _unproven(records),
        "raw": [name for name in sorted(sources.raw) if len(sources.raw[name]) <= LARGEST_RAW],
        "most": room.rows,
    }


def _facts(sources: Sources, decision: Decision) -> list[tuple[str, str]]:
    """The few facts that stand right below the answer."""
    release, approval = sources.get("release", Release), sources.get("approval", Approval)
    plan, dataset = sources.get("plan", Plan), sources.get("dataset", Dataset)
    scores = metrics.scores_of(sources)
    times = sorted(r.written_at for r in sources.records.values() if r.written_at)
    data = dataset.subject if dataset else scores.dataset
    pairs = [
        ("Address", release.url if release else ""),
        ("Commit", words.commit(plan.commit) if plan else ""),
        ("Data version", words.short(data) if data else ""),
        ("Model", words.short(scores.model) if scores.model else ""),
        ("Champion", str((scores.pointer or {}).get("version", "")) or _none_yet(scores)),
        ("Approved by", approval.approved_by if approval else ""),
        ("Last record", words.moment(times[-1]) if times else ""),
    ]
    return [(label, text) for label, text in pairs if text and decision.headline]


def _none_yet(scores: metrics.Scores) -> str:
    return "none yet" if scores.candidate else ""


def changes(sources: Sources) -> list[Change]:
    """What is new against the champion, as far as the records name it."""
    scores = metrics.scores_of(sources)
    candidate, plan = sources.get("candidate", Candidate), sources.get("plan", Plan)
    production = sources.get("production", Deployment) or sources.get("staging", Deployment)
    image, pointer = sources.get("image", Image), scores.pointer or {}
    replaced = production.previous or {} if production else {}
    where = production.environment if production else "production"
    pairs = [
        ("Version", pointer.get("version"), production.version if production else None),
        ("Model", pointer.get("model"), scores.model),
        (
            "Trained until",
            pointer.get("trained_until"),
            candidate.trained_until if candidate else None,
        ),
        (f"Artefact in {where}", replaced.get("digest"), image.subject if image else None),
        ("Data version", None, scores.dataset),
        ("Commit", None, words.commit(plan.commit) if plan and plan.commit else None),
    ]
    return [
        Change(
            what, words.tidy(before or words.NONE), words.tidy(now), bool(before) and before != now
        )
        for what, before, now in pairs
        if now
    ]


def _model(project: Project, sources: Sources, room: Room) -> dict[str, Any]:
    gates = project.config.gates.get("model", {})
    scores = metrics.scores_of(sources)
    first = metrics.headline_metric(scores, gates)
    verdict = sources.get("model-verdict", Verdict)
    rows = metrics.rows(scores, verdict, gates)[: room.rows]
    shown = metrics.slices(scores, first, rows[0].better if rows else "")[: room.rows]
    return {
        "scores": scores,
        "metric": first,
        "rows": rows,
        "rows_left": len({*scores.candidate, *(scores.champion or {})}) - len(rows),
        "bars": drawings.bars(scores, first) if first else (),
        "slices": shown,
        "slices_left": len(scores.slices) - len(shown),
        "environment": words.flat(sources.details.get("environment", {})),
    }


def champion_of(finding: Finding, scores: metrics.Scores) -> str:
    """The champion's figure for what a finding measured, where there is one."""
    metric = finding.where.partition(" ")[0]
    known = scores.champion is not None and metric in scores.champion
    return words.score(scores.champion[metric]) if known and scores.champion else ""


def _data(sources: Sources) -> dict[str, Any]:
    cleaning = metrics.table(sources.details.get("cleaning"))
    rows = metrics.numbers(cleaning.get("rows"))
    rules = cleaning.get("rules")
    raw = rows.get("raw", 0.0)
    return {
        "dataset": sources.get("dataset", Dataset),
        "rows": {
            name: words.number(n)
            for name, n in sorted(rows.items(), key=lambda r: (r[0] != "raw", r[0]))
        },
        "rules": [_rule(r, raw) for r in (rules if isinstance(rules, list) else []) if r],
    }


def _rule(content: Any, raw: float) -> dict[str, Any]:
    rule = metrics.table(content)
    rows = metrics.numbers(rule).get("rows", float("nan"))
    part = metrics.share(rows, raw)
    return {
        "name": words.tidy(rule.get("rule", words.NONE)).replace("_", " "),
        "says": words.tidy(rule.get("says", "")),
        "rows": words.number(rows),
        "share": "none" if rows == 0 else f"{part:.2f} %" if part >= 0.01 else "< 0.01 %",
        "width": part,
    }


def _layers(sources: Sources) -> list[Layer]:
    layers = []
    for name, verdict in sources.verdicts().items():
        if verdict.subject_kind == "tests":
            named = {f.where.rpartition(".")[2]: f.measured for f in verdict.findings}
            layers.append(Layer(steps.STEP_OF.get(name, name), verdict, named))
    return layers


def _places(sources: Sources) -> list[Place]:
    places = []
    for name in ("staging", "production"):
        deployment = sources.get(name, Deployment)
        probe = sources.get(f"{name}-probe", Probe)
        if deployment or probe:
            answers = tuple(words.flat(probe.measured)) if probe else ()
            places.append(Place(name, deployment, probe, answers))
    return places


def _unproven(records: list[Record]) -> list[str]:
    named = [text for r in records if isinstance(r, Verdict | Image) for text in r.unproven]
    return list(dict.fromkeys(named))
