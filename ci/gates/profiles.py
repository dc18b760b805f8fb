"""Profiles of tables: exact numbers that every engine gives alike, and that name nobody."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from .masks import about
from .reference import WINDOW_DAYS, ColumnProfile, Profile

FEW = 50  # values, at most, of a text whose whole mix is kept
RANKED = 200  # values that are kept of a text that has more
CLASSES = 10  # of a number, as full as each other in the window
LEAST = 10  # values that are kept, however many columns there are
BUDGET = 4000  # values that are kept in all, so that a profile stays far below 1 MB
LONGEST = 100  # characters of a value that is kept
MOST_DAYS = 3660  # ten years: more are dates gone wrong, and a profile of them is too large to keep
DIGITS = 6  # engines interpolate alike up to there


@dataclass(frozen=True)
class Window:
    """The rows of some days.

    Attributes:
        rows: an ibis table.
        count: how many rows it has.
        first, last: the days; None: the table has none, and the window is all of it.
    """

    rows: Any
    count: int
    first: date | None = None
    last: date | None = None


def profile_of(
    table: Any,
    columns: Mapping[str, str],
    personal: Sequence[str],
    dataset: str,
    window_days: int = WINDOW_DAYS,
    days: Mapping[date, int] | None = None,
) -> Profile:
    """What a table is like, in a handful of questions to its engine.

    Args:
        table: an ibis table; a declared column that it lacks is left out.
        columns: name → kind, as `[data.columns]` declares them.
        days: day → rows, where that is known already.
    """
    kinds = {name: kind for name, kind in columns.items() if name in table.columns}
    days = days_of(table, kinds) if days is None else days
    window = last_days(table, kinds, days, window_days)
    most = max(LEAST, min(RANKED, BUDGET // max(len(kinds), 1)))
    texts, numbers = _named(kinds, "text"), _named(kinds, "integer", "number")
    hidden = {name for name in kinds if about(name, personal)}
    shown = [name for name in numbers if name not in hidden]
    overall = _overall(table, kinds, hidden)
    found: dict[str, dict[str, Any]] = {
        name: _mix(counts, window.count, most, personal=name in hidden)
        for name, counts in most_frequent(window, texts, most + 1).items()
    }
    largest, edges = _largest(window, numbers), _edges(window, shown)
    shares = class_shares(window, edges)
    found |= {name: {"largest": largest[name]} for name in numbers}
    for name in shown:
        found[name] |= {"edges": edges[name], "shares": shares[name]}
    finest = max(
        (name for name in texts if found[name]["ranking"] and not found[name]["shares"]),
        key=lambda name: overall[name]["distinct"],
        default="",
    )
    for name, levels in _levels(window, finest, found, shown).items():
        found[name]["levels"] = {finest: levels}
    return Profile(
        dataset=dataset,
        rows=overall[""]["rows"],
        days={f"{day}": count for day, count in sorted(days.items())[-MOST_DAYS:]},
        columns={
            name: ColumnProfile(kind=kind, **overall[name], **found.get(name, {}))
            for name, kind in kinds.items()
        },
        window_days=window_days,
    )


def date_column(columns: Mapping[str, str]) -> str:
    """The column that says on which day a row is; empty: there is none."""
    return next((name for name, kind in columns.items() if kind.startswith("date ")), "")


def days_of(table: Any, columns: Mapping[str, str]) -> dict[date, int]:
    """Day → rows; empty where no row has a day."""
    name = date_column(columns)
    if name not in table.columns:
        return {}
    counted = table.group_by(day=table[name].date()).aggregate(rows=table.count())
    return {r["day"]: r["rows"] for r in counted.to_pyarrow().to_pylist() if r["day"] is not None}


def last_days(
    table: Any, columns: Mapping[str, str], days: Mapping[date, int], count: int
) -> Window:
    """The rows of the last days, as many as asked for, whether each of them has rows or not."""
    if not days:
        return Window(table, int(table.count().to_pyarrow().as_py()))
    last = max(days)
    return between(table, columns, days, last - timedelta(days=count - 1), last)


def between(
    table: Any, columns: Mapping[str, str], days: Mapping[date, int], first: date, last: date
) -> Window:
    """The rows from one day to another, both among them."""
    day = table[date_column(columns)].date()
    rows = sum(count for found, count in days.items() if first <= found <= last)
    return Window(table.filter(day >= first, day <= last), rows, first, last)


def before(table: Any, columns: Mapping[str, str], days: Mapping[date, int], day: date) -> Window:
    """The rows before a day."""
    return between(table, columns, days, min(days), day - timedelta(days=1))


def with_most_frequent(window: Window, name: str) -> Any:
    """The rows of a window that have a column's most frequent value."""
    rows = window.rows
    known = rows.filter(rows[name].notnull())
    return known.semi_join(_frequent(known[name], 0, 1).select(**{name: "value"}), name)


def class_shares(
    window: Window, edges: Mapping[str, Sequence[float]]
) -> dict[str, dict[str, float]]:
    """Number → share of a window's rows in each class between its edges; "" is no value."""
    rows = window.rows
    wanted = {
        f"{place} {number}": (rows[name] <= edge).sum().fill_null(0)
        for place, name in enumerate(edges)
        for number, edge in enumerate(edges[name])
    }
    wanted |= {f"{place} all": rows[name].count() for place, name in enumerate(edges)}
    found = _one_row(rows, wanted)
    shares: dict[str, dict[str, float]] = {}
    for place, name in enumerate(edges):
        below = [0, *(found[f"{place} {number}"] for number in range(len(edges[name])))]
        filled = found[f"{place} all"]
        steps = zip(below, [*below[1:], filled], strict=True)
        counts = {f"{number}": high - low for number, (low, high) in enumerate(steps)}
        shares[name] = _shares({**counts, "": window.count - filled}, window.count)
    return shares


def most_frequent(window: Window, texts: Sequence[str], most: int) -> dict[str, dict[str, int]]:
    """Text → its most frequent values in the window with their rows; "" is no value."""
    parts = [_frequent(window.rows[name].fill_null(""), n, most) for n, name in enumerate(texts)]
    counts: dict[str, dict[str, int]] = {name: {} for name in texts}
    for row in _union(parts):
        counts[texts[row["place"]]][row["value"]] = row["rows"]
    return {
        name: dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
        for name, found in counts.items()
    }


def counts_of(window: Window, wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """Text → how many rows each of some values has in a window; those without rows are left out."""
    names = [name for name, values in wanted.items() if values]
    parts = []
    for place, name in enumerate(names):
        rows = window.rows.filter(window.rows[name].isin(list(wanted[name])))
        parts.append(_frequent(rows[name], place, len(wanted[name])))
    counts: dict[str, dict[str, int]] = {name: {} for name in wanted}
    for row in _union(parts):
        counts[names[row["place"]]][row["value"]] = row["rows"]
    return counts


def _named(kinds: Mapping[str, str], *wanted: str) -> list[str]:
    return [name for name, kind in kinds.items() if kind in wanted]


def _one_row(table: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if not wanted:
        return {}
    (found,) = table.aggregate(**wanted).to_pyarrow().to_pylist()
    return dict(found)


def _shares(counts: Mapping[str, int], rows: int) -> dict[str, float]:
    return {value: count / rows for value, count in counts.items() if count and rows}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _overall(
    table: Any, kinds: Mapping[str, str], hidden: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Column → its nulls, different values and extremes; "" → how many rows there are."""
    wanted = {"rows": table.count()}
    for place, (name, kind) in enumerate(kinds.items()):
        wanted[f"filled {place}"] = table[name].count()
        wanted[f"distinct {place}"] = table[name].nunique()
        if kind != "text" and name not in hidden:
            wanted[f"minimum {place}"] = table[name].min()
            wanted[f"maximum {place}"] = table[name].max()
    found = _one_row(table, wanted)
    rows = found["rows"]
    overall: dict[str, dict[str, Any]] = {"": {"rows": rows}}
    for place, name in enumerate(kinds):
        overall[name] = {
            "nulls": (rows - found[f"filled {place}"]) / rows if rows else 1.0,
            "distinct": found[f"distinct {place}"],
            **{end: _end(found.get(f"{end} {place}")) for end in ("minimum", "maximum")},
        }
    return overall


def _end(value: Any) -> Any:
    return value.date().isoformat() if hasattr(value, "date") else value


def _frequent(column: Any, place: int, most: int) -> Any:
    """The most frequent values of a column, those that sort first among equals."""
    import ibis

    values = column.name("value").as_table()
    counted = values.group_by("value").aggregate(rows=values.count())
    best = counted.order_by(ibis.desc("rows"), ibis.asc("value")).limit(most)
    return best.mutate(place=ibis.literal(place, "int64"))


def _union(parts: Sequence[Any]) -> list[dict[str, Any]]:
    import ibis

    if not parts:
        return []
    whole = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return list(whole.to_pyarrow().to_pylist())


def _mix(counts: Mapping[str, int], rows: int, most: int, *, personal: bool) -> dict[str, Any]:
    """Shares, ranking and largest share of a text, by what of it may be kept."""
    shares = _shares(counts, rows)
    values = {value: share for value, share in shares.items() if value}
    largest = max(values.values(), default=0.0)
    few = len(values) <= min(FEW, most) and all(len(value) <= LONGEST for value in values)
    if personal:
        ranks = {f"{rank}": share for rank, share in enumerate(values.values(), 1)}
        ranks |= {"": shares[""]} if "" in shares else {}
        return {"shares": ranks if few else {}, "ranking": {}, "largest": largest}
    kept = {value: share for value, share in values.items() if len(value) <= LONGEST}
    ranking = dict(list(kept.items())[:most])
    return {"shares": shares if few else {}, "ranking": ranking, "largest": largest}


def _edges(window: Window, numbers: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Number → the inner limits of its classes; fewer where many rows have one value."""
    steps = [step / CLASSES for step in range(1, CLASSES)]
    wanted = {f"{n}": window.rows[name].quantile(steps) for n, name in enumerate(numbers)}
    found = _one_row(window.rows, wanted)
    return {
        name: tuple(sorted({_rounded(edge) for edge in found[f"{n}"] or () if edge is not None}))
        for n, name in enumerate(numbers)
    }


def _largest(window: Window, numbers: Sequence[str]) -> dict[str, float]:
    """Number → the share of its most frequent value."""
    rows = window.rows
    parts = [
        _frequent(rows.filter(rows[name].notnull())[name].cast("float64"), n, 1)
        for n, name in enumerate(numbers)
    ]
    largest = dict.fromkeys(numbers, 0.0)
    for row in _union(parts):
        largest[numbers[row["place"]]] = row["rows"] / window.count
    return largest


def _levels(
    window: Window, finest: str, found: Mapping[str, Mapping[str, Any]], numbers: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Number → its median at each frequent value of the text that has most."""
    if not finest or not numbers:
        return {}
    rows = window.rows.filter(window.rows[finest].isin(list(found[finest]["ranking"])))
    medians = {f"{place}": rows[name].median() for place, name in enumerate(numbers)}
    asked = rows.group_by(value=rows[finest]).aggregate(**medians).to_pyarrow().to_pylist()
    asked.sort(key=lambda row: row["value"])
    return {
        name: {r["value"]: _rounded(r[f"{n}"]) for r in asked if r[f"{n}"] is not None}
        for n, name in enumerate(numbers)
    }
