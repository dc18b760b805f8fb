"""An environment's address: the front process, and the route that it reads."""

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
from . import Instance

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


def routed(state: Path) -> Instance | None:
    """The instance that has the traffic, or None."""
    try:
        route = json.loads((state / "route.json").read_bytes())
        for backend in route["backends"]:
            return Instance(**{name: str(backend[name]) for name in Instance.__annotations__})
        return None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(
            f"the route is malformed: {error}",
            str(state / "route.json"),
            "remove it, then deploy again",
        ) from error


def route_to(state: Path, instance: Instance | None) -> None:
    """Sends all requests from now on to one instance, or to none."""
    backends = [{**asdict(instance), "weight": 1}] if instance else []
    content = json.dumps({"schema": SCHEMA, "backends": backends}, sort_keys=True)
    write_atomically(state / "route.json", content.encode() + b"\n")


def move(address: Address, to: Instance) -> float:
    """Sends all requests to an instance; gives the milliseconds until its first answer.

    Raises:
        ToolError: the address does not answer with that instance; the traffic went back.
    """
    before = routed(address.state)
    started = time.perf_counter()
    route_to(address.state, to)
    while True:
        answer = service.ready(address.url, timeout_s=MOVE_S)
        spent = time.perf_counter() - started
        if (answer.digest, answer.release, answer.status) == (to.digest, to.version, 200):
            return spent * 1000
        if spent > MOVE_S:
            route_to(address.state, before)
            raise ToolError(
                f"{to.version} does not answer at the address: {answer.error or answer.status}",
                address.url,
                "the traffic is where it was; read the logs of the environment",
            )
        time.sleep(0.005)


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
