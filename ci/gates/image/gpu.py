"""Is all there that it takes to run on a GPU, and does it run where there is one?"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...records import Finding
from ..found import found
from . import GpuReport, ImageEvidence

GATE = "gpu"
# cudaGetDeviceCount where the host, not the image, has nothing: no driver, no device
ABSENT = {35: "no driver here", 100: "no device here"}
STEPS = {"onnxruntime": "inference_ms", "tensorflow": "training_ms"}


@dataclass(frozen=True)
class Settings:
    """Whether readiness is enough."""

    device: bool = False  # a step has to have run on a GPU: the engine needs the NVIDIA runtime


def judge(evidence: ImageEvidence, settings: Settings) -> Iterable[Finding]:
    """The GPU variant's build, libraries, versions and devices; no question for another."""
    if evidence.kind == "bundle" or evidence.variant == "cpu":
        what = "a bundle brings no libraries" if evidence.kind == "bundle" else "variant cpu"
        return [Finding(GATE, "not_applicable", None, "variant gpu", what, "variant")]
    return readiness(evidence.gpu or GpuReport(error="not measured"), settings)


def readiness(report: GpuReport, settings: Settings) -> list[Finding]:
    """The answers about one image, serving or training."""
    return [
        _answered(report),
        _built(report),
        _whole(report),
        *_versions(report),
        _counted(report, settings),
        _ran(report, settings),
    ]


def _answered(report: GpuReport) -> Finding:
    return found(
        GATE,
        "probe",
        good=not report.error and report.runtime in STEPS,
        measured=report.error or report.runtime,
        expected="an answer",
        what=report.error or f"{report.runtime or 'nobody'} answered",
    )


def _built(report: GpuReport) -> Finding:
    built = f"CUDA {report.built_for_cuda}" if report.cuda_build else "no CUDA"
    return found(
        GATE,
        "build",
        good=report.cuda_build and bool(report.built_for_cuda),
        measured=f"{report.runtime} {report.version}: {built}",
        expected="a build for CUDA",
        what=f"{report.runtime or 'the runtime'} {report.version} was built for {built}"
        f" and offers {', '.join(report.providers) or 'nothing'}",
    )


def _whole(report: GpuReport) -> Finding:
    """A library that lacks nothing but the driver is whole as long as there is no driver."""
    stuck = report.waiting if report.driver else ()
    wrong = [*report.broken, *(f"{name}: does not load with the driver" for name in stuck)]
    bad = f"{len(wrong)} broken: {'; '.join(wrong[:3])}" if wrong else "each loads"
    return found(
        GATE,
        "libraries",
        good=report.libraries > 0 and not wrong,
        measured=f"{report.libraries} there, {len(wrong)} broken",
        expected="every CUDA library loads; only the host's driver may lack",
        what=f"{report.libraries} CUDA libraries, {bad}"
        + f", {len(report.waiting)} as soon as the driver is there" * bool(report.waiting),
    )


def _versions(report: GpuReport) -> Iterable[Finding]:
    """Of one major the newer runs what was built for the older; no major runs another's."""
    for where, value, scale, built in (
        ("CUDA", report.cuda, 1000, report.built_for_cuda),
        ("cuDNN", report.cudnn, 10000, report.built_for_cudnn),
    ):
        says = value or "nothing"
        major = str(value // scale) if value > 0 else ""
        yield found(
            GATE,
            where,
            good=bool(major) and major == built.split(".")[0],
            measured=value,
            expected=f"the major of {built or 'a build'}",
            what=f"the {where} that loads says {says}, the build wants {built or '?'}",
        )


def _counted(report: GpuReport, settings: Settings) -> Finding:
    """Whether the CUDA runtime answers; that a host has no GPU is not the image's fault."""
    there = report.device_error == 0 and report.devices > 0
    words = f"{report.devices} devices" if there else ABSENT.get(report.device_error, "no answer")
    return found(
        GATE,
        "devices",
        good=there or (report.device_error in ABSENT and not settings.device),
        measured=report.devices if there else report.device_error,
        expected="1 or more devices" if settings.device else "devices, or the status for none",
        what=f"counting the devices: {words} (status {report.device_error})",
    )


def _ran(report: GpuReport, settings: Settings) -> Finding:
    """Whether a step ran on a device; skipped, and thus unproven, where none was asked for."""
    if not report.asked_device and not settings.device:
        why = "no step on a device was asked for: readiness alone is proven"
        return Finding(GATE, "skip", None, "a step on a device", why, "step")
    step = STEPS.get(report.runtime, "inference_ms")
    spent = float(getattr(report, step))
    return found(
        GATE,
        "step",
        good=report.asked_device and bool(report.device) and 0 < spent < math.inf,
        measured=spent,
        expected="a step on a device, timed",
        what=f"{step.removesuffix('_ms')} on {report.device or 'no device'}: {spent:g} ms",
    )
