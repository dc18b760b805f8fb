"""What tests of images share: the machine's engine, checkouts that make images, nothing left."""

import contextlib
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from docker import errors
from slipway.config import Project
from slipway.tools import docker_host
from tests import deliveries, needs, surroundings

IMAGE_CODE = ("ml/__init__.py", "ml/features.py", "ml/serving", "requirements", "docker")
LIGHT = ("idna", "click")  # of the serving packages: enough for a runtime that nobody starts


def require() -> None:
    """Goes on where images can be made, kept and run."""
    needs.needs(needs.DOCKER, needs.MAKER, needs.REGISTRY)


def client() -> Any:
    """The machine's engine."""
    return docker_host.connect(surroundings.DOCKER_HOST)


def project_in(
    folder: Path, settings: str = deliveries.SETTINGS, *, light: bool = False
) -> Project:
    """A checkout that can make images on the machine's engine, with a home of its own.

    Runtimes and bases are found by their content, so all tests of a machine share the real ones.

    Args:
        light: its runtime has two small packages, so that a test can afford to build one.
    """
    root = deliveries.checkout(folder / "checkout", settings)
    for name in IMAGE_CODE:
        source, target = deliveries.ROOT / name, root / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    if light:
        (root / "requirements" / "serve.txt").write_text(_pins(LIGHT))
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    project = deliveries.project_at(root, folder / "home")
    return replace(project, docker_host=surroundings.DOCKER_HOST)


def _pins(names: tuple[str, ...]) -> str:
    """The pins of some packages out of the serving requirements."""
    text = (deliveries.ROOT / "requirements" / "serve.txt").read_text()
    pins = text.replace("\\\n", "\\").splitlines(keepends=True)  # one line a package
    return "".join(pin.replace("\\", "\\\n") for pin in pins if pin.startswith(names))


@contextlib.contextmanager
def removing() -> Iterator[list[str]]:
    """A list of images that are removed from the engine after the block."""
    made: list[str] = []
    try:
        yield made
    finally:
        for reference in made:
            with contextlib.suppress(errors.APIError):  # gone, or another test uses it
                client().images.remove(reference, force=True)


def files(reference: str, path: str = "/srv") -> dict[str, str]:
    """What an image holds below a path: name → type, mode, owner, time and sha256."""
    container = client().containers.create(reference, "-", labels={docker_host.ROLE: "trial"})
    try:
        chunks, _ = container.get_archive(path)
        with tempfile.TemporaryFile() as stream:
            for chunk in chunks:
                stream.write(chunk)
            stream.seek(0)
            with tarfile.open(fileobj=stream) as tar:
                return {member.name: _facts(tar, member) for member in tar}
    finally:
        container.remove(force=True)


def _facts(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = tar.extractfile(member) if member.isreg() else None
    own = hashlib.sha256(content.read()).hexdigest() if content else member.linkname
    return f"{member.type!r} {member.mode:o} {member.uid}:{member.gid} {member.mtime} {own}"
