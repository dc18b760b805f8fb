"""Builds both GPU images and puts them before the GPU gate, beside two that it has to refuse.

`make gpu-image`; outside CI, since it downloads 3 GB and takes 25 GB of disk while it runs.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway import config
from slipway.config import Project
from slipway.errors import SlipwayError
from slipway.gates import worst
from slipway.gates.image import GpuReport, gpu
from slipway.records import Finding
from slipway.tools import docker_host
from slipway.tools.images import gpu as asked
from slipway.tools.images import runtime, train
from slipway.typed import build

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "bench" / "gpu-image.json"
# Opened by cuDNN itself in the middle of an inference: no other library's needs betray it.
DELETED = "libcudnn_engines_precompiled.so.9"
CRIPPLED = "slipway/crippled:gpu"
LABELS = {docker_host.LABEL + "bench": "gpu-image"}
MEGABYTE = 1e6


@dataclass(frozen=True)
class Case:
    """One image that is put before the gate."""

    name: str
    make: Callable[[Project, Any], str]  # gives what the engine knows the image by
    runtime: str
    expected: str  # the outcome that shows that the gate works


def serving(variant: str) -> Callable[[Project, Any], str]:
    """Makes the serving image of a variant, without a model."""
    return lambda project, _: runtime.ensure(project, variant, None).id


def training(project: Project, _: Any) -> str:
    """Makes the training image."""
    return train.ensure(project)


def crippled(project: Project, client: Any) -> str:
    """Makes a copy of the GPU serving image that lacks one library."""
    remove = (
        f"import glob, os\n(path,) = glob.glob('/opt/*/nvidia/*/lib/{DELETED}')\nos.remove(path)"
    )
    lines = [
        f"FROM {runtime.ensure(project, 'gpu', None).id}",
        "USER 0",
        f"RUN {json.dumps(['python3', '-c', remove])}",
        "USER 10001:10001",
    ]
    content = io.BytesIO("\n".join(lines).encode())
    with docker_host.explained("the crippled image cannot be built", CRIPPLED, "see its message"):
        client.images.build(
            fileobj=content, tag=CRIPPLED, labels=LABELS, rm=True, forcerm=True, network_mode="none"
        )
    return CRIPPLED


CASES = (
    Case("GPU serving image", serving("gpu"), "onnxruntime", "pass"),
    Case("GPU training image", training, "tensorflow", "pass"),
    Case("CPU serving image", serving("cpu"), "onnxruntime", "block"),
    Case(f"GPU serving image without {DELETED}", crippled, "onnxruntime", "block"),
)


def figures(case: Case, project: Project, client: Any, *, device: bool) -> dict[str, Any]:
    """What one image took to make and to judge, and what the gate said."""
    started = time.perf_counter()
    image = case.make(project, client)
    made = time.perf_counter()
    report = asked.report(client, image, with_gpu=device, runtime=case.runtime, labels=LABELS)
    judged = time.perf_counter()
    findings = gpu.readiness(build(GpuReport, report), gpu.Settings(device=device))
    with docker_host.explained("the engine has no size for it", image, "see the engine's log"):
        size = client.images.get(image).attrs["Size"]
    return {
        "image": case.name,
        "reference": image,
        "mb": round(size / MEGABYTE),
        "made_s": round(made - started, 1),
        "gate_s": round(judged - made, 1),
        "outcome": worst(findings),
        "expected": case.expected,
        "findings": [line(finding) for finding in findings],
        "report": report,
    }


def line(finding: Finding) -> str:
    """A finding as the terminal shows it."""
    return f"{finding.outcome:5} {finding.where:10} {finding.message}"


def table(rows: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = ["| image | size | made in | gate | verdict |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row['image']} | {row['mb']:,} MB | {row['made_s']:g} s | {row['gate_s']:g} s "
        f"| {row['outcome']}{blocked(row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def blocked(row: dict[str, Any]) -> str:
    """Where the gate said no."""
    places = [text.split()[1] for text in row["findings"] if text.startswith("block")]
    return f": {', '.join(places)}" if places else ""


def ids(client: Any) -> set[str]:
    """All images of the engine."""
    with docker_host.explained("the engine lists no images", "docker images", "see its log"):
        return {str(image.id) for image in client.images.list()}


def tidy(client: Any, before: set[str], *, keep: bool) -> None:
    """Removes the large images that came since; first the crippled one, which needs another."""
    with docker_host.explained("an image cannot be removed", "docker images", "remove it"):
        if client.images.list(filters={"reference": CRIPPLED}):
            client.images.remove(CRIPPLED, force=True)
        for image in () if keep else client.images.list():
            large = image.labels.get("slipway.variant") in ("gpu", "train-gpu")
            if large and image.id not in before:
                client.images.remove(image.id, force=True)


def judged(project: Project, *, keep: bool, device: bool) -> list[dict[str, Any]]:
    """Every case's figures, printed and written; what was built for them goes, or is kept."""
    client, rows = docker_host.connect(project.docker_host), []
    before = ids(client)
    try:
        for case in CASES:
            rows.append(figures(case, project, client, device=device))
            print(f"{case.name} ({rows[-1]['reference']})", *rows[-1]["findings"], sep="\n  ")
        FIGURES.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
        print(f"\n{table(rows)}")
        return rows
    finally:
        tidy(client, before, keep=keep)


def main() -> int:
    """Builds, judges, prints; 1 where a verdict is not the expected one."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_image", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the images on the engine")
    parser.add_argument("--device", action="store_true", help="run a step on the engine's GPU")
    args = parser.parse_args()
    try:
        rows = judged(config.load(ROOT), keep=args.keep, device=args.device)
    except SlipwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return int(any(row["outcome"] != row["expected"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
