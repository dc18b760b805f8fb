"""Expectation suites as values, from ordinary suite files of Great Expectations."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import ConfigError

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # from mild to strict
NAMING = ("column", "column_A", "column_B")  # arguments that name one column
OF_TABLE = "expect_table_"  # kinds that read no values


@dataclass(frozen=True)
class Expectation:
    """One expectation of a suite, as it stands in its file."""

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    says: str

    @property
    def about(self) -> tuple[str, ...]:
        """The columns whose values it reads."""
        named = [str(self.kwargs[key]) for key in NAMING if key in self.kwargs]
        if not self.type.startswith(OF_TABLE):
            named += [str(name) for name in self.kwargs.get("column_list") or ()]
        return tuple(named)

    @property
    def place(self) -> str:
        """Which columns it is about, and its kind."""
        return f"{', '.join(self.about) or 'table'}: {self.type}"


@dataclass(frozen=True)
class Suite:
    """An expectation suite, by the name of its file."""

    name: str
    expectations: tuple[Expectation, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """A name for each expectation that stays when others are added behind it."""
        seen: dict[str, int] = {}
        places = []
        for place in (expectation.place for expectation in self.expectations):
            seen[place] = seen.get(place, 0) + 1
            places.append(place if seen[place] == 1 else f"{place} #{seen[place]}")
        return tuple(places)


def parse(name: str, content: bytes, where: str) -> Suite:
    """The suite in the bytes of an ordinary Great Expectations JSON file.

    Raises:
        ConfigError: it is not one, or an expectation is of no known severity.
    """
    try:
        return suite(name, json.loads(content)["expectations"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{name}.json is no expectation suite: {reason}", where, "mend it"
        ) from error


def suite(name: str, entries: Iterable[Mapping[str, Any]]) -> Suite:
    """The suite of some entries, each as a suite's file has it.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: an entry is no expectation.
    """
    return Suite(name, tuple(_expectation(entry) for entry in entries))


def _expectation(entry: Mapping[str, Any]) -> Expectation:
    severity = entry.get("severity") or "critical"
    if severity not in SEVERITIES:
        raise ValueError(f"no severity '{severity}'")
    kind, kwargs = entry["type"], dict(entry.get("kwargs") or {})
    if not isinstance(kind, str):
        raise TypeError("an expectation's type is a text")
    for key in NAMING:
        if not isinstance(kwargs.get(key, ""), str):
            raise TypeError(f"{kind}: {key} is a text")
    if not isinstance(kwargs.get("column_list") or [], list):
        raise TypeError(f"{kind}: column_list is a list")
    says = entry.get("description") or kind.removeprefix("expect_").replace("_", " ")
    return Expectation(kind, kwargs, severity, str(says))
