"""The cleaning rules, as ibis expressions: they mean the same on every engine.

A rule's docstring is what the report says about it. There are three kinds, in this order: which
lines go, what becomes of lines that stand there several times, which values of a line change.
What is usual (a median, a most frequent value) is learned from the lines before the test window
alone. Money is rounded to cents, so that sums are exact in whatever order they are made.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from . import usual
from .engines import Connection
from .params import Prepare

UNKNOWN = "unknown"
KEY = ["date", "customer", "product"]
MONEY = ("asset", "sales_price")
NUMBERS = ("amount", *MONEY)
DAY = r"\A[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}\z"  # month first
NUMBER = r"\A[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\z"
LARGEST = 1e12  # what is above is no number: below, cents are exact

Dropping = Callable[[ir.Table, Prepare], ir.BooleanValue]
Merging = Callable[[ir.Table], tuple[ir.Table, ir.IntegerScalar]]
Changes = dict[str, ir.Value]
Changing = Callable[[ir.Table, Prepare], tuple[ir.BooleanValue, Changes]]


@dataclass(frozen=True)
class Cleaned:
    """The lines after every rule."""

    lines: ir.Table  # with `before`: whether a line lies before the test window
    cut: date | None  # the first day of the test window; None where no line is left
    last: date | None  # the last day of the data
    raw: int
    report: list[dict[str, Any]]  # what each rule says, and how many lines it touched


def clean(texts: ir.Table, limits: Prepare, test_days: int, engine: Connection) -> Cleaned:
    """The lines after every rule.

    Args:
        texts: text columns date, customer, age_group, postcode, subclass, product, amount, asset
            and sales_price, as the source has them.
    """
    sorted_out = engine.hold(sort_out(typed(texts), limits))
    dropped = _dropped(sorted_out)
    lines, merged = merge(sorted_out.filter(sorted_out["dropped"].isnull()).drop("dropped"), engine)
    last = lines["date"].max().to_pyarrow().as_py()
    cut = last and last - timedelta(days=test_days - 1)
    marked = lines.mutate(before=lines["date"] < ibis.literal(cut, "date"))
    lines = engine.hold(change(marked, limits))
    names = [rule.__name__ for rule in CHANGING]
    sums = lines.aggregate(**{name: lines[name].cast("int64").sum() for name in names})
    (changed,) = sums.to_pyarrow().to_pylist()
    counts = {**dropped, **merged, **changed}
    report = [_said(rule, limits, counts) for rule in RULES]
    return Cleaned(lines.drop(*names), cut, last, sum(dropped.values()), report)


def typed(texts: ir.Table) -> ir.Table:
    """Texts as what they mean; what means nothing is null."""
    known = {name: texts[name].nullif("") for name in texts.columns}
    parts = known["date"].split("/")
    iso = parts[2] + "-" + parts[0] + "-" + parts[1]
    day = ibis.ifelse(known["date"].re_search(DAY), iso.try_cast("date"), None)
    amount, asset, price = (_number(known[name]) for name in NUMBERS)
    postcode = known["postcode"].nullif("Unknown")
    money = {"asset": usual.cents(asset), "sales_price": usual.cents(price)}
    return texts.select(**{**known, "date": day, "postcode": postcode, "amount": amount, **money})


def _number(text: ir.StringValue) -> ir.FloatingValue:
    number = ibis.ifelse(text.re_search(NUMBER), text.try_cast("float64"), None)
    return ibis.ifelse(number.abs() <= LARGEST, number, None)


def sort_out(lines: ir.Table, limits: Prepare) -> ir.Table:
    """The lines with the name of the first rule that drops them, or null, as `dropped`."""
    reasons = [(rule(lines, limits), rule.__name__) for rule in DROPPING]
    return lines.mutate(dropped=ibis.cases(*reasons))


def _dropped(sorted_out: ir.Table) -> dict[str, int]:
    """How many lines each rule drops, and with no name, how many it leaves."""
    counts = sorted_out.group_by("dropped").aggregate(rows=sorted_out.count())
    return {row["dropped"] or "": row["rows"] for row in counts.to_pyarrow().to_pylist()}


def unreadable_values(lines: ir.Table, _: Prepare) -> ir.BooleanValue:
    """A line whose date is no date, or whose amount, asset or price is no number, is dropped."""
    return ibis.or_(*(lines[name].isnull() for name in ("date", *NUMBERS)))


def impossible_customers(lines: ir.Table, limits: Prepare) -> ir.BooleanValue:
    """A line whose customer id cannot exist (it is not like {customer_pattern}) is dropped."""
    return ~_like(lines["customer"], limits.customer_pattern)


def impossible_products(lines: ir.Table, limits: Prepare) -> ir.BooleanValue:
    """A line whose product id is no article number (not like {product_pattern}) is dropped."""
    return ~_like(lines["product"], limits.product_pattern)


def impossible_amounts(lines: ir.Table, _: Prepare) -> ir.BooleanValue:
    """A line whose amount is not one piece or several whole ones is dropped."""
    return ~((lines["amount"] >= 1) & (lines["amount"] % 1 == 0))


def _like(text: ir.StringValue, pattern: str) -> ir.BooleanValue:
    return text.re_search(rf"\A(?:{pattern})\z").fill_null(False)


def merge(lines: ir.Table, engine: Connection) -> tuple[ir.Table, dict[str, int]]:
    """The lines, one a product and basket, and how many lines each rule touched."""
    keys = lines.group_by(KEY).having(lines.count() > 1).aggregate()
    several = engine.hold(lines.semi_join(keys, KEY))
    if not several.count().to_pyarrow().as_py():
        return lines, {}
    rest, touched = lines.anti_join(several, KEY), {}
    for rule in MERGING:
        several, count = rule(several)
        touched[rule.__name__] = count.to_pyarrow().as_py()
    return rest.union(several.select(*rest.columns)), touched


def exact_duplicates(lines: ir.Table) -> tuple[ir.Table, ir.IntegerScalar]:
    """A line that repeats another in every column is dropped."""
    once = lines.distinct()
    return once, lines.count() - once.count().as_scalar()


def repeated_products(lines: ir.Table) -> tuple[ir.Table, ir.IntegerScalar]:
    """Lines of one product in one basket become one line, its amounts and prices added up."""
    texts = [name for name in lines.columns if name not in (*KEY, *NUMBERS)]
    merged = lines.group_by(KEY).aggregate(
        amount=lines["amount"].sum(),
        **{name: usual.total(lines[name]) for name in MONEY},
        **{name: lines[name].min() for name in texts},
        repeats=lines.count(),
    )
    return merged, merged["repeats"].sum(where=merged["repeats"] > 1).fill_null(0)


def change(lines: ir.Table, limits: Prepare) -> ir.Table:
    """The lines with changed values, and a column a rule: whether it touched the line."""
    capped = _changed(lines, wholesale_amounts, limits)
    known = beside_what_is_usual(capped, capped.filter(capped["before"]))
    for rule in CHANGING[1:]:
        known = _changed(known, rule, limits)
    return known.drop(*(name for name in known.columns if name.startswith("usual_")))


def _changed(lines: ir.Table, rule: Changing, limits: Prepare) -> ir.Table:
    touched, values = rule(lines, limits)
    return lines.mutate(**values, **{rule.__name__: touched})


def beside_what_is_usual(lines: ir.Table, before: ir.Table) -> ir.Table:
    """The lines, each with what is usual for its product and its customer in `before`."""
    units = before.mutate(
        usual_price=_unit(before, "sales_price"), usual_cost=_unit(before, "asset")
    )
    of_all = usual.median(units, [], "usual_price").rename(usual_price_of_all="usual_price")
    for name in ("usual_price", "usual_cost"):
        lines = usual.with_usual(lines, usual.median(units, ["product"], name), "product")
    for key, name in (
        ("product", "subclass"),
        ("customer", "age_group"),
        ("customer", "postcode"),
    ):
        own = usual.most_frequent(before, key, name).rename({f"usual_{name}": name})
        lines = usual.with_usual(lines, own, key)
    return lines.cross_join(of_all)


def _unit(lines: ir.Table, money: str) -> ir.FloatingValue:
    """The price or cost of one piece; null where there is none."""
    return ibis.ifelse(lines[money] > 0, lines[money] / lines["amount"], None)


def wholesale_amounts(lines: ir.Table, limits: Prepare) -> tuple[ir.BooleanValue, Changes]:
    """A line of over {max_amount} pieces (a trader's) is cut to that many, at its unit price."""
    large = lines["amount"] > limits.max_amount
    factor = limits.max_amount / lines["amount"]
    amount = ibis.ifelse(large, float(limits.max_amount), lines["amount"])
    capped = {
        name: ibis.ifelse(large, usual.cents(lines[name] * factor), lines[name]) for name in MONEY
    }
    return large, {"amount": amount, **capped}


def impossible_prices(lines: ir.Table, limits: Prepare) -> tuple[ir.BooleanValue, Changes]:
    """A price of 0, or {max_price_ratio:g} times off its product's median, becomes the median."""
    median, most = lines["usual_price"], limits.max_price_ratio
    ratio = _unit(lines, "sales_price") / median
    possible = (ratio <= most) & (ratio >= 1 / most)
    absurd = ~possible.fill_null(lines["sales_price"] > 0)  # no median: not sold before
    instead = ibis.coalesce(median, lines["usual_price_of_all"], 1.0) * lines["amount"]
    price = ibis.ifelse(absurd, usual.cents(instead), lines["sales_price"])
    return absurd, {"sales_price": price}


def impossible_costs(lines: ir.Table, _: Prepare) -> tuple[ir.BooleanValue, Changes]:
    """An asset (cost) of nothing becomes the product's median unit cost, else its price."""
    nothing = lines["asset"] <= 0
    median = usual.cents(lines["usual_cost"] * lines["amount"])
    instead = ibis.coalesce(median, lines["sales_price"])
    return nothing, {"asset": ibis.ifelse(nothing, instead, lines["asset"])}


def unknown_ages(lines: ir.Table, _: Prepare) -> tuple[ir.BooleanValue, Changes]:
    """A missing age group is taken from the customer's other lines, else it is 'unknown'."""
    return _from_own_lines(lines, "age_group")


def unknown_postcodes(lines: ir.Table, _: Prepare) -> tuple[ir.BooleanValue, Changes]:
    """A postcode 'Unknown' is taken from the customer's other lines, else it is 'unknown'."""
    return _from_own_lines(lines, "postcode")


def _from_own_lines(lines: ir.Table, column: str) -> tuple[ir.BooleanValue, Changes]:
    own = ibis.coalesce(lines[column], lines[f"usual_{column}"], UNKNOWN)
    return lines[column].isnull(), {column: own}


def several_subclasses(lines: ir.Table, _: Prepare) -> tuple[ir.BooleanValue, Changes]:
    """A product with several subclasses gets its most frequent one (ties: the smaller id)."""
    own = lines["subclass"]
    main = ibis.coalesce(lines["usual_subclass"], own, UNKNOWN)
    return ~own.fill_null("").identical_to(main), {"subclass": main, "given_subclass": own}


DROPPING: tuple[Dropping, ...] = (
    unreadable_values,
    impossible_customers,
    impossible_products,
    impossible_amounts,
)
MERGING: tuple[Merging, ...] = (exact_duplicates, repeated_products)
CHANGING: tuple[Changing, ...] = (
    wholesale_amounts,
    impossible_prices,
    impossible_costs,
    unknown_ages,
    unknown_postcodes,
    several_subclasses,
)
RULES: tuple[Callable[..., Any], ...] = (*DROPPING, *MERGING, *CHANGING)


def _said(rule: Callable[..., Any], limits: Prepare, counts: dict[str, int]) -> dict[str, Any]:
    says = (rule.__doc__ or "").strip().format(**asdict(limits))
    return {"rule": rule.__name__, "says": says, "rows": int(counts.get(rule.__name__) or 0)}
