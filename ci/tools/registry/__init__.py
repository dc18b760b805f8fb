"""The registry that holds a project's images, spoken to over HTTP."""

from ...config import Project
from . import local
from .address import Address, parse
from .client import Registry
from .credentials import Places
from .manifests import Descriptor, Manifest
from .trying import Patience

__all__ = ["Address", "Descriptor", "Manifest", "Patience", "Registry", "open_registry", "parse"]


def open_registry(project: Project) -> Registry:
    """A connection to the registry that `delivery.toml` names, or to this machine's own.

    Raises:
        ConfigError: the address or the authority's file is wrong.
        ToolError: this machine's own registry cannot be started.
    """
    image = project.config.image
    if not image.registry:
        return Registry(parse(local.ensure(project)))
    ca = project.root / image.ca if image.ca else None
    address = parse(image.registry, ca=ca, insecure=image.insecure)
    places = Places(project.docker_config, project.registry_login)
    return Registry(address, lambda: places.search(address))
