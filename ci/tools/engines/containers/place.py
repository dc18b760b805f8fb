"""One environment on one Docker host: its names, its labels, and how it is reached."""

import contextlib
import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ....config import Project
from ....errors import ConfigError
from ....settings import FILE, Environment
from ... import docker_host

INNER_PORT = 8080  # where services and proxies listen in their containers
HOLDER, HOLDER_HOST = "slipway.holder", "slipway.holder-host"
_ODD = re.compile(r"[^A-Za-z0-9_-]")
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Place:
    """An environment of a model on the engine that it is configured for."""

    project: Project
    environment: str  # empty for what belongs to none
    settings: Environment
    host: str  # the engine's address

    @property
    def api(self) -> Any:
        """The engine's API."""
        return docker_host.connect(self.host).api

    @property
    def name(self) -> str:
        """How all that belongs to the environment is called; no two environments share it."""
        words = ("slipway", self.project.config.model.name, self.environment or "_")
        return ".".join(map(_plain, words))

    def labels(self, role: str = "", **more: str) -> dict[str, str]:
        """What the engine keeps with a thing of this environment."""
        own = {
            docker_host.MODEL: self.project.config.model.name,
            docker_host.ENVIRONMENT: self.environment,
            docker_host.ROLE: role,
        }
        return {**{key: value for key, value in own.items() if value}, **more}

    def filters(self, role: str = "") -> dict[str, list[str]]:
        """What finds the things of this environment, and nothing else."""
        return {"label": [f"{key}={value}" for key, value in self.labels(role).items()]}

    def containers(self, role: str = "") -> list[Mapping[str, Any]]:
        """Its containers, ended ones too, as one answer of the engine has them."""
        with self.explained("the engine does not tell its containers"):
            found: list[Mapping[str, Any]] = self.api.containers(
                all=True, filters=self.filters(role)
            )
        return found

    def explained(self, what: str, *, lost: str = "") -> AbstractContextManager[None]:
        """As `docker_host.explained`, for this engine."""
        todo = "look at the engine's log (journalctl -u docker), then run the command again"
        return docker_host.explained(what, f"{self.host}, {self.name}", todo, lost=lost)

    @property
    def near(self) -> bool:
        """Whether the engine's loopback is ours."""
        return not self._machine or _loopback(self._machine)

    @property
    def _machine(self) -> str:
        parts = urlsplit(self.host)
        return "" if parts.scheme in ("unix", "npipe") else (parts.hostname or "")

    @property
    def service_host(self) -> str:
        """Where the services' own ports are published: for checks, so no wider than needed."""
        return "127.0.0.1" if self.near else self.settings.host

    def url(self, published: str, port: int | str) -> str:
        """The address under which this machine reaches a published port.

        Raises:
            ConfigError: it is on the loopback of another machine.
        """
        host = _ANYWHERE.get(published, published)
        if not self.near:
            if _loopback(host) and published not in _ANYWHERE:
                raise ConfigError(
                    f"{self.environment} on {self._machine} would listen on {published}, "
                    "which only that machine reaches",
                    f"{FILE} [environments.{self.environment}] host",
                    f"name an address of {self._machine} that this machine reaches",
                )
            host = self._machine if published in _ANYWHERE else published
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def place_of(project: Project, environment: str) -> Place:
    """The place of an environment of `delivery.toml`."""
    host = docker_host.host_of(project, environment)
    return Place(project, environment, project.environment(environment), host)


def drop(api: Any, container: str) -> None:
    """Ends and removes a container at once; one that is gone or going is no error."""
    from docker import errors

    with contextlib.suppress(errors.NotFound):
        try:
            api.remove_container(container, force=True, v=True)
        except errors.APIError as error:
            if error.status_code != 409:  # it is being removed already
                raise


@contextlib.contextmanager
def dropped_on_failure(api: Any, container: str) -> Iterator[None]:
    """Removes a container that its block does not get to run.

    Where the engine itself is gone, the next command that finds it removes what is left.
    """
    import requests

    from docker import errors

    try:
        yield
    except BaseException:
        with contextlib.suppress(errors.DockerException, requests.RequestException, OSError):
            drop(api, container)
        raise


def published(container: Mapping[str, Any]) -> int | None:
    """The host's port of a listed container, or None where it does not run."""
    ports = container.get("Ports") or ()
    found = [int(port["PublicPort"]) for port in ports if port.get("PublicPort")]
    return found[0] if found else None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plain(name: str) -> str:
    """A name as Docker takes it; where that changes it, told apart by a hash."""
    plain = _ODD.sub("-", name)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
