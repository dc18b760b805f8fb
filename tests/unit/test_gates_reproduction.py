"""What a release that was trained again is compared by."""

from dataclasses import replace

from slipway.gates import reproduction, worst
from slipway.gates.reproduction import Made

RELEASED = Made(
    model="sha256:model",
    dataset="md5:data.dir",
    prepared="sha256:prepared",
    pipeline="sha256:pipeline",
    hardware="x86_64 Linux, 2 CPUs",
    files={"model.onnx": "sha256:1", "weights.h5": "sha256:2"},
    environment={"packages": {"numpy": "2.4.0"}, "cpu_flags": ["avx", "fma"]},
)
OTHER = replace(RELEASED, model="sha256:other")


def told(released: Made, found: Made) -> dict[str, str]:
    findings = list(reproduction.judge(released, found))
    return {f"{f.gate} {f.where}": f.outcome for f in findings if f.outcome != "pass"}


def test_the_same_model_passes() -> None:
    findings = list(reproduction.judge(RELEASED, RELEASED))
    assert worst(findings) == "pass"
    assert [f.where for f in findings] == ["model", "data", "prepared", "pipeline"]


def test_what_differs_beside_the_same_model_is_a_warning() -> None:
    assert told(RELEASED, replace(RELEASED, prepared="sha256:x")) == {"prepared prepared": "warn"}


def test_another_model_is_traced_to_files_flags_and_packages() -> None:
    found = replace(
        OTHER,
        files={"model.onnx": "sha256:9", "new.json": "sha256:3"},
        environment={"packages": {"numpy": "2.4.1"}, "cpu_flags": ["avx"]},
        hardware="aarch64 Linux, 8 CPUs",
    )
    assert told(RELEASED, found) == {
        "model model": "block",
        "files model.onnx": "block",
        "files new.json": "block",
        "files weights.h5": "block",
        "environment cpu_flags": "block",
        "environment packages.numpy": "block",
        "hardware hardware": "warn",
    }
    flags = next(f for f in reproduction.judge(RELEASED, found) if f.where == "cpu_flags")
    assert (flags.expected, flags.measured) == ("avx, fma", "avx")


def test_what_the_release_did_not_keep_is_not_taken_for_equal() -> None:
    unknown = replace(RELEASED, prepared="", pipeline="", hardware="", files=None, environment=None)
    assert told(unknown, OTHER) == {
        "model model": "block",
        "files files": "skip",
        "prepared prepared": "skip",
        "pipeline pipeline": "skip",
        "environment environment": "skip",
        "hardware hardware": "skip",
    }
