"""The space behind removed manifests: what no manifest names any more, in this user's own registry.

A registry that somebody else runs is collected by whoever runs it.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from ...config import Project
from ..registry import local

STORAGE = Path("data/docker/registry/v2")
DIGEST = re.compile(rb"sha256:([0-9a-f]{64})")
PUSH_S = 900.0  # a blob without a manifest that is younger belongs to a push under way


def is_own(project: Project) -> bool:
    """Whether images are kept in this user's own registry, and there is one."""
    folder = local.folder_of(project) / STORAGE
    return not project.config.image.registry and folder.is_dir()


def named(project: Project) -> set[str]:
    """The sha256 of every manifest in this user's own registry, and of each blob that they name."""
    root = local.folder_of(project) / STORAGE
    found: set[str] = set()
    for link in root.glob("repositories/**/_manifests/revisions/sha256/*/link"):
        found.add(link.parent.name)
        blob = _blob(root, link.parent.name)
        if blob.is_file():
            found |= {name.decode() for name in DIGEST.findall(blob.read_bytes())}
    return found


def collect(project: Project, named_before: set[str]) -> tuple[int, str]:
    """Frees what no manifest names; gives the bytes, and why it was left for another time.

    The registry is stopped meanwhile and started again: what is pushed while the collection runs
    would be lost.

    Args:
        named_before: what `named` gave before manifests were removed: no push under way.

    Raises:
        ToolError: the registry's program fails, or the registry does not start again.
    """
    root = local.folder_of(project) / STORAGE
    if not _unnamed(root, named(project)):
        return 0, ""
    with local.paused(project) as folder:
        unnamed = _unnamed(root, named(project))
        young = time.time() - PUSH_S
        pushed = [b for b in unnamed if b not in named_before and unnamed[b][1] > young]
        if pushed or any(path.stat().st_mtime > young for path in _uploads(root)):
            return 0, "somebody pushes to the registry now"
        local.collect_garbage(folder)
        left = _unnamed(root, named(project))
    return sum(size for blob, (size, _) in unnamed.items() if blob not in left), ""


def _unnamed(root: Path, names: set[str]) -> dict[str, tuple[int, float]]:
    """The blobs that no manifest names: sha256 → size, time of writing."""
    found = {}
    for data in root.glob("blobs/sha256/*/*/data"):
        if data.parent.name not in names:
            status = data.stat()
            found[data.parent.name] = (status.st_size, status.st_mtime)
    return found


def _uploads(root: Path) -> Iterator[Path]:
    """The files of uploads that did not end."""
    yield from root.glob("repositories/**/_uploads/*/data")


def _blob(root: Path, name: str) -> Path:
    return root / "blobs" / "sha256" / name[:2] / name / "data"
