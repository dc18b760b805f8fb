"""The Docker engine, by its SDK: connected once an address, its failures in our words."""

import contextlib
import functools
import http.client
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..config import Project, docker_environment
from ..errors import EvidenceError, SlipwayError, ToolError

if TYPE_CHECKING:
    from docker.models.containers import Container

    from docker import DockerClient

PING_S = 1.0
TIMEOUT_S = 120.0  # for one answer of the engine; builds and pulls stream theirs

LABEL = "slipway."
PROJECT, MODEL, ENVIRONMENT = "slipway.project", "slipway.model", "slipway.environment"
ROLE, DIGEST, VERSION, HOME = "slipway.role", "slipway.digest", "slipway.version", "slipway.home"


def host_of(project: Project, environment: str = "") -> str:
    """The address of the engine of an environment, or of the one that builds."""
    own = project.environment(environment).docker_host if environment else ""
    return own or project.docker_host


def answers(host: str) -> bool:
    """Whether an engine is there, asked in at most `PING_S` without the SDK.

    An address with TLS or SSH takes the SDK to ask: there, the answer is whether it connects.
    """
    secured = docker_environment(host).get("DOCKER_TLS_VERIFY")
    try:
        parts = urlsplit(host)
        if parts.scheme == "unix":
            return _ping_socket(parts.path)
        if parts.scheme in ("tcp", "http") and not secured:
            return _ping(http.client.HTTPConnection(parts.hostname or "", parts.port, PING_S))
        connect(host)
    except (OSError, ValueError, http.client.HTTPException, SlipwayError):
        return False  # a `ValueError`: it is no address at all
    return True


def _ping_socket(path: str) -> bool:
    connection = http.client.HTTPConnection("localhost", timeout=PING_S)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(PING_S)
    connection.sock.connect(path)
    return _ping(connection)


def _ping(connection: http.client.HTTPConnection) -> bool:
    with contextlib.closing(connection):
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200


@functools.cache
def connect(host: str) -> "DockerClient":
    """A client of the engine at an address, its API version agreed on.

    Raises:
        ToolError: no engine answers there.
    """
    import docker

    what, todo = "the Docker engine does not answer", "start it, or set DOCKER_HOST"
    try:
        with explained(what, host, todo):
            variables = docker_environment(host)
            return docker.from_env(environment=variables, version="auto", timeout=int(TIMEOUT_S))
    except ValueError as error:  # it is no address at all
        raise ToolError(f"{what}: {error}", host, todo) from error


@contextlib.contextmanager
def explained(what: str, where: str, todo: str, *, lost: str = "") -> Iterator[None]:
    """Turns the SDK's errors into ours, with the engine's own words in the first line.

    Args:
        lost: what is missing where the engine says that it is not there.

    Raises:
        ToolError: the engine failed, refused, or does not answer.
        EvidenceError: it has not what `lost` names.
    """
    import requests

    from docker import errors

    try:
        yield
    except errors.NotFound as error:
        if lost:
            raise EvidenceError(f"{lost}: {_words(error)}", where, todo) from error
        raise ToolError(f"{what}: {_words(error)}", where, todo) from error
    except (errors.DockerException, requests.RequestException, OSError) as error:
        raise ToolError(f"{what}: {_words(error)}", where, todo) from error


def _words(error: BaseException) -> str:
    said = getattr(error, "explanation", None) or str(error)
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    return " ".join(str(said).split())[:500]


def remove(container: "Container") -> None:
    """Ends and removes a container and its anonymous volumes; one that is gone is no error."""
    from docker import errors

    with contextlib.suppress(errors.NotFound):
        try:
            container.remove(force=True, v=True)
        except errors.APIError as error:
            if error.status_code != 409:  # another process removes it already
                raise
