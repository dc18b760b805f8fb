"""A tiny real model: popularity plus what was bought, in ONNX, with all files of the contract."""

import json
from pathlib import Path

import numpy as np

ITEMS = tuple(f"{n:013d}" for n in range(1, 41))
NAME = "next-basket"
TOLERANCE = 1e-5


def write_model(folder: Path, *, weight: float = 1.0) -> Path:
    """A model folder; another `weight` gives another digest and other scores."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_onnx(folder / "model.onnx", weight)
    _write_reference(folder / "reference.npz")
    signature = {"name": NAME, "k": 10, "tolerance": TOLERANCE}
    (folder / "signature.json").write_text(json.dumps(signature))
    samples = [{"request": request, "answer": expected(folder, request)} for request in REQUESTS]
    (folder / "samples.json").write_text(json.dumps(samples))
    return folder


REQUESTS = (
    {"customer": "00000001"},
    {"customer": "00000002", "k": 3},
    {"customer": "unknown"},
    {"history": [[ITEMS[7], "2001-01-03"], [ITEMS[9], "2001-01-04"]]},
    {"history": [[ITEMS[7], "2001-01-03"]], "as_of": "2001-02-01"},
    {"history": []},
    *({"customer": "00000001", "k": k} for k in (1, 5, 40, 100)),
    *({"customer": "00000002", "as_of": f"1999-09-{day}"} for day in ("05", "20")),
)


def expected(folder: Path, request: dict) -> dict:
    """What the model itself says, by way of the same functions as training."""
    import onnxruntime

    from ml import features

    reference = features.load_reference(folder)
    history = request.get("history")
    asked = features.Request(
        request.get("customer"),
        None if history is None else tuple(map(tuple, history)),
        request.get("as_of"),
    )
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    (scores,) = session.run(["scores"], features.encode(reference, [asked]))
    (pairs,) = features.decode(reference, {"scores": scores}, request.get("k", 10))
    return {"items": [item for item, _ in pairs], "scores": [score for _, score in pairs]}


def _write_reference(path: Path) -> None:
    bought = np.array([0, 1, 2, 2, 5], dtype=np.int64)
    first = 730_000
    np.savez(
        path,
        items=np.array(ITEMS),
        customers=np.array(["00000001", "00000002"]),
        subclass=np.arange(len(ITEMS), dtype=np.int64) % 7,
        as_of=np.int64(first + 30),
        starts=np.array([0, 3, 5], dtype=np.int64),
        bought=bought,
        days=np.array([first, first + 1, first + 2, first, first + 9], dtype=np.int64),
    )


def _write_onnx(path: Path, weight: float) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    count = len(ITEMS)
    popularity = np.linspace(1, 0, count, dtype=np.float32) * weight
    constants = {
        "depth": np.array(count + 1, dtype=np.int64),
        "values": np.array([0, 1], dtype=np.float32),
        "from": np.array([0], dtype=np.int64),
        "to": np.array([count], dtype=np.int64),
        "axis": np.array([1], dtype=np.int64),
        "popularity": popularity,
    }
    nodes = [
        helper.make_node("OneHot", ["items", "depth", "values"], ["bought"], axis=-1),
        helper.make_node("ReduceMax", ["bought", "axis"], ["once"], keepdims=0),
        helper.make_node("Slice", ["once", "from", "to", "axis"], ["known"]),
        helper.make_node("Add", ["known", "popularity"], ["personal"]),
        helper.make_node("Identity", ["pairs"], ["unused_pairs"]),
        helper.make_node("Identity", ["customer"], ["unused_customer"]),
        helper.make_node("Identity", ["personal"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("items", TensorProto.INT64, ["n", "slots"]),
            helper.make_tensor_value_info("pairs", TensorProto.FLOAT, ["n", "slots", "features"]),
            helper.make_tensor_value_info("customer", TensorProto.FLOAT, ["n", "facts"]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", count])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
