"""The services of an environment: one container each, found by its labels."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import ToolError
from ....settings import Environment
from ... import docker_host, service
from ...artefacts import Artefact
from .. import Instance
from . import network, pulled
from .place import INNER_PORT, Place, drop, dropped_on_failure, published
from .route import Side

LOOK_S = 0.25  # between two looks at whether it still runs
POLL_S = 0.02
TMP = "size=64m,mode=1777,noexec,nosuid,nodev"
PIDS = 256
NO_GPU = "could not select device driver"  # what Docker says without the NVIDIA runtime


@dataclass(frozen=True)
class Service:
    """A container of the environment that serves, or did."""

    side: Side
    container: str
    running: bool

    @property
    def instance(self) -> Instance:
        """The service as engines know it."""
        return self.side.instance


def found(place: Place) -> list[Service]:
    """The environment's services, ended ones too, whoever started them."""
    return [_service(place, container) for container in place.containers("backend")]


def _service(place: Place, container: Mapping[str, Any]) -> Service:
    labels, port = container["Labels"], published(container)
    instance = Instance(
        container["Names"][0].removeprefix("/"),
        labels.get(docker_host.DIGEST, ""),
        labels.get(docker_host.VERSION, ""),
        place.url(place.service_host, port) if port else "",
    )
    side = Side(instance, network.address(container, place.name))
    return Service(side, container["Id"], container["State"] == "running")


def start(place: Place, artefact: Artefact, *, version: str) -> Instance:
    """A service of an image that answers.

    Raises:
        EvidenceError: the image is of no kind that runs here, or is not there.
        ToolError: it did not get ready; it was removed, and the message holds its last words.
    """
    place.url(place.service_host, 0)  # an address that nobody reaches is refused first
    image = pulled.image(place, artefact)
    own = {docker_host.DIGEST: artefact.digest, docker_host.VERSION: version}
    inside = network.ensure(place)
    fixed = place.api.create_endpoint_config(ipv4_address=network.free_address(place))
    container, name = create(
        place,
        image.id,
        place.labels("backend", **own),
        gpu=image.gpu,
        network_mode=inside,
        networking_config=place.api.create_networking_config({inside: fixed}),
    )
    with dropped_on_failure(place.api, container):
        begin(place, container)
        instance = ready(place, container, Instance(name, artefact.digest, version, ""))
        # Only now: one that does not get ready must not be started again and again.
        with place.explained("the service's restart policy cannot be set"):
            place.api.update_container(container, restart_policy={"Name": "unless-stopped"})
    return instance


def create(
    place: Place,
    image: str,
    labels: Mapping[str, str],
    *,
    gpu: bool,
    network_mode: str,
    **more: Any,
) -> tuple[str, str]:
    """Id and name of a container that was made and not started, within the place's limits.

    Args:
        labels: digest and version among them.
        more: as Docker's API knows it.
    """
    digest, version = labels[docker_host.DIGEST], labels[docker_host.VERSION]
    name = f"{place.name}.{digest.removeprefix('sha256:')[:12]}-{secrets.token_hex(3)}"
    with place.explained("the service's container cannot be made"):
        created = place.api.create_container(
            image,
            name=name,
            environment={"SLIPWAY_RELEASE": version, "SLIPWAY_DIGEST": digest},
            labels=dict(labels),
            ports=[INNER_PORT],
            host_config=place.api.create_host_config(
                network_mode=network_mode,
                port_bindings={INNER_PORT: (place.service_host, None)},
                **_limits(place.settings, gpu=gpu),
            ),
            **more,
        )
    return str(created["Id"]), name


def _limits(settings: Environment, *, gpu: bool) -> dict[str, Any]:
    """What a service may take of its host."""
    from docker import types

    device = types.DeviceRequest(count=-1, capabilities=[["gpu"]])
    return {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "tmpfs": {"/tmp": TMP},  # noqa: S108
        "mem_limit": f"{settings.memory_mb}m",
        "memswap_limit": f"{settings.memory_mb}m",
        "nano_cpus": round(settings.cpus * 1e9),
        "pids_limit": PIDS,
        "device_requests": [device] if gpu else None,
        "log_config": types.LogConfig(
            type="json-file", config={"max-size": "10m", "max-file": "3"}
        ),
    }


def begin(place: Place, container: str) -> None:
    """Starts a container.

    Raises:
        ToolError: the engine refuses.
    """
    try:
        with place.explained("the service cannot be started"):
            place.api.start(container)
    except ToolError as error:
        if NO_GPU not in error.what:
            raise
        raise ToolError(
            "the engine has no NVIDIA runtime, which this GPU image needs",
            error.where,
            'install the NVIDIA container toolkit there, or set [image] variant = "cpu"',
        ) from error


def ready(place: Place, container: str, named: Instance) -> Instance:
    """The instance with its address, once it says that it is ready.

    Raises:
        ToolError: it ended, or did not get ready in time.
    """
    until, look = time.monotonic() + place.settings.ready_s, 0.0
    wanted = (200, named.digest, named.version)
    answer, url = service.Answer(0), ""
    while time.monotonic() < until:
        if time.monotonic() >= look:
            state, port = _state(place, container)
            if not state["Running"]:
                raise _unready(place, container, _why(place, state))
            url = place.url(place.service_host, port)
            look = time.monotonic() + LOOK_S
        left = until - time.monotonic()
        answer = service.ready(url, timeout_s=max(0.1, min(left, 2.0)))
        if (answer.status, answer.digest, answer.release) == wanted:
            return Instance(named.id, named.digest, named.version, url)
        time.sleep(POLL_S)
    said = f"status {answer.status} of {answer.digest or 'nobody'}" if answer.status else "silence"
    raise _unready(place, container, f"{said} after {place.settings.ready_s:g} s")


def _state(place: Place, container: str) -> tuple[Mapping[str, Any], str]:
    with place.explained("the service cannot be looked at"):
        facts = place.api.inspect_container(container)
    ports = facts["NetworkSettings"]["Ports"].get(f"{INNER_PORT}/tcp") or [{"HostPort": ""}]
    return facts["State"], ports[0]["HostPort"]


def _why(place: Place, state: Mapping[str, Any]) -> str:
    if state["OOMKilled"]:
        return f"out of memory, allowed are {place.settings.memory_mb} MB"
    return f"it ended with {state['ExitCode']}"


def _unready(place: Place, container: str, why: str) -> ToolError:
    with place.explained("the service's log cannot be read"):
        log = place.api.logs(container, tail=20).decode("utf-8", "replace")
    last = " / ".join([line.strip() for line in log.splitlines() if line.strip()][-3:])
    return ToolError(
        f"the service did not get ready: {why}: {last or 'no word'}",
        f"{place.host}, an instance of {place.name}; it was removed",
        "mend what its last words tell; the environment was left as it was",
    )


def end(place: Place, ended: Service, drain_s: float) -> None:
    """Ends a service after its last answer, at the latest after `drain_s`."""
    from docker import errors

    with place.explained(f"{ended.instance.id} cannot be ended"):
        try:
            if ended.running:
                place.api.stop(ended.container, timeout=round(drain_s))
        except errors.NotFound:
            return
        drop(place.api, ended.container)


def hurt(place: Place, service: Service, *, mortally: bool) -> None:
    """Asks a service to end without waiting for it, or kills it; nothing starts it again."""
    with place.explained(f"{service.instance.id} cannot be sent a signal"):
        place.api.kill(service.container, "SIGKILL" if mortally else "SIGTERM")
