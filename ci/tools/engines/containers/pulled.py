"""The image of an artefact on the engine that runs it, as its digest says."""

from collections.abc import Mapping
from dataclasses import dataclass

from ....errors import EvidenceError
from ...artefacts import Artefact
from ...registry import address, credentials
from .place import Place

VARIANT = "slipway.variant"


@dataclass(frozen=True)
class Image:
    """An image that the engine has."""

    id: str
    labels: Mapping[str, str]

    @property
    def gpu(self) -> bool:
        """Whether it wants a GPU."""
        return self.labels.get(VARIANT) == "gpu"


def image(place: Place, artefact: Artefact) -> Image:
    """The image of an artefact, pulled by its digest where the engine has it not.

    Raises:
        EvidenceError: the artefact is no image, or is not there.
        ToolError: the engine or the registry fails.
    """
    from docker import errors

    if artefact.kind not in ("image", "local-image"):
        raise EvidenceError(
            f"the Docker engine runs images, this is a {artefact.kind}",
            artefact.reference,
            "run 'slipway image' again where a Docker engine answers",
        )
    name = artefact.reference
    with place.explained(f"cannot have {name}", lost="the image is not there"):
        try:
            return _inspected(place, name)
        except errors.ImageNotFound:
            if artefact.kind == "local-image":
                raise
        _pull(place, name)
        return _inspected(place, name)


def _inspected(place: Place, name: str) -> Image:
    facts = place.api.inspect_image(name)
    return Image(facts["Id"], facts["Config"].get("Labels") or {})


def _pull(place: Place, reference: str) -> None:
    from docker import errors

    name, _, digest = reference.rpartition("@")
    for line in place.api.pull(
        name, tag=digest, stream=True, decode=True, auth_config=_login(place, name)
    ):
        if "error" in line:
            raise errors.DockerException(line["error"])


def _login(place: Place, name: str) -> dict[str, str]:
    project = place.project
    places = credentials.Places(project.docker_config, project.registry_login)
    login = places.search(address.parse(name.partition("/")[0], insecure=True)).login
    if login is None:
        return {}
    if login.identity:
        return {"identitytoken": login.secret}
    return {"username": login.user, "password": login.secret}
