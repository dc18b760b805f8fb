"""Runs inside an image, `python3 -c THIS RUNTIME [device]`: one line of JSON on its GPU side.

It has the standard library and whatever the image holds, nothing of slipway.
"""

import ctypes
import importlib
import json
import math
import re
import struct
import sys
import time
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

DRIVER = "libcuda.so.1"  # comes with the host's driver, never with an image
LIBRARY = re.compile(r"(^nvidia/.+|/libonnxruntime_providers_(shared|cuda))\.so(\.\d+)*$")
PACKAGES = {"onnxruntime": "onnxruntime-gpu", "tensorflow": "tensorflow"}
SIDE = 1024  # of the square matrices that are multiplied
PT_LOAD, PT_DYNAMIC, DT_NEEDED, DT_STRTAB = 1, 2, 1, 5


def probe(runtime: str, *, device: bool) -> dict[str, Any]:
    """All that the gate judges; `error` says what could not be asked."""
    found: dict[str, Any] = {"runtime": runtime, "asked_device": device}
    try:
        found |= build_of(runtime)
        if device:
            found |= step_of(runtime)
    except Exception as error:  # whatever is wrong in there is the answer
        found["error"] = f"{type(error).__name__}: {error}"[:300]
    libraries, lost = libraries_of(runtime)
    return found | loaded(libraries, lost)


def build_of(runtime: str) -> dict[str, Any]:
    """What the runtime was built for, in its own words."""
    if runtime == "tensorflow":
        tensorflow: Any = importlib.import_module("tensorflow")
        info = tensorflow.sysconfig.get_build_info()
        return {
            "version": tensorflow.__version__,
            "cuda_build": bool(info.get("is_cuda_build")),
            "built_for_cuda": str(info.get("cuda_version", "")),
            "built_for_cudnn": str(info.get("cudnn_version", "")),
            "providers": ["CUDA"] if tensorflow.test.is_built_with_cuda() else [],
        }
    onnxruntime = importlib.import_module(runtime)
    package = importlib.import_module("onnxruntime.capi.build_and_package_info")
    providers = onnxruntime.get_available_providers()
    return {
        "version": onnxruntime.__version__,
        "cuda_build": "CUDAExecutionProvider" in providers,
        "built_for_cuda": str(getattr(package, "cuda_version", "")),
        "built_for_cudnn": _cudnn_asked(runtime),
        "providers": providers,
        "build_info": onnxruntime.get_build_info()[:300],
    }


def _cudnn_asked(runtime: str) -> str:
    """The cuDNN that the package asks for: ONNX Runtime's build information leaves it out."""
    try:
        lines = _package(runtime).requires or ()
    except PackageNotFoundError:
        return ""  # the package for the CPU has another name
    for line in lines:
        if match := re.match(r"nvidia-cudnn\S*?[~>=]=(\d+)", line):
            return match[1]
    return ""


def _package(runtime: str) -> Distribution:
    return distribution(PACKAGES.get(runtime, runtime))


def libraries_of(runtime: str) -> tuple[list[Path], list[str]]:
    """The CUDA libraries that may be opened, and what is wrong with those that are not whole.

    What should be there: each that the runtime's own package and the packages behind its CUDA
    extras list, and whatever else lies in `nvidia/*/lib`. Some are only opened in the middle of an
    inference, so that no other library's needs would betray that one is gone. Where one was cut,
    none may be opened: the loader would end the process.
    """
    wanted: dict[Path, int | None] = {}
    lost, cut, roots = [], [], set()
    for name in sorted({PACKAGES.get(runtime, runtime), *_nvidia_packages(runtime)}):
        try:
            package = distribution(name)
        except PackageNotFoundError:
            lost.append(f"{name}: this package is not installed")
            continue
        roots.add(Path(str(package.locate_file("."))))
        files = [file for file in package.files or () if LIBRARY.search(file.as_posix())]
        wanted |= {Path(str(file.locate())): file.size for file in files}
    for path in sorted(path for root in roots for path in root.glob("nvidia/*/lib/*.so*")):
        wanted.setdefault(path, None)
    for path, size in wanted.items():
        if not path.is_file():
            lost.append(f"{path.name}: not there")
        elif size is not None and path.stat().st_size != size:
            cut.append(f"{path.name}: {path.stat().st_size} bytes, its package says {size}")
    return [path for path in wanted if path.is_file() and not cut], lost + cut


def _nvidia_packages(runtime: str) -> set[str]:
    """NVIDIA's packages that the runtime's extras name, and those that these need."""
    found: set[str] = set()
    open_ = [PACKAGES.get(runtime, runtime)]
    while open_:
        try:
            lines = distribution(open_.pop()).requires or ()
        except PackageNotFoundError:
            continue
        names = {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in lines}
        fresh = {name for name in names if name.startswith("nvidia-")} - found
        found |= fresh
        open_ += fresh
    return found


def loaded(libraries: list[Path], lost: list[str]) -> dict[str, Any]:
    """What loads, what waits for the driver alone, what is broken, and what the runtime says."""
    handles, failed = _open(libraries)
    paths = {path.name: path for path in failed}
    waiting = [path for path in failed if _waits(path, paths, failed, frozenset())]
    broken = sorted(f"{path.name}: {why}" for path, why in failed.items() if path not in waiting)
    broken = [*sorted(lost), *broken]  # what is gone comes before what misses it
    answers: dict[str, Any] = {
        "libraries": len(libraries),
        "broken": broken,
        "waiting": sorted(path.name for path in waiting),
        "driver": _loads(DRIVER),
    }
    if library := _named(handles, "libcudart"):
        version, count = ctypes.c_int(0), ctypes.c_int(0)
        if library.cudaRuntimeGetVersion(ctypes.byref(version)) == 0:
            answers["cuda"] = version.value
        answers["device_error"] = library.cudaGetDeviceCount(ctypes.byref(count))
        answers["devices"] = count.value
    # cuDNN ends the process where one of its parts is gone
    whole = not any(line.startswith("libcudnn") for line in broken)
    if whole and (library := _named(handles, "libcudnn")):
        library.cudnnGetVersion.restype = ctypes.c_size_t
        answers["cudnn"] = library.cudnnGetVersion()
    return answers


def _open(libraries: list[Path]) -> tuple[dict[str, ctypes.CDLL], dict[Path, str]]:
    """Loads each, again as long as others that it needs have come; name → handle, path → why not.

    They stay open: some name what they need without saying where it lies.
    """
    handles: dict[str, ctypes.CDLL] = {}
    failed = dict.fromkeys(libraries, "")
    while failed:
        before = len(failed)
        for path in list(failed):
            try:
                handles[path.name] = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                del failed[path]
            except OSError as error:
                failed[path] = str(error).replace(str(path.parent), "…")[:200]
        if len(failed) == before:
            break
    return handles, failed


def _named(handles: dict[str, ctypes.CDLL], start: str) -> Any:
    return next((handles[name] for name in sorted(handles) if name.split(".")[0] == start), None)


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _waits(
    path: Path, paths: dict[str, Path], failed: dict[Path, str], above: frozenset[Path]
) -> bool:
    """Whether the driver is all that a library lacks.

    The loader has to have stopped at the driver, and everything else that the library's own header
    names has to load, or wait for the driver alone in its turn. A library beside which another is
    missing as well is broken, although the loader, which names the first, names the driver.
    """
    if path in above or not failed[path].startswith(f"{DRIVER}:"):
        return False
    try:
        names = set(needed(path))
    except (OSError, ValueError, struct.error):
        return False
    others = names - {DRIVER}
    return (DRIVER in names or bool(others & paths.keys())) and all(
        _waits(paths[name], paths, failed, above | {path}) if name in paths else _loads(name)
        for name in others
    )


def needed(path: Path) -> list[str]:
    """The libraries that a 64-bit ELF library names in its dynamic section.

    Raises:
        ValueError, struct.error: it is none.

    Source: System V ABI, "Object files" and "Dynamic section".
    """
    with path.open("rb") as stream:
        head = stream.read(64)
        if head[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path.name} is no 64-bit library")
        start, size, count = struct.unpack_from("<Q14xHH", head, 32)
        stream.seek(start)
        table = stream.read(size * count)
        rows = [struct.unpack_from("<IIQQQQ", table, size * n) for n in range(count)]
        segments = [(row[3], row[2], row[5]) for row in rows if row[0] == PT_LOAD]
        entries: list[tuple[int, int]] = []
        for row in rows:
            if row[0] == PT_DYNAMIC:
                stream.seek(row[2])
                entries = list(struct.iter_unpack("<QQ", stream.read(row[5] // 16 * 16)))
        texts = next(value for tag, value in [*entries, (DT_STRTAB, 0)] if tag == DT_STRTAB)
        base = next(texts - at + offset for at, offset, n in segments if at <= texts < at + n)
        return [_text(stream, base + value) for tag, value in entries if tag == DT_NEEDED]


def _text(stream: Any, at: int) -> str:
    stream.seek(at)
    return str(stream.read(256).split(b"\0", 1)[0].decode())


def step_of(runtime: str) -> dict[str, Any]:
    """An inference or a training step on the first device, checked and timed."""
    times = train() if runtime == "tensorflow" else infer("CUDAExecutionProvider")
    key = "training_ms" if runtime == "tensorflow" else "inference_ms"
    next(times)  # the first pays for what is set up
    spent = sorted(next(times) for _ in range(20))
    return {"device": device_name(), key: spent[len(spent) // 2] * 1e3}


def infer(provider: str) -> Iterator[float]:
    """Seconds of one inference after the other by a provider of ONNX Runtime.

    Raises:
        RuntimeError: another provider took over, or the product is wrong.
    """
    onnxruntime: Any = importlib.import_module("onnxruntime")
    numpy: Any = importlib.import_module("numpy")
    if provider != "CPUExecutionProvider":
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(product_model(SIDE), providers=[provider])
    if session.get_providers()[0] != provider:
        raise RuntimeError(f"{session.get_providers()[0]} took over")
    left, right = numpy.random.default_rng(1).random((2, SIDE, SIDE), dtype=numpy.float32)
    while True:
        started = time.perf_counter()
        (product,) = session.run(None, {"a": left, "b": right})
        seconds = time.perf_counter() - started
        if not numpy.allclose(product, left @ right, rtol=1e-2):
            raise RuntimeError("the product of two matrices is wrong")
        yield seconds


def product_model(side: int) -> bytes:
    """An ONNX model that multiplies two square matrices, written without the `onnx` package.

    Source: onnx.proto3, fields of ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto.
    """

    def matrix(name: bytes) -> bytes:
        dimension = _part(1, _number(1, side))
        tensor = _number(1, 1) + _part(2, dimension + dimension)
        return _part(1, name) + _part(2, _part(1, tensor))

    node = _part(1, b"a") + _part(1, b"b") + _part(2, b"c") + _part(4, b"MatMul")
    inputs = _part(11, matrix(b"a")) + _part(11, matrix(b"b"))
    graph = _part(1, node) + _part(2, b"product") + inputs + _part(12, matrix(b"c"))
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 13))


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def train(place: str = "/GPU:0") -> Iterator[float]:
    """Seconds of one training step after the other by TensorFlow.

    Raises:
        RuntimeError: it ran elsewhere, or the loss did not go down.
    """
    tf: Any = importlib.import_module("tensorflow")
    tf.config.set_soft_device_placement(False)
    with tf.device(place):
        inputs = tf.random.stateless_normal((SIDE, SIDE), (1, 2))
        weights = tf.Variable(tf.zeros((SIDE, SIDE)))
        before = math.inf
        while True:
            started = time.perf_counter()
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(inputs @ weights - inputs))
            weights.assign_sub(100.0 * tape.gradient(loss, weights))
            now = float(loss)
            seconds = time.perf_counter() - started
            if not now < before or not str(weights.device).endswith(place.split("/")[-1]):
                raise RuntimeError(f"loss {before:g} → {now:g} on {weights.device}")
            before = now
            yield seconds


def device_name() -> str:
    """The first device's name, from the driver."""
    driver, name = ctypes.CDLL(DRIVER), ctypes.create_string_buffer(256)
    if driver.cuInit(0) or driver.cuDeviceGetName(name, len(name), 0):
        return ""
    return name.value.decode(errors="replace")


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], device="device" in sys.argv[2:])))
