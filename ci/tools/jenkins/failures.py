"""What Jenkins' refusals mean, in three lines."""

import html
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...errors import ConfigError, EvidenceError, SlipwayError, ToolError

WORDS = 200  # characters of Jenkins' own message that are shown
LOGIN = re.compile(r"/(login|securityRealm|oauth2?|saml2?|openid)(/|$)")
VARIABLES = "SLIPWAY_JENKINS_USER and SLIPWAY_JENKINS_TOKEN"
MESSAGE = re.compile(r"<b>Message</b>\s*(.*?)</p>|<h1[^>]*>\s*Error\s*</h1>\s*<p>(.*?)</p>", re.S)
SUBMITTER = re.compile(r"You need to be .{1,200}? to submit this")
PERMISSION = re.compile(r"is missing the ([\w/]+) permission")


def refused(status: int, headers: Mapping[str, str], body: bytes, where: str) -> SlipwayError:
    """The error for an answer that its caller cannot use.

    Args:
        headers: with names in lower case.
        where: method and address.
    """
    if 300 <= status < 400:
        return _leads_away(headers.get("location", ""), where)
    if status == 401:
        return EvidenceError(
            "Jenkins does not accept this user and token", where, f"check {VARIABLES}"
        )
    if status == 403:
        return _forbidden(headers, body, where)
    if status == 404:
        return ConfigError("Jenkins has nothing there", where, "check url, job and build")
    words = said(headers, body)
    what = f"Jenkins failed: {status}{f' {words}' if words else ''}"
    return ToolError(what, where, "read Jenkins' own log; then try again")


def unanswered(reason: str, where: str, *, sent: bool) -> ToolError:
    """The error for a request that got no answer, or not all of it."""
    lost = "; whether it was done is not known" if sent else ""
    todo = "see that Jenkins runs and that the address is right; then try again"
    return ToolError(f"the controller does not answer: {reason}{lost}", where, todo)


def unknown_host(reason: str, where: str) -> ConfigError:
    """The error for an address that leads to no machine."""
    todo = "check url under [jenkins] in delivery.toml, or JENKINS_URL"
    return ConfigError(f"no such host: {reason}", where, todo)


def untrusted(reason: str, where: str) -> ConfigError:
    """The error for TLS that fails, and will fail again."""
    todo = "name the file of its authority: ca under [jenkins] in delivery.toml"
    if "CERTIFICATE_VERIFY_FAILED" not in reason and "certificate verify" not in reason:
        todo = "see whether that address speaks https"
    return ConfigError(f"TLS with Jenkins fails: {reason}", where, todo)


def not_json(headers: Mapping[str, str], body: bytes, where: str) -> SlipwayError:
    """The error for an answer that should be JSON: a login page, another server, or a fault."""
    if b"j_spring_security_check" in body or b"j_username" in body:
        return login_wanted(where)
    if "x-jenkins" not in headers:
        todo = "check url under [jenkins] in delivery.toml, with the path that Jenkins has there"
        return ConfigError("what answers there is not Jenkins", where, todo)
    return ToolError("Jenkins answered with a page where data was expected", where, "try again")


def wants_login(headers: Mapping[str, str]) -> bool:
    """Whether an answer leads to a login page."""
    path = urlsplit(headers.get("location", "")).path
    return "/job/" not in path and bool(LOGIN.search(path))  # a job may be called `login`


def login_wanted(where: str) -> EvidenceError:
    """The error where Jenkins shows its login page."""
    return EvidenceError("Jenkins wants to know who asks", where, f"set {VARIABLES}")


def said(headers: Mapping[str, str], body: bytes) -> str:
    """Jenkins' own words in an answer; a page's decoration stays out."""
    text = body[:262_144].decode("utf-8", "replace")
    found, named = SUBMITTER.search(_flat(text)), MESSAGE.search(text)
    words = headers.get("x-error", "") or (found[0] if found else "")
    if not words and named:
        words = named[1] or named[2] or ""
    return _flat(words)[:WORDS]


def _flat(text: str) -> str:
    words = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _forbidden(headers: Mapping[str, str], body: bytes, where: str) -> EvidenceError:
    missing = PERMISSION.search(_flat(body[:262_144].decode("utf-8", "replace")))
    asked = missing[1] if missing else headers.get("x-required-permission", "")
    user = headers.get("x-you-are-authenticated-as", "")
    if user == "anonymous" or b"Authentication required" in body:
        return login_wanted(where)
    lacks = f": it lacks {asked.removeprefix('hudson.model.')}" if asked else ""
    todo = f"use a user who may, in {VARIABLES}, or give this one the right"
    return EvidenceError(f"this user may not do that{lacks}", where, todo)


def _leads_away(target: str, where: str) -> SlipwayError:
    if wants_login({"location": target}):
        return login_wanted(where)
    parts = urlsplit(target)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    todo = "use that address as url under [jenkins] in delivery.toml"
    return ConfigError(f"the address leads to {host}{parts.path or '/'}", where, todo)
