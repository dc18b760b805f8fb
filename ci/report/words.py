"""Values as people read them: numbers, sizes, times, digests, and text that cannot mislead."""

import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..records import Finding

LONGEST = 400  # characters of one value on a page or in a terminal
NONE = "–"
LABELS = {
    "auc": "AUC",
    "f1": "F1",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "map": "MAP",
    "rmse": "RMSE",
    "mae": "MAE",
}


def tidy(text: object, longest: int = LONGEST) -> str:
    """`text` on one line, at most `longest` characters, nothing in it invisible or active.

    Control, format (among them those that turn the writing direction) and lone surrogate
    characters come out as `\\u202e`: a terminal or a page obeys some of them.
    """
    words = str(text)[: longest + 1]
    if not words.isprintable():
        words = " ".join("".join(map(_visible, words)).split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
    return f"\\u{ord(character):04x}" if hidden else character


def value(content: Any) -> str:
    """A measured or expected value, of whatever type."""
    if content is None:
        return "none"
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, int):
        return count(content)
    if isinstance(content, float):
        return number(content)
    if isinstance(content, str):
        return tidy(content) or "empty"
    if isinstance(content, Mapping):
        return tidy(_table(content))
    if isinstance(content, list | tuple):
        return tidy(", ".join(value(held) for held in content[:LONGEST])) or "empty"
    return tidy(content)


def _table(content: Mapping[Any, Any]) -> str:
    """A table on one line; a range as such."""
    if set(content) == {"min_value", "max_value"}:
        return _range(content["min_value"], content["max_value"])
    if {"unexpected", "of"} <= set(content):
        rest = {key: held for key, held in content.items() if key not in ("unexpected", "of")}
        said = f"{value(content['unexpected'])} of {value(content['of'])} unexpected"
        return f"{said}; {_table(rest)}" if rest else said
    pairs = sorted(content.items(), key=lambda pair: str(pair[0]))[:LONGEST]
    return "; ".join(f"{tidy(key).replace('_', ' ')} {value(held)}" for key, held in pairs)


def _range(low: Any, high: Any) -> str:
    """A range, of which an end may be open."""
    if high is None:
        return "anything" if low is None else f"at least {value(low)}"
    return f"at most {value(high)}" if low is None else f"{value(low)} to {value(high)}"


def figure(content: Any) -> str:
    """A value as a page shows it: with the signs that print has for comparisons."""
    return value(content).replace(">=", "≥").replace("<=", "≤")


def count(amount: int) -> str:
    """A whole number, its thousands apart."""
    return f"{amount:,}" if abs(amount) < 10**15 else tidy(amount, 24)


def number(amount: float) -> str:
    """A real number with about four digits that count."""
    if math.isnan(amount):
        return "NaN"
    if math.isinf(amount):
        return "∞" if amount > 0 else "−∞"
    if amount == int(amount) and abs(amount) < 1e15:
        return count(int(amount))
    if abs(amount) >= 1000:
        return f"{amount:,.1f}"
    return f"{amount:.4g}"


def score(amount: float) -> str:
    """A metric with four decimals, so that a column of them lines up; a count as such."""
    if 1 < abs(amount) < 1e15 and amount == int(amount):
        return count(int(amount))
    return f"{amount:.4f}" if abs(amount) < 1e6 else number(amount)


def difference(amount: float) -> str:
    """A change with its sign."""
    if not math.isfinite(amount):
        return NONE
    return ("+" if amount > 0 else "") + score(amount).replace("-", "−") if amount else "0"


def metric(name: str) -> str:
    """A metric's name for people: `ndcg_at_10` is NDCG@10."""
    words = tidy(name).replace("_at_", "@").replace("_", " ")
    head, at, k = words.partition("@")
    return " ".join(LABELS.get(word, word) for word in head.split(" ")) + at + k


def short(digest: object) -> str:
    """A digest's algorithm and first twelve characters."""
    algorithm, colon, rest = tidy(digest or NONE).partition(":")
    body, at, place = rest.partition("@")
    return f"{algorithm}:{body[:12]}{at}{place}" if colon else algorithm[:40]


def commit(name: str) -> str:
    """A commit's first twelve characters, and whether files differed from it."""
    head, dash, state = tidy(name).partition("-")
    return head[:12] + dash + state if head else NONE


def size(amount: float) -> str:
    """A number of bytes."""
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


def duration(seconds: float) -> str:
    """A length of time."""
    if not math.isfinite(seconds):
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(written: str) -> str:
    """A time as in a record, in UTC; as it stands there if it is no time."""
    try:
        when = datetime.fromisoformat(written)
        if when.tzinfo:
            when = when.astimezone(UTC)
    except (ValueError, OverflowError):
        return tidy(written) or NONE
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def plural(amount: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count(amount)} {noun}" if amount == 1 else f"{count(amount)} {noun}s"


def asked(finding: Finding) -> str:
    """What a finding is about, in a few words."""
    return tidy(finding.where or finding.gate).replace("_at_", "@")


def flat(content: Any, name: str = "") -> list[tuple[str, str]]:
    """Nested tables as pairs of a dotted name and a value."""
    if isinstance(content, Mapping):
        prefix = f"{name}." if name else ""
        inner = sorted(content.items(), key=lambda pair: str(pair[0]))
        return [pair for key, held in inner for pair in flat(held, f"{prefix}{key}")]
    return [(tidy(name), value(content))]
