"""What a Jenkins says about itself: read by GET alone, and nothing is changed."""

import re
import time
import xml.etree.ElementTree as xml
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from ..errors import EvidenceError, SlipwayError
from .jenkins import Answer, Connection, failures, jobs

ANY = range(200, 600)  # statuses that say something, too
CREDENTIALS = "credentials/store/system/domain/_/api/json?depth=1"
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


def look(
    connection: Connection, stranger: Connection, job: str, people: tuple[str, ...]
) -> JenkinsFacts:
    """Asks a controller all that a checkup wants to know.

    Args:
        stranger: a connection to the same controller that names nobody.

    Raises:
        ConfigError: what answers there is no Jenkins.
        EvidenceError: the login is not accepted, or this user may not read anything.
        ToolError: nobody answers there.
    """
    first = connection.get("me/api/json")
    if "x-jenkins" not in first.headers:
        raise failures.not_json(first.headers, first.body, first.where)
    config = connection.get(f"{jobs.path_of(job)}config.xml", accept=ANY)
    nodes = _json(connection, "computer/api/json")
    own, agents = _nodes(nodes) if nodes else (None, None)
    return JenkinsFacts(
        version=first.headers["x-jenkins"],
        skew_s=_skew(first),
        crumb=_status(connection, "crumbIssuer/api/json") == 200,
        anonymous=_status(stranger, "api/json"),
        executors=own,
        agents=agents,
        plugins=_plugins(_json(connection, "pluginManager/api/json?depth=1")),
        credentials=_ids(_json(connection, CREDENTIALS), "credentials", "id"),
        resources=_ids(_json(connection, "lockable-resources/api/json"), "resources", "name"),
        people={
            name: _status(connection, f"user/{_quoted(name)}/api/json") == 200 for name in people
        },
        job=parse_job(config.body) if config.status == 200 else None,
        job_status=config.status,
        notify_status=_status(stranger, "git/notifyCommit"),
        csp=_policy(connection, job),
    )


def _status(connection: Connection, path: str) -> int:
    """How a controller answers; a page that wants a login is a refusal."""
    try:
        return connection.get(path, accept=ANY).status
    except EvidenceError:
        return 403


def _json(connection: Connection, path: str) -> dict[str, Any] | None:
    """The object in an answer; None where there is none for us."""
    answer = connection.get(path, accept=ANY)
    try:
        said: dict[str, Any] | None = answer.json(dict) if answer.status == 200 else None
    except SlipwayError:
        return None
    return said


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


def _policy(connection: Connection, job: str) -> str | None:
    """The content security policy of a served file: one that every Jenkins has, else a build's."""
    report = f"{jobs.path_of(job)}job/main/lastCompletedBuild/artifact/delivery/report/index.html"
    for file in ("userContent/readme.txt", report):
        answer = connection.get(file, accept=ANY)
        if answer.status == 200:
            return answer.headers.get("content-security-policy", "")
    return None


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _skew(answer: Answer) -> float:
    try:
        said = parsedate_to_datetime(answer.headers["date"]).timestamp()
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
