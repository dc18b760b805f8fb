"""One build: how it stands, its stages, what it waits for, and how it is ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError, EvidenceError, ToolError
from .connection import Connection
from .jobs import Job, Parameter

TREE = (
    "number,url,building,result,description,duration,artifacts[relativePath],"
    "actions[_class,causes[_class,shortDescription]]"
)


@dataclass(frozen=True)
class Build:
    """A build as it stands."""

    path: str  # below the controller's address
    name: str  # for people: `main #27`
    number: int
    url: str
    building: bool
    result: str  # empty while it runs
    description: str
    duration_ms: int
    artifacts: tuple[str, ...]
    reasons: tuple[str, ...]  # why it was ended from outside


@dataclass(frozen=True)
class Stage:
    """A stage of a build, as the stage view has it."""

    key: str
    name: str
    status: str
    started_ms: int
    duration_ms: int
    error: str = ""


@dataclass(frozen=True)
class Pending:
    """A question that a build asks a person."""

    key: str  # as addresses have it: `promote` is `Promote`
    message: str = ""
    proceed: str = ""  # the word on the button
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Progress:
    """What the stage view tells; `known` is false where its plugin is not installed."""

    known: bool
    stages: tuple[Stage, ...] = ()
    waits: bool = False


def read(connection: Connection, job: Job, number: int) -> Build:
    """A build as it stands.

    Raises:
        ConfigError: there is no such build.
    """
    path = f"{job.path}{number}/"
    answer = connection.get(f"{path}api/json", params={"tree": TREE}, accept=(200, 404))
    if answer.status == 404:
        todo = f"its latest is {job.last}" if job.last else "it has not been built yet"
        raise ConfigError(f"{job.name} has no build {number}", connection.url + path, todo)
    data = answer.json(dict)
    actions = [action for action in data.get("actions") or () if isinstance(action, dict)]
    return Build(
        path=path,
        name=f"{job.name} #{number}",
        number=number,
        url=connection.url + path,
        building=bool(data.get("building")),
        result=str(data.get("result") or ""),
        description=str(data.get("description") or ""),
        duration_ms=int(data.get("duration") or 0),
        artifacts=tuple(str(a.get("relativePath")) for a in data.get("artifacts") or ()),
        reasons=tuple(_reasons(actions)),
    )


def building(connection: Connection, build: Build) -> bool | None:
    """Whether a build still runs; None where it was deleted."""
    tree = {"tree": "building"}
    answer = connection.get(f"{build.path}api/json", params=tree, accept=(200, 404))
    return bool(answer.json(dict).get("building")) if answer.status == 200 else None


def progress(connection: Connection, build: Build) -> Progress:
    """The stages, and whether the build waits for a person."""
    answer = connection.get(f"{build.path}wfapi/describe", accept=(200, 404))
    if answer.status == 404:
        return Progress(known=False)
    data = answer.json(dict)
    waits = "pendingInputActions" in (data.get("_links") or {})
    return Progress(True, tuple(map(_stage, data.get("stages") or ())), waits)


def pending(connection: Connection, build: Build) -> tuple[Pending, ...] | None:
    """What a build asks a person; None where Jenkins cannot tell."""
    answer = connection.get(f"{build.path}wfapi/pendingInputActions", accept=(200, 404))
    return None if answer.status == 404 else tuple(map(_pending, answer.json(list)))


def settle(
    connection: Connection, build: Build, question: Pending, *, yes: bool, values: Mapping[str, str]
) -> None:
    """Answers a question.

    Raises:
        EvidenceError: it was answered already, or this user is not one whose answer counts.
        ToolError: Jenkins refuses the answer.
    """
    verb = ("proceed" if question.parameters else "proceedEmpty") if yes else "abort"
    path = f"{build.path}input/{question.key}/{verb}"
    data = _form(question, values) if verb == "proceed" else {}
    accept = (200, 302, 303, 400, 404)
    answer = connection.post(path, data, accept=accept, repeatable=True)
    where = f"POST {connection.url}{path}"
    if answer.status == 400:
        words = answer.words
        if "You need to be" in words:
            raise EvidenceError(f"Jenkins: {words}", where, "ask somebody who may")
        raise ToolError(f"Jenkins does not take the answer: {words}", where, "see its parameters")
    if answer.status == 404 and not answer.again:
        todo = f"look at the build: {build.url}"
        what = f"{build.name} does not ask that, or was answered already"
        raise EvidenceError(what, where, todo)


def stop(connection: Connection, build: Build) -> None:
    """Asks a build to end; its steps are told to, and may take a while."""
    connection.post(f"{build.path}stop", accept=(200, 302, 303), repeatable=True)


def _reasons(actions: list[dict[str, Any]]) -> list[str]:
    """Why a build was interrupted, in Jenkins' words."""
    interrupted = [a for a in actions if "InterruptedBuildAction" in str(a.get("_class"))]
    return [str(c.get("shortDescription")) for a in interrupted for c in a.get("causes") or ()]


def _stage(data: Mapping[str, Any]) -> Stage:
    return Stage(
        str(data.get("id")),
        str(data.get("name")),
        str(data.get("status")),
        int(data.get("startTimeMillis") or 0),
        int(data.get("durationMillis") or 0),
        str((data.get("error") or {}).get("message") or ""),
    )


def _pending(data: Mapping[str, Any]) -> Pending:
    asked = tuple(
        Parameter(
            str(one.get("name")),
            str(one.get("type")),
            (one.get("definition") or {}).get("defaultVal"),
            tuple(map(str, (one.get("definition") or {}).get("choices") or ())),
        )
        for one in data.get("inputs") or ()
    )
    words = str(data.get("message") or ""), str(data.get("proceedText") or "")
    return Pending(str(data.get("id")), *words, asked)


def _form(question: Pending, values: Mapping[str, str]) -> dict[str, str]:
    """The form that Jenkins' own page sends: every parameter, with its default if not given."""
    given: list[dict[str, Any]] = []
    for parameter in question.parameters:
        value = values.get(parameter.name, "" if parameter.default is None else parameter.default)
        if "Boolean" in parameter.kind:
            value = value in (True, "true")
        given.append({"name": parameter.name, "value": value})
    return {"proceed": question.proceed, "json": json.dumps({"parameter": given})}
