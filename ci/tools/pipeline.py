"""The DVC pipeline: what is stale, and `dvc repro` hardened for CI."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, EvidenceError, ToolError
from . import dvc
from .process import Finished

DVC_STAGES = (
    "gate-data",
    "prepare",
    "gate-prepared",
    "train",
    "champion",
    "evaluate",
    "gate-model",
)
EXITED = re.compile(r"failed to run: (.*), exited with (\d+)")
UNREADABLE = re.compile(r"unable to read|not a valid|validation failed|is invalid", re.I)
RUNNING = re.compile(r"^Running stage '([^':]+)'", re.M)
RESTORED = re.compile(r"^Stage '([^':]+)' is cached", re.M)


@dataclass(frozen=True)
class Reproduced:
    """What one `dvc repro` did."""

    ran: tuple[str, ...]
    restored: tuple[str, ...]
    blocked_by: str = ""  # the command of the gate that said no


def reproduce(
    root: Path,
    targets: tuple[str, ...],
    *,
    force: bool = False,
    line: Callable[[str], None],
) -> Reproduced:
    """Brings DVC stages up to date: restores what the remote has, runs the rest.

    Raises:
        ConfigError, EvidenceError, ToolError: what a DVC stage's command ended with (2, 5, else).
    """
    forced = ["--force", "--single-item"] if force else []
    done = dvc.call(root, "repro", "--pull", *forced, *targets, line=line)
    return _judge(done, root)


def _judge(done: Finished, root: Path) -> Reproduced:
    ran, restored = RUNNING.findall(done.out), RESTORED.findall(done.out)
    failed = EXITED.search(done.out)
    if done.code == 0:
        return Reproduced(tuple(ran), tuple(restored))
    if failed is None and UNREADABLE.search(done.out):
        raise ConfigError(dvc.cause(done), str(root), "mend dvc.yaml, params.yaml or dvc.lock")
    command, code = (failed[1], int(failed[2])) if failed else ("dvc repro", 4)
    if code == 3:
        return Reproduced(tuple(ran), tuple(restored), command)
    where = f"{command} (in {root})"
    if code == 2:
        raise ConfigError(_cause(done.out), where, "mend what it names")
    if code == 5:
        raise EvidenceError(_cause(done.out), where, "restore what it names")
    raise ToolError(_cause(done.out), where, "see the output above; run the command by itself")


def _cause(output: str) -> str:
    """The line that says why: the command's own message, else DVC's."""
    lines = [text.strip() for text in output.splitlines() if text.strip()]
    ours = [text.removeprefix("slipway: ") for text in lines if text.startswith("slipway: ")]
    dvc = [text.removeprefix("ERROR: ") for text in lines if text.startswith("ERROR: ")]
    return (ours or dvc or lines or ["dvc repro failed"])[-1 if ours else 0]


def stale(root: Path) -> dict[str, str]:
    """DVC stage → why it is not up to date; empty where nothing would run.

    A stage whose outs are only missing from the workspace is not named: it can be restored, or
    `dvc repro` runs it. `champion` always runs and is named only for another reason.
    """
    done = dvc.call(root, "status", "--json")
    try:
        status = json.loads(done.out[done.out.index("{") :])
    except ValueError as error:
        raise ConfigError(
            f"DVC cannot read the pipeline: {dvc.cause(done)}",
            str(root / "dvc.yaml"),
            "mend dvc.yaml or params.yaml",
        ) from error
    own = {name: _reason(status.get(name, [])) for name in DVC_STAGES}
    needed = dvc.needs(root)
    reasons: dict[str, str] = {}
    for name in DVC_STAGES:  # in the order of the pipeline
        before = [earlier for earlier in needed.get(name, ()) if earlier in reasons]
        if own[name] or before:
            reasons[name] = own[name] or f"after {', '.join(before)}"
    return reasons


def _reason(changes: list[object]) -> str:
    reasons = []
    for change in changes:
        if isinstance(change, str):
            reasons += [] if change == "always changed" else [change]
        elif isinstance(change, dict):
            for paths in change.values():
                named = paths if isinstance(paths, dict) else {str(paths): "modified"}
                reasons += [f"{path} {what}" for path, what in _flat(named) if what != "deleted"]
    return "; ".join(reasons)


def _flat(paths: dict[str, object]) -> list[tuple[str, str]]:
    """`{path: state}` or, for parameters, `{file: {key: state}}` as pairs."""
    pairs: list[tuple[str, str]] = []
    for path, state in paths.items():
        if isinstance(state, dict):
            pairs += [(f"{path}:{key}", str(value)) for key, value in state.items()]
        else:
            pairs.append((path, str(state)))
    return pairs


def push(root: Path) -> None:
    """Sends outs and run-cache to the remote at once, so that other builds restore them."""
    done = dvc.call(root, "push", "--quiet", "--run-cache")
    if done.code:
        raise ToolError(f"dvc push failed: {dvc.cause(done)}", str(root), "check the DVC remote")
