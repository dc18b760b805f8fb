"""Raw lines as the catalogue changes them: cells in, cells out, the source's own bytes between."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from random import Random

Files = Mapping[str, bytes]  # path in the project → content
Row = tuple[str, ...]
Act = Callable[[Files, Random], Files]

COLUMNS = (
    "TRANSACTION_DT",
    "CUSTOMER_ID",
    "AGE_GROUP",
    "PIN_CODE",
    "PRODUCT_SUBCLASS",
    "PRODUCT_ID",
    "AMOUNT",
    "ASSET",
    "SALES_PRICE",
)
DAY, CUSTOMER, AGE, POSTCODE, SUBCLASS, PRODUCT, AMOUNT, ASSET, PRICE = COLUMNS
PLACE = {name: place for place, name in enumerate(COLUMNS)}
MONTHS = ("2000-11", "2000-12", "2001-01", "2001-02")
LAST = MONTHS[-1]
END = "\r\n"


def path_of(month: str) -> str:
    """Where the lines of a month stand in the project."""
    return f"data/{month}.csv"


def read(content: bytes) -> list[Row]:
    """The lines below the header of a file of ours."""
    _, *lines = content.decode().removesuffix(END).split(END)
    return [tuple(line[1:-1].split('","')) for line in lines]


def write(rows: Iterable[Row], header: Sequence[str] = COLUMNS) -> bytes:
    """A file with these lines, every cell quoted as the source has it."""
    return "".join('"' + '","'.join(row) + '"' + END for row in (header, *rows)).encode()


def put(row: Row, column: str, value: str) -> Row:
    """A line with another value in one column."""
    place = PLACE[column]
    return (*row[:place], value, *row[place + 1 :])


def of(row: Row, column: str) -> str:
    """A line's value in a column."""
    return row[PLACE[column]]


def day_of(row: Row) -> date:
    """The day of a line."""
    month, day, year = of(row, DAY).split("/")
    return date(int(year), int(month), int(day))


def dated(row: Row, day: date) -> Row:
    """A line of another day."""
    return put(row, DAY, f"{day.month}/{day.day}/{day.year}")


def basket_of(row: Row) -> tuple[str, str]:
    """What makes a line part of a basket: who, and when."""
    return of(row, DAY), of(row, CUSTOMER)


def without_repeats(rows: Iterable[Row]) -> list[Row]:
    """The lines, but the first one alone where a basket has a product twice."""
    kept: dict[tuple[str, ...], Row] = {}
    for row in rows:
        kept.setdefault((*basket_of(row), of(row, PRODUCT)), row)
    return list(kept.values())


def some(count: int, share: float, rng: Random) -> set[int]:
    """The places of a share of so many lines, one at least, drawn without order."""
    return set(rng.sample(range(count), min(count, max(1, round(share * count)))))
