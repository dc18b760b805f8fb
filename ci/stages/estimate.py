"""How long a delivery may take: what the last release like it took, as its records say."""

import contextlib
import json
from typing import Any

from ..tools import ledger

LOOKED_AT = 3  # releases; where none of them trained, nobody knows


def minutes(
    book: ledger.Ledger, history: ledger.History, *, trains: bool
) -> tuple[float | None, str]:
    """Minutes of training, tests and gates, and the release that took so long; None: unknown.

    Args:
        trains: whether the delivery trains a model.
    """
    for event in reversed(history.releases()[-LOOKED_AT:]):
        found = [_content(text) for text in ledger.records_of(book, event).values()]
        trained = [_seconds(r) for r in found if r.get("source") == "trained"]
        judged = [_seconds(r) for r in found if str(r.get("schema")).startswith("verdict/")]
        if trained or (judged and not trains):
            total_s = sum(judged) + (max(trained) if trains else 0.0)
            return round(total_s / 60, 1), event.version
    return None, ""


def _content(text: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {}


def _seconds(record: dict[str, Any]) -> float:
    value = record.get("seconds")
    return float(value) if isinstance(value, int | float) else 0.0
