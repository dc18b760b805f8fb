"""The machine's Docker engine for tests: images of tiny models, under names of the test's own."""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway.config import Project
from slipway.settings import Environment
from slipway.tools import artefacts, docker_host, store
from slipway.tools.artefacts import Artefact
from slipway.tools.images import local, runtime
from slipway.tools.images.model import Model
from tests import deliveries, needs, surroundings, tiny

NEVER_READY = """
FROM {image}
ENTRYPOINT ["python3", "-c", "raise SystemExit('there is no module ml.features')"]
"""


def required() -> None:
    """Goes on where images can be made and run."""
    needs.needs(needs.DOCKER, needs.MAKER)


def client() -> Any:
    """The machine's engine."""
    return docker_host.connect(surroundings.DOCKER_HOST)


def name() -> str:
    """A model's name that no other test has, and no real environment."""
    return f"test-{os.getpid()}-{secrets.token_hex(3)}"


def own(folder: Path) -> Project:
    """This checkout on the machine's engine, with a home of the test's own."""
    return replace(surroundings.project(deliveries.ROOT), home=folder / "home")


def project(folder: Path, model: str, **settings: Any) -> Project:
    """This checkout with another model's name and one environment, `staging`, on the engine."""
    environment = Environment(engine="docker", **{"ready_s": 60.0, "drain_s": 5.0, **settings})
    loaded = own(folder)
    config = replace(
        loaded.config,
        model=replace(loaded.config.model, name=model),
        environments={"staging": environment},
    )
    return replace(loaded, config=config)


@contextlib.contextmanager
def images(folder: Path) -> Iterator[dict[str, Artefact]]:
    """Two images that answer with other scores, and one that never gets ready; gone afterwards."""
    project, made = own(folder), {}
    try:
        for label, weight in (("one", 1.0), ("two", 2.0)):
            made[label] = image(project, folder / label, weight=weight)
        made["broken"] = derived(made["two"], NEVER_READY)
        yield made
    finally:
        for artefact in reversed(made.values()):
            client().images.remove(artefact.reference, force=True)


def image(project: Project, folder: Path, *, weight: float = 1.0) -> Artefact:
    """An image of a tiny model in the engine; its data's name makes it this test's own."""
    path = tiny.write_model(folder, weight=weight)
    upon = Model(store.put_model(project.home, path), f"md5:{secrets.token_hex(16)}", path)
    built = local.build(project, runtime.ensure(project, "cpu", None), upon)
    return artefacts.open_artefact(project, "local-image", built.digest, model=upon.digest)


def derived(artefact: Artefact, dockerfile: str) -> Artefact:
    """An image that is made of another one, by the engine's own builder."""
    text = dockerfile.format(image=artefact.reference.removeprefix("sha256:"))
    built, _ = client().images.build(fileobj=io.BytesIO(text.encode()), rm=True, nocache=True)
    return replace(artefact, digest=str(built.id), reference=str(built.id))


def left(model: str) -> list[str]:
    """What an engine still has of a model: containers, networks and volumes, by name."""
    found = {"label": f"{docker_host.MODEL}={model}"}
    api = client().api
    containers = [one["Names"][0] for one in api.containers(all=True, filters=found)]
    networks = [one["Name"] for one in api.networks(filters=found)]
    volumes = [one["Name"] for one in api.volumes(filters=found)["Volumes"] or ()]
    return sorted([*containers, *networks, *volumes])
