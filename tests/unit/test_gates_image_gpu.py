"""The GPU gate: one table of cases; what the probe did not find never passes."""

import json
import math
import shutil
import struct
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from slipway.gates import configured, judge
from slipway.gates.found import Samples
from slipway.gates.image import GpuReport, gpu
from slipway.records import Outcome
from slipway.tools.images import gpu_probe
from slipway.tools.images.gpu import read_answer
from slipway.typed import build, plain

# As the probe reported the GPU serving image on a machine without a GPU.
READY = GpuReport(
    runtime="onnxruntime",
    version="1.31.1",
    build_info="ORT Build Info: build type=Release",
    cuda_build=True,
    built_for_cuda="13.0",
    built_for_cudnn="9",
    providers=("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
    libraries=22,
    waiting=("libcudnn_engines_runtime_compiled.so.9", "libonnxruntime_providers_cuda.so"),
    cuda=13050,
    cudnn=92801,
    device_error=35,
)
RAN = replace(
    READY,
    waiting=(),
    driver=True,
    device_error=0,
    devices=1,
    asked_device=True,
    device="NVIDIA H100",
    inference_ms=0.4,
)
READINESS, DEVICE = gpu.Settings(), gpu.Settings(device=True)
PLACES = ("probe", "build", "libraries", "CUDA", "cuDNN", "devices", "step")


def evidence(report: GpuReport | None, kind: str = "image", variant: str = "gpu") -> Any:
    """What the gate reads of an image, and what another one does."""
    good = Samples(asked=12, worst=1e-7, tolerance=1e-5, wrong=())
    return SimpleNamespace(kind=kind, variant=variant, gpu=report, samples=good)


def blocked(report: GpuReport | None, settings: gpu.Settings = READINESS) -> set[str]:
    findings = list(gpu.judge(evidence(report), settings))
    assert tuple(f.where for f in findings) == PLACES
    return {f.where for f in findings if f.outcome == "block"}


def test_an_image_that_is_ready_passes_and_says_that_no_step_ran() -> None:
    assert blocked(READY) == set()
    assert [f.where for f in gpu.judge(evidence(READY), READINESS) if f.outcome == "skip"] == [
        "step"
    ]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"error": "the probe ended with 139: segmentation fault"}, ["probe"]),
        ({"runtime": "pytorch"}, ["probe"]),
        ({"cuda_build": False}, ["build"]),
        ({"built_for_cuda": ""}, ["build", "CUDA"]),
        ({"libraries": 0}, ["libraries"]),
        ({"broken": ("libcufft.so.12: not there",)}, ["libraries"]),
        ({"driver": True}, ["libraries"]),  # it is there, and two still wait for it
        ({"driver": True, "waiting": ()}, []),  # too old a driver is the host's fault
        ({"cuda": 12090}, ["CUDA"]),
        ({"cuda": 13000}, []),
        ({"cuda": 0}, ["CUDA"]),
        ({"cuda": -1}, ["CUDA"]),
        ({"cudnn": 89700}, ["cuDNN"]),
        ({"cudnn": 0}, ["cuDNN"]),
        ({"built_for_cudnn": ""}, ["cuDNN"]),
        ({"cudnn": 0, "built_for_cudnn": "0"}, ["cuDNN"]),
        ({"device_error": -1}, ["devices"]),  # nobody answered
        ({"device_error": 999}, ["devices"]),
        ({"device_error": 0}, ["devices"]),  # no error, and no device
        ({"device_error": 100}, []),
        ({"device_error": 0, "devices": 2}, []),
    ],
    ids=str,
)
def test_each_lack_blocks_where_it_is(change: dict[str, Any], wrong: list[str]) -> None:
    assert blocked(replace(READY, **change)) == set(wrong)


def test_an_image_for_the_cpu_is_refused() -> None:
    providers = ("AzureExecutionProvider", "CPUExecutionProvider")
    found = GpuReport(runtime="onnxruntime", version="1.32.0", providers=providers)
    missing = replace(found, broken=("onnxruntime-gpu: this package is not installed",))
    assert blocked(missing) == {"build", "libraries", "CUDA", "cuDNN", "devices"}


def test_nothing_measured_blocks_everywhere_that_is_asked() -> None:
    assert blocked(None) == set(PLACES) - {"step"}
    assert blocked(GpuReport()) == set(PLACES) - {"step"}
    assert blocked(None, DEVICE) == set(PLACES)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, []),
        ({"inference_ms": math.nan}, ["step"]),
        ({"inference_ms": 0.0}, ["step"]),
        ({"inference_ms": math.inf}, ["step"]),
        ({"inference_ms": math.nan, "training_ms": 3.0}, ["step"]),  # another image's step
        ({"runtime": "tensorflow", "inference_ms": math.nan, "training_ms": 3.0}, []),
        ({"device": ""}, ["step"]),
        ({"asked_device": False}, ["step"]),
        ({"device_error": 35, "devices": 0, "driver": False}, ["devices"]),
        ({"device_error": 100, "devices": 0}, ["devices"]),
        ({"error": "RuntimeError: CPUExecutionProvider took over"}, ["probe"]),
    ],
    ids=str,
)
def test_where_a_device_is_wanted_a_step_has_to_have_run(
    change: dict[str, Any], wrong: list[str]
) -> None:
    assert blocked(replace(RAN, **change), DEVICE) == set(wrong)


def test_a_device_that_was_asked_and_gave_no_time_blocks_without_the_setting_too() -> None:
    assert blocked(RAN) == set()
    assert blocked(replace(RAN, inference_ms=math.nan)) == {"step"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"kind": "bundle", "variant": "gpu"}, "not_applicable"),
        ({"kind": "image", "variant": "cpu"}, "not_applicable"),
        ({"kind": "image", "variant": ""}, "block"),
        ({"kind": "local-image", "variant": "gpu"}, "block"),
    ],
)
def test_it_asks_images_of_the_gpu_variant_alone(change: Any, expected: Outcome) -> None:
    gates = configured("image", {"gpu": {}, "samples": {}})
    read = evidence(None, **change)
    verdict = judge(kind="image", of="sha256:image", gates=gates, evidence=read, files={})
    outcomes = {f.outcome for f in verdict.findings if f.gate == "gpu"}
    assert expected in outcomes
    assert verdict.outcome == ("block" if expected == "block" else "pass")


def test_a_report_comes_back_whole_from_a_record() -> None:
    kept = json.loads(json.dumps(plain(RAN)))
    assert kept["training_ms"] is None
    assert plain(build(GpuReport, kept)) == kept


@pytest.mark.parametrize(
    ("status", "out", "says"),
    [
        (139, "", "ended with 139: boom"),
        (1, '{"runtime": "onnxruntime"}', "ended with 1"),
        (0, "", "ended with 0"),
        (0, "{not JSON", "ended with 0"),
    ],
)
def test_a_probe_that_fails_is_a_report_that_blocks(status: int, out: str, says: str) -> None:
    answer = read_answer("onnxruntime", status, out, "boom\n")
    assert says in answer["error"]
    assert "probe" in blocked(build(GpuReport, answer))


def test_what_a_library_prints_beside_the_answer_does_not_count() -> None:
    out = 'loading {x}\n{"runtime": "onnxruntime", "libraries": 3}\n'
    assert read_answer("onnxruntime", 0, out, "")["libraries"] == 3


def test_every_key_of_the_probe_is_a_field_of_the_report(tmp_path: Path) -> None:
    answer = gpu_probe.probe("onnxruntime", device=False)
    assert set(answer) <= set(asdict(GpuReport()))
    assert blocked(build(GpuReport, answer)) >= {"build", "libraries", "CUDA", "cuDNN"}


def library(path: Path, *needs: str) -> Path:
    """A shared library's header that names others, and nothing that could run."""
    texts = b"\0" + b"".join(name.encode() + b"\0" for name in needs)
    starts = [texts.index(b"\0" + name.encode() + b"\0") + 1 for name in needs]
    table = 64 + 2 * 56
    entries = [(5, table), *((1, start) for start in starts), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    at, size = table + len(texts), table + len(texts) + len(dynamic)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQI", 3, 62, 1, 0, 64, 0, 0)
    rows = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    rows += struct.pack("<IIQQQQQQ", 2, 6, at, at, at, len(dynamic), len(dynamic), 8)
    path.write_bytes(head + struct.pack("<HHHHHH", 64, 56, 2, 0, 0, 0) + rows + texts + dynamic)
    return path


def test_the_needs_of_a_library_are_read_from_its_header(tmp_path: Path) -> None:
    path = library(tmp_path / "liba.so.1", "libcuda.so.1", "libb.so.1")
    assert gpu_probe.needed(path) == ["libcuda.so.1", "libb.so.1"]


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (("libcuda.so.1",), True),
        (("libcuda.so.1", "libc.so.6"), True),
        (("libcuda.so.1", "libwaits.so"), True),  # which waits for the driver too
        (("libcuda.so.1", "libgone.so.7"), False),  # the loader names the driver, and stops
        (("libcuda.so.1", "libbroken.so"), False),
        (("libcuda.so.1", "liba.so"), False),  # itself
        (("libwaits.so",), True),  # the loader named the driver for what this one needs
        (("libc.so.6",), False),
        ((), False),
    ],
)
def test_a_library_waits_for_the_driver_only_if_it_lacks_nothing_else(
    tmp_path: Path, needs: tuple[str, ...], expected: bool
) -> None:
    here = library(tmp_path / "liba.so", *needs)
    waits = library(tmp_path / "libwaits.so", "libcuda.so.1")
    broken = library(tmp_path / "libbroken.so", "libgone.so.7")
    driver = "libcuda.so.1: cannot open shared object file: No such file or directory"
    failed = {here: driver, waits: driver, broken: "libgone.so.7: cannot open shared object file"}
    paths = {path.name: path for path in failed}
    assert gpu_probe._waits(here, paths, failed, frozenset()) is expected


def test_a_library_that_fails_for_another_reason_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "liba.so"
    path.write_bytes(b"cut short")
    for why in ("liba.so: file too short", "libcuda.so.1: cannot open shared object file"):
        assert not gpu_probe._waits(path, {path.name: path}, {path: why}, frozenset())


def install(site: Path, name: str, files: Sequence[str] = (), needs: Sequence[str] = ()) -> None:
    """A package as an installer leaves it: its needs, and a list of the files that it put there."""
    folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
    folder.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0", *needs]
    (folder / "METADATA").write_text("\nRequires-Dist: ".join(lines) + "\n")
    (library_file,) = Path(find_spec("orjson").origin).parent.glob("orjson*.so")  # type: ignore
    rows = [f"{folder.name}/METADATA,,"]
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library_file, site / file)
        rows.append(f"{file},sha256=unused,{library_file.stat().st_size}")
    (folder / "RECORD").write_text("\n".join(rows) + "\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image's packages in small: a runtime, two of NVIDIA's, and one that these need."""
    extra = '; extra == "cuda"'
    needs = [f"nvidia-fft~=12.0{extra}", f"nvidia-cudnn-cu13~=9.0{extra}", "numpy"]
    capi = [f"onnxruntime/capi/libonnxruntime_providers_{n}.so" for n in ("cuda", "shared")]
    install(tmp_path, "onnxruntime-gpu", capi, needs)
    install(tmp_path, "nvidia-fft", ["nvidia/cu13/lib/libfft.so.12"])
    install(tmp_path, "nvidia-cudnn-cu13", ["nvidia/nn/lib/libnn.so.9"], ["nvidia-blas"])
    install(tmp_path, "nvidia-blas", ["nvidia/cu13/bin/libblas.so.13"])
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def lacks(runtime: str = "onnxruntime") -> list[str]:
    return list(gpu_probe.loaded(*gpu_probe.libraries_of(runtime))["broken"])


def test_the_libraries_of_the_packages_behind_the_extras_are_looked_for(site: Path) -> None:
    libraries, lost = gpu_probe.libraries_of("onnxruntime")
    names = {"libfft.so.12", "libnn.so.9", "libblas.so.13"}
    providers = {f"libonnxruntime_providers_{n}.so" for n in ("cuda", "shared")}
    assert {path.name for path in libraries} == names | providers
    assert not lost
    assert not lacks()
    assert gpu_probe._cudnn_asked("onnxruntime") == "9"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("nvidia/cu13/lib/libfft.so.12", "libfft.so.12: not there"),
        ("nvidia/cu13/bin/libblas.so.13", "libblas.so.13: not there"),
        ("nvidia_fft-1.0.dist-info", "nvidia-fft: this package is not installed"),
        ("nvidia_blas-1.0.dist-info", "nvidia-blas: this package is not installed"),
        ("onnxruntime_gpu-1.0.dist-info", "onnxruntime-gpu: this package is not installed"),
        (
            "onnxruntime/capi/libonnxruntime_providers_cuda.so",
            "libonnxruntime_providers_cuda.so: not there",
        ),
    ],
)
def test_a_library_or_a_package_that_is_gone_is_named(site: Path, file: str, says: str) -> None:
    path = site / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert says in lacks()


@pytest.mark.parametrize(
    "file",
    ["nvidia/cu13/lib/libfft.so.12", "onnxruntime/capi/libonnxruntime_providers_cuda.so"],
)
def test_a_library_that_was_cut_is_named_and_none_is_opened(site: Path, file: str) -> None:
    path = site / file
    path.write_bytes(path.read_bytes()[:1000])
    libraries, lost = gpu_probe.libraries_of("onnxruntime")
    assert not libraries
    assert [text.partition(", its package says ")[0] for text in lost] == [
        f"{path.name}: 1000 bytes"
    ]
    assert blocked(build(GpuReport, gpu_probe.probe("onnxruntime", device=False))) >= {"libraries"}


def test_a_library_of_no_package_has_to_load_too(site: Path) -> None:
    (site / "nvidia/cu13/lib/libalien.so.1").write_bytes(b"no library")
    (line,) = lacks()
    assert line.startswith("libalien.so.1: ")


def test_the_probe_multiplies_matrices_with_a_model_of_its_own() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(gpu_probe.product_model(3))
    left, right = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    (product,) = session.run(None, {"a": left, "b": right})
    assert np.array_equal(product, left @ right)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_another_took_over_for_is_an_error() -> None:
    assert next(gpu_probe.infer("CPUExecutionProvider")) > 0
    with pytest.raises(RuntimeError, match="CPUExecutionProvider took over"):
        next(gpu_probe.infer("CUDAExecutionProvider"))
