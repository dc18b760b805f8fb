"""Models and bundles by digest: whole or not there, verified when read."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from slipway.errors import EvidenceError
from slipway.records import digest_file, digest_tree
from slipway.tools import store

UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"\0weights")
    (folder / "deep" / "er" / "reference.npz").write_bytes(b"")
    (folder / "deep" / "naïve name.json").write_text("{}")
    return folder


def tar_of(home: Path, kind: str, digest: str) -> Path:
    return home / "store" / kind / f"{digest.removeprefix('sha256:')}.tar"


def test_a_model_comes_back_as_it_went(tmp_path: Path, model: Path) -> None:
    digest = store.put_model(tmp_path, model)
    assert digest == digest_tree(model)
    store.fetch_model(tmp_path, digest, tmp_path / "back" / "model")
    assert store.tree_files(tmp_path / "back" / "model").keys() == store.tree_files(model).keys()
    assert digest_tree(tmp_path / "back" / "model") == digest


def test_fetching_replaces_what_stood_there(tmp_path: Path, model: Path) -> None:
    digest = store.put_model(tmp_path, model)
    into = tmp_path / "champion"
    into.mkdir()
    (into / "leftover").write_text("old")
    store.fetch_model(tmp_path, digest, into)
    assert digest_tree(into) == digest


def test_storing_twice_leaves_one_file_and_no_rest(tmp_path: Path, model: Path) -> None:
    assert store.put_model(tmp_path, model) == store.put_model(tmp_path, model)
    first = store.put_bundle(tmp_path, store.tree_files(model))
    assert store.put_bundle(tmp_path, store.tree_files(model)) == first
    names = [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(names) == 2
    assert not any(name.startswith(".") for name in names)


def test_only_names_and_contents_decide_a_bundle(tmp_path: Path, model: Path) -> None:
    first = store.put_bundle(tmp_path, store.tree_files(model))
    os.utime(model / "model.onnx", (1, 1))
    (model / "model.onnx").chmod(0o444)
    (model / "deep" / "__pycache__").mkdir()
    (model / "deep" / "__pycache__" / "x.pyc").write_bytes(b"bytecode")
    files = dict(reversed(store.tree_files(model).items()))
    assert store.put_bundle(tmp_path, files) == first
    assert store.digest_packed(files) == first
    (model / "model.onnx").chmod(0o644)
    (model / "model.onnx").write_bytes(b"\0Weights")
    assert store.put_bundle(tmp_path, files) != first


def test_a_bundle_holds_no_owner_time_or_extended_header(tmp_path: Path, model: Path) -> None:
    (model / "deep" / "naïve name.json").unlink()
    path = store.bundle(tmp_path, store.put_bundle(tmp_path, store.tree_files(model)))
    with tarfile.open(path) as tar:
        for member in tar:
            facts = (member.uid, member.gid, member.uname, member.gname, member.mtime, member.mode)
            assert facts == (0, 0, "", "", 0, 0o644)
            assert not member.pax_headers


def test_links_are_stored_as_the_files_they_lead_to(tmp_path: Path, model: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for name, path in store.tree_files(model).items():
        (linked / name).parent.mkdir(parents=True, exist_ok=True)
        (linked / name).symlink_to(path)
    assert store.put_bundle(tmp_path, store.tree_files(linked)) == store.digest_packed(
        store.tree_files(model)
    )


def test_an_empty_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(EvidenceError, match="no model"):
        store.put_model(tmp_path, tmp_path / "nothing")
    with pytest.raises(EvidenceError, match="no model"):
        store.put_model(tmp_path, tmp_path / "not there at all")


@pytest.mark.parametrize("digest", [UNKNOWN, "md5:1", "", "sha256:../../etc/passwd", "latest"])
def test_what_is_not_stored_is_missing_evidence(tmp_path: Path, digest: str) -> None:
    with pytest.raises(EvidenceError):
        store.bundle(tmp_path, digest)
    with pytest.raises(EvidenceError):
        store.fetch_model(tmp_path, digest, tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "replaced"])
def test_an_altered_object_is_refused(tmp_path: Path, model: Path, damage: str) -> None:
    bundle = store.put_bundle(tmp_path, store.tree_files(model))
    digest = store.put_model(tmp_path, model)
    for path in (tar_of(tmp_path, "bundles", bundle), tar_of(tmp_path, "models", digest)):
        content = bytearray(path.read_bytes())
        if damage == "cut":
            del content[-9000:]
        elif damage == "flipped":
            content[content.index(b"weights")] ^= 1
        elif damage == "emptied":
            content.clear()
        else:
            content[:] = b"not a tar"
        path.write_bytes(content)
    standing = tmp_path / "standing"
    standing.mkdir()
    (standing / "kept").write_text("kept")
    with pytest.raises(EvidenceError):
        store.bundle(tmp_path, bundle)
    with pytest.raises(EvidenceError):
        store.fetch_model(tmp_path, digest, standing)
    assert (standing / "kept").read_text() == "kept"


def test_a_damaged_bundle_is_mended_by_storing_it_again(tmp_path: Path, model: Path) -> None:
    digest = store.put_bundle(tmp_path, store.tree_files(model))
    tar_of(tmp_path, "bundles", digest).write_bytes(b"damaged")
    assert store.put_bundle(tmp_path, store.tree_files(model)) == digest
    assert digest_file(store.bundle(tmp_path, digest)) == digest


def test_a_damaged_model_is_mended_by_storing_it_again(tmp_path: Path, model: Path) -> None:
    digest = store.put_model(tmp_path, model)
    tar_of(tmp_path, "models", digest).write_bytes(b"damaged")
    store.put_model(tmp_path, model)
    store.fetch_model(tmp_path, digest, tmp_path / "back")


@pytest.mark.parametrize("name", ["../outside", "/outside", "deep/../../outside"])
def test_a_tar_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(EvidenceError):
        store.unpack(evil, tmp_path / "in" / "here")
    assert not list(tmp_path.rglob("outside"))


def test_a_tar_holds_plain_files_only(tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar"
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(evil, "w") as tar:
        tar.addfile(link)
    with pytest.raises(EvidenceError):
        store.unpack(evil, tmp_path / "in")


def test_the_digest_of_unpacked_files_is_known_before_unpacking(
    tmp_path: Path, model: Path
) -> None:
    path = store.bundle(tmp_path, store.put_bundle(tmp_path, store.tree_files(model)))
    assert store.digest_unpacked(path) == digest_tree(model)


def test_one_member_can_be_read_alone(tmp_path: Path, model: Path) -> None:
    path = store.bundle(tmp_path, store.put_bundle(tmp_path, store.tree_files(model)))
    assert store.member(path, "model.onnx") == b"\0weights"
    with pytest.raises(EvidenceError, match="no samples"):
        store.member(path, "samples.json")
