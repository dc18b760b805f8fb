"""Expectation suites asked of a table; whatever Great Expectations cannot answer blocks.

It passes on nothing: an empty table, a column without values and an expectation without limits all
succeed there. So each is refused here before it is asked.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...records import Finding
from .. import columns
from ..offending import Offending
from . import great, shown, weighed
from .findings import GATE, finding, found
from .great import Answer, Custom
from .loosened import KNOWN, meaning
from .parsed import Expectation, Suite
from .shown import Shown, View

BOUNDS = ("min_value", "max_value")
LISTS = (
    *("value_set", "value_pairs_set", "quantile_ranges", "regex", "regex_list", "type_list"),
    *("column_set", "column_list", "like_pattern_list"),
)
NOTHING: tuple[Any, ...] = (None, [], {}, "")


@dataclass(frozen=True)
class Asked:
    """What a table is asked, and how.

    Attributes:
        name: what the suite should be called.
        at_least: how many different expectations it has to hold.
        personal: columns of whose values nothing is shown.
        custom: the project's own kinds of expectations.
    """

    name: str
    at_least: int = 1
    personal: Sequence[str] = ()
    custom: Custom = field(default_factory=Custom)


def ask(suite: Suite | None, table: Any, asked: Asked) -> Iterator[Finding | Offending]:
    """One finding an expectation, one on the suite itself.

    Args:
        table: an ibis table, or None where there is none.

    Raises:
        ConfigError: an expectation is of no known kind, or can't take its arguments.
    """
    yield _held(suite, asked)
    if suite is None or not suite.expectations:
        return
    great.warm_up()
    filled = columns.filled(table) if table is not None else {}
    problems = [_unanswerable(expectation, filled) for expectation in suite.expectations]
    sound = [e for e, problem in zip(suite.expectations, problems, strict=True) if not problem]
    rows = max((column.rows for column in filled.values()), default=0)
    early = _early(table, sound, rows)  # while the library is imported
    great.check(suite, asked.custom)
    if not rows > 0:
        missing = f"the table {asked.name} is empty"
        yield Finding(GATE, "block", 0, "at least 1 row", missing, f"{asked.name} rows")
        return
    answers = iter(_answers(table, sound, rows, early))
    places = [f"{suite.name} {place}" for place in suite.places]
    for place, expectation, problem in zip(places, suite.expectations, problems, strict=True):
        if problem:
            yield finding(expectation, place, "block", problem, measured=None)
        else:
            yield found(expectation, place, next(answers), asked.personal)


def _held(suite: Suite | None, asked: Asked) -> Finding:
    """Whether there is a suite, and enough in it; copies of one expectation count once."""
    count = len({meaning(expectation) for expectation in suite.expectations}) if suite else 0
    least, name = max(asked.at_least, 1), asked.name
    return Finding(
        GATE,
        "pass" if count >= least else "block",
        count,
        f"at least {least} different expectations",
        f"the suite {name} holds {count} expectations" if suite else f"there is no suite {name}",
        name,
    )


def _unanswerable(expectation: Expectation, filled: Mapping[str, columns.Filled]) -> str:
    """Why an expectation's success would mean nothing, or nothing."""
    mostly = expectation.kwargs.get("mostly", 1)
    if not (isinstance(mostly, int | float) and mostly > 0):
        return f"it asks nothing: mostly is {mostly}"
    for key in (*BOUNDS, *LISTS):
        if expectation.kwargs.get(key, 0) in (NOTHING if key in LISTS else NOTHING[1:]):
            return f"it asks nothing: {key} is empty"
    between = expectation.type in KNOWN and expectation.type.endswith("_to_be_between")
    if between and not any(map(_limits, _ranges(expectation))):
        return "it asks nothing: it has no limit"
    problems = (columns.problem_of(filled, name) for name in expectation.about)
    return next((problem for problem in problems if problem), "")


def _ranges(expectation: Expectation) -> Iterator[Any]:
    """The pairs of a floor and a ceiling that it names."""
    quantiles = expectation.kwargs.get("quantile_ranges")
    if quantiles is None:
        yield [expectation.kwargs.get(key) for key in BOUNDS]
    elif isinstance(quantiles, Mapping):
        yield from quantiles.get("value_ranges") or ()


def _limits(bounds: Any) -> bool:
    """Whether a pair of bounds excludes anything."""
    endless = (None, -math.inf, math.inf)
    return not isinstance(bounds, list) or any(bound not in endless for bound in bounds)


@dataclass(frozen=True)
class Early:
    """What was looked up before the library was there.

    Attributes:
        spread: columns that hold hardly any value twice.
        shown: view → what it shows, of those that are small.
    """

    spread: frozenset[str] = frozenset()
    shown: Mapping[View, Shown] = field(default_factory=dict)


def _early(table: Any, expectations: Sequence[Expectation], rows: int) -> Early:
    """The distinct values that will be asked about; conditions are read by the library itself."""
    if not rows > 0:
        return Early()
    asked = [e for e in expectations if not shown.is_conditional(e)]
    views = dict.fromkeys(shown.views_of(asked, table, rows))
    spread = shown.spread(table, list(views), rows)
    small = [v for v in views if v.way == "values" and not spread & set(v.columns)]
    return Early(spread, {view: shown.shown(table, view, rows, spread) for view in small})


def _answers(
    table: Any, expectations: Sequence[Expectation], rows: int, early: Early
) -> list[Answer]:
    """All answers, in order; those that are shown the same are asked together."""
    views = shown.views_of(expectations, table, rows)
    answers: dict[int, Answer] = {}
    for view in dict.fromkeys(views):
        places = [place for place, other in enumerate(views) if other == view]
        seen = early.shown.get(view) or shown.shown(table, view, rows, early.spread)
        together = [expectations[place] for place in places]
        given = (
            _asked_plainly(table, seen, together)
            if seen.times is None
            else weighed.answers(table, seen, together)
        )
        answers |= dict(zip(places, map(_not_vacuous, given), strict=True))
    return [
        _with_extremes(table, expectation, answers[place])
        for place, expectation in enumerate(expectations)
    ]


def _asked_plainly(table: Any, seen: Shown, expectations: Sequence[Expectation]) -> list[Answer]:
    """Yes or no first, details for what failed: most are as expected, and details take long."""
    frame = seen.frame
    answers = great.answers(frame, expectations, "BOOLEAN_ONLY")
    doubtful = [
        place
        for place, answer in enumerate(answers)
        if not (answer.success or answer.error) or "row_condition" in expectations[place].kwargs
    ]
    details = great.answers(frame, [expectations[place] for place in doubtful], "COMPLETE")
    for place, detail in zip(doubtful, details, strict=True):
        places = _places(detail)
        if places:
            result = _sampled(detail.result or {}, seen, expectations[place], places)
            detail = replace(detail, result=result, rows=_rows(table, seen, places))
        answers[place] = detail
    return answers


def _places(answer: Answer) -> list[int]:
    """The places of rows that it names among those that were shown."""
    places = (answer.result or {}).get(weighed.INDEX) or []
    named = not answer.success and all(isinstance(place, int) for place in places)
    return list(places) if named else []


def _sampled(
    result: Mapping[str, Any], seen: Shown, expectation: Expectation, places: Sequence[int]
) -> Mapping[str, Any]:
    """The result with samples that do not depend on the order in which an engine gives rows."""
    names = [name for name in expectation.about if name in seen.rows.column_names]
    if "partial_unexpected_list" not in result or not names:
        return result
    rows = seen.rows.select(names).take(places).to_pylist()
    values = ((tuple(row.values()) if len(names) > 1 else row[names[0]], 1) for row in rows)
    return {**result, "partial_unexpected_list": weighed.most_frequent(values)}


def _rows(table: Any, seen: Shown, places: Sequence[int]) -> Any:
    """The rows at some places of what was shown, as an ibis table."""
    import ibis

    rows = seen.rows.take(places)
    whole = set(seen.rows.column_names) == set(table.columns)
    return ibis.memtable(rows) if whole else weighed.same_rows(table, rows)


def _not_vacuous(answer: Answer) -> Answer:
    """A success over no row at all, where a condition picked none, is no answer."""
    result = answer.result or {}
    count = result.get("element_count")
    if answer.success and count is not None and count == result.get("missing_count", 0):
        return Answer(error="its condition picks no row with a value")
    return answer


def _with_extremes(table: Any, expectation: Expectation, answer: Answer) -> Answer:
    """The rows with a least or largest value that is not as expected."""
    extreme = "_min_to_be" in expectation.type or "_max_to_be" in expectation.type
    value = (answer.result or {}).get("observed_value")
    if answer.success or answer.error or not extreme or value is None:
        return answer
    (name,) = expectation.about
    column = table[name]
    ends = table.aggregate(end=column.min() if "_min_" in expectation.type else column.max())
    return replace(answer, rows=weighed.same_rows(table, ends.rename({name: "end"}).to_pyarrow()))
