"""The delivery as Markdown: what a pull request's check or a chat message shows of it."""

from collections.abc import Iterator, Sequence

from ..config import Project
from ..records import Finding, Verdict
from . import metrics, steps, words
from .decision import Decision, decide
from .sources import Sources

MARKS = {"pass": "✅", "warn": "⚠️", "block": "❌", "skip": "➖", "not_applicable": "➖"}
ACTIVE = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+-.:!|~>"} | {"<": "&lt;", "&": "&amp;"})
OUTCOMES = ("pass", "skip", "not_applicable")
MOST = 10  # findings, or metrics


def render(project: Project, sources: Sources) -> str:
    """A headline, the verdicts, what did not pass, and the metrics beside the champion's.

    Nothing of a record's text is active in it: neither markup nor HTML, and no `@` calls anybody.
    """
    decision = decide(sources, project)
    blocks = [_head(decision), _verdicts(sources), _loud(sources), _metrics(project, sources)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _head(decision: Decision) -> str:
    title = f"### {MARKS.get(decision.tone, '')} {plain(decision.headline)}"
    return f"{title}\n\n{plain(decision.why)}" if decision.why else title


def _verdicts(sources: Sources) -> str:
    rows = [
        (
            f"{MARKS[verdict.outcome]} {plain(steps.STEP_OF.get(name, name))}",
            _passed(verdict),
            words.duration(verdict.seconds) if verdict.seconds else "",
        )
        for name, verdict in sources.verdicts().items()
    ]
    return _table(("gate", "passed", "took"), rows)


def _passed(verdict: Verdict) -> str:
    """How many findings passed, of those that were a question here."""
    count = {kind: sum(f.outcome == kind for f in verdict.findings) for kind in OUTCOMES}
    asked = len(verdict.findings) - count["skip"] - count["not_applicable"]
    left = f", {count['skip']} skipped" if count["skip"] else ""
    return f"{count['pass']} of {asked}{left}"


def _loud(sources: Sources) -> str:
    """What blocked, then what warned, each with its figures."""
    found = list(_told(sources.verdicts(), "block")) + list(_told(sources.verdicts(), "warn"))
    more = f"\n\n… and {len(found) - MOST} more, in the report." if len(found) > MOST else ""
    return _table(("finding", "measured", "expected", "in words"), found[:MOST]) + more


def _told(verdicts: dict[str, Verdict], outcome: str) -> Iterator[Sequence[str]]:
    for verdict in verdicts.values():
        for finding in verdict.findings:
            if finding.outcome == outcome:
                yield _row(finding)


def _row(finding: Finding) -> Sequence[str]:
    about = f"{MARKS[finding.outcome]} {plain(finding.gate)}: {plain(words.asked(finding))}"
    figures = (words.figure(finding.measured), words.figure(finding.expected))
    return (about, *(plain(text, 80) for text in figures), plain(finding.message, 160))


def _metrics(project: Project, sources: Sources) -> str:
    scores = metrics.scores_of(sources)
    verdict = sources.get("model-verdict", Verdict)
    found = metrics.rows(scores, verdict, project.config.gates.get("model", {}))[:MOST]
    rows = [
        (plain(words.metric(row.metric)), plain(row.candidate), plain(row.champion))
        for row in found
    ]
    return _table(("metric", "candidate", "champion"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(text: str, longest: int = words.LONGEST) -> str:
    """A text that Markdown shows as it is."""
    return words.tidy(text, longest).translate(ACTIVE).replace("@", "@\u200b")
