"""Faults of range and unit: values that are numbers, dates and words, but cannot be."""

from random import Random

from ..fault import Fault, cells, lines, number_times, to_value
from ..lines import (
    AGE,
    AMOUNT,
    ASSET,
    CUSTOMER,
    DAY,
    MONTHS,
    PLACE,
    POSTCODE,
    PRICE,
    PRODUCT,
    SUBCLASS,
    Row,
)

BETWEEN = "expect_column_values_to_be_between"
REGEX = "expect_column_values_to_match_regex"
SET = "expect_column_values_to_be_in_set"
PAIR = "expect_column_pair_values_a_to_be_greater_than_b"
LATEST = "expect_column_max_to_be_between"
EARLIEST = "expect_column_min_to_be_between"


def negative(text: str, rng: Random) -> str:
    return f"-{text}"


def cost_and_price_swapped(rows: list[Row], rng: Random) -> list[Row]:
    asset = PLACE[ASSET]
    return [(*row[:asset], row[asset + 1], row[asset]) for row in rows]


FAULTS = (
    Fault(
        "prices are in cents",
        cells(PRICE, "multiplied by 100", number_times(100)),
        ("drift", f"level {PRICE}"),
        also=("schema", "expectations"),
    ),
    Fault(
        "costs are in another currency",
        cells(ASSET, "divided by 30", number_times(1 / 30)),
        ("drift", f"level {ASSET}"),
        also=("schema",),
    ),
    Fault(
        "amounts are in grams",
        cells(AMOUNT, "multiplied by 1000", number_times(1000), share=0.02),
        ("expectations", f"raw AMOUNT: {BETWEEN}"),
        also=("schema",),
    ),
    Fault(
        "amounts are negative",
        cells(AMOUNT, "negated", negative, share=0.002),
        ("expectations", f"raw AMOUNT: {BETWEEN}"),
        also=("schema",),
    ),
    Fault(
        "an amount is nothing",
        cells(AMOUNT, "zeroed", to_value("0"), share=0.0),
        ("expectations", f"raw AMOUNT: {BETWEEN}"),
        also=("schema",),
    ),
    Fault(
        "everybody buys a dozen",
        cells(AMOUNT, "set to a dozen", to_value("12"), months=MONTHS),
        ("schema", "median AMOUNT"),
        also=("drift", "expectations"),
    ),
    Fault(
        "all is sold for nearly nothing",
        cells(PRICE, "set to 1", to_value("1")),
        ("schema", "median SALES_PRICE"),
        also=("drift", "expectations"),
    ),
    Fault(
        "prices are negative",
        cells(PRICE, "negated", negative, share=0.002),
        ("expectations", f"raw SALES_PRICE: {BETWEEN}"),
        also=("schema",),
    ),
    Fault(
        "costs are negative",
        cells(ASSET, "negated", negative, share=0.002),
        ("expectations", f"raw ASSET: {BETWEEN}"),
        also=("schema",),
    ),
    Fault(
        "a twentieth of the costs is nothing",
        cells(ASSET, "zeroed", to_value("0"), share=0.05),
        ("expectations", f"raw ASSET: {BETWEEN} #2"),
        also=("schema", "drift"),
    ),
    Fault(
        "some prices are a sentinel",
        cells(PRICE, "set to 99999", to_value("99999"), share=0.01),
        ("expectations", f"raw SALES_PRICE: {BETWEEN} #2"),
        also=("schema",),
    ),
    Fault(
        "a date is in the future",
        cells(DAY, "set ten years ahead", lambda text, _: f"{text[:-4]}2011", share=0.001),
        ("freshness", "after the cut"),
        also=("completeness", "integrity", "drift", "expectations"),
    ),
    Fault(
        "a date is the beginning of time",
        cells(DAY, "set to 1970", to_value("1/1/1970"), share=0.001),
        ("expectations", f"raw TRANSACTION_DT: {EARLIEST}"),
        also=("completeness", "integrity"),
    ),
    Fault(
        "an age is out of the set",
        cells(AGE, "set to a child's", to_value("0-4"), share=0.001),
        ("expectations", f"raw AGE_GROUP: {SET}"),
        also=("schema", "integrity"),
    ),
    Fault(
        "a postcode is far away",
        cells(POSTCODE, "set to another town's", to_value("807"), share=0.001),
        ("expectations", f"raw PIN_CODE: {SET}"),
        also=("schema", "integrity"),
    ),
    Fault(
        "customers come from another system",
        cells(CUSTOMER, "moved to other ids", lambda text, _: f"2{text[1:]}", share=0.02),
        ("expectations", f"raw CUSTOMER_ID: {REGEX} #2"),
    ),
    Fault(
        "products are of 14 digits",
        cells(PRODUCT, "given a digit", lambda text, _: f"1{text}", share=0.01),
        ("expectations", f"raw PRODUCT_ID: {REGEX}"),
        also=("schema",),
    ),
    Fault(
        "subclasses are letters",
        cells(SUBCLASS, "made letters", to_value("ABCDEF"), share=0.001),
        ("expectations", f"raw PRODUCT_SUBCLASS: {REGEX}"),
        also=("schema",),
    ),
    Fault(
        "cost and price are swapped",
        lines("swapped", cost_and_price_swapped, to=f"{ASSET} and {PRICE}", months=MONTHS),
        ("expectations", f"raw SALES_PRICE, ASSET: {PAIR}"),
        also=("schema", "drift"),
    ),
)
