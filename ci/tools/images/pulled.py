"""Images that `delivery.toml` names by digest, pulled once an engine."""

from ...settings import FILE
from .. import docker_host


def ensure(named: str, host: str, setting: str) -> str:
    """`name@sha256:…` itself, once the engine has it.

    Raises:
        EvidenceError: it is not there.
        ToolError: the engine or the registry fails.
    """
    from docker import errors

    client, where = docker_host.connect(host), f"{FILE} [image] {setting}"
    todo = "name a digest that its registry has"
    with docker_host.explained(f"cannot pull {named}", where, todo, lost=f"there is no {named}"):
        try:
            client.images.get(named)
        except errors.ImageNotFound:
            name, _, digest = named.rpartition("@")
            client.images.pull(name, tag=digest)
    return named
