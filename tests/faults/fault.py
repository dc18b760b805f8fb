"""What an entry of the catalogue is, and the few ways in which entries change a project's files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from .lines import LAST, Act, Files, Row, path_of, put, read, some, write
from .lines import of as value_of

Severity = Literal["block", "warn"]
Base = Literal["some", "all", "prepared"]  # a few customers' lines, everybody's, prepared tables


@dataclass(frozen=True)
class Transformation:
    """What is done to what; `act` is a pure function of the files and a source of chance."""

    does: str
    to: str
    act: Act = field(compare=False)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a data version, and what has to say so.

    Attributes:
        stopped_by: gate and `where` of the finding that must stop it.
        also: the other gates that stop it too, exactly.
        base: the real data that it is planted in.
        known: whether `data.dvc` names the faulty bytes, as a new version's; else they differ.
    """

    name: str
    how: Transformation
    stopped_by: tuple[str, str]
    also: tuple[str, ...] = ()
    severity: Severity = "block"
    base: Base = "some"
    known: bool = True

    @property
    def subject(self) -> str:
        """What is judged: raw data, or prepared tables."""
        return "prepared" if self.base == "prepared" else "data"


@dataclass(frozen=True)
class Good:
    """A data version that must not be blocked.

    Attributes:
        warns: the findings (gate, where) that a true anomaly may warn with; nothing else may.
        before: what the version before was, of which the reference is made; None for a first one.
    """

    name: str
    how: Transformation
    before: Transformation | None
    warns: tuple[tuple[str, str], ...] = ()
    base: Base = "some"

    @property
    def subject(self) -> str:
        """What is judged: raw data, or prepared tables."""
        return "prepared" if self.base == "prepared" else "data"


@dataclass(frozen=True)
class Family:
    """Faults of one kind."""

    name: str
    faults: tuple[Fault, ...]


def cells(
    column: str,
    does: str,
    change: Callable[[str, Random], str],
    *,
    share: float = 1.0,
    months: Sequence[str] = (LAST,),
) -> Transformation:
    """Another value of one column, in a share of the lines of some months."""

    def changed(rows: list[Row], rng: Random) -> Iterable[Row]:
        chosen = some(len(rows), share, rng) if share < 1 else range(len(rows))
        for number, row in enumerate(rows):
            hit = number in chosen
            yield put(row, column, change(value_of(row, column), rng)) if hit else row

    return lines(does, changed, to=column, months=months)


def lines(
    does: str,
    change: Callable[[list[Row], Random], Iterable[Row]],
    *,
    to: str = "lines",
    months: Sequence[str] = (LAST,),
) -> Transformation:
    """Other lines in some months' files."""

    def act(files: Files, rng: Random) -> Files:
        paths = [path_of(month) for month in months]
        return {**files, **{path: write(change(read(files[path]), rng)) for path in paths}}

    return Transformation(does, to, act)


def content(
    does: str,
    change: Callable[[bytes], bytes],
    *,
    to: str = "file",
    months: Sequence[str] = (LAST,),
) -> Transformation:
    """Other bytes in some months' files."""

    def act(files: Files, rng: Random) -> Files:
        paths = [path_of(month) for month in months]
        return {**files, **{path: change(files[path]) for path in paths}}

    return Transformation(does, to, act)


def without(does: str, *paths: str) -> Transformation:
    """Files that are gone."""
    return Transformation(
        does,
        ", ".join(paths),
        lambda files, _: {path: files[path] for path in files if path not in paths},
    )


def one_after_another(*parts: Transformation, does: str) -> Transformation:
    """Several changes as one fault."""

    def act(files: Files, rng: Random) -> Files:
        for part in parts:
            files = part.act(files, rng)
        return files

    return Transformation(does, " and ".join(part.to for part in parts), act)


def to_value(value: str) -> Callable[[str, Random], str]:
    """The change of any cell to this value."""
    return lambda _, __: value


def number_times(factor: float) -> Callable[[str, Random], str]:
    """The change of a number to a multiple of it, at least 1, as a whole number."""
    return lambda text, _: str(max(1, round(float(text) * factor)))
