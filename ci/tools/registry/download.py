"""Brings a blob from a registry into a file, from where a broken download stopped."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ...errors import EvidenceError, ToolError
from ...records import digest_file
from . import failures
from .authority import Scopes
from .failures import InterruptedRequest
from .transport import Transport
from .trying import Trying

if TYPE_CHECKING:
    from requests import Response

PIECE = 1 << 20  # bytes
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


def fetch(transport: Transport, path: str, digest: str, into: Path, scopes: Scopes) -> None:
    """Puts a blob at `into`, whole and verified, or nothing.

    Raises:
        EvidenceError: the registry does not have it, or gives other bytes.
        ToolError: the registry cannot be reached, refuses or fails; the file cannot be written.
    """
    partial = into.with_name(f".{into.name}.{os.getpid()}")
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            _receive(transport, path, stream, scopes)
        if digest_file(partial) != digest:
            raise altered(digest, transport.address.url + path)
        partial.replace(into)
    except OSError as error:
        raise ToolError(
            f"cannot write what is pulled: {error.strerror}", str(into), "free space or mend rights"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def altered(digest: str, where: str) -> EvidenceError:
    """The error for bytes that are not what their digest says."""
    todo = "the registry's storage is damaged: push it again, or deliver again"
    return EvidenceError(f"the registry gave other bytes than {digest}", where, todo)


def missing(what: str, where: str) -> EvidenceError:
    """The error for something that a registry does not have."""
    todo = "see that the address and the repository are right; else deliver it again"
    return EvidenceError(f"the registry has no {what}", where, todo)


def _receive(transport: Transport, path: str, stream: BinaryIO, scopes: Scopes) -> None:
    trying = Trying(transport.patience)
    while True:
        before = stream.tell()
        try:
            return _append(transport, path, stream, scopes)
        except InterruptedRequest as interrupted:
            if stream.tell() > before:
                trying.progressed()
            trying.failed(interrupted)


def _append(transport: Transport, path: str, stream: BinaryIO, scopes: Scopes) -> None:
    held = stream.tell()
    headers = {"Range": f"bytes={held}-"} if held else {}
    answer = transport.once(
        "GET", path, (200, 206, 404, 416), scopes, headers=headers, stream=True, slow=True
    )
    with answer:
        if answer.status_code == 404:
            raise missing(path.rpartition("/")[2], transport.address.url + path)
        if answer.status_code == 416:
            return  # there is no more; the digest decides
        start = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if held and not (answer.status_code == 206 and start and int(start[1]) == held):
            stream.seek(0)
            stream.truncate()
        for piece in _pieces(answer):
            stream.write(piece)


def _pieces(answer: "Response") -> Iterator[bytes]:
    import requests

    try:
        yield from answer.iter_content(PIECE)
    except requests.RequestException as error:
        raise failures.unanswered(error, answer.url) from error
