"""What content decides about images: layers, configurations, keys, packages."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.config import Project, load
from slipway.errors import ConfigError, EvidenceError, ToolError
from slipway.records import digest_file, digest_tree
from slipway.tools import store
from slipway.tools.images import append, archives, base, model, packages, systems
from slipway.tools.images.archives import Content, Layer
from slipway.tools.images.model import Model
from slipway.tools.images.runtime import Runtime

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-11-23T00:00:00Z",
    "container": "abc",
    "config": {"User": "1:1", "Labels": {"slipway.runtime": "key"}, "Hostname": "abc", "Cmd": None},
    "history": [{"created": "2026-11-23T00:00:00Z", "created_by": "COPY"}],
    "rootfs": {"type": "layers", "diff_ids": ["sha256:below"]},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return replace(load(ROOT), home=tmp_path / "home", cache=tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "deep").mkdir(parents=True)
    (made / "model.onnx").write_bytes(b"weights")
    (made / "deep" / "samples.json").write_text("[]")
    return made


def tar_of(path: Path, members: list[tuple[str, bytes, dict[str, object]]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content, facts in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in facts.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(content))
    return path


FILE = ("./srv/a", b"a", {"mtime": 5, "uname": "me", "mode": 0o755, "uid": 3})
LINK = ("srv/link", b"", {"type": tarfile.SYMTYPE, "linkname": "a"})
HARD = ("srv/same", b"", {"type": tarfile.LNKTYPE, "linkname": "./srv/a"})


def test_neither_order_nor_time_nor_owners_name_decides_a_layer(tmp_path: Path) -> None:
    one = tar_of(tmp_path / "one.tar", [FILE, LINK, HARD])
    later = (FILE[0].removeprefix("./"), b"a", {**FILE[2], "mtime": 9, "uname": "you"})
    two = tar_of(tmp_path / "two.tar", [LINK, HARD, later])
    first = archives.normalise(one, tmp_path / "first")
    second = archives.normalise(two, tmp_path / "second")
    assert first.digest == second.digest == digest_file(tmp_path / "second")
    with tarfile.open(tmp_path / "first") as tar:
        facts = [(m.name, m.mode, m.uid, m.mtime, m.uname, m.linkname) for m in tar]
    assert facts[0] == ("srv/a", 0o755, 3, 0, "", "")
    assert [each[-1] for each in facts[1:]] == ["a", "srv/a"]


@pytest.mark.parametrize("key", ["mode", "uid", "name", "content"])
def test_what_a_file_is_decides_a_layer(tmp_path: Path, key: str) -> None:
    name, content, facts = FILE
    changed = {
        "mode": (name, content, {**facts, "mode": 0o644}),
        "uid": (name, content, {**facts, "uid": 4}),
        "name": ("srv/b", content, facts),
        "content": (name, b"b", facts),
    }[key]
    digests = {
        archives.normalise(tar_of(tmp_path / "in.tar", [member]), tmp_path / "out").digest
        for member in (FILE, changed)
    }
    assert len(digests) == 2


def test_what_is_dropped_from_a_layer_is_not_in_it(tmp_path: Path) -> None:
    source = tar_of(tmp_path / "in.tar", [FILE, ("etc/apt/list", b"", {})])
    archives.normalise(source, tmp_path / "out", drop=lambda name: name.startswith("etc/apt"))
    with tarfile.open(tmp_path / "out") as tar:
        assert tar.getnames() == ["srv/a"]


def test_a_layer_that_is_no_tar_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "in.tar").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(ToolError, match="cannot be read"):
        archives.normalise(tmp_path / "in.tar", tmp_path / "out")


def test_an_extended_configuration_keeps_what_is_said_and_no_time_or_builder() -> None:
    said = {**CONFIG["config"], "Labels": {"a": "b"}}  # type: ignore[dict-item]
    raw = archives.extend(CONFIG, layers=[("sha256:top", "by hand")], said=said)
    made = json.loads(raw)
    assert made["rootfs"]["diff_ids"] == ["sha256:below", "sha256:top"]
    assert made["config"] == {"User": "1:1", "Labels": {"a": "b"}}
    assert {entry["created"] for entry in made["history"]} == {archives.EPOCH}
    assert made["history"][1]["created_by"] == "by hand"
    assert "2026" not in raw.decode() and "abc" not in raw.decode()
    reordered = dict(reversed(CONFIG.items()))
    assert archives.extend(reordered, layers=[("sha256:top", "by hand")], said=said) == raw


def test_an_archive_leaves_out_the_layers_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"layer")
    top = Layer(digest_file(tmp_path / "layer"), 5, tmp_path / "layer")
    content = Content(b"{}", (Layer("sha256:below", 0, tmp_path / "nowhere"), top))
    archives.write(tmp_path / "whole.tar", content, "a:b", known=["sha256:below"])
    with tarfile.open(tmp_path / "whole.tar") as tar:
        names = tar.getnames()
        listing = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert names[2:] == [f"{top.digest.removeprefix('sha256:')}.tar"]
    assert len(listing[0]["Layers"]) == 2
    assert listing[0]["RepoTags"] == ["a:b"]


def test_a_model_is_one_layer_of_sorted_files_below_its_path(
    project: Project, folder: Path
) -> None:
    upon = Model(digest_tree(folder), "md5:data", folder)
    made = model.layer(project, upon)
    with tarfile.open(made.path) as tar:
        facts = {m.name: (m.mode, m.uid, m.mtime, m.isdir()) for m in tar}
    assert list(facts) == sorted(facts)
    assert facts["srv/model"] == (0o755, 0, 0, True)
    assert facts["srv/model/model.onnx"] == (0o644, 0, 0, False)
    (folder / "model.onnx").chmod(0o600)
    made.path.write_bytes(b"damaged")
    assert model.layer(project, upon).digest == made.digest
    (folder / "model.onnx").write_bytes(b"others")
    with pytest.raises(EvidenceError):
        model.layer(project, upon)


def test_an_image_says_its_model_and_its_data_and_keeps_its_runtime(
    project: Project, folder: Path
) -> None:
    below = Runtime("key", archives.compact(CONFIG), None, "engine")
    upon = Model(digest_tree(folder), "md5:data", folder)
    layer = model.layer(project, upon)
    labels = model.labels_of(json.loads(model.config(project, below, upon, layer)))
    assert labels == {
        "slipway.runtime": "key",
        "slipway.model-digest": upon.digest,
        "slipway.data-digest": "md5:data",
        "org.opencontainers.image.title": "next-basket",
    }
    assert below.digest == below.id


def test_a_kept_blob_that_was_altered_is_not_read(project: Project) -> None:
    digest = store.put_blob(project.home, b"content")
    path = project.home / "store" / "blobs" / digest.removeprefix("sha256:")
    assert store.read_blob(project.home, digest) == b"content"
    path.write_bytes(b"altered")
    assert store.read_blob(project.home, digest) is None
    assert store.put_blob(project.home, b"content") == digest
    assert store.read_blob(project.home, digest) == b"content"
    assert store.read_blob(project.home, "sha256:" + "0" * 64) is None
    with pytest.raises(EvidenceError):
        store.read_blob(project.home, "sha256:../../etc/passwd")


def test_packages_lose_scripts_tests_and_bytecode_and_their_lists_say_so(tmp_path: Path) -> None:
    kept = ("pkg/__init__.py", "pkg/testing/__init__.py", "pkg/tests_of_mine.py")
    gone = ("bin/run", "pkg/tests/__init__.py", "pkg/tests/deep/x.py", "pkg/__pycache__/a.pyc")
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "pkg/test").mkdir()  # data of that name, and no package
    (tmp_path / "pkg/test/data.json").touch()
    record = tmp_path / "pkg-1.dist-info" / "RECORD"
    record.parent.mkdir()
    names = (*gone, *kept, "pkg-1.dist-info/RECORD")
    record.write_text("".join(f"{name},sha256=abc,1\n" for name in names))
    packages.strip(tmp_path)
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {*kept, "pkg/test/data.json", "pkg-1.dist-info/RECORD"}
    listed = {line.partition(",")[0] for line in record.read_text().splitlines()}
    assert listed == {*kept, "pkg-1.dist-info/RECORD"}


def test_a_variant_without_requirements_is_a_wrong_setting(project: Project) -> None:
    assert packages.file(project, "gpu").name == "serve-gpu.txt"
    with pytest.raises(ConfigError, match="no requirements for 'tpu'"):
        packages.file(project, "tpu")
    named = replace(project.config.image, requirements={"cpu": "requirements/none.txt"})
    wrong = replace(project, config=replace(project.config, image=named))
    with pytest.raises(ConfigError, match=r"there is no requirements/none\.txt"):
        packages.file(wrong, "cpu")


def test_the_key_of_a_base_is_that_of_its_list_and_script(project: Project, tmp_path: Path) -> None:
    own = replace(project, root=tmp_path)
    for name in (systems.UNPACK, base.BASE.packages):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    first = systems.key(own, base.BASE)
    assert first == systems.key(project, base.BASE)
    (tmp_path / base.BASE.packages).write_text("base-files\n")
    assert systems.key(own, base.BASE) != first


def test_a_configured_base_is_its_own_identity(project: Project) -> None:
    named = f"python@sha256:{'1' * 64}"
    image = replace(project.config.image, base=named)
    own = replace(project, config=replace(project.config, image=image))
    assert base.identity(own) == named
    assert base.digest(own, named) == named.partition("@")[2]
    assert base.python(project).version == "3.11"


def test_the_tag_that_keeps_an_image_is_made_of_its_digest() -> None:
    assert append.tag_of("sha256:" + "ab" * 32) == "image-" + "ab" * 16
