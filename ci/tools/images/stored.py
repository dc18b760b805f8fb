"""Images that were made earlier: opened by digest, the model read from its verified layer."""

import io
import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...config import Project
from ...errors import EvidenceError
from ...records import Kind, digest_file
from .. import docker_host, store
from ..registry import Registry, open_registry
from . import append, local, model, runtime

MADE_AGAIN = "run 'slipway image' again, or promote an image that is there"


@dataclass(frozen=True)
class Place:
    """One image, and where an environment takes it from."""

    project: Project
    kind: Kind
    digest: str
    model: str  # digest of the model that it has to hold
    environment: str = ""


def reference(place: Place) -> str:
    """What an engine takes the image by: `host/repository@sha256:…`, or its id."""
    if place.kind == "local-image":
        return place.digest
    with open_registry(place.project) as registry:
        return registry.reference(_repository(place), place.digest)


def read_model_file(place: Place, name: str) -> bytes:
    """The content of one file of the model in an image, its layer verified.

    Raises:
        EvidenceError: the image is missing, holds another model, or its model has no such file.
        ToolError: the registry or the engine does not answer.
    """
    return store.member(_layer(place), f"{model.BELOW}/{name}")


def restore_model(place: Place) -> None:
    """Puts the model in an image into this home's store: another home's delivery made it.

    Raises:
        EvidenceError: the image is missing, or holds another model.
        ToolError: the registry or the engine does not answer.
    """
    store.put_model_of(place.project.home, _layer(place), model.BELOW)


def _layer(place: Place) -> Path:
    """The verified layer of the model in an image, as a tar."""
    return _layer_in_engine(place) if place.kind == "local-image" else _layer_in_registry(place)


def bring(project: Project, digest: str, repository: str) -> None:
    """Copies an image from the project's repository to another one: the same manifest bytes.

    It gets a tag there: what has none, many registries clear away.

    Raises:
        EvidenceError: it is in neither.
        ToolError: the registry fails.
    """
    with open_registry(project) as registry:
        if registry.digest(repository, digest) != digest:
            registry.copy(runtime.repository(project), digest, repository)
        registry.tag(repository, digest, append.tag_of(digest))


def _repository(place: Place) -> str:
    project = place.project
    own = project.environment(place.environment).repository if place.environment else ""
    return own or runtime.repository(project)


def _layer_in_registry(place: Place) -> Path:
    project, name = place.project, _repository(place)
    with open_registry(project) as registry:
        where = registry.reference(name, place.digest)
        if registry.digest(name, place.digest) != place.digest:
            raise EvidenceError("the image is not in the registry", where, MADE_AGAIN)
        manifest = runtime.read_manifest(project, registry, name, place.digest)
        config = json.loads(runtime.read_config(project, registry, name, manifest))
        _check_label(place, model.labels_of(config), where)
        wanted = manifest.layers[-1].digest
        path = store.layer(project.home, place.model)
        if not _is(path, wanted):
            _fetch(registry, name, wanted, path)
    return _checked(place, path, wanted, where)


def _fetch(registry: Registry, name: str, digest: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    registry.fetch_blob(name, digest, path)


def _layer_in_engine(place: Place) -> Path:
    project = place.project
    host = docker_host.host_of(project, place.environment)
    image = local.find(docker_host.connect(host), place.digest)
    if image is None:
        where = f"{place.digest} at {host}"
        raise EvidenceError("the image is not in the engine", where, MADE_AGAIN)
    _check_label(place, model.labels_of({"config": image.attrs["Config"]}), place.digest)
    wanted = image.attrs["RootFS"]["Layers"][-1]
    path = store.layer(project.home, place.model)
    if not _is(path, wanted):
        _take_out(place, host)
    return _checked(place, path, wanted, place.digest)


def _take_out(place: Place, host: str) -> None:
    """Reads the model out of the engine's image, by way of a container that never runs."""
    client = docker_host.connect(host)
    labels = {docker_host.ROLE: "trial"}
    todo = "see the engine's log"
    with docker_host.explained("the image's model cannot be read", place.digest, todo):
        container = client.containers.create(place.digest, labels=labels)
        try:
            chunks, _ = container.get_archive(f"/{model.BELOW}")
            content = b"".join(chunks)
        finally:
            docker_host.remove(container)
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        _unpack(content, Path(folder), place.digest)
        store.put_layer(place.project.home, place.model, Path(folder), model.BELOW)


def _unpack(content: bytes, folder: Path, where: str) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
                stream = tar.extractfile(member) if member.isreg() else None
                if stream and ".." not in name.parts:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(stream.read())
    except tarfile.TarError as error:
        raise EvidenceError(f"the image's model is no tar: {error}", where, MADE_AGAIN) from error


def _check_label(place: Place, labels: dict[str, str], where: str) -> None:
    said = labels.get(model.MODEL)
    if said != place.model:
        what = f"the image says that it holds {said or 'no model'}, not {place.model}"
        raise EvidenceError(what, where, MADE_AGAIN)


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and digest_file(path) == digest


def _checked(place: Place, path: Path, wanted: str, where: str) -> Path:
    try:
        held = store.digest_unpacked(path, model.BELOW)
    except tarfile.TarError as error:
        raise EvidenceError(f"the model's layer is no tar: {error}", where, MADE_AGAIN) from error
    if held != place.model or not _is(path, wanted):
        raise EvidenceError(f"the image's last layer is not {place.model}", where, MADE_AGAIN)
    return path
