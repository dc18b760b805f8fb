"""The cleaning rules: each takes lines and gives cleaner lines with the number of rows it touched.

A rule's docstring is what the report says about it. The order matters: ids and numbers first,
because the later rules count on them.
"""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from .params import Prepare

UNKNOWN = "unknown"
Cleaned = tuple[pd.DataFrame, int]
Rule = Callable[[pd.DataFrame, Prepare], Cleaned]


def clean(lines: pd.DataFrame, params: Prepare) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """The lines after every rule, and what each rule says and touched.

    Args:
        lines: text columns date, customer, age_group, postcode, subclass, product, amount,
            asset and sales_price, as the source has them.
    """
    report: list[dict[str, object]] = []
    for rule in RULES:
        lines, touched = rule(lines, params)
        says = (rule.__doc__ or "").strip().format(**asdict(params))
        report.append({"rule": rule.__name__, "says": says, "rows": int(touched)})
    return lines.reset_index(drop=True), report


def exact_duplicates(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """A line that repeats another in every column is dropped."""
    return _keep(lines, ~lines.duplicated())


def unreadable_values(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """A line whose date is no date, or whose amount, asset or price is no number, is dropped."""
    typed = lines.assign(
        date=pd.to_datetime(lines["date"], format="%m/%d/%Y", errors="coerce"),
        **{name: pd.to_numeric(lines[name], errors="coerce") for name in NUMBERS},
    )
    finite = np.isfinite(typed[NUMBERS].to_numpy(dtype=np.float64)).all(axis=1)
    return _keep(typed, pd.Series(finite, typed.index) & typed["date"].notna())


def impossible_customers(lines: pd.DataFrame, params: Prepare) -> Cleaned:
    """A line whose customer id cannot exist (it is not like {customer_pattern}) is dropped."""
    return _keep(lines, _matches(lines["customer"], params.customer_pattern))


def impossible_products(lines: pd.DataFrame, params: Prepare) -> Cleaned:
    """A line whose product id is no article number (not like {product_pattern}) is dropped."""
    return _keep(lines, _matches(lines["product"], params.product_pattern))


def impossible_amounts(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """A line whose amount is not one piece or several whole ones is dropped."""
    return _keep(lines, (lines["amount"] >= 1) & (lines["amount"] % 1 == 0))


def repeated_products(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """Lines of one product in one basket become one line, its amounts and prices added up."""
    key = ["date", "customer", "product"]
    repeated = lines.duplicated(key, keep=False)
    if not repeated.any():
        return lines, 0
    rest = [name for name in lines.columns if name not in key]
    how = {name: "sum" if name in NUMBERS else "first" for name in rest}
    merged = lines[repeated].groupby(key, as_index=False, sort=True).agg(how)
    both = pd.concat([lines[~repeated], merged[lines.columns]], ignore_index=True)
    return both, int(repeated.sum())


def wholesale_amounts(lines: pd.DataFrame, params: Prepare) -> Cleaned:
    """A line of over {max_amount} pieces (a trader's) is cut to that many, at its unit price."""
    large = lines["amount"] > params.max_amount
    factor = (params.max_amount / lines["amount"]).where(large, 1.0)
    capped = {name: lines[name] * factor for name in ("asset", "sales_price")}
    amount = lines["amount"].where(~large, params.max_amount)
    return lines.assign(amount=amount, **capped), int(large.sum())


def impossible_prices(lines: pd.DataFrame, params: Prepare) -> Cleaned:
    """A price of 0, or {max_price_ratio:g} times off its product's median, becomes the median."""
    unit = (lines["sales_price"] / lines["amount"]).where(lines["sales_price"] > 0)
    median = unit.groupby(lines["product"]).transform("median")
    ratio = unit / median
    absurd = ~((ratio <= params.max_price_ratio) & (ratio >= 1 / params.max_price_ratio))
    usual = median.fillna(unit.median()).fillna(1.0) * lines["amount"]
    return lines.assign(sales_price=lines["sales_price"].where(~absurd, usual)), int(absurd.sum())


def impossible_costs(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """An asset (cost) of nothing becomes the product's median unit cost, else its price."""
    known = lines["asset"] > 0
    unit = (lines["asset"] / lines["amount"]).where(known)
    usual = unit.groupby(lines["product"]).transform("median") * lines["amount"]
    return (
        lines.assign(asset=lines["asset"].where(known, usual.fillna(lines["sales_price"]))),
        int((~known).sum()),
    )


def unknown_ages(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """A missing age group is taken from the customer's other lines, else it is 'unknown'."""
    return _from_own_lines(lines, "age_group", "")


def unknown_postcodes(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """A postcode 'Unknown' is taken from the customer's other lines, else it is 'unknown'."""
    return _from_own_lines(lines, "postcode", "Unknown")


def several_subclasses(lines: pd.DataFrame, _: Prepare) -> Cleaned:
    """A product with several subclasses gets its most frequent one (ties: the smaller id)."""
    main = lines["product"].map(most_frequent(lines["product"], lines["subclass"]))
    return lines.assign(subclass=main), int((main != lines["subclass"]).sum())


RULES: tuple[Rule, ...] = (
    exact_duplicates,
    unreadable_values,
    impossible_customers,
    impossible_products,
    impossible_amounts,
    repeated_products,
    wholesale_amounts,
    impossible_prices,
    impossible_costs,
    unknown_ages,
    unknown_postcodes,
    several_subclasses,
)
NUMBERS = ["amount", "asset", "sales_price"]


def most_frequent(keys: pd.Series, values: pd.Series) -> pd.Series:
    """For each key its most frequent value; ties go to the value that sorts first."""
    counts = pd.DataFrame({"key": keys, "value": values}).value_counts(sort=False)
    table = counts.rename("rows").reset_index()
    table = table.sort_values(["key", "rows", "value"], ascending=[True, False, True])
    return table.drop_duplicates("key").set_index("key")["value"]


def _keep(lines: pd.DataFrame, good: pd.Series) -> Cleaned:
    return lines[good], int((~good).sum())


def _matches(values: pd.Series, pattern: str) -> pd.Series:
    known = values.unique()
    good = pd.Series(known).str.fullmatch(pattern).fillna(False).to_numpy(dtype=bool)
    return values.isin(known[good])


def _from_own_lines(lines: pd.DataFrame, column: str, missing: str) -> Cleaned:
    values = lines[column]
    unknown = values.isna() | values.isin([missing, ""])
    own = most_frequent(lines.loc[~unknown, "customer"], values[~unknown])
    usual = lines["customer"].map(own).fillna(UNKNOWN)
    return lines.assign(**{column: values.where(~unknown, usual)}), int(unknown.sum())
