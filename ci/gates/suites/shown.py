"""What Great Expectations is shown of a table: as little as gives the answer that all of it would.

Many expectations ask about one value at a time. What they say of a column follows from its distinct
values and how often each occurs. So they are asked about a table of these, and what they find is
weighed. What depends on the order of rows, or is not known here, is asked about whole columns.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .great import domain
from .parsed import Expectation

Way = Literal["names", "rows", "values", "repeated", "whole"]
TIMES = "times in the table"  # column of a table of distinct values: how often
MANY = 100_000  # rows of a table that is looked at twice before its values are put together
SPREAD = 0.5  # where more than this share of many rows differ, they are shown as they are
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
    """What is shown to some expectations: which columns, and how."""

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
        import pyarrow as pa

        wide = [
            pa.field(f.name, pa.int64() if pa.types.is_integer(f.type) else f.type)
            for f in self.rows.schema
        ]
        return self.rows.cast(pa.schema(wide)).to_pandas(date_as_object=False)


def view_of(expectation: Expectation, columns: tuple[str, ...]) -> View:
    """What an expectation has to be shown of a table with these columns."""
    kind, conditional = expectation.type, bool(expectation.kwargs.get("row_condition"))
    if kind in NAMES and not conditional:
        return View("names")
    if kind in ROWS and not conditional:
        return View("rows")
    named = condition_columns(expectation, columns) if conditional else ()
    if named is None or kind not in ONE_BY_ONE | SETS | HEAPS | NAMED | ROWS:
        return View("whole", columns)
    wanted = tuple(dict.fromkeys((*expectation.about, *named)))
    if kind in ONE_BY_ONE | SETS:
        return View("values", wanted)
    return View("repeated" if kind in HEAPS and not conditional else "whole", wanted or columns)


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


def shown(table: Any, view: View, rows: int, distinct: Mapping[str, int]) -> Shown:
    """What a view shows of an ibis table.

    Args:
        rows: how many the table has.
        distinct: column → about how many different values it has, where that is known.
    """
    import pyarrow as pa

    if view.way == "names":
        return Shown(table.limit(0).to_pyarrow())
    if view.way == "rows":
        return Shown(pa.table({"row": pa.nulls(rows)}).select([]))
    columns = table.select(list(view.columns))
    spread = max((distinct.get(name, 0) for name in view.columns), default=0)
    if view.way == "whole" or spread > SPREAD * rows:
        return Shown(columns.to_pyarrow())
    counted = columns.group_by(list(view.columns)).aggregate(**{TIMES: columns.count()})
    if view.way == "repeated":
        counted = counted.order_by(list(view.columns))
    found = counted.to_pyarrow()
    values, times = found.drop_columns([TIMES]), found[TIMES].to_numpy()
    return _repeated(values, times) if view.way == "repeated" else Shown(values, times)


def _repeated(values: Any, times: Any) -> Shown:
    """Every value as often as it occurs, sorted: sums come out the same whatever engine read it."""
    import numpy as np

    return Shown(values.take(np.repeat(np.arange(len(times)), times)))
