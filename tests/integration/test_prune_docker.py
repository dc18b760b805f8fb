"""`slipway prune` on a real Docker engine: what it takes from an engine that others use too."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway import stages
from slipway.config import Project
from slipway.records import Image, canonical
from slipway.settings import Environment, Retention
from slipway.tools import docker_host, ledger
from slipway.tools.ledger import Draft, Event
from tests import deliveries, needs, surroundings

NAME = f"pruned-{os.getpid()}"
LABEL = {"slipway.model-digest": f"of {NAME}"}
Built = Callable[..., str]

needs.needs(needs.DOCKER, needs.MAKER, needs.REGISTRY)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A model of its own name, that keeps one release; the engine is the machine's."""
    loaded = deliveries.project_at(deliveries.checkout(tmp_path / "one"), tmp_path / "home")
    settings = replace(
        loaded.config,
        model=replace(loaded.config.model, name=NAME),
        environments={"production": Environment(engine="process")},
        retention=Retention(releases=1, hours=0.0),
    )
    return replace(loaded, config=settings, docker_host=surroundings.DOCKER_HOST)


@pytest.fixture
def built() -> Iterator[Built]:
    """Builds tiny images under names of the test; what is left of them goes afterwards."""
    client, made = docker_host.connect(surroundings.DOCKER_HOST), []

    def build(name: str, *, on: str = "scratch", labels: dict[str, str] = LABEL) -> str:
        short = name.rpartition(":")[2]
        file = f"FROM {on}\nLABEL of={NAME}-{short}\nCOPY Dockerfile /{short}\n"
        file += 'ENTRYPOINT ["/nothing"]\n'
        tar = _context(file.encode())
        image, _ = client.images.build(
            fileobj=tar, custom_context=True, tag=name, labels=labels, nocache=True, rm=True
        )
        made.append(image.id)
        return str(image.id)

    yield build
    for container in client.containers.list(all=True, filters={"label": f"of={NAME}-{NAME}-used"}):
        container.remove(force=True)
    for image in reversed(made):
        if image in {left["Id"] for left in client.api.images(all=True)}:
            client.images.remove(image, force=True)


def _context(dockerfile: bytes) -> io.BytesIO:
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile)
        tar.addfile(member, io.BytesIO(dockerfile))
    stream.seek(0)
    return stream


def release(project: Project, version: str, image: str, runtime: str = "") -> None:
    """What the ledger has of a release to production."""
    book = ledger.open_ledger(project)
    record = Image(
        subject=image,
        kind="local-image",
        reference=image,
        model="sha256:" + "1" * 64,
        dataset="md5:1",
        tree="",
        requirements="",
        bytes=1,
        runtime=runtime,
        evidence={},
    )
    for kind, place in (("register", ""), ("assign", "production")):
        event = Event(
            kind=kind,
            name=book.name,
            environment=place,
            version=version,
            digest=image,
            artefact=record.kind,
            model=record.model,
        )
        draft = Draft(event, {"image.json": canonical(record)})
        ledger.append(book, lambda _, draft=draft: draft)


def there(*images: str) -> list[bool]:
    client = docker_host.connect(surroundings.DOCKER_HOST)
    ids = {image["Id"] for image in client.api.images(all=True)}
    return [image in ids for image in images]


def test_old_images_and_their_runtime_go_and_the_live_one_stays(
    project: Project, built: Built
) -> None:
    first, second = built(f"slipway/runtime:{NAME}-a"), built(f"slipway/runtime:{NAME}-b")
    old = built(f"slipway/image:{NAME}-old", on=f"slipway/runtime:{NAME}-a")
    live = built(f"slipway/image:{NAME}-live", on=f"slipway/runtime:{NAME}-b")
    release(project, "v1.0.0", old, first)
    release(project, "v1.1.0", "sha256:" + "5" * 64)  # which a rollback would bring back
    release(project, "v1.2.0", live, second)
    stages.execute(["prune", "--dry-run"], project)
    assert there(first, old, second, live) == [True] * 4
    assert stages.execute(["prune"], project).answer == "removed 2 things"
    assert there(first, old, second, live) == [False, False, True, True]
    assert stages.execute(["prune"], project).answer == "removed 0 things"


def test_what_a_container_or_somebody_else_uses_stays(project: Project, built: Built) -> None:
    used, named = built(f"slipway/image:{NAME}-used"), built(f"slipway/image:{NAME}-named")
    below, live = built(f"slipway/image:{NAME}-below"), built(f"slipway/image:{NAME}-live")
    bare = built(f"slipway/image:{NAME}-bare", labels={})
    client = docker_host.connect(surroundings.DOCKER_HOST)
    client.containers.create(used)
    client.images.get(named).tag(f"paper-{NAME}", "latest")
    above = built(f"analysis-{NAME}:latest", on=f"slipway/image:{NAME}-below", labels={})
    for number, image in enumerate((used, named, below, bare, "sha256:" + "5" * 64, live)):
        release(project, f"v1.{number}.0", image)
    stages.execute(["prune"], project)
    assert there(used, named, below, above, bare, live) == [True] * 6
    kept = {tag for image in client.api.images() for tag in image["RepoTags"] or ()}
    names = ("used", "named", "below", "bare", "live")
    assert {f"slipway/image:{NAME}-{name}" for name in names} <= kept


def test_an_image_of_another_ledger_stays(project: Project, built: Built) -> None:
    other, own = built(f"slipway/image:{NAME}-other"), built(f"slipway/image:{NAME}-own")
    live = built(f"slipway/image:{NAME}-live")
    release(project, "v1.0.0", own)
    release(project, "v1.1.0", "sha256:" + "5" * 64)
    release(project, "v1.2.0", live)
    stages.execute(["prune"], project)
    assert there(other, own, live) == [True, False, True]
