"""What slipway's home stores and nothing needs: bundles, models, layers, copies of manifests."""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from ...errors import ToolError
from . import InHome, Known, Piece, Survey

KINDS: dict[str, InHome] = {"bundles": "bundle", "models": "model", "layers": "layer"}
COPIES = {  # folder → what is in it
    "store/blobs": "manifests and configurations",
    "store/sboms": "SBOMs",
    "scans": "scans of layers",
}
UNWANTED = "no environment and no rollback window needs it"
DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")


def survey(home: Path, known: Known) -> Survey:
    """What the store holds; the age of a file is when it was last made."""
    pieces = [
        _piece(what, path, known)
        for kind, what in KINDS.items()
        for path in sorted((home / "store" / kind).glob("[!.]*.tar"))
    ]
    stays = (piece for piece in pieces if not piece.remove)
    goes = (piece for piece in pieces if piece.remove)
    kept = _kept(home, known)
    copies = {name: _copies(home / folder, kept, known) for folder, name in COPIES.items()}
    found = (_joined(name, paths) for name, paths in copies.items() if paths)
    return Survey(tuple(stays), (*goes, *found))


def _piece(what: InHome, path: Path, known: Known) -> Piece:
    digest, status = f"sha256:{path.stem}", path.stat()
    made = known.made.get(digest)
    why = known.why(digest, status.st_mtime)
    return Piece(
        what,
        (made.version if made else "") or digest[:19],
        str(path.parent),
        digest,
        status.st_size,
        why or UNWANTED,
        None if why else partial(_remove, (path,)),
    )


def _kept(home: Path, known: Known) -> set[str]:
    """The digests of what is needed, of the runtimes below it, and of all that these name."""
    kept = {*known.needed, *(m.runtime for d, m in known.made.items() if known.why(d, m.at))}
    for digest in tuple(kept):
        path = home / "store" / "blobs" / digest.removeprefix("sha256:")
        if path.is_file():
            kept |= {found.decode() for found in DIGEST.findall(path.read_bytes())}
    return kept


def _copies(folder: Path, kept: set[str], known: Known) -> list[Path]:
    """The files of a folder, each named by the digest of what it is about, that are not needed."""
    return [
        path
        for path in sorted(folder.glob("[!.]*"))
        if f"sha256:{path.name.partition('.')[0]}" not in kept
        and path.stat().st_mtime <= known.before
    ]


def _joined(name: str, paths: list[Path]) -> Piece:
    """Many small files as one piece."""
    size, remove = sum(path.stat().st_size for path in paths), partial(_remove, tuple(paths))
    return Piece("copies", f"{len(paths)} {name}", str(paths[0].parent), "", size, UNWANTED, remove)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            todo = "mend its rights, then prune again"
            raise ToolError(f"cannot remove: {error.strerror}", str(path), todo) from error
