"""The proxy of an environment: an nginx at its address, with the route as its configuration."""

import hashlib
import io
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import ToolError
from ... import daemons, service
from ...images import proxy as images
from .. import Instance
from . import network, route
from .place import INNER_PORT, Place, drop, dropped_on_failure
from .route import Route

ADDRESS = "slipway.address"  # host and port that it was made for
FOLDER, CURRENT, NEXT = "/etc/slipway", "nginx.conf", "next.conf"
START_S = 20.0
MOVE_S = 5.0  # for traffic to arrive at the new instance
DRAIN_S = 10  # for a proxy that moved to another address
PORTS = range(20_000, 30_000)  # below those that systems give to connections
PORT_TRIES = 20
TAKEN = ("already allocated", "already in use")  # what Docker says of a port
WORKER = "nginx: worker process"  # its title; a closing one's goes on
NGINX = ["nginx", "-e", "/dev/stderr"]
_TMP = "size=256m,mode=1777,noexec,nosuid,nodev"


@dataclass(frozen=True)
class Proxy:
    """The nginx of an environment."""

    container: str
    host: str
    port: int
    running: bool


def found(place: Place) -> list[Proxy]:
    """The environment's proxies, running ones first; more than one only after a crash."""
    proxies = [_proxy(container) for container in place.containers("proxy")]
    return sorted(proxies, key=lambda proxy: not proxy.running)


def _proxy(container: Mapping[str, Any]) -> Proxy:
    host, _, port = container["Labels"].get(ADDRESS, ":0").rpartition(":")
    return Proxy(container["Id"], host, int(port), container["State"] == "running")


def url(place: Place, proxy: Proxy) -> str:
    """The environment's address."""
    return place.url(proxy.host, proxy.port)


def ensure(place: Place) -> Proxy:
    """The proxy at the address that `delivery.toml` says; started, or moved there.

    Raises:
        ToolError: the port belongs to somebody else, or to itself at another host, or nginx does
            not start.
    """
    settings, standing = place.settings, found(place)
    for proxy in standing:
        if proxy.host == settings.host and settings.port in (0, proxy.port):
            if not proxy.running:
                _start(place, proxy)
            _end_others(place, standing, proxy)
            return proxy
    proxy = _made(place, [proxy.port for proxy in standing])
    _end_others(place, standing, proxy)  # they served until the new one did
    return proxy


def _end_others(place: Place, proxies: list[Proxy], kept: Proxy) -> None:
    for proxy in proxies:
        if proxy.container != kept.container:
            end(place, proxy)


def end(place: Place, proxy: Proxy) -> None:
    """Ends a proxy after its last answer."""
    from docker import errors

    with place.explained("the proxy cannot be ended"):
        try:
            place.api.stop(proxy.container, timeout=DRAIN_S)
        except errors.NotFound:
            return
        drop(place.api, proxy.container)


def _made(place: Place, own: Sequence[int]) -> Proxy:
    """A new proxy; without a configured port at the first free one, from one of its own on.

    Args:
        own: ports of the proxies that it will take the place of; they serve until it does.
    """
    if place.settings.port in own:
        raise ToolError(
            f"{place.environment} has port {place.settings.port} at another host already",
            f"{place.settings.host}:{place.settings.port} of {place.host}",
            f"run 'slipway stop {place.environment}' first, or set another port in delivery.toml",
        )
    image = images.ensure(place.project, place.host)
    network.ensure(place)
    network.ensure_volume(place)
    first = int(hashlib.sha256(place.name.encode()).hexdigest(), 16) % len(PORTS)
    fixed = place.settings.port
    free = [PORTS[(first + n) % len(PORTS)] for n in range(PORT_TRIES)]
    ports = [fixed] if fixed else [port for port in free if port not in own]
    for port in ports:
        proxy = Proxy(_created(place, image, port), place.settings.host, port, running=True)
        with dropped_on_failure(place.api, proxy.container):
            try:
                _start(place, proxy)
            except ToolError as error:
                if not any(word in error.what for word in TAKEN):
                    raise
                refusal = error
            else:
                return proxy
        with place.explained("a proxy without a port cannot be removed"):
            drop(place.api, proxy.container)
    raise ToolError(
        f"port {ports[0]} is in use by {_listener(place, ports[0])}",
        f"{place.settings.host}:{ports[0]} of {place.host}",
        "end that process, or set another port in delivery.toml",
    ) from refusal


def _listener(place: Place, port: int) -> str:
    return daemons.listener(port) if place.near else "somebody else"


def _created(place: Place, image: str, port: int) -> str:
    from docker import types

    host = place.settings.host
    with place.explained("the proxy's container cannot be made"):
        created = place.api.create_container(
            image,
            ["-e", "/dev/stderr", "-c", f"{FOLDER}/{CURRENT}", "-g", "daemon off;"],
            entrypoint=NGINX[:1],
            name=f"{place.name}.proxy-{port}",
            user="10001:10001",
            stop_signal="SIGQUIT",  # nginx then ends after its last answer
            labels=place.labels("proxy", **{ADDRESS: f"{host}:{port}"}),
            ports=[INNER_PORT],
            host_config=place.api.create_host_config(
                network_mode=place.name,
                port_bindings={INNER_PORT: (host, port)},
                mounts=[types.Mount(FOLDER, place.name, type="volume", no_copy=True)],
                restart_policy={"Name": "unless-stopped"},
                read_only=True,
                tmpfs={"/tmp": _TMP},  # noqa: S108
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit="512m",
                pids_limit=64,
                log_config=types.LogConfig(
                    type="json-file", config={"max-size": "10m", "max-file": "3"}
                ),
            ),
        )
    return str(created["Id"])


def _start(place: Place, proxy: Proxy) -> None:
    known = read(place, proxy)
    if known is None:
        known = Route()
        _put(place, proxy, CURRENT, route.configuration(known))
    with place.explained("the proxy cannot be started"):
        place.api.start(proxy.container)
    # It only has to follow its route: whoever deploys may be about to replace what is dead.
    if not _arrived(place, proxy, Route(generation=known.generation), START_S):
        with place.explained("the proxy's log cannot be read"):
            log = place.api.logs(proxy.container, tail=3).decode("utf-8", "replace")
        raise ToolError(
            f"the proxy does not answer: {' / '.join(log.split(chr(10))).strip() or 'no word'}",
            url(place, proxy),
            f"look at the log of {place.name}.proxy-{proxy.port}",
        )


def read(place: Place, proxy: Proxy) -> Route | None:
    """The route that is written, or None where none is yet."""
    text = _text(place, proxy)
    return None if text is None else route.parse(text, f"{place.host}, volume {place.name}")


def _text(place: Place, proxy: Proxy) -> str | None:
    from docker import errors

    with place.explained("the route cannot be read"):
        try:
            parts, _ = place.api.get_archive(proxy.container, f"{FOLDER}/{CURRENT}")
        except errors.NotFound:
            return None
        content = io.BytesIO(b"".join(parts))
    with tarfile.open(fileobj=content) as archive:
        member = archive.extractfile(CURRENT)
        return member.read().decode() if member else None


def _put(place: Place, proxy: Proxy, name: str, text: str) -> None:
    content, archive = text.encode(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    with place.explained("the route cannot be written"):
        place.api.put_archive(proxy.container, FOLDER, archive.getvalue())


def write(place: Place, proxy: Proxy, wanted: Route) -> float:
    """Makes a route the one that is followed; gives the milliseconds until its first answer.

    Raises:
        ToolError: nginx refuses it, or the address does not answer as it says; the route is what
            it was.
    """
    before = _text(place, proxy)
    text = route.configuration(wanted)
    _put(place, proxy, NEXT, text)
    _test(place, proxy)
    _workers(place, proxy)  # an engine that cannot tell them fails before the traffic moves
    started = time.perf_counter()
    _follow(place, proxy, text)
    if not _arrived(place, proxy, wanted, MOVE_S):
        failure = _unanswered(place, proxy, wanted)
        if before is not None:
            _follow(place, proxy, before)
            if _arrived(place, proxy, route.parse(before, place.name), MOVE_S):
                _alone(place, proxy)
        raise failure
    spent = time.perf_counter() - started
    _alone(place, proxy)
    return spent * 1000


def _test(place: Place, proxy: Proxy) -> None:
    """Asks nginx itself what it thinks of the next configuration."""
    command = [*NGINX, "-t", "-q", "-c", f"{FOLDER}/{NEXT}"]
    with place.explained("the proxy's configuration cannot be tested"):
        test = place.api.exec_create(proxy.container, command)["Id"]
        said = place.api.exec_start(test).decode("utf-8", "replace")
        code = place.api.exec_inspect(test)["ExitCode"]
    if code != 0:
        lines = [line for line in said.splitlines() if "emerg" in line] or said.splitlines()
        raise ToolError(
            f"nginx refuses the configuration: {' / '.join(lines[-2:]) or code}",
            f"{place.host}, {FOLDER}/{NEXT} in {place.name}",
            "the traffic is where it was; report this",
        )


def _follow(place: Place, proxy: Proxy, text: str) -> None:
    _put(place, proxy, CURRENT, text)
    reload(place, proxy)


def reload(place: Place, proxy: Proxy) -> None:
    """Makes nginx read its route again; requests in flight end where they began."""
    with place.explained("the proxy cannot be told"):
        place.api.kill(proxy.container, signal="HUP")


def _alone(place: Place, proxy: Proxy) -> None:
    """Waits until the worker with the route before takes no more requests.

    nginx starts the new worker, waits 100 ms, and only then tells the old one; until it has heard,
    either may take a request.
    """
    until = time.monotonic() + MOVE_S
    while _workers(place, proxy).count(WORKER) != 1 and time.monotonic() < until:
        time.sleep(0.01)


def drain(place: Place, proxy: Proxy, patience_s: float) -> None:
    """Waits a while for requests that came before the last switch and have not arrived whole.

    The worker that has them knows only where the route before led to.
    """
    until = time.monotonic() + patience_s
    while len(_workers(place, proxy)) > 1 and time.monotonic() < until:
        time.sleep(0.05)


def _workers(place: Place, proxy: Proxy) -> list[str]:
    """The titles of nginx's workers: those that take requests, and those that end their last."""
    with place.explained("the proxy's processes cannot be listed"):
        listed = place.api.top(proxy.container, ps_args="-eo pid,args")["Processes"]
    return [words[-1] for words in listed if words[-1].startswith(WORKER)]


def caught_up(place: Place, proxy: Proxy, wanted: Route) -> service.Answer:
    """What the routed side says, once every request follows the route that is written."""
    reload(place, proxy)
    until = time.monotonic() + MOVE_S
    while not follows(answer := ask(place, proxy, "routed"), wanted) and time.monotonic() < until:
        time.sleep(0.02)
    _alone(place, proxy)
    return answer


def ask(place: Place, proxy: Proxy, side: str) -> service.Answer:
    """What one side of the route says about being ready, by way of the proxy."""
    return service.ask(url(place, proxy), route.STATUS + side, timeout_s=MOVE_S)


def follows(answer: service.Answer, wanted: Route) -> bool:
    """Whether an answer was given by this route and not by the one before it."""
    return answer.headers.get(route.GENERATION) == wanted.generation


def well(answer: service.Answer, instance: Instance) -> bool:
    """Whether an instance says that it is ready."""
    said = (answer.status, answer.digest, answer.release)
    return said == (200, instance.digest, instance.version)


def _arrived(place: Place, proxy: Proxy, wanted: Route, patience_s: float) -> bool:
    """Whether the proxy soon follows a route, and each side of it answers."""
    until = time.monotonic() + patience_s
    sides = [("routed", wanted.routed)] + ([("canary", wanted.canary)] if wanted.canary else [])
    for name, side in sides:
        while True:
            answer = ask(place, proxy, name)
            if follows(answer, wanted) and (side is None or well(answer, side.instance)):
                break
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
    return True


def _unanswered(place: Place, proxy: Proxy, wanted: Route) -> ToolError:
    sides = [("canary", wanted.canary), ("routed", wanted.routed)]
    name, side = next(((n, s) for n, s in sides if s), ("routed", None))
    answer = ask(place, proxy, name)
    version = side.instance.version if side else "no service"
    return ToolError(
        f"{version} does not answer at the address: {answer.error or answer.status}",
        url(place, proxy),
        "the traffic is where it was; read the logs of the environment",
    )
