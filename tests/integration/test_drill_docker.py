"""`slipway drill` where images serve: from a registry, and of the engine alone."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from slipway.config import Project
from slipway.records import Drill, read
from slipway.stages import promotion
from slipway.tools import engines, ledger, sick, store
from slipway.tools.images import append, local, runtime
from slipway.tools.images.model import Model
from slipway.tools.ledger import Event
from slipway.tools.registry import local as local_registry
from slipway.tools.registry import open_registry
from tests import containers, deliveries, dockers, tiny
from tests.promotions import slipway

TRIED = {  # one of each sort for each kind: to start containers takes time
    "local-image": ["wrong-answers", "turns-sick"],
    "image": ["never-ready", "turns-sick"],
}
STAGING = "[environments.staging]\n"
OWN = 'engine = "docker"\nrequires = "{kind}"\nload_per_s = 40\nready_s = 60\n{more}'
ELSEWHERE = 'repository = "{name}/staging"\n'


@dataclass(frozen=True)
class Shop:
    """A project whose staging serves an image of a kind."""

    project: Project
    kind: str
    digest: str

    def images(self) -> list[str]:
        """Every image of this project's model, as the engine or the registry has it."""
        api, name = containers.client().api, self.project.config.model.name
        held = [image["Id"] for image in api.images() if self._ours(image["Labels"] or {}, name)]
        if self.kind == "image":
            with open_registry(self.project) as registry:
                for repository in (name, f"{name}/staging"):
                    held += [f"{repository}:{tag}" for tag in registry.tags(repository)]
        return sorted(held)

    @staticmethod
    def _ours(labels: dict[str, str], name: str) -> bool:
        return labels.get("org.opencontainers.image.title") == name

    def kept(self) -> list[str]:
        """What the home keeps of artefacts and models."""
        folders = ("store/layers", "store/blobs", "made")
        paths = [p for folder in folders for p in (self.project.home / folder).glob("[!.]*")]
        return sorted(path.name for path in paths)


@pytest.fixture(params=TRIED)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    dockers.require()
    kind, name = request.param, containers.name()
    more = ELSEWHERE.format(name=name) if kind == "image" else ""
    text = deliveries.SETTINGS.replace(STAGING, STAGING + OWN.format(kind=kind, more=more))
    project = dockers.project_in(tmp_path, text.replace("next-basket", name))
    with dockers.removing() as made:
        digest = deployed(project, kind, made)
        yield Shop(project, kind, digest)
        engines.engine_of(project, "staging").stop()
        local_registry.stop(project)
    assert containers.left(name) == []


def deployed(project: Project, kind: str, made: list[str]) -> str:
    """The digest of an image of a tiny model that staging serves, by the real promotion."""
    folder = tiny.write_model(project.candidate)
    upon = Model(store.put_model(project.home, folder), f"md5:{secrets.token_hex(16)}", folder)
    if kind == "local-image":
        image = local.build(project, runtime.ensure(project, "cpu", None), upon)
    else:
        with open_registry(project) as registry:
            below = runtime.ensure(project, "cpu", registry)
            image = append.build(project, registry, below, upon)
    goal = Event(
        kind="assign",
        name=project.config.model.name,
        environment="staging",
        version="v1.0.0",
        digest=image.digest,
        artefact=kind,
        model=upon.digest,
    )
    with promotion.at(project, "staging") as place:
        ledger.append(place.ledger, lambda _: ledger.Draft(replace(goal, kind="register")))
        promotion.promote(place, goal, {}, right=lambda _: None, done=lambda _: None)
    api, label = containers.client().api, f"org.opencontainers.image.title={goal.name}"
    made += [found["Id"] for found in api.images(filters={"label": label})]
    return image.digest


def test_sick_images_are_undone_and_neither_engine_nor_registry_keeps_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sick, "CASES", {case: sick.CASES[case] for case in TRIED[shop.kind]})
    engine = engines.engine_of(shop.project, "staging")
    before = (engine.live(), shop.images(), shop.kept())
    done = slipway(shop.project, "drill", "staging")
    record = read(shop.project.delivery, "drill", Drill)
    assert done.code == 0, record
    assert (engine.live(), shop.images(), shop.kept()) == before
    noticed = ["before traffic"] * (len(record.cases) - 1) + ["in traffic"]
    assert [case.name for case in record.cases] == TRIED[shop.kind]
    assert [case.noticed for case in record.cases] == noticed
    assert all(case.sent and not case.failed for case in record.cases)
    assert record.cases[-1].answered
    assert record.engine == "docker"
    assert slipway(shop.project, "status").answer == "agrees"
