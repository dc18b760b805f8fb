"""The DVC pipeline: what is stale, and `dvc repro` hardened for CI."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import Project
from ..errors import ConfigError, EvidenceError, ToolError
from ..typed import build, plain
from . import dvc
from .dvc import setup
from .dvc.places import Patience
from .dvc.survey import Survey
from .dvc.task import ANSWER, Answer, Task
from .process import Finished

DVC_STAGES = (
    "reference",
    "gate-data",
    "prepare",
    "gate-prepared",
    "train",
    "champion",
    "evaluate",
    "gate-model",
)
ALWAYS = ("reference", "champion")  # they ask the ledger, whatever stands
EXITED = re.compile(r"failed to run: (.*), exited with (\d+)")
UNREADABLE = re.compile(
    r"unable to read|not a valid|validation failed|is invalid|are missing from|both a dependency",
    re.I,
)
RUNNING = re.compile(r"^Running stage '([^':]+)'", re.M)
RESTORED = re.compile(r"^Stage '([^':]+)' is cached", re.M)


@dataclass(frozen=True)
class Reproduced:
    """What one `dvc repro` did."""

    ran: tuple[str, ...]
    restored: tuple[str, ...]
    blocked_by: str = ""  # the command of the gate that said no


@dataclass(frozen=True)
class Brought:
    """How the data came into the workspace; `lost` says of each path what no place has of it."""

    origin: str
    lost: Mapping[str, str]
    silent: str = ""  # why the remote was not asked to the end


def survey(project: Project, forced: Mapping[str, str], patience: Patience) -> Survey:
    """What each DVC stage would do and where its outs can be had; nothing is run or downloaded.

    Args:
        forced: DVC stage → why it runs whatever stands.
        patience: with the remote.

    Raises:
        ConfigError: DVC cannot read the pipeline.
    """
    import logging

    from dvc.exceptions import DvcException

    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from dvc.repo import Repo

    from .dvc.survey import Surveyor
    from .dvc.worker import places

    root, shared = project.root, setup.readable_cache(project)
    try:
        repo = Repo(str(root))
        _, others = places(repo, str(shared or ""), patience)
        names = _closure(root, DVC_STAGES)
        return Surveyor(repo, others, project.config.data.pointer).look(names, forced)
    except DvcException as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"DVC cannot read the pipeline: {said}",
            str(root / "dvc.yaml"),
            "mend dvc.yaml, dvc.lock or params.yaml",
        ) from error


def reproduce(
    project: Project,
    targets: tuple[str, ...],
    *,
    forced: tuple[str, ...] = (),
    line: Callable[[str], None],
) -> Reproduced:
    """Brings DVC stages up to date: restores what can be had, runs the rest, pushes at once.

    Raises:
        ConfigError, EvidenceError, ToolError: what a DVC stage's command ended with (2, 5, else).
    """
    task = _task(project, stages=_closure(project.root, targets), targets=targets, forced=forced)
    done, answer = _work(project, task, line)
    _raise(answer)
    return _judge(done, project.root)


def bring_data(project: Project) -> Brought:
    """Puts the data that the `.dvc` file names into the workspace, from cache or remote.

    Raises:
        EvidenceError: a place holds other bytes under the name of an object.
        ToolError: DVC fails.
    """
    done, answer = _work(project, _task(project), lambda _: None)
    _raise(answer)
    if answer is None:
        raise ToolError(dvc.cause(done), str(project.root), "mend what it names")
    return Brought(answer.origin, answer.lost, answer.what)


def _task(project: Project, **more: tuple[str, ...]) -> Task:
    shared = setup.readable_cache(project)
    return Task(
        root=str(project.root),
        pointer=project.config.data.pointer,
        shared=str(shared or ""),
        push=not project.change,
        **more,
    )


def _closure(root: Path, targets: tuple[str, ...]) -> tuple[str, ...]:
    """These DVC stages and all before them, a team's own among them; each after what it needs.

    Raises:
        ConfigError: a stage needs what is made of its own outs.
    """
    needs, found = dvc.needs(root), dict[str, None]()

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " → ".join((*above[above.index(name) :], name))
            where, todo = str(root / "dvc.yaml"), "take one of these dependencies away"
            raise ConfigError(f"DVC stages wait for each other: {circle}", where, todo)
        for earlier in needs.get(name, ()):
            if earlier not in found:
                add(earlier, (*above, name))
        found.setdefault(name)

    for name in sorted(targets, key=DVC_STAGES.index):
        add(name, ())
    return tuple(found)


def _work(
    project: Project, task: Task, line: Callable[[str], None]
) -> tuple[Finished, Answer | None]:
    """Lets the worker do a task; its answer is None where DVC failed."""

    def relay(text: str) -> None:
        if not text.startswith(ANSWER):
            line(text)

    words = (f"{__package__}.dvc.worker", json.dumps(plain(task)))
    done = dvc.module(project.root, *words, line=relay)
    answers = [text for text in done.out.splitlines() if text.startswith(ANSWER)]
    found = build(Answer, json.loads(answers[-1].removeprefix(ANSWER))) if answers else None
    return done, found


def _raise(answer: Answer | None) -> None:
    """Raises what the worker refused with."""
    kinds = {kind.__name__: kind for kind in (ConfigError, EvidenceError, ToolError)}
    if answer and answer.kind:
        raise kinds[answer.kind](answer.what, answer.where, answer.todo)


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
    crashed = any(text.startswith("Traceback") for text in lines)
    return (ours or dvc or lines or ["dvc repro failed"])[-1 if ours or crashed else 0]
