"""Unpacked bundles: one read-only folder a digest, verified before each use."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from ...errors import EvidenceError, ToolError
from ...records import digest_file, digest_tree
from .. import store

FOLDER = "releases"


def unpacked(state: Path, artefact: Path, digest: str) -> Path:
    """The folder with an artefact's files, exactly those; unpacked anew where they differ.

    Raises:
        EvidenceError: the artefact is missing or not what `digest` says.
        ToolError: the disk is full or the state folder cannot be written.
    """
    if digest_file(artefact) != digest:
        raise EvidenceError(f"the bundle is not {digest}", str(artefact), "deliver it again")
    folder = state / FOLDER / digest.removeprefix("sha256:")
    if folder.is_dir() and digest_tree(folder) == store.digest_unpacked(artefact):
        return folder
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        remove(partial)
        store.unpack(artefact, partial)
        _make_read_only(partial)
        remove(folder)
        partial.replace(folder)
    except OSError as error:
        remove(partial)
        raise ToolError(
            f"cannot unpack the bundle: {error.strerror}", str(folder), "free space or mend rights"
        ) from error
    return folder


def prune(state: Path, keep: Collection[str]) -> None:
    """Removes all folders but those of the digests in `keep`."""
    kept = {digest.removeprefix("sha256:") for digest in keep}
    folders = sorted((state / FOLDER).iterdir()) if (state / FOLDER).is_dir() else []
    for folder in folders:
        if folder.name not in kept:
            remove(folder)


def remove(folder: Path) -> None:
    """Removes a read-only folder, if it is there."""
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _make_read_only(folder: Path) -> None:
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            (Path(path) / name).chmod(0o444)
        Path(path).chmod(0o555)
