"""Deliveries on Docker: an image in a registry, a canary, the same digest to production."""

import json
import os
import urllib.request
from collections.abc import Iterator

import pytest

from slipway.tools import docker_host
from tests import dockers, surroundings
from tests.projects import Checkout, small_project

NAME = f"small-{os.getpid()}"


@pytest.fixture(scope="module")
def shop(months: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A small project delivered twice on Docker: v1.0.0, then v1.1.0 by way of a canary."""
    dockers.require()
    folder = tmp_path_factory.mktemp("docker")
    made = small_project(folder, months, {"model/name": NAME, "environments/production/canary": 20})
    checkout = Checkout(made.root, made.home, {"DOCKER_HOST": surroundings.DOCKER_HOST})
    yield checkout
    checkout.slipway("stop", "--all", code=None)


@pytest.fixture(scope="module")
def first(shop: Checkout) -> dict[str, object]:
    """What the first delivery left of its image."""
    shop.slipway("run", "--yes")
    image: dict[str, object] = shop.record("image")
    return image


@pytest.fixture(scope="module")
def second(shop: Checkout, first: dict[str, object]) -> dict[str, object]:
    """What a delivery of another model left of its image."""
    params = shop.root / "params.yaml"
    params.write_text(params.read_text().replace("seed: 7", "seed: 8"))
    shop.commit("Another seed")
    shop.slipway("run", "--yes")
    image: dict[str, object] = shop.record("image")
    return image


def containers(role: str) -> list[str]:
    """The digests of this project's containers of a role."""
    client = docker_host.connect(surroundings.DOCKER_HOST)
    wanted = {"label": [f"{docker_host.MODEL}={NAME}", f"{docker_host.ROLE}={role}"]}
    found = client.containers.list(all=True, filters=wanted)
    return [container.labels.get(docker_host.DIGEST, "") for container in found]


def answer(url: str) -> str:
    """The digest that answers at an address."""
    request = urllib.request.Request(f"{url}/recommend", b'{"customer": "nobody"}')
    with urllib.request.urlopen(request, timeout=10) as got:
        assert len(json.loads(got.read())["items"]) == 10
        return str(got.headers["X-Slipway-Digest"])


def test_the_first_delivery_releases_an_image_of_a_registry(
    shop: Checkout, first: dict[str, object]
) -> None:
    assert first["kind"] == "image"
    assert str(first["reference"]).endswith(f"@{first['subject']}")
    release = shop.record("release")
    assert (release["subject"], release["version"]) == (first["subject"], "v1.0.0")
    assert answer(release["url"]) == first["subject"]
    assert shop.record("canary")["percent"] == 0  # nothing to stand beside


def test_another_model_shares_the_runtime_and_goes_by_way_of_a_canary(
    shop: Checkout, first: dict[str, object], second: dict[str, object]
) -> None:
    assert second["subject"] != first["subject"]
    assert second["runtime"] == first["runtime"]
    assert shop.record("canary")["percent"] == 20
    assert shop.record("canary-verdict")["outcome"] in ("pass", "warn")
    release = shop.record("release")
    assert (release["subject"], release["version"]) == (second["subject"], "v1.1.0")
    assert answer(release["url"]) == second["subject"]
    assert containers("backend") == [second["subject"]] * 2  # staging and production


def test_a_rollback_brings_the_first_image_back(
    shop: Checkout, first: dict[str, object], second: dict[str, object]
) -> None:
    shop.slipway("rollback", "production", "--reason", "a test")
    live = {row["environment"]: row for row in json.loads(shop.slipway("status", "--json").out)}
    assert live["production"]["digest"] == first["subject"]
    assert answer(live["production"]["url"]) == first["subject"]


def test_stopping_leaves_no_container_and_touches_no_strangers(
    shop: Checkout, second: dict[str, object]
) -> None:
    client = docker_host.connect(surroundings.DOCKER_HOST)
    stranger = client.containers.create(str(second["reference"]), name=f"stranger-{NAME}")
    try:
        shop.slipway("stop", "--all")
        assert containers("backend") == containers("proxy") == []
        stranger.reload()
    finally:
        docker_host.remove(stranger)
