"""Engines run an environment's service. All have the same few verbs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ...config import Project
from ...records import Kind
from ..artefacts import Artefact
from . import choice


@dataclass(frozen=True)
class Instance:
    """One started service of an environment, routed or not."""

    id: str
    digest: str  # of the artefact
    version: str
    url: str  # its own address, behind the switch; this machine can reach it


@dataclass(frozen=True)
class Canary:
    """An instance that gets a part of the requests."""

    instance: Instance
    percent: int


@dataclass(frozen=True)
class Live:
    """What an environment's address leads to, from the engine's own state."""

    url: str  # the environment's address
    instance: Instance  # gets all requests, or all but the canary's
    healthy: bool
    canary: Canary | None = None


class Engine(Protocol):
    """What deploy, probe, rollback, status and stop need of an engine."""

    name: str
    kinds: tuple[Kind, ...]  # what it runs

    def lease(self, wait_s: float) -> AbstractContextManager[None]:
        """The right to change this environment; ends with the process that holds it.

        Raises:
            ToolError: another deployment still holds it after `wait_s`.
        """

    def live(self) -> Live | None:
        """What serves now, or None where nothing was deployed or all was stopped."""

    def start(self, artefact: Artefact, *, version: str) -> Instance:
        """A service of this artefact, ready to answer, without traffic yet.

        Raises:
            ToolError: it did not get ready; it was stopped and its log is in the message.
            EvidenceError: its bytes are not what its digest says, or it is of no kind that
                this engine runs.
        """

    def switch(self, to: Instance) -> float:
        """Sends all traffic to an instance without failing a request; gives milliseconds.

        It ends a split: a canary that is switched to serves all, any other one nothing.
        """

    def split(self, to: Instance, percent: int) -> float:
        """Sends a part of the requests to a second instance; gives milliseconds.

        A request with the header `X-Slipway-Key` goes by that key, always to the same side; any
        other one at random.

        Args:
            percent: 1 to 99.

        Raises:
            ToolError: nothing is live beside it, or it does not answer at the address; the
                traffic is where it was.
        """

    def retire(self, instance: Instance, drain_s: float) -> None:
        """Stops an instance that has no traffic any more, after its last answer.

        Raises:
            ValueError: it still has traffic.
        """

    def hurt(self, instance: Instance, *, mortally: bool) -> None:
        """Makes an instance unwell, for a drill: it closes down, or is gone with all it has.

        Raises:
            ToolError: it is not there.
        """

    def clean(self, *, keep: Callable[[Instance], bool]) -> list[str]:
        """Stops what a crash left running beside what has traffic; tells what."""

    def stop(self) -> list[str]:
        """Ends everything of this environment; tells what was ended."""


def engine_of(project: Project, environment: str) -> Engine:
    """The engine of one environment of `delivery.toml`."""
    name = choice.engine(project, environment)
    if name == "docker":
        from .containers import DockerEngine

        return DockerEngine(project, environment)
    from .process import ProcessEngine

    return ProcessEngine(project, environment)
