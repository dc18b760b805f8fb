"""An environment's network and the volume of its route.

A service keeps its address in the network for life: the proxy's configuration names addresses, and
after a restart of the host it must not lead to another service than before.
"""

import ipaddress
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ....errors import ToolError
from .place import Place

TRIES = 5  # another network may take the same range before ours does
RESERVED = 10  # at the lower end: the gateway, and whatever Docker wants


def ensure(place: Place) -> str:
    """The name of the environment's network, made where there is none."""
    with place.explained("the network cannot be made"):
        standing = _found(place)
        if standing is None:
            _make(place)
        elif not _fixed(standing):  # a crash left the one that only asked for a free range
            place.api.remove_network(standing["Id"])
            _make(place)
    return place.name


def free_address(place: Place) -> str:
    """An address that no service of the environment has; not the one that was freed last."""
    taken = {address(container, place.name) for container in place.containers()}
    standing = _found(place) or {}
    own, _ = ipaddress.ip_network(standing["IPAM"]["Config"][0]["Subnet"]).subnets()
    while True:
        offset = random.randrange(RESERVED, own.num_addresses)  # noqa: S311
        choice = str(own[offset])
        if choice not in taken:
            return choice


def address(container: Mapping[str, Any], network: str) -> str:
    """The address that a listed container has in a network, running or not."""
    attached = container["NetworkSettings"]["Networks"].get(network) or {}
    fixed = (attached.get("IPAMConfig") or {}).get("IPv4Address")
    return str(fixed or attached.get("IPAddress") or "")


def ensure_volume(place: Place) -> str:
    """The name of the volume that holds the route.

    Raises:
        ToolError: somebody else has a volume of that name.
    """
    with place.explained("the volume cannot be made"):
        volume = place.api.create_volume(place.name, labels=place.labels())
    if not place.labels().items() <= (volume.get("Labels") or {}).items():
        raise ToolError(
            f"the volume {place.name} is there, and not by slipway",
            place.host,
            "give it another name, or remove it",
        )
    return place.name


def remove(place: Place) -> None:
    """Removes network and volume; what others use or made stays."""
    from docker import errors

    with place.explained("network and volume cannot be removed"):
        for volume in place.api.volumes(filters=place.filters())["Volumes"] or ():
            with suppress(errors.NotFound):
                place.api.remove_volume(volume["Name"])
        for network in place.api.networks(filters=place.filters()):
            try:
                place.api.remove_network(network["Id"])
            except errors.NotFound:
                continue
            except errors.APIError as error:
                if error.status_code != 403:  # a container of somebody else is in it
                    raise


def _found(place: Place) -> Mapping[str, Any] | None:
    networks = place.api.networks(filters=place.filters())
    return networks[0] if networks else None


def _fixed(network: Mapping[str, Any]) -> bool:
    return bool((network["IPAM"]["Config"] or [{}])[0].get("IPRange"))


def _make(place: Place) -> None:
    """Docker gives fixed addresses only in a range that was asked for: its own choice, here."""
    from docker import errors, types

    for attempt in range(1, TRIES + 1):
        asked = place.api.create_network(place.name, labels=place.labels(), check_duplicate=True)
        subnet = place.api.inspect_network(asked["Id"])["IPAM"]["Config"][0]["Subnet"]
        place.api.remove_network(asked["Id"])
        _, others = ipaddress.ip_network(subnet).subnets()
        pool = types.IPAMPool(subnet=subnet, iprange=str(others))
        try:
            place.api.create_network(
                place.name,
                ipam=types.IPAMConfig(pool_configs=[pool]),
                labels=place.labels(),
                check_duplicate=True,
            )
            return
        except errors.APIError:
            if attempt == TRIES:
                raise
