"""DVC stages run anew in a worktree: nothing restored, in the environment of that commit."""

import configparser
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..config import Project, clean_environment
from ..errors import ConfigError, ToolError
from ..records import canonical, write_atomically
from . import dvc
from .process import watch

GATE = "gate-"  # how the stages begin that judge, and compute nothing that a model is made of
NOT_JUDGED = {"outcome": "skip", "why": "this is trained again to compare, not to be delivered"}
LONGEST_S = 24 * 3600.0


def share_settings(project: Project, worktree: Path) -> str:
    """Gives a worktree today's DVC remotes and cache; gives what `[data] remote` is there.

    A remote may have moved since that commit, and its credentials stand in no commit.
    """
    merged = configparser.RawConfigParser(strict=False)
    folder = project.root / ".dvc"
    try:
        merged.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        what = f"malformed: {str(error).splitlines()[0]}"
        raise ConfigError(what, str(folder / "config"), "mend it") from error
    if not merged.has_section("cache"):
        merged.add_section("cache")
    merged["cache"]["dir"] = str(folder / merged["cache"].get("dir", "cache"))
    for name in merged.sections():
        url = merged[name].get("url", "")
        if name.startswith("'remote ") and url and "://" not in url:
            merged[name]["url"] = str(folder / url)
    target = worktree / ".dvc" / "config.local"
    target.parent.mkdir(exist_ok=True)
    target.touch(mode=0o600)  # it may hold credentials
    with target.open("w", encoding="utf-8") as stream:
        merged.write(stream)
    wanted = project.config.data.remote
    named = not wanted or "://" in wanted or f"'remote \"{wanted}\"'" in merged
    return wanted if named else str(project.root / wanted)


def stages(worktree: Path, last: str) -> list[str]:
    """The DVC stages that make what `last` makes, itself among them, in their order.

    Gates make nothing, and neither does what is needed by them alone.

    Raises:
        ConfigError: `dvc.yaml` is missing or malformed, or has no such stage.
    """
    needs = dvc.needs(worktree)
    if last not in needs:
        todo = "reproduce a release whose commit has it"
        raise ConfigError(f"there is no DVC stage '{last}'", str(worktree / "dvc.yaml"), todo)
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name.startswith(GATE):
            return
        for earlier in needs[name]:
            visit(earlier)
        if name not in ordered:
            ordered.append(name)

    visit(last)
    return ordered


def prepare(worktree: Path) -> None:
    """Puts something in place of what gates leave: DVC wants it to be there, nothing reads it."""
    for name, stage in _stages(worktree).items():
        for out in stage.get("outs", ()) if name.startswith(GATE) else ():
            path = str(next(iter(out)) if isinstance(out, dict) else out)
            write_atomically(worktree / path, canonical(NOT_JUDGED))


def _stages(worktree: Path) -> Mapping[str, Any]:
    from ruamel.yaml import YAML

    content = YAML(typ="safe", pure=True).load((worktree / "dvc.yaml").read_text("utf-8"))
    return dict(content["stages"])


def run(worktree: Path, programs: Path, stage: str, line: Callable[[str], None]) -> float:
    """Runs one DVC stage, whatever caches hold, and gives its seconds.

    Args:
        programs: the `bin` of the environment that it runs in.
        line: gets each line of its output.

    Raises:
        ToolError: it failed.
    """
    anew = ["--force", "--single-item", "--no-run-cache", "--no-commit"]
    began = time.monotonic()
    done = watch(
        [sys.executable, "-m", "dvc", "repro", *anew, stage],
        cwd=worktree,
        timeout_s=LONGEST_S,
        line=line,
        env=clean_environment(programs),
    )
    if done.code:
        where = f"dvc repro {stage} (in a worktree of the release's commit)"
        todo = "see the output above: it ran in that commit's own environment"
        raise ToolError(f"'{stage}' failed: {dvc.cause(done)}", where, todo)
    return round(time.monotonic() - began, 1)
