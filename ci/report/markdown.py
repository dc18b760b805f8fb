"""The delivery as Markdown: what a pull request's check or a chat message shows of it."""

from collections.abc import Iterator, Sequence

from ..config import Project
from ..records import Finding, Verdict
from . import metrics, rows, steps, words
from .decision import Decision, decide
from .sources import Sources

MARKS = {"pass": "✅", "warn": "⚠️", "block": "❌", "skip": "➖", "not_applicable": "➖"}
ACTIVE = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+-.:!|~>"} | {"<": "&lt;", "&": "&amp;"})
OUTCOMES = ("pass", "skip", "not_applicable")
MOST = 10  # findings, or metrics
TABLES, ROWS, COLUMNS, CALLS = 3, 5, 8, 8  # of rows, and in one


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
    lines = [
        (
            f"{MARKS[verdict.outcome]} {plain(steps.STEP_OF.get(name, name))}",
            _passed(verdict),
            words.duration(verdict.seconds) if verdict.seconds else "",
        )
        for name, verdict in sources.verdicts().items()
    ]
    return _table(("gate", "passed", "took"), lines)


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
    lines = [_row(finding) for _, finding in found[:MOST]]
    named = [_rows(verdict, f) for verdict, f in found if f.rows or f.traceback][:TABLES]
    text = _table(("finding", "measured", "expected", "in words"), lines) + more
    return "\n\n".join((text, *named))


def _told(verdicts: dict[str, Verdict], outcome: str) -> Iterator[tuple[Verdict, Finding]]:
    for verdict in verdicts.values():
        for finding in verdict.findings:
            if finding.outcome == outcome:
                yield verdict, finding


def _rows(verdict: Verdict, finding: Finding) -> str:
    """The first rows that a finding is about, or its last calls, folded away."""
    shown = rows.table(finding, ROWS, COLUMNS)
    header = [plain(name) for name in shown.header]
    text = _table(header, [[plain(cell) for cell in line] for line in shown.cells])
    calls = "\n".join(f"- {plain(call)}" for call in rows.called(finding.traceback, CALLS))
    get = rows.how_to_get(verdict) if finding.file else ""
    said = f"{finding.gate}: {words.asked(finding)}: {shown.said if finding.rows else 'raised'}"
    parts = (text, calls, f"All of them: {plain(get)}" if get else "")
    head = f"<details><summary>{plain(said)}</summary>"
    return "\n\n".join((head, *filter(None, parts), "</details>"))


def _row(finding: Finding) -> Sequence[str]:
    about = f"{MARKS[finding.outcome]} {plain(finding.gate)}: {plain(words.asked(finding))}"
    figures = (words.figure(finding.measured), words.figure(finding.expected))
    return (about, *(plain(text, 80) for text in figures), plain(finding.message, 160))


def _metrics(project: Project, sources: Sources) -> str:
    scores = metrics.scores_of(sources)
    verdict = sources.get("model-verdict", Verdict)
    found = metrics.rows(scores, verdict, project.config.gates.get("model", {}))[:MOST]
    lines = [
        (plain(words.metric(row.metric)), plain(row.candidate), plain(row.champion))
        for row in found
    ]
    return _table(("metric", "candidate", "champion"), lines)


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return ""
    shown = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def plain(text: str, longest: int = words.LONGEST) -> str:
    """A text that Markdown shows as it is."""
    return words.tidy(text, longest).translate(ACTIVE).replace("@", "@\u200b")
