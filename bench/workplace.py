"""A checkout, a home and a registry for the length of a bench; nothing of it stays."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from slipway import config
from slipway.config import Project
from slipway.records import Image, digest_tree, read
from slipway.tools import docker_host, store
from slipway.tools.engines import choice
from slipway.tools.images.model import Model
from slipway.tools.registry import local
from tests import deliveries, tiny
from tests.projects import Answer, Checkout

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("docker", "ml", "requirements")  # what decides an image beside the model
BYTES = 4_377_615  # of the ten files of the example's candidate, as dvc.lock has it
PIECES = ("architecture.json", "environment.json", "history.json", "profile.json", "weights.h5")
ROUND = "round.bin"  # tells one model from the next


@dataclass(frozen=True)
class Workplace:
    """A project of its own name, delivered with records that nobody judged."""

    project: Project
    checkout: Checkout
    real: bool  # whether the model is this project's candidate, or one of the same size

    def new_model(self) -> Model:
        """Another model of the same size, with all records that `slipway image` asks for."""
        folder = self.project.candidate
        (folder / ROUND).write_bytes(secrets.token_bytes(1 << 10))
        shutil.rmtree(self.project.delivery, ignore_errors=True)
        digest = store.put_model(self.project.home, folder)
        deliveries.judged(self.project, digest)
        return Model(digest, deliveries.DATA, folder)

    def model(self) -> Model:
        """The model that is there."""
        return Model(digest_tree(self.project.candidate), deliveries.DATA, self.project.candidate)

    def image(self) -> Image:
        """What `slipway image` makes of the model, found good without a look."""
        self.checkout.slipway("image")
        image = read(self.project.delivery, "image", Image)
        deliveries.verdict(self.project, "image-verdict", "image", image.subject, on="image")
        return image

    def slipway(self, *words: str, code: int = 0) -> Answer:
        """A command, as somebody gives it."""
        return self.checkout.slipway(*words, code=code)


def lacking() -> str:
    """What this machine lacks to make images and to keep them; empty: nothing."""
    project = config.load(ROOT)
    if not docker_host.answers(project.docker_host):
        return f"no Docker engine answers at {project.docker_host}"
    if not local.available():
        return "there is no docker-registry to start"
    missing = choice.lacking(project)
    return f"there is no {missing}" if missing else ""


@contextlib.contextmanager
def opened(engine: str) -> Iterator[Workplace]:
    """A workplace whose environments are on one engine; what it started and made goes with it.

    Args:
        engine: process or docker.
    """
    for who in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{who}_NAME", "bench")
        os.environ.setdefault(f"GIT_{who}_EMAIL", "bench@localhost")
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        place = _made(Path(folder), engine)
        try:
            yield place
        finally:
            place.checkout.slipway("stop", "--all", code=None)
            if engine == "docker":
                _remove_images(place.project)
            local.stop(place.project)


def _made(folder: Path, engine: str) -> Workplace:
    root, name = folder / "project", f"bench-{secrets.token_hex(4)}"
    settings = deliveries.SETTINGS.replace("next-basket", name)
    for environment in ("staging", "production"):
        heading = f"[environments.{environment}]\n"
        settings = settings.replace(heading, f'{heading}engine = "{engine}"\n')
    deliveries.checkout(root, settings.replace("watch_s = 0.1", "watch_s = 1.0"))
    for shipped in SHIPPED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / shipped, root / shipped, ignore=ignored)
    for words in (("add", "-A"), ("commit", "-q", "-m", "What ships")):
        subprocess.run(["git", *words], cwd=root, check=True)
    project = deliveries.project_at(root, folder / "home")
    project = replace(project, docker_host=config.load(ROOT).docker_host)
    checkout = Checkout(root, folder / "home", {"PYTHONPATH": os.pathsep.join(sys.path)})
    return Workplace(project, checkout, _put_candidate(project.candidate))


def _put_candidate(folder: Path) -> bool:
    """Lays a model there that serves: this project's own, else a tiny one padded to its size."""
    real = ROOT / config.load(ROOT).config.model.candidate
    if (real / "samples.json").is_file():
        shutil.copytree(real, folder)
        return True
    tiny.write_model(folder)
    left = BYTES - sum(path.stat().st_size for path in folder.iterdir())
    for name in PIECES:
        size = left if name == PIECES[-1] else 20_000
        (folder / name).write_bytes(secrets.token_bytes(size))
        left -= size
    return False


def _remove_images(project: Project) -> None:
    """Removes this workplace's images from the engine; the runtime below them stays."""
    client, own = docker_host.connect(project.docker_host), f"/{project.config.model.name}"
    with docker_host.explained("the bench's images stay", own, "remove them by hand"):
        for image in client.images.list():
            names = [*(image.attrs["RepoTags"] or ()), *(image.attrs["RepoDigests"] or ())]
            if any(own in name for name in names):
                client.images.remove(image.id, force=True)
