"""Is nothing there twice: no line, no key, no basket on another day, no file under another name?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...records import Finding
from ...typed import Mismatch
from ..offending import Offending
from . import DataEvidence, _limits

GATE = "duplicates"
NUMBERS = ("integer", "number")


@dataclass(frozen=True)
class Settings:
    """How often something may repeat: ceilings, themselves allowed."""

    max_exact: float = 0.0  # ceiling: share of lines that repeat another in every column
    key: tuple[str, ...] = ()  # columns that tell lines apart; none: it is not asked
    max_keyed: float = 0.0  # ceiling: share of lines that repeat another's key
    customer: str = ""  # the column of who buys; with `item`: whole baskets are compared
    item: str = ""  # the column of what is bought
    min_basket_lines: int = 5  # smaller baskets do repeat
    max_repeated_baskets: float = 0.0  # ceiling: share of baskets a customer has on another day too

    def __post_init__(self) -> None:
        shares = {name: v for name, v in vars(self).items() if isinstance(v, float)}
        _limits.refuse_no_share(GATE, **shares)
        _limits.refuse_negative(GATE, min_basket_lines=self.min_basket_lines - 1)
        if bool(self.customer) != bool(self.item):
            raise Mismatch(f"gates.data.{GATE}.customer", "'customer' and 'item' go together")

    def check(self, columns: Mapping[str, str]) -> None:
        """Refuses columns that are not declared."""
        _limits.refuse_unknown(f"{GATE}.key", self.key, columns)
        for name in ("customer", "item"):
            given = getattr(self, name)
            _limits.refuse_unknown(f"{GATE}.{name}", [given] if given else [], columns)


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding | Offending]:
    """One finding on lines, on keys, on baskets and on files, each where it is asked."""
    table, key = evidence.reading.table, list(settings.key)
    absent = [name for name in key if name not in table.columns]
    if not key or absent:
        yield _exact(evidence, settings, table)
    if absent:
        yield _limits.absent(GATE, "keyed", absent)
    elif key:
        yield from _keyed(evidence, settings)
    if settings.customer and settings.item:
        yield from _baskets(evidence, settings)
    yield _files(evidence)


def _keyed(evidence: DataEvidence, settings: Settings) -> Iterator[Finding | Offending]:
    """Lines that are the same have the same key: only those are asked whether they are."""
    table, key = evidence.reading.table, list(settings.key)
    repeated = _repeated(table, key)
    repeats = _repeats(repeated)
    what = f"another's {', '.join(key)}"
    finding = _lines("keyed", repeats, evidence, settings.max_keyed, what)
    twins = _same(table, repeated, key)
    yield _exact(evidence, settings, twins) if repeats else _lines_exact(evidence, settings, 0)
    yield Offending(finding, twins)


def _exact(evidence: DataEvidence, settings: Settings, lines: Any) -> Offending:
    repeated = _repeated(lines, lines.columns)
    finding = _lines_exact(evidence, settings, _repeats(repeated))
    return Offending(finding, repeated.drop(COUNT))


def _lines_exact(evidence: DataEvidence, settings: Settings, repeats: int) -> Finding:
    return _lines("exact", repeats, evidence, settings.max_exact, "another in every column")


def _baskets(evidence: DataEvidence, settings: Settings) -> Iterator[Finding | Offending]:
    """A basket's content is compared by its length, its first and last item, and its sums."""
    table, day = evidence.reading.table, evidence.days.column
    who, item = settings.customer, settings.item
    if absent := [name for name in (day, who, item) if name not in table.columns]:
        yield _limits.absent(GATE, "repeated baskets", absent)
        return
    bought = [name for name, kind in evidence.columns.items() if kind in NUMBERS]
    sums = {
        f"its sum {n}": table[name].sum() for n, name in enumerate(bought) if name in table.columns
    }
    ends = {"its first": table[item].min(), "its last": table[item].max()}
    content = {SIZE: table.count(), **ends, **sums}
    baskets = table.group_by([day, who]).aggregate(**content)
    baskets = baskets.filter(baskets[SIZE] >= settings.min_basket_lines)
    twins = _repeated(baskets, [who, *content])
    (found,) = (
        baskets.aggregate(baskets=baskets.count())
        .cross_join(twins.aggregate(repeats=(twins[COUNT] - 1).sum().fill_null(0)))
        .to_pyarrow()
        .to_pylist()
    )
    repeats, count = found["repeats"], found["baskets"]
    message = f"{repeats:,} of {count:,} baskets of {settings.min_basket_lines} lines or more "
    message += "were bought by the same customer on another day too"
    where, ceiling = "repeated baskets", (None, settings.max_repeated_baskets)
    if count == 0:
        yield Finding(GATE, "skip", 0, "baskets", "no basket is large enough", where)
        return
    finding = _limits.within(GATE, where, repeats / count, ceiling, message, column=who)
    again = _same(baskets, twins, [who, *content])
    yield Offending(finding, _same(table, again, [day, who]))


def _files(evidence: DataEvidence) -> Finding:
    names: dict[str, list[str]] = {}
    for file in evidence.reading.files:
        names.setdefault(file.md5, []).append(file.name)
    twins = ["".join(" = ".join(same)) for md5, same in names.items() if md5 and len(same) > 1]
    message = f"the same bytes: {', '.join(twins)}" if twins else "no file has another's bytes"
    return _limits.within(GATE, "same file", len(twins), (0, 0), message)


SIZE, COUNT = "its size", "its lines with the same"  # made here; their names are no user's


def _repeated(table: Any, names: Iterable[str]) -> Any:
    """The values that more than one row has, with the number of rows."""
    names = list(names)
    grouped = table.group_by(names).aggregate(**{COUNT: table.count()})
    return grouped.filter(grouped[COUNT] > 1)


def _repeats(repeated: Any) -> int:
    """How many rows are one too many."""
    return int((repeated[COUNT] - 1).sum().fill_null(0).execute())


def _same(table: Any, other: Any, names: Iterable[str]) -> Any:
    """The rows of a table that have another's values, nulls being the same."""
    return table.semi_join(other, [table[name].identical_to(other[name]) for name in names])


def _lines(where: str, repeats: int, evidence: DataEvidence, ceiling: float, what: str) -> Finding:
    rows = evidence.days.whole.rows
    share = repeats / rows if rows else _limits.NAN
    message = f"{repeats:,} of {rows:,} lines repeat {what}"
    return _limits.within(GATE, where, share, (None, ceiling), message)
