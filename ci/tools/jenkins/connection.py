"""One kept-alive connection to a controller: crumbs on demand, and patience while it restarts."""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ...errors import ConfigError, SlipwayError, ToolError
from . import failures
from .patience import Outage, Patience

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

PIECE = 1 << 16
CRUMBS = 2  # how many are tried for one request: the first may be of before a restart
MOST = 32 << 20  # bytes of an answer that is read as a whole
WHOLE, STREAM = 4, 60  # times `answer_s` that an answer may take: one that is short, or a file
STARTING = (429, 502, 503, 504)  # a controller, or what stands before it, asks for time
NEVER_SENT = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
T = TypeVar("T", dict[str, Any], list[Any])
Take = Callable[[Mapping[str, str], Iterator[bytes]], bytes]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    body: bytes = b""
    where: str = ""  # method and address
    again: bool = False  # it was sent before, and what was answered then was lost

    def json(self, kind: type[T]) -> T:
        """The body parsed: a `dict` or a `list`.

        Raises:
            SlipwayError: it is something else.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise failures.not_json(self.headers, self.body, self.where) from error
        if not isinstance(found, kind):
            raise failures.not_json(self.headers, self.body, self.where)
        return found

    @property
    def words(self) -> str:
        """What Jenkins says in it."""
        return failures.said(self.headers, self.body)


class _Unanswered(Exception):
    """No answer came; `sent` where Jenkins may have acted all the same."""

    def __init__(self, error: SlipwayError, *, sent: bool) -> None:
        self.error, self.sent = error, sent
        super().__init__(error.what)


class Connection:
    """A session with one controller."""

    def __init__(
        self,
        url: str,
        login: tuple[str, str],
        patience: Patience,
        *,
        ca: Path | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        import requests

        self.url, self.patience = address(url), patience
        self._session = requests.Session()
        host = urlsplit(self.url).hostname or ""
        self._session.trust_env = host not in ("localhost", "127.0.0.1", "::1")
        self._session.auth = _basic(login) if login[0] else _as_it_is
        self._session.headers["User-Agent"] = "slipway"
        self._verify: str | bool = str(ca) if ca else True
        self._crumb: dict[str, str] = {}
        self._outage = Outage(patience, tell)
        self._met = False

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: Collection[int] = (200,),
        take: Take | None = None,
    ) -> Answer:
        """The answer to a question; asked again while the controller restarts.

        Args:
            path: below the controller's address.
            accept: the statuses that the caller can use.
            take: reads the body of a 200 piece by piece; called anew where the transfer broke.

        Raises:
            SlipwayError: it cannot be reached, refuses, or fails.
        """
        more = {"params": params, "take": take}
        return self._persist("GET", path, accept, repeatable=True, **more)

    def post(
        self,
        path: str,
        data: Mapping[str, str] | None = None,
        *,
        accept: Collection[int] = (200,),
        repeatable: bool = False,
    ) -> Answer:
        """The answer to a request that changes something.

        Args:
            repeatable: doing it twice does no harm, so that it is sent again if an answer was lost.

        Raises:
            SlipwayError: it cannot be reached, refuses, or fails.
        """
        return self._persist("POST", path, accept, repeatable=repeatable, data=dict(data or {}))

    def _persist(
        self, method: str, path: str, accept: Collection[int], *, repeatable: bool, **more: Any
    ) -> Answer:
        again = False
        while True:
            try:
                answer = self._with_crumb(method, path, **more)
            except _Unanswered as lost:
                if lost.sent and not repeatable:
                    raise lost.error from lost.__cause__
                bound = self.patience.restart_s if self._met else self.patience.first_s
                again = again or lost.sent
                self._outage.wait(lost.error, bound)
                continue
            usable = answer.status in accept and not failures.wants_login(answer.headers)
            longest_s = 0.0 if usable else self._may_heal(answer, repeatable=repeatable)
            if longest_s:
                down = answer.status in STARTING
                self._outage.wait(_failure(answer), longest_s, down=down)
                continue
            self._outage.over()
            self._met = True
            if usable:
                return replace(answer, again=again)
            raise _failure(answer)

    def _may_heal(self, answer: Answer, *, repeatable: bool) -> float:
        """For how many seconds an answer is worth asking again; 0 for never."""
        done_perhaps = answer.status in (502, 504) and not repeatable
        if answer.status in STARTING and not done_perhaps:
            self._met = True
            return self.patience.restart_s
        if answer.status == 401 and self._outage.recent:
            return self.patience.restart_s
        return self.patience.first_s if answer.status == 500 and repeatable else 0.0

    def _with_crumb(self, method: str, path: str, **more: Any) -> Answer:
        """One answer; after a 403 again with a new crumb, since a restart makes it invalid."""
        answer = self._once(method, path, **more)
        for _ in range(CRUMBS):
            if method != "POST" or answer.status != 403 or not self._renew_crumb():
                break
            answer = self._once(method, path, **more)
        return answer

    def _renew_crumb(self) -> bool:
        """Whether there is a crumb that has not been tried."""
        answer = self._once("GET", "crumbIssuer/api/json")
        if answer.status != 200:
            return False
        issued = answer.json(dict)
        crumb = {str(issued.get("crumbRequestField")): str(issued.get("crumb"))}
        fresh = crumb != self._crumb
        self._crumb = crumb
        return fresh

    def _once(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        take: Take | None = None,
    ) -> Answer:
        import requests
        from urllib3.exceptions import LocationValueError

        where = f"{method} {self.url}{path}"
        try:
            with self._session.request(
                method,
                self.url + path,
                params=params,
                data=data,
                headers=self._crumb if method == "POST" else None,
                timeout=(self.patience.connect_s, self.patience.answer_s),
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            ) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                pieces = response.iter_content(PIECE)
                wanted = take and response.status_code == 200
                longest_s = self.patience.answer_s * (STREAM if wanted else WHOLE)
                with _bounded(response, longest_s):
                    body = take(names, pieces) if take and wanted else whole(pieces, MOST, where)
                return Answer(response.status_code, names, body, where)
        except requests.exceptions.SSLError as error:
            why = _root(error)
            if not self._met or "certificate" in why.lower():
                raise failures.untrusted(why, where) from error
            told: SlipwayError = failures.unanswered(why, where, sent=method == "POST")
            raise _Unanswered(told, sent=True) from error
        except (requests.exceptions.InvalidURL, LocationValueError) as error:
            raise failures.unknown_host(_root(error), where) from error
        except (requests.RequestException, OSError) as error:
            why = type(getattr(error.args[0] if error.args else None, "reason", None)).__name__
            sent = why not in NEVER_SENT and not isinstance(error, requests.ConnectTimeout)
            if why == "NameResolutionError":
                told = failures.unknown_host(_root(error), where)
            else:
                told = failures.unanswered(_root(error), where, sent=sent and method == "POST")
            raise _Unanswered(told, sent=sent) from error


def address(url: str) -> str:
    """A controller's address with a slash at its end.

    Raises:
        ConfigError: it is none, or holds a password.
    """
    try:
        parts = urlsplit(url)
        whole_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        whole_one = None
    if not whole_one:
        shown = re.sub(r"//[^/@]*@", "//…@", url)[: failures.WORDS]
        todo = "give it as https://host[:port][/path]"
        raise ConfigError(f"'{shown}' is not the address of a Jenkins", "url", todo)
    if parts.username or parts.password:
        todo = f"set {failures.VARIABLES} instead"
        raise ConfigError(
            "the address holds a user or a password", parts.netloc.rpartition("@")[2], todo
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def whole(pieces: Iterator[bytes], most: int, where: str) -> bytes:
    """A body in one piece.

    Raises:
        ToolError: it is longer than `most` bytes.
    """
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > most:
            raise ToolError(f"more than {most >> 20} MB came", where, "look at it in Jenkins")
    return bytes(found)


@contextlib.contextmanager
def _bounded(response: "Response", longest_s: float) -> Iterator[None]:
    """Ends an answer that only drips: each of its bytes is in time, and all of them never are."""
    import requests

    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(RuntimeError, ValueError, OSError):  # it has just ended by itself
            response.raw.shutdown()

    timer = threading.Timer(longest_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise requests.ReadTimeout(f"the answer was not whole after {longest_s:g} s")


def _basic(login: tuple[str, str]) -> Callable[["PreparedRequest"], "PreparedRequest"]:
    from requests.auth import HTTPBasicAuth

    user, token = (part.encode() for part in login)  # by itself it would take Latin-1
    return HTTPBasicAuth(user, token)


def _as_it_is(request: "PreparedRequest") -> "PreparedRequest":
    """Keeps `requests` from sending what stands in a .netrc file."""
    return request


def _failure(answer: Answer) -> SlipwayError:
    if answer.status in STARTING:
        return failures.unanswered(f"it says {answer.status}", answer.where, sent=False)
    return failures.refused(answer.status, answer.headers, answer.body, answer.where)


def _root(error: BaseException) -> str:
    """The innermost reason of an error that libraries have wrapped in each other."""
    seen: list[BaseException] = []
    inner: Any = error
    while isinstance(inner, BaseException) and inner not in seen:
        seen.append(inner)
        nested = [getattr(inner, "reason", None), inner.__cause__, inner.__context__, *inner.args]
        inner = next((n for n in nested if isinstance(n, BaseException) and n not in seen), None)
    text = str(getattr(seen[-1], "strerror", None) or seen[-1]) or type(seen[-1]).__name__
    return "".join(c if c.isprintable() else " " for c in text)[: failures.WORDS]
