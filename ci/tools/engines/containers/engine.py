"""One environment of the Docker engine: the verbs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace

from ....config import Project
from ....errors import ToolError
from ....records import Kind
from ...artefacts import Artefact
from .. import Canary, Instance, Live
from . import lease, network, proxy, services
from .place import place_of
from .proxy import Proxy
from .route import Route, Side
from .services import Service


class DockerEngine:
    """One environment on a Docker host.

    What it keeps is there: containers, a network and a volume with its labels, and the route in
    that volume. Whoever reaches the engine finds them, from whichever workspace or home.
    """

    name = "docker"
    kinds: tuple[Kind, ...] = ("image", "local-image")

    def __init__(self, project: Project, environment: str) -> None:
        self.environment = environment
        self.place = place_of(project, environment)

    def lease(self, wait_s: float) -> AbstractContextManager[None]:
        """The right to change this environment; ends with the process that holds it."""
        return lease.held(self.place, wait_s)

    def live(self) -> Live | None:
        """What serves now; a reload that a crash left out is made up for on the way."""
        for standing in proxy.found(self.place):
            route = proxy.read(self.place, standing)
            return self._live(standing, route) if route else None
        return None

    def _live(self, standing: Proxy, route: Route) -> Live | None:
        if route.routed is None:
            return None
        answer = proxy.ask(self.place, standing, "routed")
        if standing.running and answer.status and not proxy.follows(answer, route):
            answer = proxy.caught_up(self.place, standing, route)
        now = {found.instance.id: found.instance for found in services.found(self.place)}
        instance = _current(route.routed, now)
        canary = Canary(_current(route.canary, now), route.percent) if route.canary else None
        healthy = proxy.well(answer, instance)
        return Live(proxy.url(self.place, standing), instance, healthy, canary)

    def start(self, artefact: Artefact, *, version: str) -> Instance:
        """A service of this image, ready to answer, without traffic yet."""
        proxy.ensure(self.place)  # a port that is in use stops a deployment before it began
        return services.start(self.place, artefact, version=version)

    def switch(self, to: Instance) -> float:
        """Sends all traffic to an instance without failing a request; gives milliseconds."""
        standing = proxy.ensure(self.place)
        return proxy.write(self.place, standing, Route(self._side(to)))

    def split(self, to: Instance, percent: int) -> float:
        """Sends a part of the requests to a second instance; gives milliseconds."""
        standing = proxy.ensure(self.place)
        route = proxy.read(self.place, standing)
        if not 1 <= percent <= 99:
            raise ValueError(f"{percent} is no part of the requests")
        if route is None or route.routed is None or route.routed.instance.id == to.id:
            raise ToolError(
                f"nothing is live beside {to.version} in {self.environment}",
                proxy.url(self.place, standing),
                f"deploy there first: slipway deploy {self.environment}",
            )
        wanted = Route(route.routed, self._side(to), percent)
        return proxy.write(self.place, standing, wanted)

    def retire(self, instance: Instance, drain_s: float) -> None:
        """Ends an instance that has no traffic any more, after its last answer."""
        if any(route.leads_to(instance) for route in self._routes()):
            raise ValueError(f"{instance.id} still has traffic")
        self._end([f for f in services.found(self.place) if f.instance.id == instance.id], drain_s)

    def hurt(self, instance: Instance, *, mortally: bool) -> None:
        """Makes an instance unwell, for a drill: it closes down, or is gone with all it has."""
        for found in services.found(self.place):
            if found.instance.id == instance.id:
                return services.hurt(self.place, found, mortally=mortally)
        raise ToolError(f"{instance.version} does not run", self.place.host, "drill again")

    def clean(self, *, keep: Callable[[Instance], bool]) -> list[str]:
        """Ends what a crash left running beside what has traffic; tells what."""
        routes, left = self._routes(), []
        for found in services.found(self.place):
            routed = any(route.leads_to(found.instance) for route in routes)
            if not routed and not keep(found.instance):
                left.append(found)
        return self._end(left, self.place.settings.drain_s)

    def stop(self) -> list[str]:
        """Ends everything of this environment; its address stays its own."""
        told = []
        for standing in proxy.found(self.place):
            proxy.end(self.place, standing)
            told.append(f"proxy at {standing.host}:{standing.port}")
        told += self._end(services.found(self.place), self.place.settings.drain_s)
        network.remove(self.place)
        return told

    def _end(self, ended: Sequence[Service], drain_s: float) -> list[str]:
        """Ends services, all at once: each waits for its own last answer."""
        if ended:
            if any(found.running for found in ended):
                for standing in proxy.found(self.place):
                    if standing.running:
                        proxy.drain(self.place, standing, drain_s)
            with ThreadPoolExecutor(len(ended)) as pool:
                list(pool.map(lambda found: services.end(self.place, found, drain_s), ended))
        return [f"service {found.instance.version} ({found.instance.id})" for found in ended]

    def _routes(self) -> list[Route]:
        routes = [proxy.read(self.place, standing) for standing in proxy.found(self.place)]
        return [route for route in routes if route]

    def _side(self, instance: Instance) -> Side:
        for found in services.found(self.place):
            if found.instance.id == instance.id:
                return replace(found.side, instance=instance)
        raise ToolError(
            f"{instance.version} is not there any more",
            f"{self.place.host}, {instance.id}",
            "the traffic is where it was; deploy again",
        )


def _current(side: Side, now: dict[str, Instance]) -> Instance:
    """An instance with its port of today: a container that was started again has another one."""
    found = now.get(side.instance.id)
    return found if found and found.url else side.instance
