"""The right to change an environment: a container of a fixed name, alive as long as its holder.

Its one process waits for the end of its standard input, which is a connection of the holder to
the engine. However the holder ends, the kernel closes the connection, and the container goes.
"""

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ....errors import ToolError
from ...images import proxy
from .place import HOLDER, HOLDER_HOST, Place, drop, dropped_on_failure

POLL_S = 0.05
UNSTARTED_S = 15.0  # by then a holder that lives has started its container
GONE_S = 10.0
# The proxy's image holds no program but nginx. Told to load a module from its standard input, it
# reads there until the end, and fails.
WAIT = ["nginx", "-t", "-e", "/dev/null", "-g", "load_module /dev/stdin;", "-c", "/dev/null"]


@contextlib.contextmanager
def held(place: Place, wait_s: float) -> Iterator[None]:
    """The lease, until the block ends.

    Raises:
        ToolError: another command still holds it after `wait_s`.
    """
    image = proxy.ensure(place.project, place.host)
    until = time.monotonic() + wait_s
    with contextlib.ExitStack() as held_open:
        while True:
            container = _created(place, image)
            if container and _started(place, container, held_open):
                break
            if container is None and time.monotonic() >= until:
                raise _refused(place)
            time.sleep(POLL_S)
        try:
            yield
        finally:
            with place.explained("the lease cannot be given back"):
                _end(place.api, container)


def _created(place: Place, image: str) -> str | None:
    """The container with the lease's name, or None where somebody has it."""
    from docker import errors, types

    holder = {HOLDER: f"process {os.getpid()}", HOLDER_HOST: socket.gethostname()}
    with place.explained("the lease cannot be taken"):
        try:
            created = place.api.create_container(
                image,
                WAIT[1:],
                entrypoint=WAIT[:1],
                name=_name(place),
                user="10001:10001",
                stdin_open=True,
                labels=place.labels("lease", **holder),
                host_config=place.api.create_host_config(
                    auto_remove=True,
                    network_mode="none",
                    read_only=True,
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    mem_limit="64m",
                    pids_limit=16,
                    log_config=types.LogConfig(type="none"),
                ),
            )
        except errors.APIError as error:
            if error.status_code != 409:
                raise
            _drop_abandoned(place)
            return None
    return str(created["Id"])


def _started(place: Place, container: str, held_open: contextlib.ExitStack) -> bool:
    """Whether the container runs now, and ends with a connection of this process."""
    from docker import errors

    api = place.api
    with place.explained("the lease cannot be taken"), dropped_on_failure(api, container):
        try:
            connection = api.attach_socket(container, params={"stdin": 1, "stream": 1})
            held_open.callback(connection.close)
            api.start(container)
        except errors.NotFound:  # somebody took it for abandoned
            return False
    return True


def _drop_abandoned(place: Place) -> None:
    """Removes a lease whose holder died before its container ran, or whose engine did."""
    for container in place.containers("lease"):
        state = container["State"]
        if state == "created":
            now = datetime.fromisoformat(place.api.info()["SystemTime"])
            if now.timestamp() - container["Created"] < UNSTARTED_S:
                continue
        if state in ("created", "exited", "dead"):
            drop(place.api, container["Id"])


def _end(api: Any, container: str) -> None:
    from docker import errors

    drop(api, container)
    until = time.monotonic() + GONE_S  # it removes itself, too: whoever comes next finds it gone
    with contextlib.suppress(errors.NotFound):
        while time.monotonic() < until:
            api.inspect_container(container)
            time.sleep(0.01)


def _refused(place: Place) -> ToolError:
    found: list[Mapping[str, Any]] = place.containers("lease")
    labels = found[0]["Labels"] if found else {}
    host = labels.get(HOLDER_HOST, "")
    elsewhere = f" of {host}" if host not in ("", socket.gethostname()) else ""
    return ToolError(
        f"{labels.get(HOLDER, 'somebody else')}{elsewhere} is changing {place.environment}",
        f"{place.host}, {_name(place)}",
        "wait until it has ended, then run the same command again",
    )


def _name(place: Place) -> str:
    return f"{place.name}.lease"
