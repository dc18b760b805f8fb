"""What the values of a column have to be: text by its different values, numbers by month."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...records import Finding
from ..offending import Offending
from . import DataEvidence, _limits

# Text that a person cannot see: blanks around it, control characters, a byte order mark, what a
# wrong encoding left. The same in the regular expressions of RE2 and of Java.
BLANK = r"[\s\x{A0}\x{3000}]"
UNSEEN = rf"^{BLANK}|{BLANK}$|[\x00-\x1f\x7f-\x{{9F}}\x{{200B}}\x{{FEFF}}\x{{FFFD}}]|^$"


def texts(
    gate: str, evidence: DataEvidence, rules: Mapping[str, Any]
) -> Iterator[Finding | Offending]:
    """One finding a text column's characters, one its pattern, one its allowed values."""
    table = evidence.reading.table
    names = [n for n, kind in evidence.columns.items() if kind == "text" and n in table.columns]
    wrong = {name: _wrong(rules.get(name)) for name in names}
    for name, counts in _counted(table, wrong).items():
        for question, (says, is_wrong) in wrong[name].items():
            bad, filled = counts[question], counts["filled"]
            share = bad / filled if filled else _limits.NAN
            message = f"{bad:,} of {filled:,} values of {name} {says}"
            where = f"{question} {name}"
            finding = _limits.within(gate, where, share, (None, 0.0), message, column=name)
            yield Offending(finding, table.filter(is_wrong(table[name])))


def _wrong(rule: Any) -> dict[str, tuple[str, Any]]:
    """Question → what a wrong value is said to be, and how one is told."""
    questions = {"values of": ("hold what cannot be seen", lambda text: text.re_search(UNSEEN))}
    if rule and rule.pattern:
        whole = rf"\A(?:{rule.pattern})\z"
        said = f"are not like {rule.pattern}"
        questions["pattern"] = (said, lambda text: ~text.re_search(whole))
    if rule and rule.allowed:
        allowed = list(rule.allowed)
        said = f"are none of the {len(allowed)} that are allowed"
        questions["allowed"] = (said, lambda text: ~text.isin(allowed))
    return questions


def _counted(table: Any, wrong: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Column → question → wrong values: each different value is looked at once."""
    import ibis

    parts = []
    for name, questions in wrong.items():
        known = table.filter(table[name].notnull())
        values = known.group_by(value=known[name]).aggregate(lines=known.count())
        counts = {
            question: values.lines.sum(where=is_wrong(values.value)).fill_null(0)
            for question, (_, is_wrong) in questions.items()
        }
        counts = {**dict.fromkeys(("pattern", "allowed"), ibis.literal(0)), **counts}
        counts["filled"] = values.lines.sum().fill_null(0)
        whole = values.aggregate(**{k: counts[k].cast("int64") for k in sorted(counts)})
        parts.append(whole.mutate(column=ibis.literal(name)))
    found = ibis.union(*parts).to_pyarrow().to_pylist() if parts else []
    by_name = {row["column"]: row for row in found}
    return {name: by_name[name] for name in wrong}


def numbers(
    gate: str, evidence: DataEvidence, rules: Mapping[str, Any], min_rows: int
) -> Iterator[Finding | Offending]:
    """One finding a number's range, one its usual range, one its median."""
    table, day = evidence.reading.table, evidence.days.column
    asked = {
        name: rules[name]
        for name, kind in evidence.columns.items()
        if kind in ("integer", "number") and name in rules and name in table.columns
    }
    months = _by_month(table, day, asked)
    for name, rule in asked.items():
        values = table[name]
        for question, limits, ceiling in (
            ("range", rule.range, 0.0),
            ("usual", rule.usual, rule.max_unusual),
        ):
            if limits:
                filled = sum(month[f"{name} filled"] for month in months)
                bad = sum(month[f"{name} {question}"] for month in months)
                share = bad / filled if filled else _limits.NAN
                message = f"{bad:,} of {filled:,} values of {name} are not "
                message += _limits.between((limits[0], limits[1]))
                where = f"{question} {name}"
                finding = _limits.within(gate, where, share, (None, ceiling), message, column=name)
                yield Offending(finding, table.filter(~values.between(*limits)))
        if rule.median:
            yield _median(gate, name, rule.median, [m for m in months if m["rows"] >= min_rows])


def _by_month(table: Any, day: str, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    import ibis

    month = table[day].date().truncate("M") if day in table.columns else ibis.null("date")
    wanted = {"rows": table.count()}
    for name, rule in asked.items():
        wanted[f"{name} filled"] = table[name].count()
        for question in ("range", "usual"):
            if limits := getattr(rule, question):
                outside = ~table[name].between(*limits)
                wanted[f"{name} {question}"] = outside.sum().fill_null(0)
        if rule.median:
            wanted[f"{name} median"] = table[name].cast("float64").median()
    if not asked:
        return []
    grouped = table.group_by(month=month).aggregate(**wanted)
    found: list[dict[str, Any]] = grouped.to_pyarrow().to_pylist()
    return found


def _median(
    gate: str, name: str, limits: tuple[float, ...], months: list[dict[str, Any]]
) -> Finding:
    where, both = f"median {name}", (limits[0], limits[1])
    if not months:
        message = "no month has lines enough"
        return Finding(gate, "skip", None, _limits.between(both), message, where, name)
    medians = {f"{month['month'] or 'no date'}"[:7]: month[f"{name} median"] for month in months}

    def outside(month: str) -> float:
        value = medians[month]
        return max(limits[0] - value, value - limits[1]) if value is not None else float("inf")

    worst = max(sorted(medians), key=outside)
    message = f"the median of {name} in {worst} is {medians[worst]}"
    return _limits.within(gate, where, medians[worst], both, message, column=name)
