"""Times images: a model appended beside Docker's own build and push; size, start, memory."""

import resource
import shutil
import statistics
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from slipway.errors import ToolError
from slipway.tools import artefacts, docker_host
from slipway.tools.engines.containers import trial
from slipway.tools.images import append, archives, runtime
from slipway.tools.images.model import Made, Model
from slipway.tools.registry import local, open_registry

from .workplace import Workplace

ROUNDS = 5
DOCKERFILE = "FROM {runtime}\nCOPY model /srv/model\n"
Figures = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Sdk:
    """The same image as Docker's SDK makes it: a build from a small context, and a push."""

    place: Workplace
    client: Any
    repository: str
    context: Path

    def deliver(self, number: int) -> None:
        """Builds the image of the model that is there, and pushes it."""
        tag = f"round-{number}"
        self.client.images.build(path=str(self.context), tag=f"{self.repository}:{tag}", rm=True)
        for said in self.client.images.push(self.repository, tag, stream=True, decode=True):
            if "error" in said:
                raise ToolError(said["error"], f"{self.repository}:{tag}", "see the engine's log")

    def fill(self) -> None:
        """Puts the model that is there into the context: no part of what is timed."""
        shutil.rmtree(self.context / "model", ignore_errors=True)
        shutil.copytree(self.place.project.candidate, self.context / "model")


def append_model(place: Workplace, model: Model) -> Made:
    """What `slipway image` does once its evidence is read: runtime found, layer made, pushed."""
    with open_registry(place.project) as registry:
        below = runtime.ensure(place.project, "cpu", registry)
        return append.build(place.project, registry, below, model)


def measure(place: Workplace) -> Iterator[tuple[str, Figures]]:
    """Name and figures of everything about images, one after the other."""
    began = time.perf_counter()
    model = place.new_model()
    append_model(place, model)
    yield "runtime found or built, and pushed once", {"s": _since(began)}
    sdk = _sdk(place)
    sdk.fill()
    sdk.deliver(0)  # the runtime's layers are in the registry from now on, compressed
    yield "model changed: append + push / SDK build + push", model_changed(place, sdk)
    yield "nothing changed: found again / SDK build + push", nothing_changed(place, sdk)
    yield "slipway image, model changed", whole_command(place, changed=True)
    yield "slipway image, nothing changed", whole_command(place, changed=False)
    yield "serving image, MB", size(place)
    yield "container, start to ready", ready(place)


def _sdk(place: Workplace) -> Sdk:
    tag = f"slipway/runtime:{runtime.key(place.project, 'cpu')}"
    repository = f"{local.ensure(place.project)}/{place.project.config.model.name}-sdk"
    context = place.project.root.parent / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE.format(runtime=tag))
    return Sdk(place, docker_host.connect(place.project.docker_host), repository, context)


def model_changed(place: Workplace, sdk: Sdk) -> Figures:
    """Seconds from another model to its image in the registry, ours and the SDK's in turns."""
    ours, other = [], []
    for number in range(1, ROUNDS + 1):
        model = place.new_model()
        sdk.fill()
        seconds, made = _timed(partial(append_model, place, model))
        assert made.new
        ours.append(seconds)
        other.append(_timed(partial(sdk.deliver, number))[0])
    return {**_beside(ours, other), "model_mb": _megabytes(place), "real_model": place.real}


def nothing_changed(place: Workplace, sdk: Sdk) -> Figures:
    """Seconds to find that the image is there already, ours and the SDK's in turns."""
    ours, other = [], []
    for _ in range(ROUNDS):
        seconds, made = _timed(lambda: append_model(place, place.model()))
        assert not made.new
        ours.append(seconds)
        other.append(_timed(partial(sdk.deliver, ROUNDS))[0])
    return _beside(ours, other)


def whole_command(place: Workplace, *, changed: bool) -> Figures:
    """Wall and cpu seconds of `slipway image`, with everything that it checks."""
    place.image()
    wall, cpu = [], []
    for _ in range(ROUNDS):
        if changed:
            place.new_model()
        record = place.project.delivery / "image.json"
        before = record.read_bytes() if record.is_file() else b""
        used = _children()
        wall.append(_timed(partial(place.slipway, "image"))[0])
        cpu.append(_children() - used)
        assert (record.read_bytes() == before) is not changed
    return {"wall_s": _median(wall), "cpu_s": _median(cpu), "best_wall_s": round(min(wall), 3)}


def size(place: Workplace) -> Figures:
    """Megabytes of the image's layers as they are, and as gzip would pack them."""
    with archives.workspace(place.project.cache) as folder:
        client = docker_host.connect(place.project.docker_host)
        tag = f"slipway/runtime:{runtime.key(place.project, 'cpu')}"
        layers = [layer.path for layer in archives.export(client, tag, folder).layers]
        unpacked = sum(path.stat().st_size for path in layers)
        packed = sum(map(_compressed, layers))
    model = _megabytes(place)
    return {
        "unpacked": round(unpacked / 1e6 + model, 1),
        "compressed": round(packed / 1e6 + model, 1),  # a model's weights do not pack
        "model": model,
    }


def ready(place: Workplace) -> Figures:
    """What a container takes to get ready, and its memory then."""
    image = place.image()
    artefact = artefacts.open_artefact(place.project, image.kind, image.subject, model=image.model)
    with trial.trial(place.project, artefact):
        pass  # the engine pulls it
    figures = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with trial.trial(place.project, artefact) as running:
            figures.append((running.cpu_s, _since(began), running.memory_bytes() / 1e6))
    cpu, wall, memory = zip(*figures, strict=True)
    return {"cpu_s": _median(cpu), "wall_s": _median(wall), "rss_mb": _median(memory)}


def _compressed(path: Path) -> int:
    packer, total = zlib.compressobj(6, wbits=31), 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            total += len(packer.compress(chunk))
    return total + len(packer.flush())


def _megabytes(place: Workplace) -> float:
    files = place.project.candidate.iterdir()
    return round(float(sum(path.stat().st_size for path in files)) / 1e6, 2)


def _children() -> float:
    """User and system seconds of the processes that this one waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(used.ru_utime + used.ru_stime)


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that some work took, and what it gave."""
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 3)


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)


def _beside(ours: Sequence[float], other: Sequence[float]) -> Figures:
    return {
        "ours_s": _median(ours),
        "other_s": _median(other),
        "times": round(statistics.median(o / a for a, o in zip(ours, other, strict=True)), 1),
        "ours_best_s": round(min(ours), 3),
        "other_best_s": round(min(other), 3),
    }
