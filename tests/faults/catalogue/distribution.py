"""Faults where each line could be true, and all of them together cannot."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from random import Random

from ..fault import Fault, cells, lines, number_times, to_value
from ..lines import (
    AGE,
    AMOUNT,
    ASSET,
    CUSTOMER,
    DAY,
    PLACE,
    POSTCODE,
    PRICE,
    PRODUCT,
    SUBCLASS,
    Row,
    basket_of,
    dated,
    day_of,
    of,
    put,
    some,
    without_repeats,
)

Rows = list[Row]
TOP_SELLERS = ("4711271000014", "4714981010038")


def food_is_rare(rows: Rows, rng: Random) -> Iterable[Row]:
    """In nine of ten lines of food, something else was bought that others bought."""
    others = [row[4:] for row in rows if of(row, SUBCLASS) >= "120000"]
    return without_repeats(
        (*row[:4], *rng.choice(others))
        if of(row, SUBCLASS) < "120000" and rng.random() < 0.9
        else row
        for row in rows
    )


def top_seller_swapped(rows: Rows, rng: Random) -> Iterable[Row]:
    """The two products that sold best have each other's number."""
    first, second = TOP_SELLERS
    other = {first: second, second: first}
    for row in rows:
        yield put(row, PRODUCT, other.get(of(row, PRODUCT), of(row, PRODUCT)))


def top_seller_is_rare(rows: Rows, rng: Random) -> Iterable[Row]:
    """The product that sold best and the hundredth have each other's number."""
    sold = Counter(of(row, PRODUCT) for row in rows)
    ranked = sorted(sold, key=lambda product: (-sold[product], product))
    first, other = ranked[0], ranked[99]
    exchanged = {first: other, other: first}
    for row in rows:
        yield put(row, PRODUCT, exchanged.get(of(row, PRODUCT), of(row, PRODUCT)))


def one_place_floods(rows: Rows, rng: Random) -> Iterable[Row]:
    """Customers of one postcode come in whole; of the others, a fifth of the lines does."""
    keep = some(len(rows), 0.2, rng)
    return [r for place, r in enumerate(rows) if of(r, POSTCODE) == "115" or place in keep]


def weekdays_removed(rows: Rows, rng: Random) -> Iterable[Row]:
    """Each customer's days moved around the month: a load date in the place of the purchase's."""
    first = date(2001, 2, 1)
    later: dict[str, int] = {}
    for row in rows:
        moved = later.setdefault(of(row, CUSTOMER), rng.randrange(28))
        yield dated(row, first + timedelta(days=((day_of(row) - first).days + moved) % 28))


def one_customer(rows: Rows, rng: Random) -> Iterable[Row]:
    """A fifth of the lines under one loyalty card: the till's own."""
    card, bought = rows[0], set()
    for place, row in enumerate(rows):
        line = of(row, DAY), of(row, PRODUCT)
        hit = place % 3 == 0 and line not in bought
        bought |= {line} if hit or of(row, CUSTOMER) == of(card, CUSTOMER) else set()
        yield (row[0], *card[1:4], *row[4:]) if hit else row


def one_product(rows: Rows, rng: Random) -> Iterable[Row]:
    """A twentieth of the lines is one product, which nobody bought so often."""
    sold = rows[0]
    seen = {basket_of(row) for row in rows if of(row, PRODUCT) == of(sold, PRODUCT)}
    for place, row in enumerate(rows):
        hit = place % 20 == 0 and basket_of(row) not in seen
        seen.add(basket_of(row)) if hit else None
        yield (*row[:4], *sold[4:]) if hit else row


def new_products(rows: Rows, rng: Random) -> Iterable[Row]:
    """A third of the assortment under new numbers, subclasses and prices as they were."""
    known = sorted({of(row, PRODUCT) for row in rows})
    chosen = {known[place] for place in some(len(known), 1 / 3, rng)}
    new = {product: f"9{product[1:]}" for product in chosen}
    return [put(row, PRODUCT, new.get(of(row, PRODUCT), of(row, PRODUCT))) for row in rows]


def assortment_narrowed(rows: Rows, rng: Random) -> Iterable[Row]:
    """Every product is its subclass' best-seller: an export that joined by subclass."""
    best: dict[str, tuple[int, str]] = {}
    for (subclass, product), sold in Counter(
        (of(row, SUBCLASS), of(row, PRODUCT)) for row in rows
    ).items():
        best[subclass] = max(best.get(subclass, (0, "")), (sold, product))
    return without_repeats(put(row, PRODUCT, best[of(row, SUBCLASS)][1]) for row in rows)


def shuffled_sales(rows: Rows, rng: Random) -> Iterable[Row]:
    """Products sold as often as any other of the month: popularity is gone."""
    kinds = sorted({row[PLACE[SUBCLASS] : PLACE[PRODUCT] + 1] for row in rows})
    return without_repeats((*row[:4], *rng.choice(kinds), *row[6:]) for row in rows)


def noisy(text: str, rng: Random) -> str:
    return str(max(1, round(float(text) * rng.choice((0.25, 0.5, 2, 4)))))


FAULTS = (
    Fault(
        "the mix of classes shifted",
        lines("food mostly replaced", food_is_rare, to=SUBCLASS),
        ("drift", f"psi {SUBCLASS}"),
    ),
    Fault(
        "the top seller is swapped",
        lines("two best exchanged", top_seller_swapped, to=PRODUCT),
        ("drift", f"company {PRODUCT}"),
    ),
    Fault(
        "the top seller is swapped with a product that few buy",
        lines("best and hundredth exchanged", top_seller_is_rare, to=PRODUCT),
        ("drift", f"ranking {PRODUCT}"),
        severity="warn",
    ),
    Fault(
        "one shop floods",
        lines("one place kept, of others a fifth", one_place_floods, to=POSTCODE),
        ("drift", f"psi {POSTCODE}"),
        also=("completeness", "integrity"),
    ),
    Fault(
        "everybody lives in one place",
        cells(POSTCODE, "made constant", to_value("115")),
        ("drift", f"constant {POSTCODE}"),
        also=("integrity",),
    ),
    Fault(
        "everybody buys one piece",
        cells(AMOUNT, "made constant", to_value("1")),
        ("drift", f"constant {AMOUNT}"),
    ),
    Fault(
        "prices are re-scaled by 3 %",
        cells(PRICE, "multiplied by 1.03", number_times(1.03)),
        ("drift", f"level {PRICE}"),
    ),
    Fault(
        "costs are re-scaled by a tenth",
        cells(ASSET, "multiplied by 0.9", number_times(0.9)),
        ("drift", f"level {ASSET}"),
    ),
    Fault(
        "prices are noise",
        cells(PRICE, "multiplied by chance", noisy),
        ("drift", f"psi {PRICE}"),
        also=("expectations",),
    ),
    Fault(
        "amounts are a trader's",
        cells(AMOUNT, "multiplied by 24", number_times(24), share=0.1),
        ("drift", f"psi {AMOUNT}"),
        also=("schema", "expectations"),
    ),
    Fault(
        "seasonality is removed",
        lines("spread over the month", weekdays_removed, to=DAY),
        ("drift", "weekdays"),
        base="all",  # few customers leave a rhythm of their own
    ),
    Fault(
        "one customer has a fifth of the lines",
        lines("made one in a fifth", one_customer, to=CUSTOMER),
        ("drift", f"largest {CUSTOMER}"),
        also=("duplicates",),
    ),
    Fault(
        "one product has a twentieth of the lines",
        lines("made one in a twentieth", one_product, to=PRODUCT),
        ("drift", f"largest {PRODUCT}"),
    ),
    Fault(
        "a third of the products is new",
        lines("a third renumbered", new_products, to=PRODUCT),
        ("drift", f"new {PRODUCT}"),
        also=("integrity",),
    ),
    Fault(
        "only best-sellers are left",
        lines("narrowed to best-sellers", assortment_narrowed, to=PRODUCT),
        ("drift", f"new value {PRODUCT}"),
    ),
    Fault(
        "every product sells as well as any other",
        lines("drawn evenly", shuffled_sales, to=f"{SUBCLASS} and {PRODUCT}"),
        ("drift", f"ranking {PRODUCT}"),
        also=("integrity",),
    ),
    Fault(
        "everybody is old",
        cells(AGE, "set to over 65 in a third", to_value(">65"), share=0.33),
        ("drift", f"psi {AGE}"),
        also=("integrity",),
    ),
)
