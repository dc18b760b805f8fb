"""What Great Expectations is shown of a table: as little as gives the answer that all of it would.

Many expectations ask about one value at a time. What they say of a column follows from its distinct
values and how often each occurs. So they are asked about a table of these, and what they find is
weighed. What depends on the order of rows, or is not known here, is asked about whole columns.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .great import domain
from .parsed import Expectation

Way = Literal["names", "values", "heap", "whole"]
TIMES = "times in the table"  # column of a table of distinct values: how often
FEW = 100_000  # rows of a table that is quicker shown as it is than looked at by value
MANY = 100_000  # rows that tell whether a larger table's values are worth putting together
SPREAD = 0.9  # where more than this share of them differ, all rows are shown as they are
VALUES = "expect_column_values_to_"
# Kinds that read one value, or one pair of values, at a time.
ONE_BY_ONE = frozenset(
    {
        *(
            f"{VALUES}be_{name}"
            for name in ("between", "in_set", "null", "of_type", "in_type_list")
        ),
        *(f"{VALUES}be_{name}" for name in ("dateutil_parseable", "json_parseable")),
        *(f"{VALUES}not_be_{name}" for name in ("null", "in_set")),
        *(f"{VALUES}{no}match_regex{x}" for no in ("", "not_") for x in ("", "_list")),
        *(f"{VALUES}match_{name}" for name in ("strftime_format", "json_schema")),
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
    }
)
# Of these, kinds that read a value as text: 0.0 and -0.0 are one number, and two texts.
AS_TEXT = ("match_", "value_lengths_", "_parseable")
# Kinds that read which values there are, not how often.
SETS = frozenset(
    {
        *(f"expect_column_{name}_to_be_between" for name in ("min", "max", "unique_value_count")),
        *(f"expect_column_distinct_values_to_{x}_set" for x in ("be_in", "contain", "equal")),
    }
)
# Kinds that read all values, in any order.
HEAPS = frozenset(
    f"expect_column_{name}_to_be_between"
    for name in ("mean", "median", "sum", "stdev", "quantile_values")
)
NAMES = frozenset(
    {
        *(f"expect_table_columns_to_match_{x}" for x in ("ordered_list", "set")),
        *(f"expect_table_column_count_to_{x}" for x in ("be_between", "equal")),
        "expect_column_to_exist",
    }
)
ROWS = frozenset(f"expect_table_row_count_to_{x}" for x in ("be_between", "equal"))
# Kinds that read the rows' order, or which of them are alike, of the columns that they name.
NAMED = frozenset(
    {
        *(f"{VALUES}be_{name}" for name in ("unique", "increasing", "decreasing")),
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_compound_columns_to_be_unique",
        "expect_select_column_values_to_be_unique_within_record",
        "expect_multicolumn_sum_to_equal",
    }
)
ROW_WISE = (
    *(ast.Expression, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator),
    *(ast.Compare, ast.cmpop, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple),
)


@dataclass(frozen=True)
class View:
    """What is shown to some expectations: which columns, and how.

    Attributes:
        way: the columns' names alone; their distinct values; all rows, each column in an order of
            its own; or all rows as they are.
    """

    way: Way
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """Rows as they are shown.

    Attributes:
        rows: an Arrow table.
        times: how often each row stands in the table that it is about; None where it is each row.
    """

    rows: Any
    times: Any = None

    @property
    def frame(self) -> Any:
        """The rows as Great Expectations reads them: it is fast on 64-bit numbers alone."""
        import pandas as pd
        import pyarrow as pa

        if not self.rows.num_columns:
            return pd.DataFrame(index=pd.RangeIndex(self.rows.num_rows))
        wide = [
            pa.field(f.name, pa.int64() if pa.types.is_integer(f.type) else f.type)
            for f in self.rows.schema
        ]
        rows = self.rows.cast(pa.schema(wide))
        return rows.to_pandas(date_as_object=False, split_blocks=True)


def views_of(expectations: Sequence[Expectation], table: Any, rows: int) -> list[View]:
    """What each expectation has to be shown of an ibis table of so many rows."""
    kinds = table.schema()
    views = [_view_of(expectation, kinds) for expectation in expectations]
    if rows <= FEW:
        views = [v if v.way == "heap" and v.columns else View("whole", tuple(kinds)) for v in views]
    heaps = [name for view in views if view.way == "heap" for name in view.columns]
    heap = View("heap", tuple(dict.fromkeys(heaps)))
    return [heap if view.way == "heap" else view for view in views]


def _view_of(expectation: Expectation, kinds: Mapping[str, Any]) -> View:
    kind, about, columns = expectation.type, expectation.about, tuple(kinds)
    conditional = is_conditional(expectation)
    if kind in NAMES and not conditional:
        return View("names")
    if kind in HEAPS | ROWS and not conditional:
        return View("heap", about)
    named = condition_columns(expectation, columns) if conditional else ()
    if named is None or kind not in ONE_BY_ONE | SETS | HEAPS | NAMED | ROWS:
        return View("whole", columns)
    wanted = tuple(dict.fromkeys((*about, *named)))
    as_text = any(part in kind for part in AS_TEXT)
    exact = not (as_text and any(kinds[name].is_floating() for name in about))
    by_value = kind in ONE_BY_ONE | SETS and exact
    return View("values" if by_value else "whole", wanted or columns)


def is_conditional(expectation: Expectation) -> bool:
    """Whether it is about some of the rows alone."""
    return bool(expectation.kwargs.get("row_condition"))


def condition_columns(expectation: Expectation, columns: tuple[str, ...]) -> tuple[str, ...] | None:
    """The columns that a condition reads, if it is about one row at a time; None if in doubt."""
    condition = domain(expectation).row_condition
    names = list(_names(condition, columns))
    return None if None in names else tuple(name for name in names if name)


def _names(condition: Any, columns: tuple[str, ...]) -> Iterator[str | None]:
    parts = getattr(condition, "conditions", None)
    if parts is not None:
        for part in parts:
            yield from _names(part, columns)
    elif hasattr(condition, "pass_through_filter"):
        yield from _queried(condition.pass_through_filter, columns)
    else:
        name = getattr(getattr(condition, "column", None), "name", None)
        yield name if name in columns else None


def _queried(query: str, columns: tuple[str, ...]) -> Iterator[str | None]:
    """The names in a pandas query that only compares, combines and reckons; else None."""
    try:
        nodes = list(ast.walk(ast.parse(query.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError):
        yield None
        return
    for node in nodes:
        if isinstance(node, ast.Compare):
            among = [
                right
                for how, right in zip(node.ops, node.comparators, strict=True)
                if isinstance(how, ast.In | ast.NotIn)
            ]
            if any(isinstance(x, ast.Name) for right in among for x in ast.walk(right)):
                yield None  # among all values of another column
        if isinstance(node, ast.Name):
            yield node.id if node.id in columns else None
        elif not isinstance(node, ROW_WISE):
            yield None


def spread(table: Any, views: Sequence[View], rows: int) -> frozenset[str]:
    """The columns of a large table that hold hardly any value twice, as far as its first rows tell.

    Whatever it says, the answers are the same: it is about speed alone.
    """
    names = list(dict.fromkeys(n for view in views if view.way != "whole" for n in view.columns))
    if not (rows > MANY and names):
        return frozenset()
    first = table.select(names).limit(MANY)
    wanted = {f"n{number}": first[name].nunique() for number, name in enumerate(names)}
    (found,) = first.aggregate(**wanted).to_pyarrow().to_pylist()
    return frozenset(n for number, n in enumerate(names) if found[f"n{number}"] > SPREAD * MANY)


def shown(table: Any, view: View, rows: int, spread: frozenset[str]) -> Shown:
    """What a view shows of an ibis table.

    Args:
        rows: how many the table has.
        spread: columns that hold hardly any value twice.
    """
    import pyarrow as pa

    if view.way == "names":
        return Shown(table.limit(0).to_pyarrow())
    if view.way == "heap":
        heap = pa.table({"row": pa.nulls(rows)}).select([])
        for name in view.columns:
            heap = heap.append_column(name, _heap(table, name))
        return Shown(heap)
    columns = list(view.columns)
    if view.way == "whole" or spread & set(columns):
        return Shown(table.select(columns).to_pyarrow())
    found = _counted(table, columns).to_pyarrow()
    return Shown(found.drop_columns([TIMES]), found[TIMES].to_numpy())


def _counted(table: Any, columns: list[str]) -> Any:
    return table.group_by(columns).aggregate(**{TIMES: table.count()})


def _heap(table: Any, name: str) -> Any:
    """Every value of a column as often as it occurs, sorted: a sum is the same on every engine."""
    import numpy as np

    found = _counted(table, [name]).order_by(name).to_pyarrow()
    times = found[TIMES].to_numpy()
    return found[name].combine_chunks().take(np.repeat(np.arange(len(times)), times))
