"""Findings from answers: counts for every column, values only of those that are not personal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...records import Finding, Outcome
from .. import masks
from ..offending import Offending
from .great import Answer, plain
from .parsed import NAMING, OF_TABLE, Expectation

GATE = "expectations"


def found(
    expectation: Expectation, place: str, answer: Answer, personal: Sequence[str]
) -> Finding | Offending:
    """What an answer means for the data, with the rows that are not as expected."""
    # A custom expectation that names no column may read any of them.
    about = expectation.about or (() if expectation.type.startswith(OF_TABLE) else personal)
    masked = any(masks.about(name, personal) for name in about)
    if answer.error:
        error = answer.error.split(":")[0] if masked else answer.error
        problem = f"{expectation.says}: no answer, {error}"
        silent = finding(expectation, place, "block", problem, measured=None)
        return replace(silent, traceback=answer.traceback)
    if answer.success:
        return finding(expectation, place, "pass", expectation.says, measured="as expected")
    outcome: Outcome = "block" if expectation.severity == "critical" else "warn"
    measured = _measured(answer.result or {}, expectation, masked=masked)
    message = f"not so: {expectation.says}"
    wrong = finding(expectation, place, outcome, message, measured=measured)
    return wrong if answer.rows is None else Offending(wrong, answer.rows)


def finding(
    expectation: Expectation, place: str, outcome: Outcome, message: str, *, measured: Any
) -> Finding:
    """A finding about one expectation, by its place in its suite."""
    expected = {key: plain(v) for key, v in expectation.kwargs.items() if key not in NAMING}
    column = expectation.about[0] if len(expectation.about) == 1 else ""
    return Finding(GATE, outcome, measured, expected or "yes", message, place, column)


def _measured(result: Mapping[str, Any], expectation: Expectation, *, masked: bool) -> Any:
    shown: dict[str, Any] = {}
    if "unexpected_count" in result:
        shown["unexpected"] = plain(result["unexpected_count"])
        shown["of"] = plain(result.get("element_count"))
        if not masked:
            samples = result.get("partial_unexpected_list") or ()
            shown["samples"] = sorted({str(plain(value))[:100] for value in samples})
    elif not masked or "count" in expectation.type or "proportion" in expectation.type:
        shown["observed"] = plain(result.get("observed_value"))
    else:
        shown["observed"] = "not shown: personal"
    return shown
