"""Each cleaning rule finds its one planted row, and only that."""

from collections.abc import Iterator

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from ml import engines, tables
from ml.cleaning import DROPPING, RULES, Cleaned, clean, exact_duplicates, sort_out, typed
from ml.engines import Connection
from ml.params import Engine, Prepare

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
    {"customer": "00000003", "date": "11/30/2000"},  # the last day: the test window is a week
]
ALL = 1 + len(OTHERS)
Row = dict[str, str | None]


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[Connection]:
    """DuckDB, for all tests here."""
    with engines.opened(Engine("duckdb", "local[2]", 4096)) as found:
        STARTED.append(found)
        yield found
        STARTED.clear()


STARTED: list[Connection] = []


def table(rows: list[Row]) -> ibis.Table:
    """Raw lines as a table."""
    schema = pa.schema(dict.fromkeys(GOOD, pa.string()))
    return ibis.memtable(pa.Table.from_pylist(rows, schema))


def cleaned(*planted: Row) -> Cleaned:
    """Clean lines with some planted ones behind them, cleaned."""
    rows: list[Row] = [{**GOOD, **row} for row in [{}, *OTHERS, *planted]]
    return clean(table(rows), SETTINGS, 7, STARTED[0])


def touched(*planted: Row) -> tuple[pd.DataFrame, dict[str, int]]:
    """What is left, and the rules that touched anything."""
    found = cleaned(*planted)
    rules = {str(r["rule"]): int(r["rows"]) for r in found.report if r["rows"]}
    return found.lines.to_pandas(), rules


def test_clean_lines_stay_as_they_are() -> None:
    left, rules = touched()
    assert rules == {}
    assert len(left) == ALL


DROPPED = [  # what is wrong with a line, and the rule that drops it
    *[({"date": day}, "unreadable_values") for day in ("31/12/2000", "2/29/2001", "0/1/2000", "")],
    *[({"date": day}, "unreadable_values") for day in ("2000-11-01", " 11/1/2000", "11/1/2000\n")],
    *[
        ({column: text}, "unreadable_values")
        for column in ("amount", "asset", "sales_price")
        for text in ("", None, "many", "nan", "inf", "1e13", "1d", "0x1", "1_000")
    ],
    ({"customer": "20002000"}, "impossible_customers"),
    ({"customer": "000000010"}, "impossible_customers"),
    ({"customer": "00000001\n"}, "impossible_customers"),
    ({"customer": None}, "impossible_customers"),
    ({"product": "471019901037"}, "impossible_products"),
    ({"product": None}, "impossible_products"),
    *[({"amount": amount}, "impossible_amounts") for amount in ("0", "-1", "1.5")],
    ({"customer": "2", "amount": "many"}, "unreadable_values"),
    *[({"date": day}, None) for day in ("02/29/2000", "2/29/2000", "12/31/2000")],
    *[({"sales_price": price}, None) for price in ("-3", "0", "3.50", ".5", "1e2", "+7")],
    ({"amount": "2.0"}, None),
    ({"age_group": None, "postcode": None, "subclass": None}, None),
]


def test_a_line_that_cannot_be_is_dropped_by_the_first_rule_that_says_so() -> None:
    texts = table([{**GOOD, **row} for row, _ in DROPPED])
    found = sort_out(typed(texts.mutate(place=ibis.row_number().cast("string"))), SETTINGS)
    dropped = {line["place"]: line["dropped"] for line in found.to_pyarrow().to_pylist()}
    for place, (row, rule) in enumerate(DROPPED):
        assert dropped[str(place)] == rule, row


def test_what_is_dropped_is_counted() -> None:
    left, rules = touched({"date": "x"}, {"customer": "9"}, {"product": "9"}, {"amount": "0"}, {})
    assert rules == dict.fromkeys([r.__name__ for r in (*DROPPING, exact_duplicates)], 1)
    assert len(left) == ALL


def test_a_product_twice_in_a_basket_becomes_one_line() -> None:
    left, rules = touched({"amount": "3", "asset": "36", "sales_price": "40"})
    assert rules == {"repeated_products": 2}
    merged = left[(left["customer"] == "00000001") & (left["date"] == "2000-11-01")]
    assert merged[["amount", "asset", "sales_price"]].to_numpy().tolist() == [[5, 60, 70]]


def test_a_line_twice_is_dropped_before_its_basket_is_added_up() -> None:
    other: Row = {"amount": "3", "asset": "36", "sales_price": "40"}
    left, rules = touched(other, other, other)
    assert rules == {"exact_duplicates": 2, "repeated_products": 2}
    assert left[left["amount"] == 5]["sales_price"].tolist() == [70]


def test_prices_that_no_binary_number_holds_add_up_to_the_cent() -> None:
    cents: list[Row] = [{"customer": "00000009", "sales_price": f"{p}"} for p in (10.1, 10.2, 10.3)]
    left, _ = touched(*cents)
    assert left[left["customer"] == "00000009"]["sales_price"].tolist() == [30.6]


def test_a_traders_amount_is_cut_at_its_unit_price() -> None:
    left, rules = touched(
        {"customer": "00000009", "amount": "300", "asset": "3600", "sales_price": "4500"}
    )
    assert rules == {"wholesale_amounts": 1}
    row = left[left["customer"] == "00000009"].iloc[0]
    assert (row["amount"], row["asset"], row["sales_price"]) == (100, 1200, 1500)


def test_an_impossible_price_becomes_the_products_median() -> None:
    prices = ["0", "-30", "150.01", "5.99", "150", "6"]  # the last two are at the ratio
    planted: list[Row] = [
        {"customer": f"0000001{place}", "sales_price": price} for place, price in enumerate(prices)
    ]
    left, rules = touched(*planted)
    assert rules == {"impossible_prices": 4}
    found = left[left["customer"] >= "00000010"].sort_values("customer")["sales_price"]
    assert found.tolist() == [30, 30, 30, 30, 150, 6]


def test_an_impossible_cost_becomes_the_products_median_else_the_price() -> None:
    left, rules = touched(
        {"customer": "00000009", "asset": "0"},
        {"customer": "00000009", "asset": "-1", "product": "99999999"},
    )
    assert rules == {"impossible_costs": 2}
    own = left[left["customer"] == "00000009"].set_index("product")["asset"]
    assert own.to_dict() == {"4710199010372": 24, "99999999": 30}


def test_an_unknown_age_comes_from_the_customers_other_lines_else_it_is_unknown() -> None:
    left, rules = touched(
        {"date": "11/4/2000", "age_group": None},
        {"date": "11/5/2000", "age_group": ""},
        {"customer": "00000009", "age_group": None},
    )
    assert rules == {"unknown_ages": 3}
    assert set(left[left["customer"] == "00000001"]["age_group"]) == {"35-39"}
    assert left[left["customer"] == "00000009"]["age_group"].tolist() == ["unknown"]


def test_an_unknown_postcode_comes_from_the_customers_other_lines() -> None:
    left, rules = touched({"date": "11/4/2000", "postcode": "Unknown"})
    assert rules == {"unknown_postcodes": 1}
    assert set(left["postcode"]) == {"115"}


def test_what_is_usual_is_learned_before_the_test_window() -> None:
    late: Row = {"date": "11/30/2000", "product": "11111111"}
    early: Row = {"date": "11/1/2000", "product": "11111111"}
    prices = [{**late, "customer": f"0000001{n}", "sales_price": "900"} for n in range(3)]
    left, rules = touched({**early, "subclass": "100000"}, *prices)
    assert rules == {"impossible_prices": 3, "several_subclasses": 3}
    assert left[left["product"] == "11111111"]["sales_price"].tolist() == [30] * 4
    assert set(left[left["product"] == "11111111"]["subclass"]) == {"100000"}


def test_what_was_not_sold_before_keeps_what_it_has() -> None:
    late: Row = {"date": "11/30/2000", "product": "11111111", "sales_price": "900"}
    left, rules = touched(
        {**late, "subclass": "200000"},
        {**late, "subclass": "300000", "customer": "00000002", "sales_price": "30"},
        {**late, "customer": "00000009", "sales_price": "0", "age_group": ""},
    )
    assert rules == {"impossible_prices": 1, "unknown_ages": 1}
    assert sorted(left[left["product"] == "11111111"]["sales_price"]) == [30, 30, 900]


def test_a_price_of_nothing_without_any_to_go_by_is_one() -> None:
    found = clean_only({**GOOD, "sales_price": "0"})
    assert found["sales_price"].tolist() == [2]


def clean_only(row: Row) -> pd.DataFrame:
    """One line alone, before a test window of a day that holds it again."""
    rows = [row, {**row, "date": "11/30/2000"}]
    lines = clean(table(rows), SETTINGS, 1, STARTED[0]).lines.to_pandas()
    return lines[lines["before"]]


def test_a_missing_subclass_is_its_products_else_unknown() -> None:
    left, rules = touched(
        {"customer": "00000009", "subclass": ""},
        {"customer": "00000009", "subclass": None, "product": "11111111"},
    )
    assert rules == {"several_subclasses": 2}
    own = left[left["customer"] == "00000009"].set_index("product")["subclass"]
    assert own.to_dict() == {"4710199010372": "110411", "11111111": "unknown"}


def test_without_a_line_there_is_no_test_window() -> None:
    found = clean(table([]), SETTINGS, 7, STARTED[0])
    assert (found.raw, found.cut, found.lines.count().to_pyarrow().as_py()) == (0, None, 0)
    assert all(row["rows"] == 0 for row in found.report)


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
    said = {str(row["rule"]): str(row["says"]) for row in cleaned().report}
    assert list(said) == [rule.__name__ for rule in RULES]
    assert all(text.endswith(".") and "{max" not in text for text in said.values())
    assert "100 pieces" in said["wholesale_amounts"]


def test_lines_become_baskets_customers_and_products() -> None:
    lines = cleaned(
        {"product": "11111111", "amount": "1", "sales_price": "50"},
        {"customer": "00000002", "product": "11111111", "amount": "4", "sales_price": "160"},
        {"customer": "00000003", "product": "11111111", "subclass": "9"},
    ).lines
    before = lines.filter(lines["before"])
    baskets = tables.baskets_of(before).to_pandas().set_index("customer")
    first = baskets[baskets["date"].astype(str) == "2000-11-01"].loc["00000001"]
    assert (first["products"], first["amount"], first["sales_price"]) == (2, 3, 80)
    customers = tables.customers_of(before, tables.baskets_of(before)).to_pandas()
    row = customers.set_index("customer").loc["00000001"]
    assert row[["baskets", "products", "sales_price"]].tolist() == [3, 2, 140]
    assert row[["age_group", "postcode"]].tolist() == ["35-39", "115"]
    products = tables.products_of(before).to_pandas().set_index("product")
    usual = products.loc["4710199010372"]
    assert usual[["lines", "customers", "subclasses", "unit_price"]].tolist() == [4, 2, 1, 15]
    several = products.loc["11111111"]
    assert several[["subclass", "subclasses", "unit_price"]].tolist() == ["110411", 2, 40]
