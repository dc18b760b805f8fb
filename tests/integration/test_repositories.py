"""What a deployment asks of a real registry: the release's tag, and a repository of its own."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError
from slipway.records import Image, read, write
from slipway.settings import parse
from slipway.stages import repositories
from slipway.tools.registry import local, open_registry
from tests import deliveries
from tests.promotions import events
from tests.registries import free_port, push

SETTINGS = deliveries.SETTINGS + 'repository = "team/live"\n'  # of production


@pytest.fixture
def kept(projects: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project with a registry of this machine."""
    monkeypatch.setattr(local, "PORT", free_port())
    project = projects()
    yield project
    local.stop(project)


def test_a_release_tag_is_put_once_and_never_moves(kept: Project) -> None:
    with open_registry(kept) as registry:
        one, two = (push(registry, "next-basket", layer) for layer in (b"one", b"two"))
    repositories.refuse_taken(kept, one.digest, "v1.0.0")
    for _ in range(2):
        repositories.tag(kept, one.digest, "v1.0.0")
    assert repositories.tagged(kept, "v1.0.0") == one.digest
    repositories.refuse_taken(kept, one.digest, "v1.0.0")
    with pytest.raises(EvidenceError, match=r"the tag v1\.0\.0 is on sha256:"):
        repositories.refuse_taken(kept, two.digest, "v1.0.0")
    with pytest.raises(EvidenceError):
        repositories.tag(kept, two.digest, "v1.0.0")
    assert repositories.tagged(kept, "v1.0.0") == one.digest
    assert repositories.kept(kept, one.digest).endswith(f"/next-basket@{one.digest}")
    with pytest.raises(EvidenceError):
        repositories.kept(kept, "sha256:" + "0" * 64)


def test_an_environment_with_a_repository_of_its_own_gets_the_same_manifest(kept: Project) -> None:
    with open_registry(kept) as registry:
        image = push(registry, "next-basket", b"layer")
        repositories.bring(kept, "staging", image.digest)
        assert registry.digest("team/live", image.digest) is None
        for _ in range(2):
            repositories.bring(kept, "production", image.digest)
        assert registry.manifest("team/live", image.digest).raw == image.raw
        assert [registry.digest("team/live", tag) for tag in registry.tags("team/live")] == [
            image.digest
        ], "a manifest without a tag is cleared away by many registries"


@pytest.mark.usefixtures("light")
def test_a_version_whose_tag_is_taken_is_not_registered(kept: Project) -> None:
    settings = parse(SETTINGS.replace("staging]", 'staging]\nengine = "docker"'))
    kept = replace(kept, config=settings)
    deliveries.prepare(kept)
    with open_registry(kept) as registry:
        foreign, own = (push(registry, "next-basket", layer) for layer in (b"foreign", b"own"))
        registry.tag("next-basket", foreign.digest, "v1.0.0")
    record = replace(read(kept.delivery, "image", Image), kind="image", subject=own.digest)
    for name in ("image", "image-verdict"):
        (kept.delivery / f"{name}.json").unlink()
    write(kept.delivery, "image", replace(record, written_at=""))
    deliveries.verdict(kept, "image-verdict", "image", own.digest, on="image")
    with pytest.raises(EvidenceError, match=r"the tag v1\.0\.0 is on"):
        stages.execute(["deploy", "staging"], kept)
    assert events(kept) == []
    with pytest.raises(EvidenceError, match="model"):  # there is none in it
        stages.execute(["deploy", "staging", "--version", "v1.1.0"], kept)
    assert events(kept) == ["register v1.1.0"]
    assert repositories.tagged(kept, "v1.1.0") == own.digest
