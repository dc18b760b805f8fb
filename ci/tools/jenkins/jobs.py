"""Jobs, found by their folders and branch; their parameters; builds that are asked for."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from ...errors import ConfigError, ToolError
from .connection import Connection

QUEUED = re.compile(r"/queue/item/(\d+)/?$")
TREE = (
    "buildable,nextBuildNumber,inQueue,queueItem[id],lastBuild[number],"
    "property[parameterDefinitions[name,type,choices,defaultParameterValue[value]]]"
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a job or of an input."""

    name: str
    kind: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What can be built: a branch of a multibranch job, or a pipeline of its own."""

    path: str  # below the controller's address
    name: str  # for people: the branch, or the job
    buildable: bool
    parameters: tuple[Parameter, ...] | None  # None: Jenkins learns them from the first build
    last: int  # number of the latest build; 0: none
    queued: int  # number of what waits in the queue; 0: nothing


@dataclass(frozen=True)
class Queued:
    """A build that was asked for."""

    number: int  # in the queue
    why: str = ""  # it waits
    build: int = 0  # it has begun
    cancelled: bool = False
    gone: bool = False  # the queue has forgotten it


def path_of(job: str) -> str:
    """The path of a job behind its folders: `team/slipway` → `job/team/job/slipway/`.

    Names are as Jenkins has them: a branch `feature/x` is the name `feature%2Fx`.

    Raises:
        ConfigError: a name that is none, and would lead elsewhere.
    """
    if {"", ".", ".."} & set(job.strip("/").split("/")):
        todo = "name it behind its folders: team/slipway"
        raise ConfigError(f"'{job}' is not the name of a job", "job", todo)
    return "".join(f"job/{quote(name, safe='')}/" for name in job.strip("/").split("/"))


def find(connection: Connection, job: str, branch: str, *, named: bool) -> Job:
    """A branch's job.

    Args:
        job: the multibranch job or a pipeline, behind its folders.
        named: somebody asked for this branch; otherwise it does not matter where there are none.

    Raises:
        ConfigError: there is no such job or branch, or this user may not see it.
    """
    path = path_of(job)
    listed = _json(connection, path, "_class,jobs[name]")
    if listed is None:
        todo = "check job under [jenkins] in delivery.toml, and whether this user may see it"
        raise ConfigError(f"Jenkins has no job '{job}'", connection.url + path, todo)
    if "jobs" in listed:
        names = {unquote(str(one.get("name"))): str(one.get("name")) for one in listed["jobs"]}
        if branch not in names:
            raise _no_branch(branch, names, connection.url + path)
        path, name = f"{path}{path_of(names[branch])}", branch
    elif named and branch != job.strip("/").split("/")[-1]:
        todo = "leave the branch out, or name the multibranch job"
        raise ConfigError(f"job '{job}' has no branches", connection.url + path, todo)
    else:
        name = job.strip("/").split("/")[-1]
    return read(connection, path, name)


def read(connection: Connection, path: str, name: str) -> Job:
    """A job as it is now.

    Raises:
        ConfigError: it is gone.
    """
    data = _json(connection, path, TREE)
    if data is None:
        raise ConfigError(f"Jenkins has no job for '{name}'", connection.url + path, "scan the job")
    defined = [
        entry["parameterDefinitions"]
        for entry in data.get("property") or ()
        if entry.get("parameterDefinitions")
    ]
    return Job(
        path=path,
        name=name,
        buildable=bool(data.get("buildable", True)),
        parameters=tuple(map(_parameter, defined[0])) if defined else None,
        last=int((data.get("lastBuild") or {}).get("number", 0)),
        queued=int((data.get("queueItem") or {}).get("id", 0)),
    )


def trigger(connection: Connection, job: Job, values: Mapping[str, str]) -> int:
    """Asks for a build; gives its number in the queue.

    Args:
        values: parameter → value; what is not named has its default.

    Raises:
        ConfigError: the job is disabled.
        ToolError: Jenkins does not queue it.
    """
    if not job.buildable:
        todo = "enable it in Jenkins"
        where = connection.url + job.path
        raise ConfigError(f"{job.name} can't be built: it is disabled", where, todo)
    entry = "build" if job.parameters is None else "buildWithParameters"
    path = f"{job.path}{entry}"
    answer = connection.post(path, values, accept=(201, 302, 303, 400, 409))
    if answer.status == 400 and entry == "build":  # it has got parameters meanwhile
        path = f"{job.path}buildWithParameters"
        answer = connection.post(path, values, accept=(201, 302, 303, 409))
    where = f"POST {connection.url}{path}"
    queued = QUEUED.search(answer.headers.get("location", ""))
    if not queued:
        said = answer.words or f"it says {answer.status} and names no place in the queue"
        raise ToolError(f"Jenkins did not queue a build: {said}", where, "look at its queue")
    return int(queued[1])


def queued(connection: Connection, number: int) -> Queued:
    """What has become of a build that was asked for; Jenkins forgets it after five minutes."""
    tree = {"tree": "id,why,cancelled,executable[number]"}
    answer = connection.get(f"queue/item/{number}/api/json", params=tree, accept=(200, 404))
    if answer.status == 404:
        return Queued(number, gone=True)
    data = answer.json(dict)
    return Queued(
        number,
        str(data.get("why") or ""),
        int((data.get("executable") or {}).get("number", 0)),
        bool(data.get("cancelled")),
    )


def build_of(connection: Connection, job: Job, number: int) -> int:
    """The build that came of a place in the queue, looked for among the latest; 0: none."""
    data = _json(connection, job.path, "builds[number,queueId]{0,50}") or {}
    found = (b["number"] for b in data.get("builds") or () if b.get("queueId") == number)
    return int(next(found, 0))


def cancel(connection: Connection, number: int) -> None:
    """Takes a build that has not begun out of the queue."""
    accept = (200, 204, 302, 404)  # 404: Jenkins' answer of old, also where it has done it
    connection.post(f"queue/cancelItem?id={number}", accept=accept, repeatable=True)


def _json(connection: Connection, path: str, tree: str) -> Any:
    """Some fields of what is at a path; None where there is nothing."""
    answer = connection.get(f"{path}api/json", params={"tree": tree}, accept=(200, 404))
    if answer.status == 200:
        return answer.json(dict)
    if "x-jenkins" not in answer.headers:
        todo = "check url under [jenkins] in delivery.toml, with the path that Jenkins has there"
        raise ConfigError("no Jenkins answers there", f"{connection.url}{path}", todo)
    return None


def _parameter(data: Mapping[str, Any]) -> Parameter:
    default = (data.get("defaultParameterValue") or {}).get("value")
    choices = tuple(map(str, data.get("choices") or ()))
    return Parameter(str(data.get("name")), str(data.get("type")), default, choices)


def _no_branch(branch: str, names: Mapping[str, str], where: str) -> ConfigError:
    near = difflib.get_close_matches(branch, names, n=1)
    shown = ", ".join(sorted(names)[:10]) + (" …" if len(names) > 10 else "")
    todo = f"did you mean '{near[0]}'?" if near else f"it has {shown or 'none'}; scan the job"
    if branch.isdigit():
        todo = f"a build's number stands behind its branch; branches: {shown or 'none'}"
    return ConfigError(f"Jenkins has no branch '{branch}'", where, todo)
