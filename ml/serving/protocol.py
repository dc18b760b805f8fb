"""What goes over the wire: the plain form, and tensors of the Open Inference Protocol V2."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from ..features import Request
from .model import Recommendation

MAX_K = 100  # items in one answer
MAX_ROWS = 256  # requests in one batch
MAX_HISTORY = 2000  # purchases of one request

INPUTS: tuple[dict[str, Any], ...] = (
    {"name": "customer", "datatype": "BYTES", "shape": [-1]},
    {"name": "history", "datatype": "BYTES", "shape": [-1, -1]},
    {"name": "as_of", "datatype": "BYTES", "shape": [-1]},
)
OUTPUTS = (
    {"name": "items", "datatype": "BYTES", "shape": [-1, -1]},
    {"name": "scores", "datatype": "FP32", "shape": [-1, -1]},
)


class BadRequest(Exception):
    """A request that cannot be answered, and why."""


@dataclass(frozen=True)
class Asked:
    """One call: what is asked for each row, and how much of it."""

    requests: tuple[Request, ...]
    k: int
    id: str | None = None
    outputs: tuple[str, ...] = ("items", "scores")


def parse_plain(body: bytes, default_k: int) -> Asked:
    """The plain form: `{"customer": …}` or `{"history": [[item, date], …]}`, `as_of`, `k`.

    Raises:
        BadRequest: anything else.
    """
    content = _object(body, ("customer", "history", "as_of", "k"))
    customer, history = content.get("customer"), content.get("history")
    if history is not None:
        if not isinstance(history, list):
            raise BadRequest("'history' must be a list of [item, date]")
        history = [_pair(purchase) for purchase in history]
    request = _request(customer, history, content.get("as_of"))
    return Asked((request,), _k(content.get("k", default_k)))


def parse_v2(body: bytes, default_k: int) -> Asked:
    """An inference request of the Open Inference Protocol V2.

    Raises:
        BadRequest: it is none, or its tensors are not those of `INPUTS`.
    """
    content = _object(body, ("id", "parameters", "inputs", "outputs"))
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadRequest("'parameters' must be an object")
    columns = _columns(content.get("inputs"))
    rows = len(next(iter(columns.values())))
    if any(len(column) != rows for column in columns.values()):
        raise BadRequest("all inputs need the same first dimension")
    nothing: list[Any] = [None] * rows
    customer, history, as_of = (
        columns.get(name, nothing) for name in ("customer", "history", "as_of")
    )
    requests = tuple(map(_request, customer, history, as_of))
    call = content.get("id")
    if call is not None and not isinstance(call, str):
        raise BadRequest("'id' must be a string")
    k = _k(parameters.get("k", default_k))
    return Asked(requests, k, call, _wanted(content.get("outputs")))


def render_plain(answers: Sequence[Recommendation]) -> bytes:
    """The answer to the plain form."""
    (only,) = answers
    return orjson.dumps({"items": only.items, "scores": only.scores, "fallback": only.fallback})


def render_v2(asked: Asked, answers: Sequence[Recommendation], name: str, release: str) -> bytes:
    """An inference response of the Open Inference Protocol V2, data in row order."""
    shape = [len(answers), len(answers[0].items)]
    values = {
        "items": ("BYTES", [item for answer in answers for item in answer.items]),
        "scores": ("FP32", [score for answer in answers for score in answer.scores]),
    }
    outputs = [
        {"name": key, "datatype": values[key][0], "shape": shape, "data": values[key][1]}
        for key in asked.outputs
    ]
    fallback = [answer.fallback for answer in answers]
    response = {
        "model_name": name,
        "model_version": release,
        "parameters": {"fallback_rows": sum(fallback)},
        "outputs": outputs,
    }
    return orjson.dumps({"id": asked.id, **response} if asked.id is not None else response)


def _object(body: bytes, known: Sequence[str]) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadRequest("the body must be a JSON object")
    for key in content:
        if key not in known:
            raise BadRequest(f"unknown key '{key[:80]}'; known: {', '.join(known)}")
    return content


def _request(customer: Any, history: list[tuple[str, str]] | None, as_of: Any) -> Request:
    if (customer is None) == (history is None):
        raise BadRequest("give either 'customer' or 'history'")
    if customer is not None and not isinstance(customer, str):
        raise BadRequest("'customer' must be a string")
    if history is not None and len(history) > MAX_HISTORY:
        raise BadRequest(f"'history' may hold at most {MAX_HISTORY} purchases")
    for _, day in history or ():
        _check_date(day)
    if as_of is not None:
        _check_date(as_of)
    return Request(customer, None if history is None else tuple(history), as_of)


def _pair(purchase: Any) -> tuple[str, str]:
    if not (
        isinstance(purchase, list)
        and len(purchase) == 2
        and all(isinstance(part, str) for part in purchase)
    ):
        raise BadRequest("each purchase must be [item, date], both strings")
    return purchase[0], purchase[1]


def _check_date(day: Any) -> None:
    try:
        if date.fromisoformat(day).isoformat() != day:
            raise ValueError  # another ISO form, e.g. of a week
    except (TypeError, ValueError) as error:
        raise BadRequest(f"'{str(day)[:40]}' is no date of the form 2001-01-31") from error


def _k(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_K:
        raise BadRequest(f"'k' must be a whole number from 1 to {MAX_K}")
    return value


def _wanted(outputs: Any) -> tuple[str, ...]:
    if outputs is None:
        return ("items", "scores")
    names = [
        str(output.get("name")) if isinstance(output, dict) else ""
        for output in _list(outputs, "outputs")
    ]
    if not names or any(name not in ("items", "scores") for name in names):
        raise BadRequest("'outputs' may name 'items' and 'scores'")
    return tuple(dict.fromkeys(names))


def _columns(inputs: Any) -> dict[str, list[Any]]:
    """Input name → one value a row; a history's value is its list of purchases."""
    columns: dict[str, list[Any]] = {}
    known = [tensor["name"] for tensor in INPUTS]
    for tensor in _list(inputs, "inputs"):
        name = str(tensor.get("name")) if isinstance(tensor, Mapping) else ""
        if name not in known:
            raise BadRequest(f"'inputs' may name {', '.join(known)}")
        if name in columns:
            raise BadRequest(f"input '{name}' is given twice")
        columns[name] = _rows(tensor, name)
    if not {"customer", "history"} & set(columns):
        raise BadRequest("give an input named 'customer' or 'history'")
    return columns


def _rows(tensor: Mapping[str, Any], name: str) -> list[Any]:
    if tensor.get("datatype") != "BYTES":
        raise BadRequest(f"input '{name}' must be of datatype BYTES")
    shape = _shape(tensor.get("shape"), name)
    data = _flat(tensor.get("data"), name)
    if len(data) != math.prod(shape):
        raise BadRequest(f"input '{name}' holds {len(data)} values, its shape says {shape}")
    if not all(isinstance(value, str) for value in data):
        raise BadRequest(f"input '{name}' must hold strings")
    if name != "history":
        return data
    width = shape[1]
    rows = [data[start : start + width] for start in range(0, shape[0] * width, width or 1)]
    rows = rows if width else [[] for _ in range(shape[0])]
    return [[_purchase(text) for text in row if text] for row in rows]


def _shape(shape: Any, name: str) -> list[int]:
    dimensions = 2 if name == "history" else 1
    whole = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if not whole or len(shape) != dimensions:
        raise BadRequest(f"input '{name}' needs a shape of {dimensions} whole numbers")
    if not 1 <= shape[0] <= MAX_ROWS:
        raise BadRequest(f"input '{name}' may have 1 to {MAX_ROWS} rows")
    return list(shape)


def _flat(data: Any, name: str) -> list[Any]:
    values = _list(data, f"{name}.data")
    if values and isinstance(values[0], list):  # nested, as the protocol allows
        return [value for row in values for value in _list(row, f"{name}.data")]
    return values


def _purchase(text: str) -> tuple[str, str]:
    item, separator, day = text.rpartition("|")
    if not separator:
        raise BadRequest("each purchase must be 'ITEM|YYYY-MM-DD'")
    return item, day


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"'{name}' must be a list")
    return value
