"""Which processor answers: the GPU where there is one, else the CPU, and never nobody."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from ml import features
from ml.serving import model
from tests import tiny
from tests.unit.test_serving_app import MODEL, Server, folder, server

__all__ = ["folder", "server"]  # fixtures


def works(served: model.Served) -> bool:
    (found,) = model.answer(served, [features.Request("00000001", None, None)], 3)
    return len(found.items) == 3


def test_the_models_metadata_names_what_computes(server: Server) -> None:
    assert server.ask("GET", MODEL).json()["parameters"]["provider"] == model.CPU


@pytest.mark.parametrize("driver", ["libthere-is-none.so.1", "libc.so.6"])
def test_without_a_working_driver_there_is_no_device(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "DRIVER", driver)
    assert not model.has_device()


@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize("libraries", ["there", "broken"])
def test_a_gpu_that_does_not_come_up_leaves_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libraries: str
) -> None:
    def preload() -> None:
        if libraries == "broken":
            raise OSError("libcublas.so.13: file too short")

    providers = [model.CUDA, *onnxruntime.get_available_providers()]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload)
    monkeypatch.setattr(model, "has_device", lambda: True)
    served = model.load(tiny.write_model(tmp_path / "model"))
    assert served.provider == model.CPU
    assert works(served)


def test_the_gpu_is_asked_for_all_digits_and_only_with_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    def session(path: str, options: Any, providers: list[Any]) -> Any:
        asked.append(providers)
        return real(path, options, providers=[model.CPU])

    folder = tiny.write_model(tmp_path / "model")
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [model.CUDA, model.CPU])
    for there in (False, True):
        monkeypatch.setattr(model, "has_device", lambda there=there: there)
        model.load(folder)
    assert asked == [[model.CPU], [(model.CUDA, {"use_tf32": "0"}), model.CPU]]
