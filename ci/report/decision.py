"""What became of the delivery, and why: the head of the page and the line for Jenkins."""

from dataclasses import dataclass

from ..config import Project
from ..records import (
    Approval,
    Deployment,
    Finding,
    Plan,
    Release,
    Rollback,
    Verdict,
)
from . import exercises, steps, words
from .metrics import Scores, headline_metric, scores_of
from .sources import Sources

AGAIN = ("data-verdict", "prepared-verdict")  # what a schedule asks of what is live


@dataclass(frozen=True)
class Decision:
    """The answer.

    Attributes:
        tone: `pass`, `warn`, `block` or `skip`: how it looks.
        headline: what became of it.
        why: one sentence for people who read no further.
        line: all of it in one line.
        stopped_by: the verdict that said no.
        findings: its blocking findings.
    """

    tone: str
    headline: str
    why: str
    line: str
    stopped_by: str = ""
    findings: tuple[Finding, ...] = ()


def decide(sources: Sources, project: Project) -> Decision:
    """What the records say; a record that cannot be relied on is never read as a yes."""
    if sources.empty:
        return Decision("skip", "Nothing is recorded", "", "nothing recorded")
    blocking = [(name, v) for name, v in sources.verdicts().items() if v.outcome == "block"]
    if blocking:
        return _blocked(sources, *blocking[0], others=len(blocking) - 1)
    if sources.broken:
        return _broken(sources)
    if exercises.alone(sources):
        tone, headline, why, findings = exercises.told(sources)
        line = words.tidy(f"{headline}: {why}", 160)
        return Decision(tone, headline, why, line, findings=findings)
    rollback, release = sources.get("rollback", Rollback), sources.get("release", Release)
    if rollback:
        return _rolled_back(rollback)
    if release:
        return _released(sources, project, release)
    return _under_way(sources, project)


def warnings(sources: Sources) -> list[Finding]:
    """Every warning of every verdict."""
    return [f for v in sources.verdicts().values() for f in v.findings if f.outcome == "warn"]


def _blocked(sources: Sources, name: str, verdict: Verdict, *, others: int) -> Decision:
    findings = tuple(f for f in verdict.findings if f.outcome == "block")
    step = steps.STEP_OF.get(name, name)
    many = f"{words.count(len(findings))} of {words.plural(len(verdict.findings), 'finding')}"
    said = "says" if len(findings) == 1 else "say"
    also = f" {words.plural(others, 'later verdict')} blocked too." if others else ""
    first = _in_short(findings[0]) if findings else "no finding says why"
    more = f" (and {words.count(len(findings) - 1)} more)" if len(findings) > 1 else ""
    stands = _taken_back(sources) if name == "canary-verdict" else _live(sources)
    return Decision(
        "block",
        f"Blocked by the {step}",
        f"{many} {said} no.{also} {stands}",
        f"blocked by {step}: {first}{more}",
        name,
        findings,
    )


def _in_short(finding: Finding) -> str:
    about = f"{finding.gate}: {words.asked(finding)}"
    figures = f"{words.value(finding.measured)}, expected {words.value(finding.expected)}"
    return words.tidy(f"{about} {figures}", 160)


def _taken_back(sources: Sources) -> str:
    canary = sources.get("canary", Deployment)
    if canary is None:
        return _live(sources)
    version = words.tidy(canary.version, 40)
    before = words.tidy((canary.previous or {}).get("version", "what was live before"), 40)
    return (
        f"{version} had {canary.percent} % of the requests and was taken back; {before} serves on."
    )


def _live(sources: Sources) -> str:
    production = sources.get("production", Deployment)
    if production:
        return f"{words.tidy(production.version, 40)} is in production all the same."
    canary, staging = sources.get("canary", Deployment), sources.get("staging", Deployment)
    if canary and canary.percent:
        return f"{words.tidy(canary.version, 40)} has {canary.percent} % of production's requests."
    if staging:
        return f"{words.tidy(staging.version, 40)} went to staging, nothing to production."
    return "Nothing was deployed."


def _broken(sources: Sources) -> Decision:
    path, why = next(iter(sources.broken.items()))
    more = f" (and {words.plural(len(sources.broken) - 1, 'file')} more)"
    more = more if len(sources.broken) > 1 else ""
    return Decision(
        "block",
        "The evidence is broken",
        f"What stands in {words.tidy(path)} cannot be relied on{more}, so nothing follows from it.",
        words.tidy(f"evidence broken: {path}: {why}", 160) + more,
    )


def _rolled_back(record: Rollback) -> Decision:
    version, place = words.tidy(record.version, 40), words.tidy(record.environment, 40)
    before = words.tidy((record.previous or {}).get("version", "another version"), 40)
    if record.percent < 100:
        return Decision(
            "warn",
            f"The canary {before} was taken back",
            f"{words.tidy(record.by, 60)} gave its {record.percent} % of the requests in {place} "
            f"back to {version}: {words.tidy(record.reason)}",
            f"{place}: canary {before} taken back: {words.tidy(record.reason, 100)}",
        )
    return Decision(
        "warn",
        f"Rolled back to {version}",
        f"{words.tidy(record.by, 60)} put {version} back into {place} in place of {before}: "
        f"{words.tidy(record.reason)}",
        f"{place} rolled back to {version}: {words.tidy(record.reason, 100)}",
    )


def _released(sources: Sources, project: Project, release: Release) -> Decision:
    version, by = words.tidy(release.version, 40), words.tidy(release.approved_by, 60)
    warned = warnings(sources)
    scored = _scored(sources, project)
    verdicts = words.plural(len(sources.verdicts()), "verdict")
    passed = f"{verdicts} passed, {words.plural(len(warned), 'warning')}; approved by {by}."
    return Decision(
        "warn" if warned else "pass",
        f"{version} is released",
        f"{passed} {scored[0]}".strip(),
        " · ".join(
            filter(None, (f"{version} released", scored[1], words.plural(len(warned), "warning")))
        ),
    )


def _under_way(sources: Sources, project: Project) -> Decision:
    plan = sources.get("plan", Plan)
    again = [name for name in sources.verdicts() if name in AGAIN]
    if plan and plan.delivered and len(again) == len(sources.verdicts()):
        live = words.tidy(plan.delivered.get("version", "it"), 40)
        warned = words.plural(len(warnings(sources)), "warning") if warnings(sources) else ""
        judged = (
            f" {words.plural(len(again), 'verdict')} on its data passed again." if again else ""
        )
        text = f"{live} is live and was made of the same data, code and settings.{judged}"
        line = " · ".join(filter(None, (f"nothing to deliver: {live} is live", warned)))
        return Decision("warn" if warned else "pass", "Nothing to deliver", text, line)
    if sources.bare:
        return _judged(sources, project)
    if _waits(sources, project):
        return _waiting(sources, project)
    last = steps.last(sources)
    behind = steps.following(last, sources)
    text = f"The last record is of '{last}'; '{behind}' left none. {_live(sources)}"
    return Decision(
        "skip",
        f"Stopped after the {last}" if last != "plan" else "Planned, no more",
        text,
        f"stopped after {last}: no record of {behind}",
    )


def _waits(sources: Sources, project: Project) -> bool:
    asked = project.config.environments.get("production")
    needs = asked is None or asked.approval != "none"
    done = sources.get("approval", Approval) or sources.get("production", Deployment)
    return needs and "staging-verdict" in sources.records and not done


def _waiting(sources: Sources, project: Project) -> Decision:
    staging = sources.get("staging", Deployment)
    version = words.tidy(staging.version, 40) if staging else "it"
    warned = words.plural(len(warnings(sources)), "warning")
    verdicts = words.plural(len(sources.verdicts()), "verdict")
    scored = _scored(sources, project)
    return Decision(
        "warn",
        "Waiting for approval",
        f"{version} is in staging; {verdicts} passed, {warned}. {scored[0]}".strip(),
        " · ".join(filter(None, (f"{version} waits for approval", scored[1], warned))),
    )


def _judged(sources: Sources, project: Project) -> Decision:
    verdicts = words.plural(len(sources.verdicts()), "verdict")
    scored = _scored(sources, project)
    if not sources.verdicts():
        text = f"There is no verdict here, and nothing was packed or deployed. {scored[0]}".strip()
        return Decision("skip", "Not judged", text, "not judged")
    whole = "model-verdict" in sources.records
    said = f"{verdicts} of a plain dvc repro passed; nothing was packed or deployed."
    return Decision(
        "warn" if warnings(sources) else "pass" if whole else "skip",
        "Judged, not delivered" if whole else "Judged in part",
        f"{said} {scored[0]}".strip(),
        " · ".join(filter(None, (f"judged, not delivered: {verdicts} passed", scored[1]))),
    )


def _scored(sources: Sources, project: Project) -> tuple[str, str]:
    """The metric that counts: as a sentence, and in short."""
    scores = scores_of(sources)
    name = headline_metric(scores, project.config.gates.get("model", {}))
    if not name:
        return "", ""
    mine = words.score(Scores.of(scores.candidate, name))
    label = words.metric(name)
    if scores.champion is None:
        return (
            f"{label} is {mine}; there was no champion to compare it with.",
            f"{label.lower()} {mine} (no champion)",
        )
    theirs = words.score(Scores.of(scores.champion, name))
    text = f"{label} is {mine}, the champion's {theirs}."
    return text, f"{label.lower()} {mine} (champion {theirs})"
