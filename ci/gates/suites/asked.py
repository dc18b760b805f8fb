"""How a subject's gates are asked otherwise than in the last release.

A gate that is not asked any more is named, and so is every setting that changed. Which limits are
looser is told for floors and ceilings alone; all else may be, and a person has to look.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from .loosened import Change

FILE = "delivery.toml"
# What moves with every version of the data, and what is weighed by itself.
MOVES = frozenset({("freshness", "as_of"), ("suites", "accepted")})
FLOORS = frozenset(
    {
        *("at_least", "min_kept", "min_month_ratio", "min_rhythm", "min_rows"),
        *("min_rows_per_day", "min_rows_per_month", "usual_kept"),
    }
)
Way = Literal["stricter", "otherwise"]
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
            continue
        parts = list(_parts(name, before[name], settings))
        if parts:
            way: Way = "stricter" if all(way == "stricter" for _, way in parts) else "otherwise"
            yield name, "; ".join(text for text, _ in parts), way


def _parts(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Way]]:
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key) and (name, key) not in MOVES:
            yield from _setting(key, key, was.get(key), now.get(key))


def _setting(shown: str, key: str, was: Any, now: Any) -> Iterator[tuple[str, Way]]:
    """What changed in one setting; each entry of a table has a line of its own."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for entry in dict.fromkeys((*was, *now)):
            if was.get(entry) != now.get(entry):
                yield from _setting(f"{shown}.{entry}", key, was.get(entry), now.get(entry))
        return
    yield (
        f"{shown} {_text(was)} → {_text(now)}",
        "stricter" if _raised(key, was, now) else "otherwise",
    )


def _raised(key: str, was: Any, now: Any) -> bool:
    """Whether a limit is nearer to what is wanted than it was."""
    numbers = [v for v in (was, now) if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < 2:
        return False
    return now > was if key in FLOORS else key.startswith("max_") and now < was


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
