"""Each cleaning rule finds its one planted row, and only that."""

import pandas as pd
import pytest

from ml import prepare
from ml.cleaning import RULES, clean
from ml.params import Prepare

SETTINGS = Prepare(
    customer_pattern="0[0-9]{7}",
    product_pattern="[0-9]{8}|[0-9]{13}",
    max_amount=100,
    max_price_ratio=5.0,
)
GOOD = {
    "date": "11/1/2000",
    "customer": "00000001",
    "age_group": "35-39",
    "postcode": "115",
    "subclass": "110411",
    "product": "4710199010372",
    "amount": "2",
    "asset": "24",
    "sales_price": "30",
}
OTHERS = [
    {"date": "11/2/2000"},
    {"date": "11/3/2000"},
    {"customer": "00000002", "product": "47101990"},
    {"customer": "00000003"},
]


def lines(*planted: dict[str, str | None]) -> pd.DataFrame:
    """Clean lines with some planted ones behind them."""
    return pd.DataFrame([{**GOOD, **row} for row in [{}, *OTHERS, *planted]], dtype="str")


def touched(*planted: dict[str, str | None]) -> tuple[pd.DataFrame, dict[str, int]]:
    """What is left, and the rules that touched anything."""
    left, report = clean(lines(*planted), SETTINGS)
    return left, {str(r["rule"]): int(str(r["rows"])) for r in report if r["rows"]}


def test_clean_lines_stay_as_they_are() -> None:
    left, rules = touched()
    assert rules == {}
    assert len(left) == 5


DROPPED = {
    "exact_duplicates": {},
    "unreadable_values": {"date": "31/12/2000"},
    "impossible_customers": {"customer": "20002000"},
    "impossible_products": {"product": "471019901037"},
    "impossible_amounts": {"customer": "00000009", "amount": "0"},
}


@pytest.mark.parametrize(("rule", "row"), DROPPED.items(), ids=DROPPED)
def test_a_line_that_cannot_be_is_dropped(rule: str, row: dict[str, str]) -> None:
    left, rules = touched(row)
    assert rules == {rule: 1}
    assert len(left) == 5


@pytest.mark.parametrize("column", ["amount", "asset", "sales_price"])
@pytest.mark.parametrize("text", ["", "many", "nan", "inf"])
def test_a_number_that_is_none_drops_the_line(column: str, text: str) -> None:
    _, rules = touched({"customer": "00000009", column: text})
    assert rules == {"unreadable_values": 1}


@pytest.mark.parametrize("amount", ["-1", "1.5"])
def test_pieces_are_whole_and_positive(amount: str) -> None:
    _, rules = touched({"customer": "00000009", "amount": amount})
    assert rules == {"impossible_amounts": 1}


def test_a_product_twice_in_a_basket_becomes_one_line() -> None:
    left, rules = touched({"amount": "3", "asset": "36", "sales_price": "40"})
    assert rules == {"repeated_products": 2}
    merged = left[(left["customer"] == "00000001") & (left["date"] == "2000-11-01")]
    assert merged[["amount", "asset", "sales_price"]].to_numpy().tolist() == [[5, 60, 70]]


def test_a_traders_amount_is_cut_at_its_unit_price() -> None:
    left, rules = touched(
        {"customer": "00000009", "amount": "300", "asset": "3600", "sales_price": "4500"}
    )
    assert rules == {"wholesale_amounts": 1}
    row = left[left["customer"] == "00000009"].iloc[0]
    assert (row["amount"], row["asset"], row["sales_price"]) == (100, 1200, 1500)


@pytest.mark.parametrize("price", ["0", "-30", "3000", "1"])
def test_an_impossible_price_becomes_the_products_median(price: str) -> None:
    left, rules = touched({"customer": "00000009", "sales_price": price})
    assert rules == {"impossible_prices": 1}
    assert left[left["customer"] == "00000009"]["sales_price"].tolist() == [30]


def test_a_price_at_the_ratio_is_possible() -> None:
    _, rules = touched({"customer": "00000009", "sales_price": "150"})
    assert rules == {}


def test_an_impossible_cost_becomes_the_products_median() -> None:
    left, rules = touched({"customer": "00000009", "asset": "0"})
    assert rules == {"impossible_costs": 1}
    assert left[left["customer"] == "00000009"]["asset"].tolist() == [24]


def test_the_cost_of_a_product_without_any_becomes_its_price() -> None:
    left, _ = touched({"product": "99999999", "asset": "0"})
    assert left[left["product"] == "99999999"]["asset"].tolist() == [30]


@pytest.mark.parametrize("missing", [None, ""])
def test_an_unknown_age_comes_from_the_customers_other_lines(missing: str | None) -> None:
    left, rules = touched({"date": "11/4/2000", "age_group": missing})
    assert rules == {"unknown_ages": 1}
    assert set(left["age_group"]) == {"35-39"}


def test_an_age_that_no_line_knows_is_a_category_of_its_own() -> None:
    left, _ = touched({"customer": "00000009", "age_group": None})
    assert left[left["customer"] == "00000009"]["age_group"].tolist() == ["unknown"]


def test_an_unknown_postcode_comes_from_the_customers_other_lines() -> None:
    left, rules = touched({"date": "11/4/2000", "postcode": "Unknown"})
    assert rules == {"unknown_postcodes": 1}
    assert set(left["postcode"]) == {"115"}


def test_a_product_gets_its_most_frequent_subclass() -> None:
    left, rules = touched({"customer": "00000009", "subclass": "999999"})
    assert rules == {"several_subclasses": 1}
    assert set(left["subclass"]) == {"110411"}


def test_of_equally_frequent_subclasses_the_smaller_id_wins() -> None:
    left, _ = touched(
        {"product": "11111111", "subclass": "200000"},
        {"product": "11111111", "subclass": "100000", "customer": "00000002"},
    )
    assert set(left[left["product"] == "11111111"]["subclass"]) == {"100000"}


def test_every_rule_says_what_it_does_with_its_limits() -> None:
    _, report = clean(lines(), SETTINGS)
    said = {str(row["rule"]): str(row["says"]) for row in report}
    assert list(said) == [rule.__name__ for rule in RULES]
    assert all(text.endswith(".") and "{max" not in text for text in said.values())
    assert "100 pieces" in said["wholesale_amounts"]


def test_lines_become_baskets_customers_and_products() -> None:
    left, _ = touched({"product": "11111111", "amount": "1", "sales_price": "50"})
    baskets = prepare.baskets_of(left)
    first = baskets[(baskets["customer"] == "00000001")].iloc[0]
    assert (first["products"], first["amount"], first["sales_price"]) == (2, 3, 80)
    customers = prepare.customers_of(left).set_index("customer")
    assert customers.loc["00000001", ["baskets", "products"]].tolist() == [3, 2]
    kinds = pd.Series({"4710199010372": 1, "47101990": 1, "11111111": 2})
    products = prepare.products_of(left, kinds).set_index("product")
    assert products.loc["4710199010372", ["lines", "customers"]].tolist() == [4, 2]
    assert products.loc["11111111", ["subclasses", "unit_price"]].tolist() == [2, 50]
