"""Real registries on loopback: plain, with a login, with tokens, with TLS, without space."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.tools.registry import Address, Manifest, Patience, Registry, manifests
from tests import needs
from tests.relays import Relay

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
QUICK = Patience(first_pause_s=0.05, longest_pause_s=0.5, connect_s=2.0)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A `docker-registry serve`; started again it has the same port and storage."""

    folder: Path
    settings: dict[str, Any]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def storage(self) -> Path:
        return Path(self.settings["storage"]["filesystem"]["rootdirectory"])

    def registry(self, **more: Any) -> Registry:
        """A client that waits little between its tries."""
        return Registry(Address(self.name, secure=False), patience=QUICK, **more)

    def start(self) -> None:
        needs.needs(needs.REGISTRY)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "config.yml"
        path.write_text(json.dumps(self.settings))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(path)], stdout=log, stderr=log
            )
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "the registry does not listen"
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends it as a crash does."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def through(relay: Relay, **more: Any) -> Registry:
    """A client that asks a relay."""
    return Registry(Address(relay.name, secure=False), patience=QUICK, **more)


def push(registry: Registry, repository: str, layer: bytes | Path) -> Manifest:
    """An image of one layer."""
    pushed = registry.put_blob(repository, layer, LAYER)
    described = json.dumps({"rootfs": pushed.digest}).encode()
    manifest = manifests.build(registry.put_blob(repository, described, CONFIG), [pushed])
    registry.put_manifest(repository, manifest)
    return manifest


def three_lines(error: BaseException, *words: str) -> None:
    text = str(error)
    assert len(text.splitlines()) == 3, text
    for word in words:
        assert word in text


@contextlib.contextmanager
def serving(folder: Path, *, delete: bool = True, readonly: bool = False, **more: Any) -> Iterator:
    """A registry for the length of the block.

    Args:
        more: `port`, `storage` (a folder); `auth` and `tls` as its configuration has them.
    """
    storage = {
        "filesystem": {"rootdirectory": str(more.pop("storage", folder / "data"))},
        "delete": {"enabled": delete},
        "maintenance": {"readonly": {"enabled": readonly}},
    }
    http = {"secret": "of the test", **({"tls": more.pop("tls")} if "tls" in more else {})}
    port = more.pop("port", 0) or free_port()
    server = Server(folder, {"version": 0.1, "storage": storage, "http": http, **more}, port)
    server.settings["http"]["addr"] = server.name
    try:
        server.start()
        yield server
    finally:
        server.kill()


def htpasswd(folder: Path, user: str, password: str) -> dict[str, Any]:
    """The setting `auth` for one user."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["htpasswd", "-Bbn", "-C", "4", user, password]
    line = subprocess.run(command, check=True, capture_output=True).stdout
    (folder / "htpasswd").write_bytes(line)
    return {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A folder on a file system of a few megabytes, or None where this user may not mount."""
    folder.mkdir(parents=True)
    options = f"size={megabytes}m"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
