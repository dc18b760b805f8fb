"""Answers about a table from answers about its distinct values: each weighs as often as it occurs.

Success is decided by the very formula of the library, with its denominators: what is null counts
where nulls are asked about, and nowhere else; a pair counts as `ignore_row_if` says.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import great
from .great import SAMPLES, Answer
from .parsed import Expectation
from .shown import Shown

NULLS = ("expect_column_values_to_be_null", "expect_column_values_to_not_be_null")
INDEX = "unexpected_index_list"  # places of rows in what was shown


def answers(table: Any, found: Shown, expectations: Sequence[Expectation]) -> list[Answer]:
    """What is said to expectations that were shown a table's distinct values.

    Args:
        table: the ibis table that the values are of.
        found: what is shown of it, with `times`.
    """
    frame = found.frame
    helpers = [h for e in expectations for h in _helpers(e)]
    said = great.answers(frame, [*expectations, *helpers], "COMPLETE")
    helped = dict(zip(map(_key, helpers), said[len(expectations) :], strict=True))
    return [
        _weighed(table, found, frame, expectation, answer, helped)
        for expectation, answer in zip(expectations, said, strict=False)
    ]


def _helpers(expectation: Expectation) -> list[Expectation]:
    """Expectations that tell which rows a condition picks: those with a null, those without."""
    if not expectation.kwargs.get("row_condition"):
        return []
    kwargs = {key: expectation.kwargs.get(key) for key in ("row_condition", "condition_parser")}
    kwargs = {"column": expectation.about[0], **{k: v for k, v in kwargs.items() if v is not None}}
    return [Expectation(kind, kwargs, "critical", "") for kind in NULLS]


def _key(expectation: Expectation) -> str:
    return f"{expectation.type} {dict(expectation.kwargs)}"


def _weighed(
    table: Any,
    found: Shown,
    frame: Any,
    expectation: Expectation,
    answer: Answer,
    helped: Mapping[str, Answer],
) -> Answer:
    import numpy as np

    result = answer.result or {}
    if answer.error or INDEX not in result:
        return answer
    helpers = [helped[_key(helper)] for helper in _helpers(expectation)]
    failed = next((helper for helper in helpers if helper.error), None)
    if failed:
        return failed
    picked = np.ones(len(frame), dtype=bool)
    if helpers:
        picked = _mask(len(frame), [i for h in helpers for i in (h.result or {})[INDEX]])
    asked = great.domain(expectation)
    counted = picked & _counted(frame, expectation, getattr(asked, "ignore_row_if", ""))
    wrong = _mask(len(frame), result[INDEX])
    success = _enough(found.times[counted].sum(), found.times[wrong].sum(), asked.mostly)
    return replace(
        answer,
        success=success,
        result=_result(found, picked, counted, wrong, expectation),
        rows=None if success else same_rows(table, found.rows.filter(wrong)),
    )


def _mask(length: int, places: Sequence[int]) -> Any:
    import numpy as np

    mask = np.zeros(length, dtype=bool)
    mask[np.asarray(places, dtype=int)] = True
    return mask


def _counted(frame: Any, expectation: Expectation, ignore: str) -> Any:
    """Which values are asked about at all."""
    import numpy as np

    if expectation.type in NULLS or ignore == "neither":
        return np.ones(len(frame), dtype=bool)
    nulls = frame[list(expectation.about)].isna().to_numpy()
    return ~(nulls.all(axis=1) if ignore == "both_values_are_missing" else nulls.any(axis=1))


def _enough(counted: int, wrong: int, mostly: float) -> bool:
    """Whether most are as expected; of none, all are."""
    return counted == 0 or (float(counted) - float(wrong)) / float(counted) >= mostly


def _result(
    found: Shown, picked: Any, counted: Any, wrong: Any, expectation: Expectation
) -> dict[str, Any]:
    """The counts as the library gives them, and the most frequent of the unexpected values."""
    rows = int(found.times[picked].sum())
    result = {"element_count": rows, "unexpected_count": int(found.times[wrong].sum())}
    if expectation.type not in NULLS:
        result["missing_count"] = rows - int(found.times[counted].sum())
    names = list(expectation.about)
    pairs = zip(
        found.times[wrong].tolist(), found.rows.filter(wrong).select(names).to_pylist(), strict=True
    )
    values = ((tuple(row.values()) if len(names) > 1 else row[names[0]], n) for n, row in pairs)
    return {**result, "partial_unexpected_list": most_frequent(values)}


def most_frequent(values: Iterable[tuple[Any, int]]) -> list[Any]:
    """The values that are shown of all: those that occur most often, whatever order they came in.

    Args:
        values: pairs of a value and how often it occurs; a value may come up again.
    """
    times: Counter[str] = Counter()
    known: dict[str, Any] = {}
    for value, count in values:
        text = str(great.plain(value))
        times[text] += count
        known.setdefault(text, value)
    first = sorted(times, key=lambda text: (-times[text], text))[:SAMPLES]
    return [known[text] for text in first]


def same_rows(table: Any, values: Any) -> Any:
    """The rows of an ibis table that hold some values; null is like null.

    Args:
        values: an Arrow table of some of its columns.
    """
    import ibis

    known = ibis.memtable(values.group_by(values.column_names).aggregate([]))
    return table.semi_join(known, [table[n].identical_to(known[n]) for n in values.column_names])
