"""What a registry's refusals mean, in three lines; and which of them may heal."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import SlipwayError, ToolError

if TYPE_CHECKING:
    from requests import Response

PASSING = (429, 500, 502, 503, 504)
BUSY = "MANIFEST_BLOB_UNKNOWN"  # also while another push writes down the same blob
WORDS = 200  # characters of a registry's message that are shown
NO_SPACE = ("no space left", "disk quota exceeded", "storage quota", '"Err":28')
TLS_WANTED = ("HTTP request to an HTTPS server", "plain HTTP request was sent to HTTPS")


class InterruptedRequest(Exception):
    """A request that may succeed when it is made again; `error` is what to say if it never does."""

    def __init__(self, error: SlipwayError, wait_s: float = 0.0) -> None:
        self.error, self.wait_s = error, wait_s
        super().__init__(error.what)


def refused(answer: "Response", credentials: str = "") -> Exception:
    """The error for an answer that its caller cannot use; an `InterruptedRequest` if it may heal.

    Args:
        credentials: where they were looked for, in words.
    """
    status, where = answer.status_code, place(answer)
    if status in (401, 403):
        what = f"the registry refuses access ({said(answer)})"
        tried = f"; credentials: {credentials}" if credentials else ""
        return ToolError(what, where + tried, "run 'docker login', or give the user the right")
    text = _text(answer)
    if status in (413, 507) or any(words in text for words in NO_SPACE):
        return ToolError(
            f"the registry has no space ({said(answer)})", where, "free space there; then try again"
        )
    if status == 400 and any(words in text for words in TLS_WANTED):
        todo = "name the file of its authority: image.ca in delivery.toml"
        return ToolError("the registry wants TLS and was asked in plain HTTP", where, todo)
    if status == 405:
        todo = "allow it in the registry's configuration, or use another registry"
        return ToolError(f"the registry does not allow this ({said(answer)})", where, todo)
    error = ToolError(
        f"the registry failed: {said(answer)}", where, "read the registry's log; then try again"
    )
    heals = status in PASSING or BUSY in text
    return InterruptedRequest(error, _wait_s(answer)) if heals else error


def unanswered(error: Exception, url: str) -> Exception:
    """The error for a request that got no answer; TLS that fails will fail again."""
    import requests

    where = plain_url(url)
    reason = _root(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            todo = "name the file of its authority: image.ca in delivery.toml"
            return ToolError(f"the registry's certificate is not trusted: {reason}", where, todo)
        todo = "for a registry without TLS set image.insecure = true in delivery.toml"
        return ToolError(f"the registry does not speak TLS as it should: {reason}", where, todo)
    todo = "see that the registry runs and can be reached; then try again"
    return InterruptedRequest(ToolError(f"the registry does not answer: {reason}", where, todo))


def said(answer: "Response") -> str:
    """Status, code and message of a registry's answer; a body that is not its own stays out."""
    words = []
    for entry in _errors(answer):
        words += [str(entry.get(key, "")) for key in ("code", "message")]
    text = "".join(c if c.isprintable() else " " for c in ": ".join(filter(None, words)))
    return f"{answer.status_code} {text[:WORDS]}".strip()


def codes(answer: "Response") -> set[str]:
    """The error codes of a registry's answer."""
    return {str(entry.get("code", "")) for entry in _errors(answer)}


def place(answer: "Response") -> str:
    """Method and address of a request, without the query: it may hold state or a signature."""
    method = answer.request.method if answer.request is not None else ""
    return f"{method} {plain_url(answer.url)}".strip()


def plain_url(url: str) -> str:
    """An address without user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _errors(answer: "Response") -> list[dict[str, Any]]:
    try:
        content = json.loads(_text(answer))
        errors = content.get("errors") if isinstance(content, dict) else None
    except (ValueError, RecursionError):
        errors = None
    listed = errors if isinstance(errors, list) else []
    return [entry for entry in listed if isinstance(entry, dict)]


def _text(answer: "Response") -> str:
    import requests

    try:
        return answer.content[:65536].decode("utf-8", "replace")
    except requests.RequestException:
        return ""  # the connection broke after the status: there is no more to say


def _wait_s(answer: "Response") -> float:
    """What `Retry-After` asks for, in seconds or as a date."""
    asked = answer.headers.get("Retry-After", "")
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _root(error: BaseException) -> str:
    """The innermost reason of an error that libraries have wrapped in each other."""
    seen: list[BaseException] = []
    inner: Any = error
    while isinstance(inner, BaseException) and inner not in seen:
        seen.append(inner)
        nested = [getattr(inner, "reason", None), inner.__cause__, inner.__context__, *inner.args]
        inner = next((n for n in nested if isinstance(n, BaseException) and n not in seen), None)
    last = seen[-1]
    text = str(getattr(last, "strerror", None) or last) or type(last).__name__
    return "".join(c if c.isprintable() else " " for c in text)[:WORDS]
