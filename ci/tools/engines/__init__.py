"""Engines run an environment's service. All have the same few verbs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...config import Project


@dataclass(frozen=True)
class Instance:
    """One started service of an environment, routed or not."""

    id: str
    digest: str  # of the artefact
    version: str
    url: str  # its own address, behind the switch


@dataclass(frozen=True)
class Live:
    """What an environment's address leads to, from the engine's own state."""

    url: str  # the environment's address
    instance: Instance
    healthy: bool


class Engine(Protocol):
    """What deploy, probe, rollback, status and stop need of an engine."""

    name: str

    def lease(self, wait_s: float) -> AbstractContextManager[None]:
        """The right to change this environment; ends with the process that holds it.

        Raises:
            ToolError: another deployment still holds it after `wait_s`.
        """

    def live(self) -> Live | None:
        """What serves now, or None where nothing was deployed or all was stopped."""

    def start(self, artefact: Path, *, digest: str, version: str) -> Instance:
        """A service of this artefact, ready to answer, without traffic yet.

        Raises:
            ToolError: it did not get ready; it was stopped and its log is in the message.
        """

    def switch(self, to: Instance) -> float:
        """Sends all traffic to an instance without failing a request; gives milliseconds."""

    def retire(self, instance: Instance, drain_s: float) -> None:
        """Stops an instance that has no traffic any more, after its last answer.

        Raises:
            ValueError: it still has the traffic.
        """

    def clean(self, *, keep: Callable[[Instance], bool]) -> list[str]:
        """Stops what a crash left running beside the live instance; tells what."""

    def stop(self) -> list[str]:
        """Ends everything of this environment; tells what was ended."""


def engine_of(project: Project, environment: str) -> Engine:
    """The engine of one environment of `delivery.toml`."""
    from .process import ProcessEngine

    return ProcessEngine(project, environment)
