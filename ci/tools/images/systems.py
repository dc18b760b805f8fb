"""Root file systems of Debian's packages, for where no image can be pulled: one list, one image."""

import hashlib
import platform
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config import Project
from ...errors import ConfigError, ToolError
from ...settings import FILE
from .. import docker_host, process
from ..locks import held
from . import archives

SUITE = "bookworm"
UNPACK = "docker/base/unpack.sh"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BUILD_S = 900.0
# What mmdebstrap leaves for a package manager, and what an engine lays over.
DROPPED = ("dev/", "etc/apt", "etc/fstab", "etc/hostname", "etc/resolv.conf", "var/cache/apt")
DROPPED_TOO = ("var/lib/apt", "var/lib/dpkg/")


@dataclass(frozen=True)
class System:
    """One image to be made of packages."""

    name: str  # base or proxy: of its folder in docker/ and of its setting
    said: Mapping[str, Any]  # what the image says about running it

    @property
    def packages(self) -> str:
        """The file that lists them."""
        return f"docker/{self.name}/packages.txt"


def architecture() -> str:
    """This machine's, as images call it.

    Raises:
        ToolError: no base is made for it.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        known, todo = ", ".join(ARCHITECTURES), f"set [image] base and proxy in {FILE}"
        raise ToolError(f"no image is made for {machine}, only for {known}", machine, todo)
    return ARCHITECTURES[machine]


def key(project: Project, system: System) -> str:
    """The content key of all that decides a system, but for the day's updates.

    Raises:
        ConfigError: the project has no list of packages.
    """
    parts = [architecture().encode(), archives.compact(system.said)]
    for name in (UNPACK, system.packages):
        try:
            parts.append((project.root / name).read_bytes())
        except OSError as error:
            todo = f"restore it, or set [image] {system.name}"
            raise ConfigError(f"cannot read {name}: {error.strerror}", name, todo) from error
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def ensure(project: Project, system: System, host: str) -> str:
    """The tag of a system's image in an engine; made once a machine, loaded once an engine.

    Raises:
        ConfigError: the project has no list of packages.
        ToolError: a package cannot be had, there is no mmdebstrap, or the engine fails.
    """
    from docker import errors

    client, own = docker_host.connect(host), key(project, system)
    tag, archive = f"slipway/{system.name}:{own}", project.cache / "images" / f"{system.name}-{own}"
    todo = "look at the engine's log"
    with docker_host.explained("the engine cannot be asked for an image", host, todo):
        try:
            client.images.get(tag)
            return tag
        except errors.ImageNotFound:
            pass
    with held(archive.with_suffix(".lock")):
        if not archive.with_suffix(".tar").is_file():
            _make(project, system, tag, archive.with_suffix(".tar"))
        _load(host, tag, archive.with_suffix(".tar"))
    return tag


def _load(host: str, tag: str, archive: Path) -> None:
    client = docker_host.connect(host)
    try:
        archives.load_file(client, archive, tag)
    except ToolError:
        archive.unlink(missing_ok=True)  # if it was damaged, the next command makes it anew
        raise


def _make(project: Project, system: System, tag: str, archive: Path) -> None:
    with archives.workspace(project.cache) as folder:
        root = _unpacked(project, system, folder)
        layer = archives.normalise(root, folder / "layer.tar", drop=_dropped)
        start = {"architecture": architecture(), "os": "linux"}
        how = f"{UNPACK} {system.packages}"
        config = archives.extend(start, layers=[(layer.digest, how)], said=system.said)
        whole = folder / "archive.tar"
        archives.write(whole, archives.Content(config, (layer,)), tag)
        whole.replace(archive)


def _unpacked(project: Project, system: System, folder: Path) -> Path:
    """The tar of the packages' files."""
    program = shutil.which("mmdebstrap")
    setting = f"[image] {system.name}"
    if program is None:
        raise ToolError(
            f"there is no mmdebstrap to make the {system.name} image",
            f"{FILE} {setting} is empty",
            f"apt-get install mmdebstrap, or set {setting} to name@sha256:…",
        )
    root = folder / "root.tar"
    words = ["sh", str(project.root / UNPACK), str(project.root / system.packages)]
    hook = f'{shlex.join(words)} "$1"'
    command = [program, "--quiet", "--variant=extract", f"--extract-hook={hook}", SUITE, str(root)]
    done = process.run(command, cwd=folder, timeout_s=BUILD_S)
    if done.code:
        lines = [line for line in done.err.splitlines() if line.strip()]
        raise ToolError(
            f"cannot make the {system.name} image: " + " / ".join(lines[-3:]),
            shlex.join(command),
            f"it wants Debian's packages, and root or user namespaces; else set {setting}",
        )
    return root


def _dropped(name: str) -> bool:
    if name == "var/lib/dpkg/status":
        return False  # whoever lists what is in the image reads it
    return name.startswith((*DROPPED, *DROPPED_TOO))
