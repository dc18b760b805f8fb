"""`params.yaml`: its tables as frozen dataclasses; every key stands there, none has a default."""

import dataclasses
import difflib
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import InputError

FILE = Path("params.yaml")
LEAST = {
    **dict.fromkeys(("test_days", "validation_days", "k", "batch", "epochs", "samples"), 1),
    **dict.fromkeys(("customers_per_cut", "embedding", "hidden", "max_amount"), 1),
    "max_price_ratio": 1,
    "memory_mb": 512,
}
MOST = {"k": 100}
ENGINES = ("duckdb", "spark")
PATTERNS = ("customer_pattern", "product_pattern")
T = TypeVar("T")


@dataclass(frozen=True)
class Window:
    """Which days a model is judged on; days, counted back from the last day of the data."""

    test_days: int
    validation_days: int

    def __post_init__(self) -> None:
        """Refuses a trial whose window would reach into the test window."""
        if not 1 <= self.test_days <= self.validation_days:
            what = f"test_days is {self.test_days}, validation_days {self.validation_days}"
            todo = "use 1 or more test days, and at least as many validation days"
            raise InputError(what, f"{FILE}: window", todo)


@dataclass(frozen=True)
class Prepare:
    """The limits of the cleaning rules."""

    customer_pattern: str  # a customer id that can exist
    product_pattern: str  # a product id that can exist
    max_amount: int  # pieces in one line
    max_price_ratio: float  # a unit price above this many times the product's median is a typo


@dataclass(frozen=True)
class Engine:
    """What the preparation runs on; the tables are the same bytes on each."""

    name: str  # duckdb or spark
    spark_master: str  # local[N], or a cluster's URL
    memory_mb: int  # of DuckDB, which puts the rest on disk, or of Spark's driver

    def __post_init__(self) -> None:
        """Refuses an engine that is none."""
        if self.name not in ENGINES:
            near = difflib.get_close_matches(self.name, ENGINES, n=1)
            todo = f"write '{near[0]}'" if near else f"use one of: {', '.join(ENGINES)}"
            raise InputError(f"no engine '{self.name}'", f"{FILE}: engine.name", todo)


@dataclass(frozen=True)
class Train:
    """What is learned from, how large the model is, and how it is fitted."""

    seed: int
    k: int  # items in an answer
    min_item_purchases: int  # lines before the cut
    min_customer_baskets: int  # baskets before the cut, of customers that are judged
    min_learning_baskets: int  # of customers that are learned from
    cut_step_days: int  # distance between the cuts that training looks from
    least_history_days: int  # before the earliest of them
    customers_per_cut: int  # in one epoch
    embedding: int
    hidden: int
    batch: int
    epochs: int  # at most
    patience: int  # epochs without a better validation score
    learning_rate: float
    embedding_learning_rate: float
    l2: float
    embedding_l2: float
    averaging: float  # how much of the averaged weights stays at each step
    repurchase_weight: float  # of the decision's loss beside the ranking's
    frequency_weight: float  # of a day on which the item was bought, beside the fitted scores
    taste_share: float  # of the fitted trust in the embeddings that is kept
    samples: int  # requests kept in samples.json


@dataclass(frozen=True)
class Evaluate:
    """How the candidate is judged."""

    k: int
    batch: int
    heavy_baskets: int  # a customer with at least so many baskets is a heavy buyer


def load(cls: type[T], path: Path = FILE) -> T:
    """The table of `params.yaml` that is named after `cls`.

    Raises:
        InputError: no such file, not YAML, or an unknown, missing or impossible value.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    table = cls.__name__.lower()
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        todo = "run this in the project's folder"
        raise InputError(f"there is no {path.name}", str(path), todo) from error
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"not YAML: {reason}", str(path), "mend the line it names") from error
    values = content.get(table) if isinstance(content, Mapping) else None
    if not isinstance(values, Mapping):
        raise InputError(f"there is no table '{table}'", str(path), f"add '{table}:'")
    return _build(cls, values, f"{path}: {table}")


def _build(cls: type[T], values: Mapping[Any, Any], where: str) -> T:
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"write '{near[0]}'" if near else f"use one of: {', '.join(names)}"
            raise InputError(f"unknown key '{key}'", where, hint)
    for name in names:
        if name not in values:
            raise InputError(f"the key '{name}' is missing", where, f"add '{name}:'")
    return cls(**{name: _checked(hints[name], values[name], name, where) for name in names})


def _checked(kind: type, value: Any, name: str, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        found = f"{type(value).__name__} {value!r}"
        raise InputError(f"'{name}' must be {kind.__name__}, not {found}", where, "mend it")
    if isinstance(value, int | float) and not 0 <= value < float("inf"):
        raise InputError(f"'{name}' is {value}", where, "use a number that is zero or more")
    _possible(value, name, where)
    return value


def _possible(value: Any, name: str, where: str) -> None:
    if name in LEAST and value < LEAST[name]:
        raise InputError(f"'{name}' is {value}", where, f"use at least {LEAST[name]}")
    if name in MOST and value > MOST[name]:
        raise InputError(f"'{name}' is {value}", where, f"use at most {MOST[name]}")
    if name in PATTERNS:
        try:
            re.compile(value)
        except re.error as error:
            raise InputError(f"'{name}' is no pattern: {error}", where, "mend it") from error
