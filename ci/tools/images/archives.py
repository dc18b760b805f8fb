"""Images as files: layers that content alone decides, and the archive that an engine loads."""

import contextlib
import fcntl
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import ToolError
from ...records import digest_file, digest_of
from .. import docker_host, locks

if TYPE_CHECKING:
    from docker import DockerClient

LEASE = "lease"  # held in a folder as long as its command runs
EPOCH = "1970-01-01T00:00:00Z"  # an image's time: the same content is the same image at any time
# What an image says about running it; the rest of it is the builder's own.
SAID = (
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
)


@dataclass(frozen=True)
class Layer:
    """One layer: the sha256 of its plain tar, and where that is."""

    digest: str
    size: int
    path: Path


@dataclass(frozen=True)
class Content:
    """A whole image as files."""

    config: bytes = field(repr=False)
    layers: tuple[Layer, ...]

    @property
    def id(self) -> str:
        """What an engine that loads it calls it."""
        return digest_of(self.config)


def compact(value: Any) -> bytes:
    """JSON that content alone decides."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def extend(
    config: Mapping[str, Any],
    *,
    layers: Sequence[tuple[str, str]],
    said: Mapping[str, Any],
) -> bytes:
    """An image's configuration with layers upon it, without any time.

    Args:
        layers: digest and how it was made, lowest first.
        said: what it says about running it, in place of what stood there.
    """
    below = config.get("rootfs", {}).get("diff_ids", [])
    made = [{**entry, "created": EPOCH} for entry in config.get("history", [])]
    made += [{"created": EPOCH, "created_by": how} for _, how in layers]
    kept = {key: config[key] for key in ("architecture", "os", "variant") if key in config}
    content = {
        **kept,
        "created": EPOCH,
        "config": {key: value for key, value in said.items() if key in SAID and value},
        "rootfs": {"type": "layers", "diff_ids": [*below, *(digest for digest, _ in layers)]},
        "history": made,
    }
    return compact(content)


def normalise(source: Path, into: Path, *, drop: Callable[[str], bool] | None = None) -> Layer:
    """A layer with the same members in one order, without times and names of owners.

    Args:
        drop: whether a path is left out.

    Raises:
        ToolError: it is no tar, or the disk is full.
    """
    with _explained(source), tarfile.open(source, "r:*") as old, into.open("wb") as stream:
        members = sorted(old.getmembers(), key=lambda m: _plain(m.name).split("/"))
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as new:
            for member in members:
                name = _plain(member.name)
                if not name or (drop and drop(name)):
                    continue
                content = old.extractfile(member) if member.isreg() else None
                new.addfile(_timeless(member, name), content)
    return Layer(digest_file(into), into.stat().st_size, into)


def _plain(name: str) -> str:
    return name.removeprefix("./").strip("/") if name != "." else ""


def _timeless(member: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    extended = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    plain = tarfile.TarInfo(name)
    for key in ("size", "mode", "type", "linkname", "uid", "gid", "devmajor", "devminor"):
        setattr(plain, key, getattr(member, key))
    plain.linkname = _plain(member.linkname) if member.islnk() else member.linkname
    plain.pax_headers = extended
    return plain


def write(path: Path, content: Content, tag: str, *, known: Sequence[str] = ()) -> None:
    """Writes the archive that an engine loads.

    Args:
        tag: what the engine calls the image; empty: nothing.
        known: digests of layers that the engine has, and that are left out.
    """
    names = [f"{layer.digest.removeprefix('sha256:')}.tar" for layer in content.layers]
    config = f"{content.id.removeprefix('sha256:')}.json"
    listing = [{"Config": config, "RepoTags": [tag] if tag else None, "Layers": names}]
    with _explained(path), tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in ((config, content.config), ("manifest.json", compact(listing))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, layer in dict(zip(names, content.layers, strict=True)).items():
            if layer.digest not in known:
                with layer.path.open("rb") as stream:
                    member = tarfile.TarInfo(name)
                    member.size = layer.size
                    tar.addfile(member, stream)


def layers_of(config: bytes) -> list[str]:
    """The digests of an image's layers, lowest first."""
    return list(json.loads(config)["rootfs"]["diff_ids"])


def load(
    client: "DockerClient", content: Content, tag: str, folder: Path, *, known: Sequence[str] = ()
) -> None:
    """Brings an image into an engine, which calls it `tag` from then on.

    Args:
        known: digests of layers that the engine has, and that are not sent.

    Raises:
        ToolError: the engine refuses it, or keeps another image.
    """
    archive = folder / "load.tar"
    write(archive, content, tag, known=known)
    load_file(client, archive, content.id)
    archive.unlink()


def load_file(client: "DockerClient", path: Path, expected: str) -> None:
    """Brings an archive into an engine.

    Raises:
        ToolError: the engine refuses it, or has no image of this id afterwards.
    """
    from docker import errors

    with docker_host.explained("the engine cannot load an image", str(path), "look at its log"):
        with path.open("rb") as stream:
            client.images.load(stream)
        try:
            client.images.get(expected)
        except errors.ImageNotFound as error:
            what = f"the engine loaded an image, and has none of the id {expected}"
            raise ToolError(
                what, str(path), "use an engine that keeps images as they are"
            ) from error


def export(client: "DockerClient", image: str, folder: Path) -> Content:
    """An engine's image as files in an empty folder.

    Raises:
        ToolError: the engine fails, or the disk is full.
        EvidenceError: it has no such image.
    """
    archive = folder / "saved.tar"
    with (
        docker_host.explained("cannot save an image", image, "build it again", lost="no image"),
        archive.open("wb") as stream,
    ):
        for chunk in client.images.get(image).save(chunk_size=1 << 20):
            stream.write(chunk)
    with _explained(archive), tarfile.open(archive) as tar:
        listing = json.loads(_member(tar, "manifest.json").read())[0]
        config = _member(tar, listing["Config"]).read()
        layers = []
        for number, name in enumerate(listing["Layers"]):
            path = folder / f"{number}.tar"
            with path.open("wb") as out:
                shutil.copyfileobj(_member(tar, name), out, 1 << 20)
            layers.append(Layer(digest_file(path), path.stat().st_size, path))
    archive.unlink()
    return Content(config, tuple(layers))


def _member(tar: tarfile.TarFile, name: str) -> BinaryIO:
    content = tar.extractfile(name)  # follows the links of older engines' archives
    if content is None:
        raise KeyError(name)
    return content  # type: ignore[return-value]


@contextlib.contextmanager
def workspace(cache: Path) -> Iterator[Path]:
    """A folder for large files, gone with the block; those of killed commands go too.

    Raises:
        ToolError: it cannot be written.
    """
    parent = cache / "images"
    try:
        with contextlib.ExitStack() as lease:
            with locks.held(parent / "work.lock"):
                _sweep(parent)
                made = tempfile.TemporaryDirectory(prefix="work-", dir=parent)
                folder = Path(lease.enter_context(made))
                stream = lease.enter_context((folder / LEASE).open("w"))
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield folder
    except OSError as error:
        todo = "free space or mend rights"
        what = f"cannot make an image: {error.strerror or error}"
        raise ToolError(what, str(parent), todo) from error


def _sweep(parent: Path) -> None:
    """Removes the folders whose command is gone."""
    for folder in parent.glob("work-*"):
        try:
            with (folder / LEASE).open("r+") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # it works there
        except FileNotFoundError:
            pass  # it was killed at once, or has just ended
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise ToolError(
            f"an image's tar cannot be read: {error}", str(path), "try again"
        ) from error
    except OSError as error:
        todo = "free space or mend rights"
        raise ToolError(f"cannot write an image: {error.strerror}", str(path), todo) from error
