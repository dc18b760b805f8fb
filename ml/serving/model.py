"""A model folder, loaded: requests in, recommendations out."""

import ctypes
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .. import features

PLATFORM = "onnxruntime_onnx"
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
DRIVER = "libcuda.so.1"
log = logging.getLogger("serving")


class LoadError(Exception):
    """A model folder that cannot be served."""


class NoScore(Exception):
    """The model gave NaN or infinity where a score belongs."""


@dataclass(frozen=True)
class Served:
    """One model, ready to answer."""

    name: str
    default_k: int
    tolerance: float
    reference: features.Reference
    session: Any

    @property
    def provider(self) -> str:
        """What computes the answers: ONNX Runtime's name for the CPU or the GPU."""
        return str(self.session.get_providers()[0])


@dataclass(frozen=True)
class Recommendation:
    """The best items for one request, best first.

    Attributes:
        fallback: nothing was known of whom the request is about; popularity decided.
    """

    items: tuple[str, ...]
    scores: tuple[float, ...]
    fallback: bool


def load(folder: Path) -> Served:
    """The model in a folder.

    Raises:
        LoadError: a file is missing or is not what it should be.
    """
    try:
        signature = json.loads((folder / "signature.json").read_bytes())
        return Served(
            name=str(signature["name"]),
            default_k=int(signature["k"]),
            tolerance=float(signature["tolerance"]),
            reference=features.load_reference(folder),
            session=_session(folder / "model.onnx"),
        )
    except Exception as error:  # ONNX Runtime's own errors share no base but this
        reason = " ".join(str(error).split())
        raise LoadError(f"cannot load the model: {type(error).__name__}: {reason}") from error


def _session(path: Path) -> Any:
    """The model on the first GPU where ONNX Runtime and the host both have one, else on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if CUDA in onnxruntime.get_available_providers() and has_device():
        try:
            onnxruntime.preload_dlls()  # lie beside it, where the loader does not look
            # TF32 keeps 10 bits: answers would differ from training's by more than the tolerance
            wanted = [(CUDA, {"use_tf32": "0"}), CPU]
            return onnxruntime.InferenceSession(str(path), options, providers=wanted)
        except Exception as error:  # a GPU that fails takes speed, never the service
            log.warning("the GPU is not used: %s", " ".join(str(error).split()))
    return onnxruntime.InferenceSession(str(path), options, providers=[CPU])


def has_device() -> bool:
    """Whether the host's driver is here and knows of a GPU; cheap where there is none."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(DRIVER)
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return False
    return not failed and count.value > 0


def answer(served: Served, requests: Sequence[features.Request], k: int) -> list[Recommendation]:
    """The k best items for each request.

    Raises:
        NoScore: a score is not a number.
    """
    inputs = features.encode(served.reference, requests)
    names = [output.name for output in served.session.get_outputs()]
    outputs = dict(zip(names, served.session.run(names, inputs), strict=True))
    if any(np.isnan(array).any() for array in outputs.values() if array.dtype.kind == "f"):
        raise NoScore("the model gave NaN")
    best = features.decode(served.reference, outputs, k)
    answers = []
    for request, pairs in zip(requests, best, strict=True):
        scores = tuple(score for _, score in pairs)
        if not all(map(math.isfinite, scores)):
            raise NoScore("the model gave a score that is not finite")
        unknown = features.fallback(served.reference, request)
        answers.append(Recommendation(tuple(item for item, _ in pairs), scores, unknown))
    return answers
