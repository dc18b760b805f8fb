"""The registry as deployments need it: images where they are taken from, releases by their tag."""

from ..config import Project
from ..errors import EvidenceError
from ..tools.registry import open_registry


def bring(project: Project, environment: str, digest: str) -> None:
    """Copies a manifest, byte for byte, to the environment's own repository, where it has one."""
    own = project.environment(environment).repository
    if own:
        from ..tools.images import stored

        stored.bring(project, digest, own)


def refuse_taken(project: Project, digest: str, version: str) -> None:
    """Stops where a release's tag is on another manifest: it never moves.

    Raises:
        EvidenceError: it is.
    """
    with open_registry(project) as registry:
        found = registry.digest(_name(project), version)
        where = f"{registry.address.name}/{_name(project)}:{version}"
    if found not in (None, digest):
        raise EvidenceError(
            f"the tag {version} is on {found} already",
            where,
            "find out who put it there; name a higher version: --version",
        )


def tag(project: Project, digest: str, version: str) -> None:
    """Puts a release's tag on its manifest; again does no harm."""
    with open_registry(project) as registry:
        registry.tag(_name(project), digest, version)


def kept(project: Project, digest: str) -> str:
    """The address of a manifest, if the registry has it, byte for byte.

    Raises:
        EvidenceError: it has not.
    """
    name = _name(project)
    with open_registry(project) as registry:
        registry.manifest(name, digest)
        return registry.reference(name, digest)


def tagged(project: Project, version: str) -> str:
    """The digest of the manifest that a release's tag names; empty: there is no such tag."""
    with open_registry(project) as registry:
        return registry.digest(_name(project), version) or ""


def _name(project: Project) -> str:
    from ..tools.images import runtime

    return runtime.repository(project)
