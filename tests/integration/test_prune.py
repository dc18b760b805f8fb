"""`slipway prune` on real registries, ledgers and stores: what it removes, and what never."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError, ToolError
from slipway.records import Image, canonical, read, write
from slipway.settings import ImageSettings, Retention
from slipway.tools import engines, ledger, made, store
from slipway.tools.images.append import tag_of
from slipway.tools.ledger import Draft, Event
from slipway.tools.registry import Registry, local, manifests, open_registry
from tests import deliveries, registries

REPOSITORY = "next-basket"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with this user's own registry, that keeps two releases of each environment."""
    one = _project(tmp_path, "one")
    yield one
    local.stop(one)


def _project(tmp_path: Path, name: str, **image: str) -> Project:
    root = tmp_path / name
    if not root.exists():
        deliveries.checkout(root)
    loaded = deliveries.project_at(root, tmp_path / "home")
    kept = Retention(releases=2, hours=0.0)
    return replace(
        loaded, config=replace(loaded.config, retention=kept, image=ImageSettings(**image))
    )


def named(project: Project, name: str) -> Project:
    """The same checkout and home for another model."""
    model = replace(project.config.model, name=name)
    settings = replace(project.config, model=model)
    return replace(project, config=settings, home=project.home.parent / name)


def push(registry: Registry, *layers: bytes, repository: str = REPOSITORY) -> str:
    """An image of some layers, without a tag."""
    config = registry.put_blob(repository, json.dumps({"l": len(layers)}).encode(), "x/config")
    blobs = [registry.put_blob(repository, layer, "x/layer") for layer in layers]
    return registry.put_manifest(repository, manifests.build(config, blobs))


class Line:
    """Releases of one model, each an image on a runtime, with a tag and an SBOM."""

    def __init__(self, project: Project, repository: str = REPOSITORY) -> None:
        self.project, self.repository = project, repository
        self.book = ledger.open_ledger(project)
        with open_registry(project) as self.registry:
            self.base = b"runtime of " + project.config.model.name.encode() + b"." * 5000
            self.runtime = self.runtime_of(self.base, self.base[11:14].hex())
        self.images: dict[str, str] = {}

    def runtime_of(self, layer: bytes, key: str) -> str:
        digest = push(self.registry, layer, repository=self.repository)
        self.registry.tag(self.repository, digest, f"runtime-{key}")
        return digest

    def build(self, text: str, runtime: tuple[str, bytes] | None = None) -> Image:
        """An image that a gate has looked at; it has an SBOM, and no version yet."""
        digest, layer = runtime or (self.runtime, self.base)
        image = push(self.registry, layer, text.encode() * 400, repository=self.repository)
        sbom = push(self.registry, f"sbom of {text}".encode(), repository=self.repository)
        tag = f"{image.replace(':', '-')}.sbom"
        self.registry.tag(self.repository, sbom, tag)
        self.registry.tag(self.repository, image, tag_of(image))
        record = Image(
            subject=image,
            kind="image",
            reference=image,
            model=store_model(self.project, text),
            dataset="md5:1",
            tree="",
            requirements="",
            bytes=1,
            runtime=digest,
            evidence={},
        )
        made.note(self.project.home, record)
        return record

    def register(self, version: str, record: Image | None = None) -> str:
        record = record or self.build(version)
        self.registry.tag(self.repository, record.subject, version)
        self.append("register", version, record)
        self.images[version] = record.subject
        return record.subject

    def release(self, version: str, *environments: str, record: Image | None = None) -> str:
        record = record or self.build(version)
        self.register(version, record)
        for name in environments or ("staging", "production"):
            self.append("assign", version, record, name)
        return record.subject

    def append(
        self, kind: str, version: str, record: Image, environment: str = "", **more: object
    ) -> Event:
        event = Event(
            kind=kind,
            name=self.book.name,
            environment=environment,
            version=version,
            digest=record.subject,
            artefact=record.kind,
            model=record.model,
            **more,
        )
        draft = Draft(event, {"image.json": canonical(record)})
        return ledger.append(self.book, lambda _: draft)

    def has(self, digest: str) -> bool:
        return self.registry.digest(self.repository, digest) == digest

    def there(self) -> list[str]:
        """The versions whose images are in the registry."""
        return [version for version, digest in self.images.items() if self.has(digest)]


def store_model(project: Project, text: str) -> str:
    folder = project.root / "models" / text
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_text(text)
    return store.put_model(project.home, folder)


def prune(project: Project, *words: str) -> stages.Done:
    return stages.execute(["prune", *words], project)


def told(
    project: Project, capsys: pytest.CaptureFixture[str], *words: str
) -> dict[str, list[dict[str, object]]]:
    capsys.readouterr()
    prune(project, "--json", *words)
    answer: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return answer


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "registry.log" not in path.name
    }


def test_old_releases_go_and_the_rollback_window_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    digests = {v: line.release(v) for v in ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0")}
    answer = told(project, capsys)
    assert line.there() == ["v1.2.0", "v1.3.0"]
    gone = {(p["what"], p["name"]) for p in answer["removed"]}
    assert {("image", "v1.0.0"), ("image", "v1.1.0")} < gone
    assert sum(what == "sbom" for what, _ in gone) == 2
    assert sum(what == "model" for what, _ in gone) == 2
    why = {p["name"]: p["why"] for p in answer["kept"] if p["what"] == "image"}
    assert why == {"v1.3.0": "live in staging", "v1.2.0": "rollback window of staging"}
    assert line.has(line.runtime)
    tags = line.registry.tags(REPOSITORY)
    assert {"v1.2.0", "v1.3.0"} < set(tags) and sum("runtime" in tag for tag in tags) == 1
    assert not any(digests["v1.0.0"][7:] in tag for tag in tags)


def test_the_ledger_still_says_what_was_removed(project: Project) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    before = ledger.read(line.book)
    prune(project)
    assert ledger.read(line.book) == before
    event = before.registered(version="v1.0.0")
    assert event and json.loads(ledger.records_of(line.book, event)["image.json"])["subject"]


def test_the_space_is_free_on_disk_and_what_stays_can_be_pulled(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    storage = local.folder_of(project) / "data"
    blobs = {p.parent.name for p in storage.rglob("blobs/**/data")}
    old = line.registry.manifest(REPOSITORY, line.images["v1.0.0"])
    answer = told(project, capsys)
    left = {p.parent.name for p in storage.rglob("blobs/**/data")}
    assert old.layers[1].digest[7:] in blobs - left
    assert old.layers[0].digest[7:] in left, "the runtime's layer is in use"
    assert answer["freed_bytes"] >= old.layers[1].size
    with open_registry(project) as registry:
        for version in ("v1.1.0", "v1.2.0"):
            for blob in registry.manifest(REPOSITORY, line.images[version]).blobs:
                assert registry.read_blob(REPOSITORY, blob.digest)


def test_a_second_pruning_finds_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    prune(project)
    storage = contents(local.folder_of(project) / "data")
    answer = told(project, capsys)
    assert (answer["removed"], answer["freed_bytes"]) == ([], 0)
    assert contents(local.folder_of(project) / "data") == storage


def test_a_dry_run_changes_nothing_and_names_what_would_go(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    before = contents(project.home), contents(local.folder_of(project) / "data")
    dry = told(project, capsys, "--dry-run")
    assert (contents(project.home), contents(local.folder_of(project) / "data")) == before
    wet = told(project, capsys)
    assert dry["removed"] == wet["removed"]


def test_canary_intent_and_a_rollback_target_stay(project: Project) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"):
        line.release(version)
    tried, begun = line.build("v1.4.0"), line.build("v1.5.0")
    line.register("v1.4.0", tried)
    line.register("v1.5.0", begun)
    canary = line.append("canary", "v1.4.0", tried, "production", percent=10)
    intent = line.append("intent", "v1.5.0", begun, "staging", holder="another")
    prune(project)
    assert line.there() == ["v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0"]
    line.append("undo", "v1.4.0", tried, "production", closes=canary.id)
    line.append("undo", "v1.5.0", begun, "staging", closes=intent.id)
    prune(project)
    assert line.there() == ["v1.2.0", "v1.3.0"]


def test_what_a_rollback_would_bring_back_stays_however_long_ago_it_was(project: Project) -> None:
    line = Line(project)
    records = {v: line.build(v) for v in ("v1.0.0", "v1.1.0", "v1.2.0")}
    for version, record in records.items():
        line.release(version, "production", record=record)
    line.append("rollback", "v1.1.0", records["v1.1.0"], "production")
    prune(project)  # the window is v1.1.0 and v1.2.0; the release before v1.1.0 is v1.0.0
    assert line.there() == ["v1.0.0", "v1.1.0", "v1.2.0"]


def test_a_runtime_goes_with_its_last_image(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    old = b"an older runtime" * 200
    runtime = line.runtime_of(old, "bb"), old
    line.release("v1.0.0", record=line.build("v1.0.0", runtime))
    line.release("v1.1.0")
    prune(project)
    assert line.has(runtime[0])
    line.release("v1.2.0")
    answer = told(project, capsys)
    assert not line.has(runtime[0]) and line.has(line.runtime)
    assert "runtime" in {p["what"] for p in answer["removed"]}


def test_what_is_young_or_in_this_checkout_stays(project: Project) -> None:
    line = Line(project)
    blocked = line.build("stopped by a gate")
    line.images["blocked"] = blocked.subject
    careful = replace(project.config, retention=Retention(hours=24))
    prune(replace(project, config=careful))
    assert line.there() == ["blocked"]
    here = replace(blocked, written_at="2026-11-22T16:00:00+00:00")
    project.delivery.mkdir(exist_ok=True)
    write(project.delivery, "image", here)
    prune(project)
    assert line.there() == ["blocked"]
    assert store.has_model(project.home, blocked.model)
    (project.delivery / "image.json").unlink()
    prune(project)
    assert line.there() == []
    assert not store.has_model(project.home, blocked.model)
    assert list(made.notes(project.home)) == []


def test_two_models_in_one_repository_never_remove_each_other_s(project: Project) -> None:
    first, second = Line(project), Line(named(project, "other"), REPOSITORY)
    shared = first.base  # both stand on one runtime
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        first.release(version)
    for number in range(3):
        record = second.build(f"other {number}", (first.runtime, shared))
        second.registry.tag(REPOSITORY, record.subject, f"other-{number}")
        second.append("register", f"v2.{number}.0", record)
        second.images[f"v2.{number}.0"] = record.subject
    prune(project)
    assert len(second.there()) == 3 and first.there() == ["v1.1.0", "v1.2.0"]
    assert second.has(second.runtime)
    again = replace(
        named(project, "other"),
        config=replace(named(project, "other").config, image=ImageSettings(repository=REPOSITORY)),
    )
    prune(again)
    assert first.there() == ["v1.1.0", "v1.2.0"] and first.has(first.runtime)
    assert len(second.there()) == 3, "tags that slipway did not make hold them"


def test_the_tag_of_somebody_else_holds_an_image(project: Project) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    line.registry.tag(REPOSITORY, line.images["v1.0.0"], "paper-2026")
    prune(project)
    assert line.there() == ["v1.0.0", "v1.1.0", "v1.2.0"]


@contextlib.contextmanager
def damaged(path: Path) -> Iterator[None]:
    away = path.with_name("away")
    path.rename(away)
    path.write_text("not a repository")
    yield
    path.unlink()
    away.rename(path)


def test_without_a_ledger_a_registry_or_an_engine_nothing_is_removed(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    models = contents(project.home / "store")
    with damaged(project.home / "ledger.git"), pytest.raises(ToolError):
        prune(project)
    shared = replace(project, ledger_remote=str(tmp_path / "nowhere.git"))
    with pytest.raises(ToolError):
        prune(shared)
    closed = replace(project.config, image=ImageSettings(registry="127.0.0.1:9"))
    with pytest.raises(ToolError, match="does not answer"):
        prune(replace(project, config=closed))
    environments = {"production": replace(project.environment("production"), engine="docker")}
    docker = replace(project.config, environments=environments)
    with pytest.raises(ToolError):
        prune(replace(project, config=docker))
    assert len(line.there()) == 3 and contents(project.home / "store") == models


def test_a_deployment_under_way_is_waited_for_and_its_image_stays(project: Project) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    old, done = line.build("v1.0.0"), threading.Event()
    ready = threading.Event()

    def roll_back() -> None:
        with engines.engine_of(project, "production").lease(5):
            ready.set()
            time.sleep(0.5)
            line.append("rollback", "v1.0.0", old, "production")
        done.set()

    other = threading.Thread(target=roll_back)
    other.start()
    ready.wait(5)
    prune(project)
    assert done.is_set()
    other.join()
    assert line.has(old.subject)


def test_a_deployment_from_elsewhere_that_begins_meanwhile_keeps_its_image(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"):
        line.release(version)
    wanted = line.build("v1.1.0")
    begun, delete = [], Registry.delete

    def first_removed(self: Registry, repository: str, digest: str) -> bool:
        if not begun:  # right after the survey, another machine says what it is about to do
            begun.append(line.append("intent", "v1.1.0", wanted, "production", holder="else"))
        return delete(self, repository, digest)

    monkeypatch.setattr(Registry, "delete", first_removed)
    prune(project)
    assert line.there() == ["v1.1.0", "v1.2.0", "v1.3.0"]


def test_a_push_under_way_keeps_its_blobs(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    pushed = line.registry.put_blob(REPOSITORY, b"of a push that has no manifest yet")
    answer = told(project, capsys)
    assert line.there() == ["v1.1.0", "v1.2.0"]
    assert line.registry.has_blob(REPOSITORY, pushed.digest)
    assert "somebody pushes" in str(answer["notes"])
    data = local.folder_of(project) / "data/docker/registry/v2/blobs/sha256"
    blob = data / pushed.digest[7:9] / pushed.digest[7:] / "data"
    for path in data.glob("*/*/data"):  # a quarter of an hour later
        os.utime(path, (0, 0))
    again = told(project, capsys)
    assert again["freed_bytes"] > 0 and not blob.exists()


def test_a_registry_of_somebody_else_is_not_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with registries.serving(tmp_path / "server") as server:
        project = _project(tmp_path, "one", registry=server.name)
        line = Line(project)
        for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
            line.release(version)
        answer = told(project, capsys)
        assert line.there() == ["v1.1.0", "v1.2.0"]
        assert server.process and server.process.poll() is None
        assert "collects its garbage" in str(answer["notes"])


def test_a_registry_that_did_not_run_is_started_and_that_is_said(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    line = Line(project)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        line.release(version)
    local.stop(project)
    prune(project)
    assert f"started the registry at {local.running(project)};" in capsys.readouterr().err
    assert line.there() == ["v1.1.0", "v1.2.0"]


def test_bundles_and_the_models_of_champions_are_kept_by_need(project: Project) -> None:
    book = ledger.open_ledger(project)
    bundles = {}
    for number in range(4):
        deliveries.prepare(project, weight=1.0 + number)
        record = read(project.delivery, "image", Image)
        event = Event(
            kind="register",
            name=book.name,
            version=f"v1.{number}.0",
            digest=record.subject,
            artefact="bundle",
            model=record.model,
            champion={"model": bundles[0].model, "version": "", "trained_until": ""}
            if number == 3
            else None,
        )
        for kind, place in (("register", ""), ("assign", "production")):
            step = replace(event, kind=kind, environment=place)
            ledger.append(book, lambda _, step=step: Draft(step))
        bundles[number] = record
    prune(project)
    kept = {p.stem for p in (project.home / "store/bundles").glob("*.tar")}
    assert kept == {bundles[n].subject[7:] for n in (2, 3)}
    models = {p.stem for p in (project.home / "store/models").glob("*.tar")}
    assert models == {bundles[n].model[7:] for n in (0, 2, 3)}, "0 is what 3 was judged against"


def test_the_layers_and_copies_of_what_was_removed_go_too(project: Project) -> None:
    line = Line(project)
    kept, layers = dict[str, bool](), dict[Path, bool]()
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        record = line.build(version)
        line.release(version, record=record)
        folder = project.root / "models" / version
        layer = store.put_layer(project.home, record.model, folder, "srv/model")
        manifest = line.registry.manifest(REPOSITORY, record.subject)
        config = line.registry.read_blob(REPOSITORY, manifest.config.digest)
        for content in (manifest.raw, config):  # the three share one configuration
            kept[store.put_blob(project.home, content)] = version != "v1.0.0"
        layers[layer] = version != "v1.0.0"
    stray = store.put_blob(project.home, b"{}")
    sboms = project.home / "store/sboms"
    sboms.mkdir()
    for digest in (line.runtime, stray):
        (sboms / f"{digest[7:]}.cdx.json").write_text("{}")
    prune(project)
    found = {digest: store.read_blob(project.home, digest) is not None for digest in kept}
    assert (found, {path: path.exists() for path in layers}) == (kept, layers)
    assert store.read_blob(project.home, stray) is None
    assert [path.name[:64] for path in sboms.iterdir()] == [line.runtime[7:]]


@pytest.mark.parametrize("build", [{"change": "PR-7"}, {"branch": "feature"}])
def test_a_build_that_may_not_deploy_removes_nothing(
    project: Project, build: dict[str, str]
) -> None:
    production = replace(project.environment("production"), branch="main")
    settings = replace(project.config, environments={"production": production})
    with pytest.raises(EvidenceError, match="removes nothing"):
        prune(replace(project, config=settings, **build))


def test_nothing_at_all_is_no_error(project: Project) -> None:
    assert prune(project).answer == "removed 0 things"
    assert not local.folder_of(project).exists()
