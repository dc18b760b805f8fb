"""Faults where a value is nothing: null, blank, no number, or a word that stands for nothing."""

from ..fault import Fault, cells, to_value
from ..lines import (
    AGE,
    AMOUNT,
    ASSET,
    CUSTOMER,
    DAY,
    MONTHS,
    POSTCODE,
    PRICE,
    PRODUCT,
    SUBCLASS,
)

NULL = "expect_column_values_to_not_be_null"
REGEX = "expect_column_values_to_match_regex"

FAULTS = (
    Fault(
        "a column is all null",
        cells(AGE, "emptied everywhere", to_value(""), months=MONTHS),
        ("completeness", "column AGE_GROUP"),
        also=("schema", "integrity", "drift", "expectations"),
    ),
    Fault(
        "a column is all null in the new month",
        cells(POSTCODE, "emptied", to_value("")),
        ("completeness", "nulls PIN_CODE"),
        also=("drift", "expectations"),
    ),
    Fault(
        "three times as many ages as usual are null",
        cells(AGE, "emptied in a burst", to_value(""), share=0.06),
        ("completeness", "nulls AGE_GROUP by month"),
        also=("drift",),
    ),
    Fault(
        "some prices are null",
        cells(PRICE, "emptied in a burst", to_value(""), share=0.02),
        ("completeness", "nulls SALES_PRICE"),
        also=("drift", "expectations"),
    ),
    Fault(
        "one amount is null",
        cells(AMOUNT, "emptied once", to_value(""), share=0.0),
        ("completeness", "nulls AMOUNT"),
        also=("expectations",),
    ),
    Fault(
        "some dates are null",
        cells(DAY, "emptied in a burst", to_value(""), share=0.005),
        ("completeness", "nulls TRANSACTION_DT"),
        also=("expectations",),
    ),
    Fault(
        "some customers are empty strings",
        cells(CUSTOMER, "emptied in a burst", to_value(""), share=0.001),
        ("completeness", "nulls CUSTOMER_ID"),
        also=("expectations",),
    ),
    Fault(
        "some products are blanks",
        cells(PRODUCT, "blanked", to_value(" "), share=0.01),
        ("expectations", f"raw PRODUCT_ID: {REGEX}"),
        also=("schema", "duplicates"),
    ),
    Fault(
        "a subclass is N/A",
        cells(SUBCLASS, "said to be N/A", to_value("N/A"), share=0.001),
        ("expectations", f"raw PRODUCT_SUBCLASS: {REGEX}"),
        also=("schema",),
    ),
    Fault(
        "a subclass is the default of a form",
        cells(SUBCLASS, "set to zeros", to_value("000000"), share=0.05),
        ("integrity", "PRODUCT_SUBCLASS of PRODUCT_ID"),
        also=("drift",),
    ),
    Fault(
        "half of the postcodes are unknown",
        cells(POSTCODE, "said to be unknown", to_value("Unknown"), share=0.5),
        ("drift", "psi PIN_CODE"),
        also=("integrity",),
    ),
    Fault(
        "an amount is NaN",
        cells(AMOUNT, "made NaN", to_value("NaN"), share=0.0),
        ("schema", "values of AMOUNT"),
        also=("expectations",),
    ),
    Fault(
        "a cost is infinite",
        cells(ASSET, "made infinite", to_value("inf"), share=0.0),
        ("schema", "values of ASSET"),
        also=("expectations",),
    ),
    Fault(
        "a price is too large for a number",
        cells(PRICE, "made too large for a float", to_value("1e999"), share=0.0),
        ("schema", "values of SALES_PRICE"),
        also=("expectations",),
    ),
    Fault(
        "some prices are the word NULL",
        cells(PRICE, "said to be NULL", to_value("NULL"), share=0.01),
        ("schema", "values of SALES_PRICE"),
        also=("drift", "expectations"),
    ),
)
