"""Models and bundles by digest, in this user's home: written whole, verified when read."""

import contextlib
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..errors import EvidenceError, ToolError
from ..records import digest_file, digest_of, digest_tree

MODEL = "model"  # where a bundle keeps its model


def put_model(home: Path, folder: Path) -> str:
    """Stores a model's folder and gives its digest, that of its tree.

    Raises:
        EvidenceError: there is no file in it.
    """
    files = tree_files(folder)
    if not files:
        raise EvidenceError("there is no model", str(folder), "run 'slipway repro train' first")
    digest = digest_tree(folder)
    target = _place(home, "models", digest)
    if _holds(target, digest):
        target.touch()  # as young as its last making: see `slipway prune`
    else:
        with _new_file(target) as stream:
            write_tar(stream, files)
    return digest


def fetch_model(home: Path, digest: str, into: Path) -> None:
    """Puts the stored model `digest` in place of the folder `into`.

    Raises:
        EvidenceError: it is missing, or not what was stored.
    """
    source = _place(home, "models", digest)
    partial = into.with_name(f".{into.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _unpack_whole(source, partial)
        if digest_tree(partial) != digest:
            raise _altered("model", digest, source)
        shutil.rmtree(into, ignore_errors=True)
        partial.replace(into)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def has_model(home: Path, digest: str) -> bool:
    """Whether a model is stored; it is verified when it is fetched."""
    return _place(home, "models", digest).exists()


def put_model_of(home: Path, source: Path, below: str) -> str:
    """Stores the model that a tar holds below a folder, and gives its digest."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as scratch:
        extract(source, below, Path(scratch))
        return put_model(home, Path(scratch))


def put_bundle(home: Path, files: Mapping[str, Path]) -> str:
    """Stores a bundle of some files and gives the sha256 of its bytes.

    Args:
        files: path inside the bundle → the file.
    """
    folder = home / "store" / "bundles"
    with _new_file(folder / "new") as stream:
        write_tar(stream, files)
        partial = Path(stream.name)
        stream.flush()
        digest = digest_file(partial)
        target = _place(home, "bundles", digest)
        if target.exists() and digest_file(target) == digest:
            partial.unlink()
            target.touch()
        else:
            partial.replace(target)
    return digest


def bundle(home: Path, digest: str) -> Path:
    """The file of a stored bundle, its bytes verified.

    Raises:
        EvidenceError: it is missing or was altered.
    """
    path = _place(home, "bundles", digest)
    if not path.exists():
        raise _missing("bundle", digest, path)
    if digest_file(path) != digest:
        raise _altered("bundle", digest, path)
    return path


def drop(home: Path, digest: str, *kinds: str) -> None:
    """Removes what is kept of a digest, as `bundles`, `layers` or `models`."""
    for kind in kinds:
        _place(home, kind, digest).unlink(missing_ok=True)


def drop_blob(home: Path, digest: str) -> None:
    """Removes some bytes that are kept under their digest."""
    _place(home, "blobs", digest).with_suffix("").unlink(missing_ok=True)


def put_blob(home: Path, content: bytes) -> str:
    """Keeps some bytes under their digest, which it gives."""
    digest = digest_of(content)
    target = _place(home, "blobs", digest).with_suffix("")
    if read_blob(home, digest) is None:
        with _new_file(target) as stream:
            stream.write(content)
    return digest


def read_blob(home: Path, digest: str) -> bytes | None:
    """The bytes of a digest; None where they are not kept, or were altered."""
    path = _place(home, "blobs", digest).with_suffix("")
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if digest_of(content) == digest else None


def layer(home: Path, model: str) -> Path:
    """Where the layer of a model is kept, as a tar; it may not be there, or be damaged."""
    return _place(home, "layers", model)


def put_layer(home: Path, model: str, folder: Path, below: str) -> Path:
    """Keeps a model's folder as the layer that lays it below a path, and gives its tar.

    Raises:
        EvidenceError: the folder does not hold this model.
    """
    if digest_tree(folder) != model:
        raise EvidenceError(f"the folder is not {model}", str(folder), "train the model again")
    target = layer(home, model)
    files = {f"{below}/{name}": path for name, path in tree_files(folder).items()}
    if not _holds(target, model, below):
        with _new_file(target) as stream:
            write_tar(stream, files, folders=True)
    return target


def tree_files(folder: Path) -> dict[str, Path]:
    """Relative path → file, for everything below a folder but bytecode; links count as files."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def write_tar(stream: BinaryIO, files: Mapping[str, Path], *, folders: bool = False) -> None:
    """Writes a tar that only names and contents decide: sorted, owner 0, time 0, mode 644.

    Args:
        folders: it holds the folders too, mode 755, each before what is in it.
    """
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        above = {str(path) for name in files for path in PurePosixPath(name).parents} - {"."}
        for name in sorted({*files, *(above if folders else ())}):
            if name not in files:
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
                continue
            with files[name].open("rb") as content:
                member = tarfile.TarInfo(name)
                member.size = os.fstat(content.fileno()).st_size
                member.mode = 0o644
                tar.addfile(member, content)


def unpack(source: Path, into: Path) -> None:
    """Unpacks a tar of plain files below the new folder `into`.

    Raises:
        EvidenceError: it is no tar, is cut short, or holds anything but files below `into`.
    """
    todo = "remove it and run 'slipway image' again"
    try:
        with tarfile.open(source, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isreg() or name.is_absolute() or ".." in name.parts:
                    raise EvidenceError(f"a tar holds '{member.name}'", str(source), todo)
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                with target.open("wb") as stream:
                    shutil.copyfileobj(content, stream)  # type: ignore[arg-type]
    except tarfile.TarError as error:
        raise EvidenceError(f"a tar cannot be read: {error}", str(source), todo) from error


def extract(source: Path, below: str, into: Path) -> None:
    """Writes the plain files below a path of a tar that we made into a folder.

    Raises:
        EvidenceError: it is no tar, or is cut short.
        ToolError: the folder cannot be written.
    """
    start = f"{below}/" if below else ""
    try:
        with tarfile.open(source, "r:") as tar:
            members = [m for m in tar if m.isreg() and m.name.startswith(start)]
            for member in members:
                name = PurePosixPath(member.name.removeprefix(start))
                content = tar.extractfile(member)
                if content is None or name.is_absolute() or ".." in name.parts:
                    continue
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                with (into / name).open("wb") as stream:
                    shutil.copyfileobj(content, stream)
    except tarfile.TarError as error:
        todo = "remove it and run 'slipway image' again"
        raise EvidenceError(f"a tar cannot be read: {error}", str(source), todo) from error
    except OSError as error:
        todo = "free space or mend rights"
        raise ToolError(f"cannot unpack: {error.strerror}", str(into), todo) from error


def digest_unpacked(source: Path, below: str = "") -> str:
    """The tree digest that a tar's files have once they are unpacked; those `below` a path."""
    lines, start = [], f"{below}/" if below else ""
    with tarfile.open(source, "r:") as tar:
        members = [m for m in tar.getmembers() if m.isreg() and m.name.startswith(start)]
        for member in sorted(members, key=lambda m: m.name):
            content = tar.extractfile(member)
            own = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
            lines.append(f"{member.name.removeprefix(start)}\0{own}\n")
    return digest_of("".join(lines).encode())


def digest_packed(files: Mapping[str, Path]) -> str:
    """The sha256 that a tar of these files has."""
    with tempfile.TemporaryFile() as stream:
        write_tar(stream, files)
        stream.seek(0)
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def _holds(tar: Path, tree: str, below: str = "") -> bool:
    try:
        return digest_unpacked(tar, below) == tree
    except (OSError, tarfile.TarError):
        return False  # not there, or damaged


def member(source: Path, name: str) -> bytes:
    """The content of one file of a tar.

    Raises:
        EvidenceError: it is not in there.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            content = tar.extractfile(name)
            return content.read() if content else b""
    except (KeyError, tarfile.TarError) as error:
        raise EvidenceError(f"there is no {name}", str(source), "deliver it again") from error


def _unpack_whole(source: Path, into: Path) -> None:
    if not source.exists():
        raise _missing("model", "sha256:" + source.stem, source)
    try:
        unpack(source, into)
    except OSError as error:
        raise ToolError(
            f"cannot unpack the model: {error.strerror}", str(into), "free space or mend rights"
        ) from error


def _place(home: Path, kind: str, digest: str) -> Path:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        where = str(home / "store" / kind)
        raise EvidenceError(f"'{digest}' is no sha256 digest", where, "mend the record")
    return home / "store" / kind / f"{value}.tar"


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """A file that stands at `target` when the block ends, unless the block moved it elsewhere."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if partial.exists():
            partial.replace(target)
    except OSError as error:
        raise ToolError(
            f"cannot write the store: {error.strerror}", str(target), "free space or mend rights"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _missing(what: str, digest: str, path: Path) -> EvidenceError:
    return EvidenceError(
        f"the {what} {digest} is not in the store", str(path), "restore it, or deliver it again"
    )


def _altered(what: str, digest: str, path: Path) -> EvidenceError:
    return EvidenceError(
        f"the stored {what} is not {digest}", str(path), "remove the file and deliver it again"
    )
