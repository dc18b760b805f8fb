"""Brings a blob into a registry: in one piece or in chunks, from where a broken upload stopped."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import SlipwayError, ToolError
from . import failures
from .authority import Scopes
from .failures import InterruptedRequest
from .transport import Transport
from .trying import Trying

if TYPE_CHECKING:
    from requests import Response

CHUNK = 16 << 20  # bytes sent in one request; what is smaller goes in one piece
DONE = (201, 202, 204)
LOST = (400, 404, 416)  # the upload is unknown, cut off or out of step: it can begin again
LOST_CODES = {"BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "RANGE_INVALID"}
TYPE = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")

Read = Callable[[int, int], bytes]  # offset and count


@dataclass(frozen=True)
class Blob:
    """What is sent."""

    digest: str
    size: int
    read: Read


@dataclass(frozen=True)
class Target:
    """Where it is sent."""

    transport: Transport
    repository: str
    scopes: Scopes

    def once(self, method: str, place: str, **more: Any) -> "Response":
        """One request of an upload; that the registry lost the upload is an interruption."""
        accept = (*DONE, *LOST)
        answer = self.transport.once(method, place, accept, self.scopes, slow=True, **more)
        if answer.status_code in DONE:
            return answer
        error = failures.refused(answer)
        lost = answer.status_code != 400 or failures.codes(answer) & LOST_CODES
        if lost and isinstance(error, SlipwayError):
            raise InterruptedRequest(error)
        raise error


@dataclass(frozen=True)
class Progress:
    """How far an upload is."""

    place: str = ""  # where to go on; empty: nothing was begun
    offset: int | None = 0  # bytes that the registry has; None: it is to be asked
    done: bool = False


def send(target: Target, blob: Blob, chunk: int = CHUNK) -> None:
    """Uploads a blob that is not there yet; a break costs no more than the registry forgot.

    Raises:
        ToolError: the registry cannot be reached, refuses, has no space, or gets other bytes.
    """
    trying = Trying(target.transport.patience)
    now, furthest = Progress(), 0
    try:
        while not now.done:
            try:
                now = _step(target, blob, now, chunk)
            except InterruptedRequest as interrupted:
                trying.failed(interrupted)
                now = Progress(now.place, None) if blob.size > chunk else Progress()
            if (now.offset or 0) > furthest:  # a second time up to the same byte is no progress
                furthest = now.offset or 0
                trying.progressed()
    except SlipwayError:
        _cancel(target, now.place)
        raise


def file_blob(stream: BinaryIO, digest: str, size: int) -> Blob:
    """An open file as a blob."""

    def read(offset: int, count: int) -> bytes:
        stream.seek(offset)
        return stream.read(count)

    return Blob(digest, size, read)


def bytes_blob(content: bytes, digest: str) -> Blob:
    """Some bytes as a blob."""
    return Blob(digest, len(content), lambda offset, count: content[offset : offset + count])


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to send.

    Raises:
        ToolError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise ToolError(
            f"cannot read what is to be pushed: {error.strerror}", str(path), "mend its rights"
        ) from error


def _step(target: Target, blob: Blob, now: Progress, chunk: int) -> Progress:
    if not now.place:
        return Progress(done=True) if _there(target, blob) else _begin(target)
    if now.offset is None:
        return _standing(target, now)
    if blob.size <= chunk or now.offset >= blob.size:
        return _finish(target, blob, now)
    return _chunk(target, blob, now.place, now.offset, chunk)


def _there(target: Target, blob: Blob) -> bool:
    path = f"/v2/{target.repository}/blobs/{blob.digest}"
    answer = target.transport.once("HEAD", path, (200, 404), target.scopes)
    return answer.status_code == 200


def _begin(target: Target) -> Progress:
    path = f"/v2/{target.repository}/blobs/uploads/"
    return _next(target, target.transport.once("POST", path, DONE, target.scopes), 0)


def _chunk(target: Target, blob: Blob, place: str, offset: int, chunk: int) -> Progress:
    wanted = min(chunk, blob.size - offset)
    data = blob.read(offset, wanted)
    if len(data) < wanted:
        todo = "leave it alone while it is pushed; then try again"
        raise ToolError("what is pushed became shorter meanwhile", blob.digest, todo)
    end = offset + wanted
    headers = {**TYPE, "Content-Range": f"{offset}-{end - 1}"}
    answer = target.once("PATCH", place, data=data, headers=headers)
    after = _next(target, answer, end)
    if (after.offset or 0) <= offset:
        where = failures.place(answer)
        raise InterruptedRequest(
            ToolError("the registry takes a chunk and keeps nothing", where, "read its log")
        )
    return after


def _finish(target: Target, blob: Blob, now: Progress) -> Progress:
    data = b"" if now.offset else blob.read(0, blob.size)
    target.once("PUT", now.place, data=data, headers=TYPE, params={"digest": blob.digest})
    return Progress(done=True)


def _standing(target: Target, now: Progress) -> Progress:
    """How far a broken upload came, as the registry says; none where it lost it."""
    accept = (*DONE, *LOST)
    answer = target.transport.once("GET", now.place, accept, target.scopes)
    return Progress() if answer.status_code in LOST else _next(target, answer, 0)


def _next(target: Target, answer: "Response", expected: int) -> Progress:
    place = answer.headers.get("Location", "")
    if not place:
        where = failures.place(answer)
        raise ToolError("the registry names no place for an upload", where, "read its log")
    held = _RANGE.fullmatch(answer.headers.get("Range", ""))
    end = int(held[1]) + 1 if held and held[1] != "0" else expected  # 0-0 stands for nothing
    return Progress(target.transport.absolute(place), end)


def _cancel(target: Target, place: str) -> None:
    """Gives the space of an unfinished upload back, where the registry still listens."""
    if place:
        with contextlib.suppress(SlipwayError, InterruptedRequest):
            target.transport.once("DELETE", place, (*DONE, *LOST), target.scopes)
