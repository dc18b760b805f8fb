"""What a service in a container may do: told by its own kernel, and tried."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import SlipwayError
from .. import docker_host

SCRIPT = Path(__file__).with_name("tried.py")


@dataclass(frozen=True)
class Inside:
    """The service's user and rights, and what came of writing; `error`: why nothing is known."""

    uid: int = -1
    gid: int = -1
    no_new_privileges: bool = False
    capabilities: str = ""
    tried: dict[str, str] = field(default_factory=dict)
    error: str = ""


def ask(host: str, container: str) -> Inside:
    """What a running container's first process may do.

    Args:
        host: the engine's address.
        container: its id or name.
    """
    try:
        with docker_host.explained(
            "nothing can be tried inside", container, "see the engine's log"
        ):
            found = docker_host.connect(host).containers.get(container)
            command = ["python3", "-I", "-S", "-c", SCRIPT.read_text("utf-8")]
            code, (out, err) = found.exec_run(command, demux=True)
    except SlipwayError as error:
        return Inside(error=error.what)
    return parse(code, out or b"", err or b"")


def parse(code: int, out: bytes, err: bytes) -> Inside:
    """The script's answer; whatever else it printed or did is an error."""
    try:
        answer: Any = json.loads(out) if code == 0 else None
        if isinstance(answer, dict):
            return Inside(**answer)
    except (ValueError, TypeError):
        pass
    last = " ".join((err or out).decode("utf-8", "replace").split())[-200:]
    return Inside(error=f"the script ended with {code}: {last or 'no word'}")
