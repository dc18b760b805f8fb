"""Artefacts made sick on purpose: what is live, its model altered, packed by the same means."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..config import Project
from ..errors import EvidenceError, ToolError
from ..records import canonical, digest_tree, write_atomically
from . import made, store
from .artefacts import Artefact

Case = Literal["wrong-answers", "never-ready", "turns-sick", "dies"]
CASES: Mapping[Case, str] = {
    "wrong-answers": "its model scores otherwise than its samples say",
    "never-ready": "its model is cut off: the service does not start",
    "turns-sick": "it says that it is closing, once it has requests",
    "dies": "it is killed, once it has requests",
}
MARK = "drill.json"  # in the model's folder: another digest than what is live, the same each time
MODEL = "model.onnx"


@dataclass(frozen=True)
class Sick:
    """A sick artefact that is there; once it should be gone, `kept` says why it is not."""

    digest: str
    model: str  # digest of the model that it holds
    kept: list[str] = field(default_factory=list)


@contextlib.contextmanager
def made_of(project: Project, live: Artefact, environment: str, case: Case) -> Iterator[Sick]:
    """A sick artefact of what is live in an environment; gone when the block ends.

    What a killed command left of it is removed by the next drill, or by `slipway prune`.

    Raises:
        EvidenceError: the live artefact is missing or was altered, or its model is none of ONNX.
        ToolError: it cannot be made; the registry, the engine or the disk fails.
    """
    from .images import archives

    pack, drop = (_bundle, _drop_bundle) if live.kind == "bundle" else (_image, _drop_image)
    with archives.workspace(project.cache) as folder:
        ill = pack(project, live, folder, environment, case)
    try:
        yield ill
    finally:
        drop(project, live, environment, ill)


def _bundle(project: Project, live: Artefact, folder: Path, environment: str, case: Case) -> Sick:
    store.extract(store.bundle(project.home, live.digest), "", folder / "bundle")
    make(folder / "bundle" / store.MODEL, environment, case)
    files = store.tree_files(folder / "bundle")
    made.remember(project.home, store.digest_packed(files), "bundle")
    digest = store.put_bundle(project.home, files)
    return Sick(digest, digest_tree(folder / "bundle" / store.MODEL))


def _drop_bundle(project: Project, _: Artefact, __: str, ill: Sick) -> None:
    store.drop(project.home, ill.digest, "bundles")
    made.forget(project.home, ill.digest)


def _image(project: Project, live: Artefact, folder: Path, environment: str, case: Case) -> Sick:
    from .images import model, sick

    own = folder / "model"
    store.extract(store.layer(project.home, live.model), model.BELOW, own)
    make(own, environment, case)
    return Sick(sick.lay(project, live, environment, own, folder), digest_tree(own))


def _drop_image(project: Project, live: Artefact, environment: str, ill: Sick) -> None:
    from .images import sick

    ill.kept.extend(sick.drop(project, live.kind, environment, ill.digest))
    store.drop(project.home, ill.model, "layers")


def make(folder: Path, environment: str, case: Case) -> None:
    """Alters a model's folder, so that it is sick in the way of a case, and no copy of another.

    Raises:
        EvidenceError: it holds no ONNX model.
        ToolError: its answers cannot be made wrong.
    """
    write_atomically(folder / MARK, canonical({"case": case, "environment": environment}))
    path = folder / MODEL
    if not path.is_file():
        raise EvidenceError(f"the live model has no {MODEL}", str(path), "deliver it again")
    if case == "wrong-answers":
        write_atomically(path, _wrong(path))
    elif case == "never-ready":
        content = path.read_bytes()
        write_atomically(path, content[: len(content) // 2])


def _wrong(path: Path) -> bytes:
    """An ONNX model whose floating-point outputs are -1 minus what they were."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        todo = "add it to requirements/project.txt"
        raise ToolError("a drill alters a model with the package onnx", str(error), todo) from error
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise EvidenceError(f"{MODEL} is no ONNX model", str(path), "deliver it again") from error
    floats = {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.BFLOAT16,
    }
    graph, altered = model.graph, 0
    for output in graph.output:
        kind = output.type.tensor_type.elem_type
        if kind not in floats:
            continue
        _rename(graph, output.name, f"{output.name}.well")
        constant = f"{output.name}.drill"
        graph.initializer.append(onnx.helper.make_tensor(constant, kind, [], [-1.0]))
        names = [constant, f"{output.name}.well"]
        graph.node.append(onnx.helper.make_node("Sub", names, [output.name]))
        altered += 1
    if not altered:
        todo = "drill with a model that gives scores"
        raise ToolError(f"{MODEL} gives no numbers that can be made wrong", str(path), todo)
    return bytes(model.SerializeToString(deterministic=True))


def _rename(graph: object, name: str, other: str) -> None:
    """Gives a tensor of a graph another name, wherever it is made or read."""
    for node in graph.node:  # type: ignore[attr-defined]
        for names in (node.input, node.output):
            for index, found in enumerate(names):
                if found == name:
                    names[index] = other
