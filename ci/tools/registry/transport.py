"""One kept-alive connection to a registry: logs in when asked to, and tries again what may heal."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ...errors import ToolError
from . import failures
from .address import Address
from .authority import CLIENT, Authority, Scopes
from .credentials import Found
from .failures import InterruptedRequest
from .trying import Patience, Trying

if TYPE_CHECKING:
    from requests import PreparedRequest, Response


class Transport:
    """A session with one registry. It holds no state but the connection and the tokens."""

    def __init__(self, address: Address, search: Callable[[], Found], patience: Patience) -> None:
        import requests

        self.address, self.patience = address, patience
        self._session = requests.Session()
        self._session.trust_env = not address.on_this_machine  # a proxy is not for loopback
        self._session.auth = _as_it_is
        self._session.headers.update({"User-Agent": CLIENT, "Accept-Encoding": "identity"})
        self._authority = Authority(address, search, self._request)

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def send(
        self, method: str, path: str, accept: Collection[int], scopes: Scopes = (), **more: Any
    ) -> "Response":
        """One request's answer, tried again while it may heal.

        Args:
            accept: the statuses that the caller can use.
            scopes: the rights that it needs, where the registry gives tokens.
            more: see `once`.

        Raises:
            ToolError: the registry cannot be reached, refuses, or fails.
        """
        trying = Trying(self.patience)
        while True:
            try:
                return self.once(method, path, accept, scopes, **more)
            except InterruptedRequest as interrupted:
                trying.failed(interrupted)

    def once(
        self,
        method: str,
        path: str,
        accept: Collection[int],
        scopes: Scopes = (),
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        params: Mapping[str, str] | None = None,
        stream: bool = False,
        slow: bool = False,
    ) -> "Response":
        """One request's answer, without another try but that after a 401.

        Args:
            path: below the registry's address, or an address that the registry gave.
            stream: leave the body for the caller to read.
            slow: the registry may take as long as storing a blob takes.

        Raises:
            InterruptedRequest: it failed in a way that may heal.
            ToolError: it failed for good.
        """
        url = self.absolute(path)
        own = _origin(url) == _origin(self.address.url)
        known = {**(headers or {}), "Authorization": self._authority.header(scopes) if own else ""}
        sent = {name: value for name, value in known.items() if value}
        more: dict[str, Any] = {"data": data, "params": params, "stream": stream, "slow": slow}
        answer = self._request(method, url, headers=sent, **more)
        if answer.status_code == 401 and own and 401 not in accept:
            header = self._authority.answer(answer.headers.get("WWW-Authenticate", ""), scopes)
            if header:
                answer.close()
                sent["Authorization"] = header
                answer = self._request(method, url, headers=sent, **more)
        if answer.status_code in accept:
            return answer
        denied = answer.status_code in (401, 403)
        raise failures.refused(answer, self._authority.found().told if denied else "")

    def absolute(self, place: str) -> str:
        """The URL of a path, or of a `Location` that the registry gave.

        A registry behind a proxy may not know that its own address is TLS: it is never left.
        """
        url = urljoin(self.address.url + "/", place)
        own, given = urlsplit(self.address.url), urlsplit(url)
        if given.netloc == own.netloc:
            return given._replace(scheme=own.scheme).geturl()
        if given.scheme not in ("http", "https") or (own.scheme, given.scheme) == ("https", "http"):
            where = failures.plain_url(url)
            raise ToolError("the registry leads away from TLS", where, "mend its configuration")
        return url

    def _request(self, method: str, url: str, *, slow: bool = False, **more: Any) -> "Response":
        import requests

        patience = self.patience
        try:
            return self._session.request(
                method,
                url,
                timeout=(patience.connect_s, patience.transfer_s if slow else patience.answer_s),
                verify=str(self.address.ca) if self.address.ca else True,
                allow_redirects=method == "GET",
                **more,
            )
        except (requests.RequestException, OSError) as error:
            raise failures.unanswered(error, url) from error


def _as_it_is(request: "PreparedRequest") -> "PreparedRequest":
    """Keeps `requests` from sending what stands in a .netrc file."""
    return request


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
