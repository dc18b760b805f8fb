"""Expectation suites asked of a table; whatever Great Expectations cannot answer blocks.

It passes on nothing: an empty table, a column without values and an expectation without limits all
succeed there. So each is refused here before it is asked.
"""

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError
from ...records import Finding, Outcome
from .. import columns
from .parsed import NAMING, Expectation, Suite

GATE = "expectations"
SAMPLES = 5  # values shown of those that were not as expected
BOUNDS = ("min_value", "max_value", "value_set", "quantile_ranges", "regex", "regex_list")


@dataclass(frozen=True)
class Answer:
    """What Great Expectations said to one expectation."""

    success: bool = False
    error: str = ""
    result: Mapping[str, Any] | None = None


def ask(
    suite: Suite | None, table: Any, *, name: str, at_least: int, personal: Sequence[str]
) -> Iterator[Finding]:
    """One finding an expectation, one on the suite itself.

    Args:
        table: an ibis table, or None where there is none.
        name: what the suite should be called.
        at_least: how many different expectations it has to hold.
        personal: columns of whose values nothing is shown.
    """
    count = len({f"{e.type} {dict(e.kwargs)}" for e in suite.expectations}) if suite else 0
    enough = suite is not None and count >= max(at_least, 1)
    yield Finding(
        GATE,
        "pass" if enough else "block",
        count,
        f"at least {max(at_least, 1)} different expectations",
        f"the suite {name} holds {count} expectations" if suite else f"there is no suite {name}",
        name,
    )
    if suite is None:
        return
    filled = columns.filled(table) if table is not None else {}
    if not any(column.rows > 0 for column in filled.values()):
        missing = f"the table {name} is empty"
        yield Finding(GATE, "block", 0, "at least 1 row", missing, f"{name} rows")
        return
    open_questions = []
    for place, expectation in zip(suite.places, suite.expectations, strict=True):
        if problem := _unanswerable(expectation, filled):
            yield _finding(expectation, f"{name} {place}", "block", problem, measured=None)
        else:
            open_questions.append((f"{name} {place}", expectation))
    answers = _validate(table, [expectation for _, expectation in open_questions])
    for (place, expectation), answer in zip(open_questions, answers, strict=True):
        yield _judge(expectation, place, answer, personal)


def _unanswerable(expectation: Expectation, filled: Mapping[str, columns.Filled]) -> str:
    """Why an expectation's success would mean nothing, or nothing."""
    mostly = expectation.kwargs.get("mostly", 1)
    if isinstance(mostly, int | float) and not mostly > 0:
        return f"it asks nothing: mostly is {mostly}"
    for key in BOUNDS:
        if key in expectation.kwargs and expectation.kwargs[key] in ([], {}, ""):
            return f"it asks nothing: {key} is empty"
    problems = (columns.problem_of(filled, name) for name in expectation.about)
    return next((problem for problem in problems if problem), "")


def _judge(
    expectation: Expectation, place: str, answer: Answer, personal: Sequence[str]
) -> Finding:
    # A custom expectation that names no column may read any of them.
    about = expectation.about or (() if expectation.type.startswith("expect_table_") else personal)
    masked = any(name in personal for name in about)
    if answer.error:
        error = answer.error.split(":")[0] if masked else answer.error
        problem = f"{expectation.says}: no answer, {error}"
        return _finding(expectation, place, "block", problem, measured=None)
    if answer.success:
        return _finding(expectation, place, "pass", expectation.says, measured="as expected")
    outcome: Outcome = "block" if expectation.severity == "critical" else "warn"
    measured = _measured(answer.result or {}, expectation, masked=masked)
    return _finding(expectation, place, outcome, f"not so: {expectation.says}", measured=measured)


def _finding(
    expectation: Expectation, place: str, outcome: Outcome, message: str, *, measured: Any
) -> Finding:
    expected = {key: _plain(v) for key, v in expectation.kwargs.items() if key not in NAMING}
    return Finding(GATE, outcome, measured, expected or "yes", message, place)


def _measured(result: Mapping[str, Any], expectation: Expectation, *, masked: bool) -> Any:
    """Counts for every column; values only of columns that are not personal."""
    found: dict[str, Any] = {}
    if "unexpected_count" in result:
        found["unexpected"] = _plain(result["unexpected_count"])
        found["of"] = _plain(result.get("element_count"))
        if not masked:
            samples = result.get("partial_unexpected_list") or ()
            found["samples"] = sorted({str(_plain(value))[:100] for value in samples})
    elif not masked or "count" in expectation.type or "proportion" in expectation.type:
        found["observed"] = _plain(result.get("observed_value"))
    else:
        found["observed"] = "not shown: personal"
    return found


def _plain(value: Any) -> Any:
    """A value as JSON has it, whatever array or date it is."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _validate(table: Any, expectations: Sequence[Expectation]) -> list[Answer]:
    """Great Expectations' answers, in order: yes or no first, details for what failed."""
    if not expectations:
        return []
    batch = _batch(table)
    answers = _answers(batch, expectations, "BOOLEAN_ONLY")
    doubtful = [
        place
        for place, answer in enumerate(answers)
        if not (answer.success or answer.error) or "row_condition" in expectations[place].kwargs
    ]
    details = _answers(batch, [expectations[place] for place in doubtful], "SUMMARY")
    for place, detail in zip(doubtful, details, strict=True):
        answers[place] = _not_vacuous(detail)
    return answers


def _not_vacuous(answer: Answer) -> Answer:
    """A success over no row at all, where a condition picked none, is no answer."""
    result = answer.result or {}
    if answer.success and result.get("element_count") == result.get("missing_count", 0):
        return Answer(error="its condition picks no row with a value")
    return answer


def _answers(batch: Any, expectations: Sequence[Expectation], detail: str) -> list[Answer]:
    import great_expectations as gx

    if not expectations:
        return []
    suite = gx.ExpectationSuite(name="asked")
    suite.expectations = [_domain(e, number) for number, e in enumerate(expectations)]
    form = {"result_format": detail, "partial_unexpected_count": SAMPLES}
    try:
        results = batch.validate(suite, result_format=form).results
    except Exception as error:  # whatever it raises instead of an answer
        return [Answer(error=f"{type(error).__name__}: {error}")] * len(expectations)
    found = {int(r.expectation_config.meta[GATE]): r for r in results}
    return [_answer(found.get(number)) for number in range(len(expectations))]


def _answer(result: Any) -> Answer:
    if result is None:
        return Answer(error="it was not asked")
    raised = _raised(result.exception_info or {})
    return Answer(bool(result.success) and not raised, raised, result.result)


def _raised(info: Mapping[str, Any]) -> str:
    """The message of what was raised, wherever Great Expectations put it."""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return str(entry.get("exception_message") or "an exception without a message")
        if not isinstance(entry, Mapping) and entry:
            return str(entry)[:200]
    return ""


def _domain(expectation: Expectation, number: int) -> Any:
    """The library's own object; built one by one, since a suite drops what it does not know."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        return ExpectationConfiguration(
            type=expectation.type, kwargs=dict(expectation.kwargs), meta={GATE: number}
        ).to_domain_obj()
    except Exception as error:  # its validation raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{expectation.type} is no expectation: {reason}",
            f"{dict(expectation.kwargs)}",
            "correct the suite under ml/expectations/",
        ) from error


def _batch(table: Any) -> Any:
    """The table as Great Expectations reads it: it is fast on 64-bit numbers alone."""
    import pyarrow as pa

    rows = table.to_pyarrow()
    wide = [
        pa.field(f.name, pa.int64() if pa.types.is_integer(f.type) else f.type) for f in rows.schema
    ]
    frame = rows.cast(pa.schema(wide)).to_pandas(date_as_object=False)
    source = _context().data_sources.add_or_update_pandas("tables")
    asset = source.add_dataframe_asset("table")
    return asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})


@functools.cache
def _context() -> Any:
    """One context a process: in memory, silent, sending nothing."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context
