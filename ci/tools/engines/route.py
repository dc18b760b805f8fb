"""An environment's address: the front process, and the route that it reads.

The route holds one instance with all the traffic, or two: the first with the most of it, and its
canary with a `weight` in percent.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...config import service_environment
from ...errors import ToolError
from ...records import write_atomically
from .. import daemons, locks, service
from ..daemons import Daemon
from ..process import exit_code
from . import Canary, Instance

START_S = 20.0  # for the front to listen
MOVE_S = 5.0  # for traffic to arrive at the new instance
SCHEMA = "route/1"
PROGRAM = Path(__file__).parents[1] / "front.py"
IN_USE = 98  # what the front ends with where its port belongs to somebody else


@dataclass(frozen=True)
class Address:
    """Where an environment is to be reached; port 0 takes a free one and keeps it."""

    state: Path
    host: str
    port: int

    @property
    def url(self) -> str:
        """The address for clients; on this machine where it listens on every interface."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@dataclass(frozen=True)
class Traffic:
    """Who has the traffic: one instance all of it, or all but a canary's part."""

    instance: Instance
    canary: Canary | None = None

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Everyone who has some of it."""
        return (self.instance, *((self.canary.instance,) if self.canary else ()))


def routed(state: Path) -> Traffic | None:
    """Who has the traffic, or None."""
    try:
        backends = json.loads((state / "route.json").read_bytes())["backends"]
        known = [
            Instance(**{name: str(backend[name]) for name in Instance.__annotations__})
            for backend in backends
        ]
        if not known:
            return None
        first, *others = known
        split = [Canary(other, int(backends[-1]["weight"])) for other in others]
        return Traffic(first, *split)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(
            f"the route is malformed: {error}",
            str(state / "route.json"),
            "remove it, then deploy again",
        ) from error


def route_to(state: Path, traffic: Traffic | None) -> None:
    """Sends all requests from now on there, or nowhere."""
    backends = []
    if traffic:
        canary = traffic.canary
        percents = (100 - canary.percent, canary.percent) if canary else (100,)
        pairs = zip(traffic.instances, percents, strict=True)
        backends = [{**asdict(instance), "weight": percent} for instance, percent in pairs]
    content = json.dumps({"schema": SCHEMA, "backends": backends}, sort_keys=True)
    write_atomically(state / "route.json", content.encode() + b"\n")


def move(address: Address, to: Traffic) -> float:
    """Sends the requests there; gives the milliseconds until the first answer of the newest one.

    Raises:
        ToolError: the address does not answer with that instance; the traffic went back.
    """
    before = routed(address.state)
    newest = to.instances[-1]
    started = time.perf_counter()
    route_to(address.state, to)
    while True:
        answer = service.ready(address.url, timeout_s=MOVE_S, key=newest.id)
        spent = time.perf_counter() - started
        if says(answer, newest):
            return spent * 1000
        if spent > MOVE_S:
            route_to(address.state, before)
            said = answer.error or f"{answer.release or 'nobody'} says {answer.status}"
            raise ToolError(
                f"{newest.version} does not answer at the address: {said}",
                address.url,
                "the traffic is where it was; read the logs of the environment",
            )
        time.sleep(0.005)


def says(answer: service.Answer, instance: Instance) -> bool:
    """Whether this answer says that this instance is ready."""
    told = (answer.status, answer.digest, answer.release)
    return told == (200, instance.digest, instance.version)


def ensure(state: Path, host: str, port: int) -> Address:
    """The address with a front process that listens there; started, or moved to another port.

    Raises:
        ToolError: the port belongs to somebody else, or the front does not start.
    """
    with locks.held(state / "front.lock"):  # a command that only reads starts it too
        known = _facts(state)
        wanted = port or known.get("port") or daemons.free_port(host)
        address = Address(state, host, int(wanted))
        current = (known.get("host"), known.get("port")) == (address.host, address.port)
        fronts = find(state)
        if current and any(front.pid == known.get("pid") for front in fronts):
            return address
        moved = fronts if known and not current else []  # they serve until the new one does
        for front in fronts if not moved else ():
            daemons.end(front, 10.0)
        _start(address)
        for front in moved:
            daemons.end(front, 10.0)
        return address


def _start(address: Address) -> None:
    command = [sys.executable, "-I", PROGRAM, address.state]
    command += ["--host", address.host, "--port", address.port]
    front = daemons.start(
        [str(word) for word in command],
        cwd=address.state,
        env=service_environment(),
        log=address.state / "logs" / "front.log",
    )
    until = time.monotonic() + START_S
    while _facts(address.state).get("pid") != front.pid:
        if not daemons.alive(front) or time.monotonic() > until:
            code = exit_code(front.pid)
            daemons.end(front, 0.0)
            raise _unstarted(address, code)
        time.sleep(0.01)


def _unstarted(address: Address, code: int | None) -> ToolError:
    if code == IN_USE:
        who = daemons.listener(address.port)
        return ToolError(
            f"port {address.port} is in use by {who}",
            f"{address.host}:{address.port}",
            "end that process, or set another port in delivery.toml",
        )
    log = address.state / "logs" / "front.log"
    return ToolError(f"the front process ended with {code}", str(log), "read the log")


def find(state: Path) -> list[Daemon]:
    """The front processes of a state folder; more than one only after a crash."""
    return daemons.find(
        lambda argv: str(state) in argv and any(Path(word).name == PROGRAM.name for word in argv)
    )


def kept(state: Path, host: str, port: int) -> Address:
    """The address as it was last, whether or not something listens there."""
    facts = _facts(state)
    return Address(state, str(facts.get("host", host)), int(facts.get("port") or port))


def _facts(state: Path) -> dict[str, Any]:
    try:
        facts = json.loads((state / "front.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
