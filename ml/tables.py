"""What is made of clean lines: baskets, customers and products, as ibis expressions."""

import ibis.expr.types as ir

from . import usual


def baskets_of(lines: ir.Table) -> ir.Table:
    """What one customer bought on one day."""
    return lines.group_by(["customer", "date"]).aggregate(
        products=lines.count(),
        amount=lines["amount"].sum(),
        asset=usual.total(lines["asset"]),
        sales_price=usual.total(lines["sales_price"]),
    )


def customers_of(lines: ir.Table, baskets: ir.Table) -> ir.Table:
    """Who bought: age group, postcode, first and last day, and how much."""
    customers = baskets.group_by("customer").aggregate(
        first_day=baskets["date"].min(),
        last_day=baskets["date"].max(),
        baskets=baskets.count(),
        sales_price=usual.total(baskets["sales_price"]),
    )
    pairs = lines.select("customer", "product").distinct()
    bought = pairs.group_by("customer").aggregate(products=pairs.count())
    customers = usual.with_usual(customers, bought, "customer")
    for name in ("age_group", "postcode"):
        own = usual.most_frequent(lines, "customer", name)
        customers = usual.with_usual(customers, own, "customer")
    return customers


def products_of(lines: ir.Table) -> ir.Table:
    """What was bought: subclass, how many the source gave it, sales, median unit price and cost."""
    days = lines.group_by(["product", "customer"]).aggregate(
        subclass=lines["subclass"].min(),
        lines=lines.count(),
        first_day=lines["date"].min(),
        last_day=lines["date"].max(),
    )
    products = days.group_by("product").aggregate(
        subclass=days["subclass"].min(),
        lines=days["lines"].sum(),
        customers=days.count(),
        first_day=days["first_day"].min(),
        last_day=days["last_day"].max(),
    )
    given = lines.select("product", "given_subclass").distinct()
    subclasses = given.group_by("product").aggregate(subclasses=given["given_subclass"].count())
    products = usual.with_usual(products, subclasses, "product")
    units = lines.mutate(
        unit_price=lines["sales_price"] / lines["amount"],
        unit_cost=lines["asset"] / lines["amount"],
    )
    for name in ("unit_price", "unit_cost"):
        products = usual.with_usual(products, usual.median(units, ["product"], name), "product")
    return products
