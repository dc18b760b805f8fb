"""The registry client against a real docker-registry: whole, broken, refusing, and full."""

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.errors import EvidenceError, ToolError
from slipway.records import digest_file, digest_of
from slipway.tools.registry import Address, Manifest, Registry, manifests
from tests.registries import QUICK, Server, push, serving, small_disk, three_lines, through
from tests.relays import Rule, relaying

CHUNK = 1 << 20
NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository of the test's own."""
    return "of-" + digest_of(request.node.name.encode())[7:23]


def test_what_is_pushed_comes_back_byte_for_byte(server: Server, name: str, tmp_path: Path) -> None:
    layer = os.urandom(300_000)
    with server.registry() as registry:
        registry.ping()
        pushed = push(registry, name, layer)
        registry.tag(name, pushed.digest, "v1.0.0")
        registry.fetch_blob(name, pushed.layers[0].digest, tmp_path / "layer")
        assert (tmp_path / "layer").read_bytes() == layer
        assert registry.manifest(name, "v1.0.0") == pushed
        assert registry.digest(name, pushed.digest) == registry.digest(name, "v1.0.0")
        assert registry.tags(name) == ["v1.0.0"]
        assert json.loads(registry.read_blob(name, pushed.config.digest))
    assert [path.name for path in tmp_path.iterdir()] == ["layer"]


def test_pushing_again_sends_no_layer_and_changes_no_digest(server: Server, name: str) -> None:
    layer = os.urandom(300_000)
    with relaying(server.port) as relay, through(relay) as registry:
        first = push(registry, name, layer)
        sent = relay.sent
        assert push(registry, name, layer).digest == first.digest
        assert relay.sent - sent == len(first.raw)


def test_a_large_file_goes_in_chunks_and_comes_back(
    server: Server, name: str, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(os.urandom(3 * CHUNK + 7))
    with relaying(server.port) as relay, through(relay, chunk_bytes=CHUNK) as registry:
        blob = registry.put_blob(name, tmp_path / "big")
        assert relay.methods() == ["HEAD", "POST", *["PATCH"] * 4, "PUT"]
        registry.fetch_blob(name, blob.digest, tmp_path / "back")
    assert digest_file(tmp_path / "back") == blob.digest == digest_file(tmp_path / "big")


def test_an_upload_goes_on_where_a_killed_registry_stopped(
    server: Server, tmp_path: Path, name: str
) -> None:
    content = os.urandom(6 * CHUNK)
    with serving(tmp_path / "own") as own:

        def crash() -> None:
            own.kill()
            threading.Timer(0.2, own.start).start()

        rule = Rule("PUT", "/blobs/uploads/", then=crash)
        with relaying(own.port, rule) as relay, through(relay, chunk_bytes=CHUNK) as registry:
            manifest = push(registry, name, content)
            assert registry.read_blob(name, manifest.layers[0].digest) == content
            assert relay.methods().count("PATCH") == 6, "chunks were sent twice"


def test_an_upload_cut_inside_a_chunk_ends_right(server: Server, name: str) -> None:
    content = os.urandom(4 * CHUNK)
    cut = Rule("PATCH", times=2, cut_request=CHUNK // 2)
    with relaying(server.port, cut) as relay, through(relay, chunk_bytes=CHUNK) as registry:
        manifest = push(registry, name, content)
        assert not cut.times
        assert registry.read_blob(name, manifest.layers[0].digest) == content


def test_a_registry_killed_inside_a_chunk_and_started_again_has_the_whole_blob(
    tmp_path: Path, name: str
) -> None:
    content = os.urandom(4 * CHUNK)
    with serving(tmp_path / "own") as own:

        def crash() -> None:
            threading.Timer(0.05, own.kill).start()
            threading.Timer(0.3, own.start).start()

        slow = Rule("PATCH", "", cut_request=CHUNK // 2, then=crash)
        with relaying(own.port, slow) as relay, through(relay, chunk_bytes=CHUNK) as registry:
            manifest = push(registry, name, content)
            registry.tag(name, manifest.digest, "v1.0.0")
        with own.registry() as registry:
            assert registry.read_blob(name, manifest.layers[0].digest) == content
            assert registry.digest(name, "v1.0.0") == manifest.digest


def test_an_answer_that_is_lost_is_not_a_push_that_is_lost(server: Server, name: str) -> None:
    content = os.urandom(2 * CHUNK)
    lost = [
        Rule("PUT", "/blobs/uploads/", lose_answer=True),
        Rule("PUT", "/manifests/", lose_answer=True),
    ]
    with relaying(server.port, *lost) as relay, through(relay) as registry:
        manifest = push(registry, name, content)
        assert registry.digest(name, manifest.digest) == manifest.digest
        assert relay.sent < 2 * len(content), "the layer was sent twice"


def test_a_download_goes_on_where_it_broke(server: Server, name: str, tmp_path: Path) -> None:
    content = os.urandom(3 * CHUNK)
    cut = Rule("GET", "/blobs/", times=2, cut_answer=CHUNK + 5000)
    with relaying(server.port, cut) as relay, through(relay) as registry:
        blob = registry.put_blob(name, content)
        registry.fetch_blob(name, blob.digest, tmp_path / "back")
        assert not cut.times
    assert (tmp_path / "back").read_bytes() == content


def test_a_registry_that_fails_twice_is_asked_a_third_time(server: Server, name: str) -> None:
    failing = [
        Rule("HEAD", status=429, headers={"Retry-After": "1"}),
        Rule("POST", times=2, status=500, body=b"{}"),
        Rule("PUT", "/manifests/", times=2, status=502),
        Rule("PUT", "/blobs/", times=0, status=503),
    ]
    with relaying(server.port, *failing) as relay, through(relay) as registry:
        started = time.monotonic()
        registry.put_blob(name, b"layer")
        assert time.monotonic() - started >= QUICK.longest_pause_s, "Retry-After was not kept"
        failing[-1].times = 2
        manifest = push(registry, name, b"layer")
        assert not any(rule.times for rule in failing)
        assert registry.manifest(name, manifest.digest) == manifest


def test_a_registry_that_goes_on_failing_is_named_after_four_tries(
    server: Server, name: str
) -> None:
    words = b'{"errors":[{"code":"UNKNOWN","message":"unknown\\u001b error"}]}'
    failing = Rule("GET", times=99, status=500, body=words)
    with relaying(server.port, failing) as relay, through(relay) as registry:
        with pytest.raises(ToolError) as error:
            registry.manifest(name, "v1")
        assert relay.methods() == ["GET"] * 4
    three_lines(error.value, "500", "UNKNOWN", "/manifests/v1")
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_cannot_heal_is_asked_once(server: Server, name: str, status: int) -> None:
    with relaying(server.port, Rule("POST", times=9, status=status)) as relay:
        with through(relay) as registry, pytest.raises(ToolError) as error:
            registry.put_blob(name, b"content")
        assert relay.methods() == ["HEAD", "POST"]
    three_lines(error.value, str(status))


def test_a_slow_registry_is_waited_for_and_a_hanging_one_is_not(server: Server, name: str) -> None:
    with relaying(server.port, Rule("POST", wait_s=0.7)) as relay, through(relay) as registry:
        registry.put_blob(name, b"slow")
    hasty = replace(QUICK, answer_s=0.2, tries=2)
    with relaying(server.port, Rule("GET", times=9, wait_s=1.0)) as relay:
        address = Address(relay.name, secure=False)
        with Registry(address, patience=hasty) as registry, pytest.raises(ToolError) as error:
            registry.ping()
        assert relay.methods() == ["GET", "GET"]
    three_lines(error.value, "does not answer", "timed out")


def test_a_registry_that_is_down_is_three_lines(tmp_path: Path) -> None:
    with serving(tmp_path / "gone") as gone:
        gone.kill()
        with gone.registry() as registry, pytest.raises(ToolError) as error:
            registry.ping()
    three_lines(error.value, "does not answer", "refused", gone.name)


def test_a_full_disk_leaves_neither_tag_nor_image(tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path / "disk", 4) as disk, contextlib.ExitStack() as held:
        more = {"storage": disk} if disk else {}
        own = held.enter_context(serving(tmp_path / "own", **more))
        words = b'{"errors":[{"code":"UNKNOWN","detail":"write x: no space left on device"}]}'
        full = Rule("PATCH", times=9, status=500, body=words)
        relay = held.enter_context(relaying(own.port, *([] if disk else [full])))
        registry = held.enter_context(through(relay, chunk_bytes=CHUNK))
        with pytest.raises(ToolError) as error:
            push(registry, name, os.urandom(8 * CHUNK))
        assert relay.methods().count("POST") == 1, "it was tried again"
        assert registry.tags(name) == []
        left = own.storage / "docker/registry/v2/repositories" / name / "_uploads"
        shutil.rmtree(left)  # what a registry does by itself a day later
        push(registry, name, b"there is space again")
    three_lines(error.value, "no space")


def test_a_full_disk_is_told_for_a_blob_in_one_piece(tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        full = b'{"errors":[{"code":"UNKNOWN","detail":"write x: no space left on device"}]}'
        rules = [] if disk else [Rule("PUT", times=9, status=500, body=full)]
        more = {"storage": disk} if disk else {}
        with (
            serving(tmp_path / "own", **more) as own,
            relaying(own.port, *rules) as relay,
            through(relay) as registry,
            pytest.raises(ToolError) as error,
        ):
            push(registry, name, os.urandom(4 * CHUNK))
    three_lines(error.value, "no space")


def test_promotion_to_another_repository_transfers_no_layer(server: Server, name: str) -> None:
    with relaying(server.port) as relay, through(relay) as registry:
        pushed = push(registry, name, os.urandom(2 * CHUNK))
        sent = relay.sent
        promoted = registry.copy(name, pushed.digest, f"{name}/production")
        assert relay.sent - sent == len(pushed.raw)
        assert registry.manifest(f"{name}/production", pushed.digest).raw == promoted.raw
        before = relay.sent
        registry.copy(name, pushed.digest, f"{name}/production")
        assert relay.sent == before, "the second promotion is none"


def test_promotion_transfers_what_a_registry_will_not_mount(server: Server, name: str) -> None:
    layer = os.urandom(50_000)
    begun = "/v2/{}/blobs/uploads/?mount="
    with relaying(server.port) as relay, through(relay) as registry:
        pushed = push(registry, name, layer)
        target = f"{name}/production"
        place = f"http://{relay.name}/v2/{target}/blobs/uploads/none"
        part = begun.format(target)
        relay.rules.append(Rule("POST", part, 9, status=202, headers={"Location": place}))
        registry.copy(name, pushed.digest, target)
        assert registry.read_blob(target, pushed.layers[0].digest) == layer
        assert registry.digest(target, pushed.digest) == pushed.digest


def test_a_tag_never_moves_unless_it_is_asked_to(server: Server, name: str) -> None:
    with server.registry() as registry:
        first, second = push(registry, name, b"one"), push(registry, name, b"two")
        registry.tag(name, first.digest, "v1.0.0")
        registry.tag(name, first.digest, "v1.0.0")
        with pytest.raises(EvidenceError) as error:
            registry.tag(name, second.digest, "v1.0.0")
        assert registry.digest(name, "v1.0.0") == first.digest
        three_lines(error.value, first.digest, second.digest)
        registry.tag(name, second.digest, "v1.0.0", moving=True)
        assert registry.digest(name, "v1.0.0") == second.digest


def test_a_tag_that_another_one_got_in_the_same_moment_is_told(server: Server, name: str) -> None:
    with server.registry() as other, relaying(server.port) as relay, through(relay) as registry:
        first, second = push(registry, name, b"one"), push(registry, name, b"two")
        was_empty = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode()
        relay.rules.append(Rule("HEAD", "/manifests/v1", status=404, body=was_empty))
        quicker = Rule("HEAD", "/manifests/v1", then=lambda: other.put_manifest(name, second, "v1"))
        relay.rules.append(quicker)
        with pytest.raises(EvidenceError) as error:
            registry.tag(name, first.digest, "v1")
    three_lines(error.value, "right after it was set")


def test_four_pushes_of_the_same_at_once_give_one_image(server: Server, name: str) -> None:
    layer = os.urandom(3 * CHUNK)

    def deliver(_: int) -> str:
        with server.registry(chunk_bytes=CHUNK) as registry:
            pushed = push(registry, name, layer)
            registry.tag(name, pushed.digest, "v1.0.0")
            return pushed.digest

    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(deliver, range(4)))
    with server.registry() as registry:
        assert digests == {registry.digest(name, "v1.0.0")}
        assert registry.read_blob(name, digest_of(layer)) == layer


def test_what_is_not_there_is_missing_evidence(server: Server, name: str, tmp_path: Path) -> None:
    with server.registry() as registry:
        assert registry.digest(name, NOWHERE) is None
        assert not registry.has_blob(name, NOWHERE)
        assert registry.tags(name) == []
        assert not registry.delete(name, NOWHERE)
        for ask in (
            lambda: registry.manifest(name, NOWHERE),
            lambda: registry.manifest(name, "v9"),
            lambda: registry.read_blob(name, NOWHERE),
            lambda: registry.fetch_blob(name, NOWHERE, tmp_path / "x"),
            lambda: registry.copy(name, NOWHERE, "other"),
            lambda: registry.tag(name, NOWHERE, "v1"),
        ):
            with pytest.raises(EvidenceError) as error:
                ask()
            three_lines(error.value, "the registry has no")
    assert not list(tmp_path.iterdir())


def test_altered_storage_is_never_believed(tmp_path: Path, name: str) -> None:
    with serving(tmp_path / "own") as own, own.registry() as registry:
        pushed = push(registry, name, b"true")
        for digest, content in ((pushed.layers[0].digest, b"lies"), (pushed.digest, b"{}")):
            held = own.storage / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:]
            (held / "data").write_bytes(content)
        with pytest.raises(EvidenceError):
            registry.read_blob(name, pushed.layers[0].digest)
        with pytest.raises(EvidenceError):
            registry.fetch_blob(name, pushed.layers[0].digest, tmp_path / "layer")
        assert not (tmp_path / "layer").exists()
    changed = Rule("GET", "/manifests/", status=200, body=b"{}")
    with (
        serving(tmp_path / "own") as own,
        relaying(own.port, changed) as relay,
        through(relay) as registry,
        pytest.raises(EvidenceError) as error,
    ):
        registry.manifest(name, pushed.digest)
    three_lines(error.value, "other bytes")


def test_an_index_is_refused_by_name(server: Server, name: str) -> None:
    with server.registry() as registry:
        pushed = push(registry, name, b"one")
        entry = {"mediaType": manifests.OCI, "digest": pushed.digest, "size": len(pushed.raw)}
        kind = "application/vnd.oci.image.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}
        foreign = Manifest(json.dumps(index).encode(), kind, pushed.config, ())
        registry.put_manifest(name, foreign, "many")
        for ref in ("many", foreign.digest):
            with pytest.raises(EvidenceError) as error:
                registry.manifest(name, ref)
            three_lines(error.value, "an index of several images")


def test_an_image_can_be_removed_where_the_registry_allows_it(
    server: Server, tmp_path: Path, name: str
) -> None:
    with server.registry() as registry:
        pushed = push(registry, name, b"old")
        registry.tag(name, pushed.digest, "v1")
        assert registry.delete(name, pushed.digest)
        assert registry.digest(name, "v1") is None
        assert not registry.delete(name, pushed.digest)
    with serving(tmp_path / "own", delete=False) as own, own.registry() as registry:
        pushed = push(registry, name, b"kept")
        with pytest.raises(ToolError) as error:
            registry.delete(name, pushed.digest)
        three_lines(error.value, "does not allow")
    with serving(tmp_path / "own", readonly=True) as own, own.registry() as registry:
        assert registry.manifest(name, pushed.digest) == pushed
        with pytest.raises(ToolError) as error:
            push(registry, name, b"new")
        three_lines(error.value, "does not allow")
