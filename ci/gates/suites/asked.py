"""How a subject's gates are asked otherwise than in the last release.

A gate that is not asked any more is named, and so is every setting that changed. Which limits are
looser is told for floors and ceilings alone; all else may be, and a person has to look.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from .loosened import Change

FILE = "delivery.toml"
APART = ("suites", "accepted")  # acceptances are weighed one by one
FLOORS = frozenset(
    {
        *("as_of", "at_least", "min_kept", "min_month_ratio", "min_rhythm", "min_rows"),
        *("min_rows_per_day", "min_rows_per_month", "usual_kept"),
    }
)
LONGEST = 200  # characters of a value that are shown
Way = Literal["stricter", "otherwise"]
Part = tuple[str, Way]
Tables = Mapping[str, Mapping[str, Any]]  # gate → its settings, as JSON has them


def removed(before: Tables, now: Tables) -> list[Change]:
    """The gates that are not asked any more."""
    return [Change(name, "", "not asked any more", True) for name in before if name not in now]


def changed(before: Tables, now: Tables) -> Iterator[tuple[str, str, Way]]:
    """Each gate that is asked otherwise: its name, what changed, and whether all of it is stricter.

    A gate that is new is stricter than none.
    """
    for name, settings in now.items():
        if name not in before:
            yield name, "asked now", "stricter"
        elif parts := list(_parts(name, before[name], settings)):
            way: Way = "stricter" if all(way == "stricter" for _, way in parts) else "otherwise"
            yield name, "; ".join(text for text, _ in parts), way


def _parts(gate: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Part]:
    for key in dict.fromkeys((*was, *now)):
        if (gate, key) != APART:
            yield from _setting(key, key, was.get(key), now.get(key))


def _setting(shown: str, limit: str, was: Any, now: Any) -> Iterator[Part]:
    """What changed in one setting; each entry of a table, or of a list, by itself.

    Args:
        limit: the innermost name of a limit that the setting belongs to.
    """
    if was == now:
        return
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*was, *now)):
            inner = key if _limits(key) else limit
            yield from _setting(f"{shown}.{key}", inner, was.get(key), now.get(key))
    elif isinstance(was, list) and isinstance(now, list):
        yield from _entries(shown, limit, was, now)
    else:
        way: Way = "stricter" if _raised(limit, was, now) else "otherwise"
        yield f"{shown} {_text(was)} → {_text(now)}", way


def _entries(shown: str, limit: str, was: Sequence[Any], now: Sequence[Any]) -> Iterator[Part]:
    """What changed in a list."""
    if len(was) == len(now) and all(isinstance(entry, Mapping) for entry in (*was, *now)):
        for number, pair in enumerate(zip(was, now, strict=True), start=1):
            yield from _setting(f"{shown}.{number}", limit, *pair)
        return
    lost = [f"{shown} without {_text(entry)}" for entry in was if entry not in now]
    new = [f"{shown} with {_text(entry)}" for entry in now if entry not in was]
    for text in (*lost, *new) or (f"{shown} in another order, or how often: {_text(now)}",):
        yield text, "otherwise"


def _limits(key: str) -> bool:
    return key in FLOORS or key.startswith("max_")


def _raised(limit: str, was: Any, now: Any) -> bool:
    """Whether a limit is nearer to what is wanted than it was."""
    if limit == "as_of":
        return isinstance(was, str) and isinstance(now, str) and "" < was < now
    numbers = [v for v in (was, now) if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < 2:
        return False
    return now > was if limit in FLOORS else limit.startswith("max_") and now < was


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
