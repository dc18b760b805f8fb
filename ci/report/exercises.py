"""What is tried beside a delivery: a drill, a reproduction; on a page of their own if alone."""

from ..records import Drill, Finding, Reproduction
from . import words
from .sources import Sources

NAMES = ("drill", "reproduction")


def alone(sources: Sources) -> bool:
    """Whether there is nothing of a delivery to tell."""
    return bool(sources.records) and set(sources.records) <= set(NAMES) and not sources.bare


def told(sources: Sources) -> tuple[str, str, str, tuple[Finding, ...]]:
    """Tone, headline, a sentence, and what blocks: of the drill, else of the reproduction."""
    drill, again = sources.get("drill", Drill), sources.get("reproduction", Reproduction)
    if drill:
        return _drilled(drill)
    if again:
        return _reproduced(again)
    return "skip", "Nothing is recorded", "", ()


def _drilled(drill: Drill) -> tuple[str, str, str, tuple[Finding, ...]]:
    undone = sum(case.restored and case.agrees for case in drill.cases)
    failed, sent = (sum(getattr(c, key) for c in drill.cases) for key in ("failed", "sent"))
    many = f"{undone} of {words.plural(len(drill.cases), 'sick release')}"
    place, version = words.tidy(drill.environment, 40), words.tidy(drill.version, 40)
    requests = f"{words.count(failed)} of {words.plural(sent, 'request')} failed"
    well = "passed" if drill.outcome != "block" else "did not pass"
    text = f"{many} undone, {requests}; {version} serves on."
    return drill.outcome, f"The drill in {place} {well}", text, _blocking(drill.findings)


def _reproduced(again: Reproduction) -> tuple[str, str, str, tuple[Finding, ...]]:
    version = words.tidy(again.version, 40)
    took = words.duration(sum(again.seconds.values()))
    if again.found == again.subject:
        text = f"Its commit and its data gave the same model, byte for byte, in {took}."
        return again.outcome, f"{version} is reproduced", text, ()
    text = f"Another model came of its commit and its data, in {took}."
    return "block", f"{version} is not reproduced", text, _blocking(again.findings)


def _blocking(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.outcome == "block")
