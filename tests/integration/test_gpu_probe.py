"""The GPU probe in real containers: what it finds, what it cannot find out, and what it leaves."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway.config import Project
from slipway.errors import ToolError
from slipway.gates.image import GpuReport, gpu
from slipway.tools import docker_host
from slipway.tools.images import base, gpu_probe, proxy, runtime
from slipway.tools.images import gpu as asked
from slipway.typed import build
from tests import needs, surroundings

ROOT = Path(__file__).resolve().parents[2]
LABEL = "slipway.test"


@pytest.fixture(scope="module")
def project() -> Project:
    """This checkout, on the machine's engine."""
    needs.needs(needs.DOCKER, needs.MAKER)
    return surroundings.project(ROOT)


@dataclass(frozen=True)
class Asking:
    """An engine, and a mark on each container that a test makes there."""

    client: Any
    mark: str

    def report(self, image: str, **more: Any) -> GpuReport:
        """The probe's report on an image."""
        options = {"with_gpu": False, "labels": {LABEL: self.mark}, **more}
        return build(GpuReport, asked.report(self.client, image, **options))

    def left(self) -> list[Any]:
        """Containers of this test that are still there, running or not."""
        return list(self.client.containers.list(all=True, filters={"label": LABEL}))


@pytest.fixture
def asking(project: Project) -> Iterator[Asking]:
    """The engine; nothing may be left on it after the test."""
    found = Asking(docker_host.connect(project.docker_host), uuid.uuid4().hex)
    yield found
    assert not [c for c in found.left() if c.labels[LABEL] == found.mark]


def blocked(report: GpuReport) -> set[str]:
    findings = gpu.readiness(report, gpu.Settings())
    return {finding.where for finding in findings if finding.outcome == "block"}


def test_the_serving_image_for_the_cpu_is_refused(project: Project, asking: Asking) -> None:
    report = asking.report(runtime.ensure(project, "cpu", None).id)
    assert report.error == ""
    assert "CPUExecutionProvider" in report.providers
    assert report.broken == ("onnxruntime-gpu: this package is not installed",)
    assert blocked(report) == {"build", "libraries", "CUDA", "cuDNN", "devices"}


@pytest.mark.parametrize("wanted", ["onnxruntime", "tensorflow"])
def test_an_image_without_the_runtime_is_refused(
    project: Project, asking: Asking, wanted: str
) -> None:
    report = asking.report(base.ensure(project), runtime=wanted)
    assert report.error == f"ModuleNotFoundError: No module named '{wanted}'"
    assert blocked(report) == {"probe", "build", "libraries", "CUDA", "cuDNN", "devices"}


def test_an_image_without_python_is_refused(project: Project, asking: Asking) -> None:
    report = asking.report(proxy.ensure(project, project.docker_host))
    assert report.error == "there is no python3 in it"
    assert "probe" in blocked(report)


def test_a_probe_that_is_killed_for_memory_is_an_answer_that_blocks(
    project: Project, asking: Asking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    greedy = tmp_path / "probe.py"
    greedy.write_text("held = [b'x' * (1 << 20) for _ in range(1 << 12)]\n")
    monkeypatch.setattr(asked, "PROBE", greedy)
    monkeypatch.setattr(asked, "MEMORY", "32m")
    report = asking.report(base.ensure(project))
    assert report.error == "the probe ended with 137: out of memory"
    assert "probe" in blocked(report)


def test_a_probe_that_does_not_end_is_a_tool_that_failed(
    project: Project, asking: Asking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "probe.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(asked, "PROBE", slow)
    monkeypatch.setattr(asked, "TIMEOUT_S", 1.0)
    with pytest.raises(ToolError, match="the GPU probe cannot run"):
        asking.report(base.ensure(project))


def test_the_probe_runs_without_rights_network_or_a_writable_root(
    project: Project, asking: Asking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    curious = tmp_path / "probe.py"
    curious.write_text(
        "import json, os\n"
        "status = open('/proc/self/status').read()\n"
        "caps = status.split('CapEff:')[1].split()[0]\n"
        "free = [p for p in ('/', '/usr', '/etc') if os.access(p, os.W_OK)]\n"
        "links = sorted(os.listdir('/sys/class/net'))\n"
        "facts = [os.getuid(), int(caps, 16), free, links, 'NoNewPrivs:\\t1' in status]\n"
        "print(json.dumps({'version': repr(facts)}))\n"
    )
    monkeypatch.setattr(asked, "PROBE", curious)
    assert asking.report(base.ensure(project)).version == "[10001, 0, [], ['lo'], True]"


def test_without_the_nvidia_runtime_it_is_three_lines_and_no_container(
    project: Project, asking: Asking
) -> None:
    image = base.ensure(project)
    if "nvidia" in asking.client.info()["Runtimes"]:
        assert asking.report(image, with_gpu=True).asked_device
        return
    with pytest.raises(ToolError) as caught:
        asking.report(image, with_gpu=True)
    what, where, todo = str(caught.value).splitlines()
    assert what.startswith("the Docker engine has no NVIDIA runtime: ")
    assert where.endswith(image)
    assert "install the NVIDIA container toolkit" in todo


def test_an_image_that_is_not_there_is_a_tool_that_failed(asking: Asking) -> None:
    with pytest.raises(ToolError, match="No such image"):
        asking.report("slipway/there-is-none:0")


def test_the_training_step_learns_on_the_cpu_and_refuses_to_be_moved_there() -> None:
    assert len(list(itertools.islice(gpu_probe.train("/CPU:0"), 21))) == 21
    with pytest.raises(Exception, match="GPU:0"):
        next(gpu_probe.train("/GPU:0"))
