"""Answers a registry's 401: Basic, or a Bearer token from the server that it names."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import ToolError
from . import failures
from .address import Address, loopback
from .credentials import Found, Login

if TYPE_CHECKING:
    from requests import Response

CLIENT = "slipway"
_SCHEME = re.compile(r"(?:^|,\s*)(basic|bearer)(?:\s+|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

Scopes = tuple[str, ...]
Ask = Callable[..., "Response"]  # method, url and what requests takes besides


@dataclass(frozen=True)
class Challenge:
    """How a registry wants to be spoken to."""

    scheme: str  # basic, bearer, or nothing that is known
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def scopes(self) -> Scopes:
        """The rights that the registry misses."""
        return tuple(self.parameters.get("scope", "").split())


def challenge(header: str) -> Challenge:
    """The challenge in a `WWW-Authenticate`; Bearer where there is a choice."""
    offered = {}
    marks = list(_SCHEME.finditer(header))
    ends = [mark.start() for mark in marks[1:]] + [len(header)]
    for mark, end in zip(marks, ends, strict=False):
        found = _PARAMETER.findall(header[mark.end() : end])
        values = {name.lower(): quoted or bare for name, quoted, bare in found}
        offered[mark[1].lower()] = values
    scheme = next((s for s in ("bearer", "basic") if s in offered), "")
    return Challenge(scheme, offered.get(scheme, {}))


def repository_scope(repository: str, *actions: str) -> str:
    """The scope of some rights on one repository."""
    return f"repository:{repository}:{','.join(actions)}"


class Authority:
    """What this process has to show to one registry: a login, or tokens by their rights."""

    def __init__(self, address: Address, search: Callable[[], Found], ask: Ask) -> None:
        self._address, self._search, self._ask = address, search, ask
        self._found: Found | None = None
        self._basic = ""
        self._tokens: dict[frozenset[str], str] = {}

    def header(self, scopes: Scopes) -> str:
        """What to send for some rights; empty while the registry has not asked for anything."""
        wanted = _rights(scopes)
        held = (token for rights, token in self._tokens.items() if wanted <= rights)
        return self._basic or next(held, "")

    def answer(self, said: str, scopes: Scopes) -> str:
        """What to send after a 401; empty where there is nothing that was not tried.

        Args:
            said: the header `WWW-Authenticate`.

        Raises:
            ToolError: the token's server refuses the login, or answers nonsense.
            InterruptedRequest: the token's server failed.
        """
        asked = challenge(said)
        if asked.scheme == "basic":
            login = self.found().login
            tried, self._basic = self._basic, login.basic if login else ""
            return "" if self._basic == tried else self._basic
        if asked.scheme == "bearer":
            more = (scope for scope in asked.scopes if not _rights((scope,)) <= _rights(scopes))
            wanted = (*scopes, *more)
            token = "Bearer " + self._token(asked, wanted)
            self._tokens[frozenset(_rights(wanted))] = token
            return token
        return ""

    def found(self) -> Found:
        """The credentials, searched once."""
        if self._found is None:
            self._found = self._search()
        return self._found

    def _token(self, asked: Challenge, scopes: Scopes) -> str:
        realm = asked.parameters.get("realm", "")
        login = self.found().login
        self._check_realm(realm, login)
        values: dict[str, Any] = {"service": asked.parameters.get("service", "")}
        if login and login.identity:
            values |= {"grant_type": "refresh_token", "refresh_token": login.secret}
            values |= {"client_id": CLIENT, "scope": " ".join(scopes)}
            answer = self._ask("POST", realm, data=values)
        else:
            headers = {"Authorization": login.basic} if login else {}
            values["scope"] = list(scopes)
            answer = self._ask("GET", realm, params=values, headers=headers)
        if answer.status_code != 200:
            raise failures.refused(answer, self.found().told)
        try:
            content = answer.json()
            return str(content.get("token") or content["access_token"])
        except (ValueError, KeyError, AttributeError):
            where = failures.plain_url(realm)
            raise ToolError(
                "the registry's token server gave no token", where, "read that server's log"
            ) from None  # the answer may hold half a secret

    def _check_realm(self, realm: str, login: Login | None) -> None:
        parts = urlsplit(realm)
        where = failures.plain_url(realm) or self._address.url
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ToolError("the registry names no token server", where, "mend its configuration")
        open_air = parts.scheme == "http" and self._address.secure and not loopback(parts.netloc)
        if login and open_air:
            what = "the registry wants the login sent to a token server without TLS"
            raise ToolError(what, where, "give the token server TLS")


def _rights(scopes: Scopes) -> set[str]:
    """Each single right: `type:name:action`."""
    single = set()
    for scope in scopes:
        name, _, actions = scope.rpartition(":")
        single |= {f"{name}:{action}" for action in actions.split(",")}
    return single
