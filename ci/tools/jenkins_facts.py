"""What a Jenkins says about itself: read by GET alone, and nothing is changed."""

import re
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..errors import ConfigError, ToolError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

TIMEOUT_S = (5.0, 20.0)  # to connect, to be answered
MAX_BYTES = 20_000_000  # of one answer
FILTERS = ("RegexSCMHeadFilterTrait", "WildcardSCMHeadFilterTrait")


@dataclass(frozen=True)
class Agent:
    """One node that builds."""

    name: str
    labels: tuple[str, ...]
    online: bool
    why: str  # it is not


@dataclass(frozen=True)
class Job:
    """The multibranch job, from its configuration."""

    kind: str  # the class
    script: str = ""  # the path of its Jenkinsfile
    remotes: tuple[str, ...] = ()
    tags: bool = False  # it builds tags too
    every_s: float = 0.0  # between two looks at the repository; 0: it never looks by itself
    filters: tuple[tuple[str, str, str], ...] = ()  # kind, what is let in, what is kept out


@dataclass(frozen=True)
class JenkinsFacts:
    """A controller as one user sees it. None: this user may not see it."""

    url: str
    user: str
    version: str
    skew_s: float  # its clock is ahead of ours; NaN: it did not say
    crumb: bool
    anonymous: int  # the status that a stranger gets
    executors: int | None
    agents: tuple[Agent, ...] | None
    plugins: Mapping[str, str] | None  # active ones: name → version
    credentials: frozenset[str] | None
    resources: frozenset[str] | None  # lockable
    people: Mapping[str, bool] = field(default_factory=dict)  # asked for → known
    job: Job | None = None
    job_status: int = 0
    notify_status: int = 0  # of the webhook's address
    csp: str | None = None  # the policy that files are served with; None: no file to look at


def look(url: str, login: tuple[str, str], job: str, people: tuple[str, ...]) -> JenkinsFacts:
    """Asks a controller all that a checkup wants to know.

    Raises:
        ConfigError: the address is none, or user and token are not set or not accepted.
        ToolError: nobody answers there, or it is no Jenkins.
    """
    import requests

    base = _address(url)
    if not all(login):
        todo = "set SLIPWAY_JENKINS_USER, and SLIPWAY_JENKINS_TOKEN (an API token of that user)"
        raise ConfigError("nobody is named to look at Jenkins as", base, todo)
    with requests.Session() as session, requests.Session() as stranger:
        session.auth = login
        stranger.auth = _nobody
        first = _first(session, base)
        config = _get(session, base, f"job/{'/job/'.join(map(_quoted, job.split('/')))}/config.xml")
        nodes = _json(_get(session, base, "computer/api/json"))
        own, agents = _nodes(nodes) if nodes else (None, None)
        return JenkinsFacts(
            url=base,
            user=login[0],
            version=first.headers.get("X-Jenkins", ""),
            skew_s=_skew(first),
            crumb=_get(session, base, "crumbIssuer/api/json").status_code == 200,
            anonymous=_get(stranger, base, "api/json").status_code,
            executors=own,
            agents=agents,
            plugins=_plugins(_json(_get(session, base, "pluginManager/api/json?depth=1"))),
            credentials=_ids(_json(_get(session, base, CREDENTIALS)), "credentials", "id"),
            resources=_ids(
                _json(_get(session, base, "lockable-resources/api/json")), "resources", "name"
            ),
            people={name: _known(session, base, name) for name in people},
            job=parse_job(config.content) if config.status_code == 200 else None,
            job_status=config.status_code,
            notify_status=_get(stranger, base, "git/notifyCommit").status_code,
            csp=_policy(session, base, job),
        )


CREDENTIALS = "credentials/store/system/domain/_/api/json?depth=1"


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        good, parts = None, urlsplit("")
    if not good or parts.query or parts.fragment:
        raise ConfigError(f"'{url}' is no address of a Jenkins", "--jenkins", "give https://host/")
    if parts.username or parts.password:
        todo = "set SLIPWAY_JENKINS_USER and SLIPWAY_JENKINS_TOKEN instead"
        raise ConfigError("the address holds a login, which others can read", "--jenkins", todo)
    return url.rstrip("/")


def _nobody(request: "PreparedRequest") -> "PreparedRequest":
    """Adds no login: without one, requests takes one from a netrc."""
    return request


def _first(session: "Session", base: str) -> "Response":
    """The first answer, which tells whether this is a Jenkins that lets us in."""
    answer = _get(session, base, "me/api/json")
    if answer.status_code == 401:
        todo = "make a new API token; while Jenkins is starting, wait a minute"
        raise ConfigError("Jenkins does not accept user and token", base, todo)
    if answer.status_code == 403:
        raise ConfigError("this user may not read anything", base, "ask for Overall/Read")
    if answer.status_code == 503:
        raise ToolError("Jenkins is starting", base, "try again in a minute")
    if answer.status_code != 200 or "X-Jenkins" not in answer.headers:
        what = f"this is no Jenkins (status {answer.status_code} from {answer.url})"
        raise ToolError(what, base, "give the address of its first page")
    return answer


def _get(session: "Session", base: str, path: str) -> "Response":
    import requests

    try:
        with session.get(f"{base}/{path}", timeout=TIMEOUT_S, stream=True) as answer:
            answer._content = b"".join(_pieces(answer, base))  # bounded, unlike requests
            return answer
    except requests.exceptions.SSLError as error:
        todo = "set REQUESTS_CA_BUNDLE to the authority's file"
        raise ToolError("the certificate of Jenkins is not trusted", base, todo) from error
    except (requests.RequestException, OSError) as error:
        todo = "see that it runs and can be reached from here"
        raise ToolError(f"Jenkins does not answer: {_reason(error)}", base, todo) from error


def _pieces(answer: "Response", base: str) -> Iterator[bytes]:
    """The bytes of an answer, up to a size that no honest one has."""
    size = 0
    for piece in answer.iter_content(65536):
        size += len(piece)
        if size > MAX_BYTES:
            raise ToolError("an answer of Jenkins is too large", base, "is it the right address?")
        yield piece


def _reason(error: BaseException) -> str:
    """The innermost reason, without the objects around it."""
    text = str(error)
    found = re.search(
        r"(Connection refused|timed out|[Nn]ame or service not known|reset by peer)", text
    )
    return found[1] if found else type(error).__name__


def _json(answer: "Response") -> dict[str, Any] | None:
    """The object in an answer; None where there is none for us."""
    if answer.status_code != 200:
        return None
    try:
        said = answer.json()
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _objects(said: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = said.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _ids(said: dict[str, Any] | None, key: str, name: str) -> frozenset[str] | None:
    return frozenset(str(one.get(name)) for one in _objects(said, key)) if said else None


def _plugins(said: dict[str, Any] | None) -> dict[str, str] | None:
    if said is None:
        return None
    active = [one for one in _objects(said, "plugins") if one.get("active", True)]
    return {str(one.get("shortName")): str(one.get("version", "")) for one in active}


def _nodes(said: Mapping[str, Any]) -> tuple[int | None, tuple[Agent, ...]]:
    own: int | None = None
    agents = []
    for one in _objects(said, "computer"):
        if str(one.get("_class", "")).endswith("MasterComputer"):
            count = one.get("numExecutors")
            own = count if isinstance(count, int) else None
            continue
        name = str(one.get("displayName", ""))
        labels = {str(label.get("name")) for label in _objects(one, "assignedLabels")} - {name}
        why = str(one.get("offlineCauseReason") or "not connected") if one.get("offline") else ""
        agents.append(Agent(name, tuple(sorted(labels)), not one.get("offline"), why))
    return own, tuple(agents)


def _known(session: "Session", base: str, name: str) -> bool:
    return _get(session, base, f"user/{_quoted(name)}/api/json").status_code == 200


def _policy(session: "Session", base: str, job: str) -> str | None:
    """The content security policy of a served file: one that every Jenkins has, else a build's."""
    path = "/job/".join(_quoted(part) for part in job.split("/"))
    report = f"job/{path}/job/main/lastCompletedBuild/artifact/delivery/report/index.html"
    for file in ("userContent/readme.txt", report):
        answer = _get(session, base, file)
        if answer.status_code == 200:
            return answer.headers.get("Content-Security-Policy", "")
    return None


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _skew(answer: "Response") -> float:
    try:
        said = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return float("nan")
    return said + 0.5 - time.time()  # it is told in whole seconds


def parse_job(raw: bytes) -> Job:
    """A multibranch job's `config.xml`; Jenkins writes XML 1.1, which no parser here reads."""
    try:
        root = xml.fromstring(re.sub(rb"^\s*<\?xml[^>]*\?>", b"", raw))  # noqa: S314  (no entities)
    except xml.ParseError:
        return Job(kind="unreadable")
    return Job(
        kind=root.tag,
        script=root.findtext("factory/scriptPath", ""),
        remotes=tuple(one.text or "" for one in root.iter("remote")),
        tags=any(one.tag.endswith("TagDiscoveryTrait") for one in root.iter()),
        every_s=max((_seconds(one.text) for one in root.iter("interval")), default=0.0),
        filters=tuple(_filter(one) for one in root.iter() if one.tag.endswith(FILTERS)),
    )


def _seconds(milliseconds: str | None) -> float:
    text = (milliseconds or "").strip()
    return int(text) / 1000 if text.isdecimal() else 0.0


def _filter(trait: xml.Element) -> tuple[str, str, str]:
    kind = "regex" if trait.tag.endswith(FILTERS[0]) else "wildcard"
    let_in = trait.findtext("regex") or trait.findtext("includes") or ""
    return kind, let_in, trait.findtext("excludes") or ""
