"""Asks an image, from inside, what it has for a GPU; the container it takes never stays."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ToolError
from .. import docker_host

PROBE = Path(__file__).with_name("gpu_probe.py")
USER = "10001:10001"
TIMEOUT_S = 300.0  # TensorFlow alone takes 20 s to import on a busy machine
MEMORY = "4g"  # the libraries are mapped: gigabytes of them are the page cache's, not this one's
# The driver's parts for computing; which folder they are mounted to is NVIDIA's business.
DEVICES = {"count": -1, "capabilities": [["gpu", "compute", "utility"]]}
# TensorFlow would take all of a device's memory, where another may be at work.
VARIABLES = {
    "HOME": "/tmp",  # noqa: S108  the container's
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}
# the engine's words for it; the second where it looks for devices by CDI
NO_PYTHON = 'exec: "python3"'
NO_RUNTIME = ("could not select device driver", "failed to discover GPU vendor")


def report(
    client: Any,
    image: str,
    *,
    with_gpu: bool,
    runtime: str = "onnxruntime",
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What `gates.image.GpuReport` holds, as the probe found it in a container of the image.

    Args:
        client: of the Docker SDK, see `docker_host.connect`.
        image: what the engine knows it by.
        with_gpu: hands the host's GPUs to the container and runs a step on the first.
        runtime: whose GPU side: "onnxruntime" of serving images, "tensorflow" of training images.
        labels: those that say whose container it is.

    Raises:
        ToolError: the engine failed, has no such image, or has no NVIDIA runtime.
    """
    todo = "make the image again, or look at the engine's log"
    with docker_host.explained("the GPU probe cannot run", image, todo):
        container = client.containers.create(
            image,
            entrypoint=["python3"],
            command=["-c", PROBE.read_text(encoding="utf-8"), runtime, *["device"] * with_gpu],
            device_requests=[DEVICES] if with_gpu else None,
            labels={**(labels or {}), docker_host.ROLE: "trial"},
            **_confined(),
        )
        try:
            if not _started(container, image):
                return {"runtime": runtime, "error": "there is no python3 in it"}
            status = container.wait(timeout=TIMEOUT_S)["StatusCode"]
            out, err = (
                container.logs(stdout=out, stderr=not out).decode("utf-8", "replace")
                for out in (True, False)
            )
            container.reload()
            killed = bool(container.attrs["State"].get("OOMKilled"))
        finally:
            docker_host.remove(container)
    return read_answer(runtime, status, out, "out of memory" if killed else err)


def _confined() -> dict[str, Any]:
    return {
        "user": USER,
        "read_only": True,
        "tmpfs": {"/tmp": "rw,nosuid,nodev,size=256m,mode=1777"},  # noqa: S108  the container's
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": MEMORY,
        "pids_limit": 512,
        "healthcheck": {"test": ["NONE"]},
        "environment": VARIABLES,
    }


def _started(container: Any, image: str) -> bool:
    """Whether it has the Python to start; one that fails stays as `created`, and is the caller's.

    Raises:
        ToolError: the engine failed, or has no NVIDIA runtime.
    """
    try:
        with docker_host.explained("the GPU probe does not start", image, "see the engine's log"):
            container.start()
            return True
    except ToolError as error:
        if NO_PYTHON in error.what:
            return False
        if not any(words in error.what for words in NO_RUNTIME):
            raise
        raise ToolError(
            f"the Docker engine has no NVIDIA runtime: {error.what}",
            image,
            "install the NVIDIA container toolkit and restart the engine, or ask for no device",
        ) from error


def read_answer(runtime: str, status: int, out: str, err: str) -> dict[str, Any]:
    """The probe's answer from what it printed; whatever else it printed or did is an error."""
    lines = [line for line in out.splitlines() if line.startswith("{")]
    try:
        answer = json.loads(lines[-1]) if status == 0 and lines else None
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return answer
    last = " ".join(err.split())[-200:] or "it printed nothing"
    return {"runtime": runtime, "error": f"the probe ended with {status}: {last}"}
