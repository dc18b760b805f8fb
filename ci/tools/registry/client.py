"""The repositories of one registry: blobs, manifests and tags, each believed by its digest only."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from ...errors import EvidenceError, ToolError
from ...records import digest_file, digest_of
from . import download, failures, manifests, upload
from .address import Address, check_digest, check_repository, check_tag
from .authority import Scopes, repository_scope
from .credentials import Found, Places
from .manifests import Descriptor, Manifest
from .transport import Transport
from .trying import Patience

OCTETS = "application/octet-stream"
DIGEST_HEADER = "Docker-Content-Digest"


class Registry:
    """A connection to one registry; close it, or use it as a context manager."""

    def __init__(
        self,
        address: Address,
        search: Callable[[], Found] | None = None,
        patience: Patience | None = None,
        chunk_bytes: int = upload.CHUNK,
    ) -> None:
        """Opens nothing yet.

        Args:
            search: finds credentials, if the registry asks for some; default: there are none.
            chunk_bytes: what is larger is sent in chunks of this size.
        """
        self.address = address
        search = search or (lambda: Places().search(address))
        self._transport = Transport(address, search, patience or Patience())
        self._chunk = chunk_bytes

    def __enter__(self) -> "Registry":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def reference(self, repository: str, digest: str) -> str:
        """What an engine pulls: `host/repository@sha256:…`."""
        return f"{self.address.name}/{repository}@{digest}"

    def ping(self) -> None:
        """Returns if the registry answers and accepts the login.

        Raises:
            ToolError: it does not.
        """
        self._transport.send("GET", "/v2/", (200,))

    def digest(self, repository: str, ref: str) -> str | None:
        """The digest of what a tag or a digest names, or None where nothing has that name."""
        path = _manifest_path(repository, ref)
        accept, headers = (200, 404), {"Accept": manifests.ACCEPT}
        answer = self._transport.send("HEAD", path, accept, _pull(repository), headers=headers)
        if answer.status_code == 404:
            return None
        named = answer.headers.get(DIGEST_HEADER)
        if named:
            return check_digest(named, self.address.url + path)
        answer = self._transport.send("GET", path, accept, _pull(repository), headers=headers)
        return digest_of(answer.content) if answer.status_code == 200 else None

    def manifest(self, repository: str, ref: str) -> Manifest:
        """The manifest that a tag or a digest names, verified.

        Raises:
            EvidenceError: there is none, its bytes are others, or it is not that of one image.
        """
        path = _manifest_path(repository, ref)
        accept, headers = (200, 404), {"Accept": manifests.ACCEPT}
        answer = self._transport.send("GET", path, accept, _pull(repository), headers=headers)
        where = self.address.url + path
        if answer.status_code == 404:
            raise download.missing(f"{ref} in {repository}", where)
        digest = ref if ":" in ref else answer.headers.get(DIGEST_HEADER, "")
        return manifests.parse(
            answer.content, answer.headers.get("Content-Type", ""), where, digest
        )

    def put_manifest(self, repository: str, manifest: Manifest, tag: str = "") -> str:
        """Stores a manifest whose blobs are there, and gives its digest.

        Args:
            tag: a tag to move to it; empty stores it by its digest alone. `tag()` is the safe way.

        Raises:
            ToolError: the registry refuses it, or stored something else.
        """
        path = _manifest_path(repository, tag or manifest.digest)
        answer = self._transport.send(
            "PUT",
            path,
            (200, 201, 202),
            _push(repository),
            data=manifest.raw,
            headers={"Content-Type": manifest.media_type},
            slow=True,
        )
        stored = answer.headers.get(DIGEST_HEADER, manifest.digest)
        if stored != manifest.digest:
            what = f"the registry stored {stored} in place of {manifest.digest}"
            raise ToolError(what, self.address.url + path, "do not use this registry")
        return manifest.digest

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob."""
        path = _blob_path(repository, digest)
        answer = self._transport.send("HEAD", path, (200, 404), _pull(repository))
        return answer.status_code == 200

    def read_blob(self, repository: str, digest: str) -> bytes:
        """A blob's bytes, verified; for small ones.

        Raises:
            EvidenceError: it is not there, or its bytes are others.
        """
        path = _blob_path(repository, digest)
        answer = self._transport.send("GET", path, (200, 404), _pull(repository), slow=True)
        if answer.status_code == 404:
            raise download.missing(f"{digest} in {repository}", self.address.url + path)
        if digest_of(answer.content) != digest:
            raise download.altered(digest, self.address.url + path)
        return answer.content

    def fetch_blob(self, repository: str, digest: str, into: Path) -> None:
        """Puts a blob into a file, whole and verified, or nothing.

        Raises:
            EvidenceError: it is not there, or its bytes are others.
        """
        path = _blob_path(repository, digest)
        download.fetch(self._transport, path, digest, into, _pull(repository))

    def put_blob(
        self, repository: str, content: Path | bytes, media_type: str = OCTETS
    ) -> Descriptor:
        """Brings a file or some bytes into a repository, unless they are there.

        Raises:
            ToolError: the file cannot be read; the registry refuses, fails or has no space.
        """
        target = upload.Target(self._transport, check_repository(repository), _push(repository))
        if isinstance(content, bytes):
            blob = upload.bytes_blob(content, digest_of(content))
            upload.send(target, blob, self._chunk)
            return Descriptor(media_type, blob.digest, blob.size)
        with upload.opened(content) as stream:
            blob = upload.file_blob(stream, digest_file(content), content.stat().st_size)
            upload.send(target, blob, self._chunk)
        return Descriptor(media_type, blob.digest, blob.size)

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Lets a repository have a blob of another one; False where the registry will not."""
        params = {"mount": check_digest(digest, source), "from": check_repository(source)}
        path = f"/v2/{check_repository(repository)}/blobs/uploads/"
        scopes = _push(repository) + _pull(source)
        answer = self._transport.send("POST", path, (201, 202), scopes, params=params)
        if answer.status_code == 202 and answer.headers.get("Location"):
            accept = (200, 202, 204, 400, 404, 405)  # it began an upload: that is not wanted
            self._transport.send("DELETE", answer.headers["Location"], accept, scopes)
        return answer.status_code == 201

    def copy(self, source: str, digest: str, target: str) -> Manifest:
        """Brings an image into another repository: the same bytes, its blobs mounted.

        Raises:
            EvidenceError: the image or a blob of it is not there, or is not what its digest says.
        """
        manifest = self.manifest(source, check_digest(digest, source))
        if self.digest(target, digest) == digest:
            return manifest
        for blob in manifest.blobs:
            if not self.has_blob(target, blob.digest) and not self.mount(
                target, blob.digest, source
            ):
                self._transfer(source, blob, target)
        self.put_manifest(target, manifest)
        return manifest

    def tag(self, repository: str, digest: str, tag: str, *, moving: bool = False) -> None:
        """Gives an image a name for people. A tag that names another image stays where it is.

        Args:
            moving: the tag may be moved; never so for a release's.

        Raises:
            EvidenceError: the tag is taken, the image is not there, or another one got the tag
                in the same moment.
        """
        path, todo = _manifest_path(repository, check_tag(tag)), "find out who pushes there"
        standing = self.digest(repository, tag)
        if standing == digest:
            return
        if standing and not moving:
            what = f"the tag {tag} names {standing} already; it is not moved to {digest}"
            raise EvidenceError(what, self.address.url + path, "release under another version")
        self.put_manifest(repository, self.manifest(repository, digest), tag)
        standing = self.digest(repository, tag)
        if standing != digest:
            what = f"the tag {tag} names {standing or 'nothing'} right after it was set to {digest}"
            raise EvidenceError(what, self.address.url + path, todo)

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository, sorted; none where there is no such repository."""
        path: str | None = f"/v2/{check_repository(repository)}/tags/list?n=1000"
        found: set[str] = set()
        while path:
            answer = self._transport.send("GET", path, (200, 404), _pull(repository))
            if answer.status_code == 404:
                break
            names = _listed(answer.content, failures.place(answer))
            following = answer.links.get("next", {}).get("url")
            path = following if names - found else None  # a page without news is the last
            found |= names
            if path:
                url = self._transport.absolute(path)
                path = url if urlsplit(url).netloc == urlsplit(self.address.url).netloc else None
        return sorted(found)

    def delete(self, repository: str, digest: str) -> bool:
        """Removes an image with all its tags; False where it is not there.

        Raises:
            ToolError: the registry does not allow it.
        """
        path = _manifest_path(repository, check_digest(digest, repository))
        scopes = (repository_scope(repository, "pull", "push", "delete"),)
        answer = self._transport.send("DELETE", path, (200, 202, 404), scopes)
        return answer.status_code != 404

    def _transfer(self, source: str, blob: Descriptor, target: str) -> None:
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            held = Path(folder) / "blob"
            self.fetch_blob(source, blob.digest, held)
            self.put_blob(target, held, blob.media_type)


def _manifest_path(repository: str, ref: str) -> str:
    name = check_digest(ref, repository) if ":" in ref else check_tag(ref)
    return f"/v2/{check_repository(repository)}/manifests/{name}"


def _blob_path(repository: str, digest: str) -> str:
    return f"/v2/{check_repository(repository)}/blobs/{check_digest(digest, repository)}"


def _pull(repository: str) -> Scopes:
    return (repository_scope(repository, "pull"),)


def _push(repository: str) -> Scopes:
    return (repository_scope(repository, "pull", "push"),)


def _listed(content: bytes, where: str) -> set[str]:
    try:
        return {str(name) for name in json.loads(content).get("tags") or ()}
    except (ValueError, AttributeError, TypeError) as error:
        what = "the registry's list of tags is malformed"
        raise ToolError(what, where, "read the registry's log") from error
