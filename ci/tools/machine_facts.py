"""What this machine has of what a delivery needs; nothing is changed here."""

import contextlib
import importlib.util
import os
import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..config import Project, java
from ..errors import SlipwayError
from . import daemons, docker_host, engines
from .process import run

QUICK_S = 10.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOGINS = (".netrc", ".aws/credentials", ".ssh/id_ed25519", ".ssh/id_rsa", ".ssh/id_ecdsa")
SECRET_KEYS = ("password", "secret_access_key", "access_key_id", "token", "connection_string")


@dataclass(frozen=True)
class Folder:
    """A folder that slipway writes to, or the nearest one above it that is there."""

    path: str
    writable: bool
    free_gb: float
    open_to_all: bool  # others may write there


@dataclass(frozen=True)
class Port:
    """An environment's port on this machine."""

    number: int
    free: bool
    ours: bool  # the environment's own service listens there
    holder: str  # who else does


@dataclass(frozen=True)
class Machine:
    """One machine, measured."""

    python: tuple[int, int, int]
    venv: bool
    programs: dict[str, str]  # name → the first line of its version; empty: it is not there
    git_user: str  # empty: git does not know who commits
    memory_gb: float
    cores: int
    home: Folder
    cache: Folder
    loose: tuple[str, ...]  # files with a login that others may read
    ports: dict[str, Port]  # environment → its port
    gpu_driver: str  # empty: none
    gpu_runtime: bool  # the Docker engine's
    future_s: float  # how far the last commit is ahead of the clock
    browser: str
    # of a project whose gates ask Spark; empty: it is not there
    java: str = ""  # the first line of its version
    pyspark: str = ""  # its version


def measure(project: Project) -> Machine:
    """Measures this machine, in a second or two."""
    import psutil

    programs = {name: _version(project, name) for name in ("git", "make")}
    programs["dvc"] = metadata.version("dvc") if shutil.which("dvc") else ""
    return Machine(
        python=(sys.version_info[0], sys.version_info[1], sys.version_info[2]),
        venv=all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        programs=programs,
        git_user=_git_user(project) if programs["git"] else "",
        memory_gb=psutil.virtual_memory().total / 1e9,
        cores=os.cpu_count() or 1,
        home=_folder(project.home),
        cache=_folder(project.cache),
        loose=tuple(_loose(project)),
        ports=dict(_ports(project)),
        gpu_driver=_driver(project),
        gpu_runtime=_runtime(project),
        future_s=_future_s(project) if programs["git"] else 0.0,
        browser=next((found for found in map(shutil.which, BROWSERS) if found), ""),
        **(_spark(project) if project.config.data.engine == "spark" else {}),
    )


def _spark(project: Project) -> dict[str, str]:
    """What Spark needs of a machine; elsewhere nobody asks."""
    found = {"java": _version(project, java()) if java() else ""}
    with contextlib.suppress(metadata.PackageNotFoundError):
        found["pyspark"] = metadata.version("pyspark")
    return found


def _version(project: Project, name: str) -> str:
    try:
        done = run([name, "--version"], cwd=project.root, timeout_s=QUICK_S)
    except SlipwayError:
        return ""
    lines = (done.out or done.err).strip().splitlines()
    return (lines[0] if lines else name) if done.code == 0 else ""


def _git_user(project: Project) -> str:
    done = run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=project.root, timeout_s=QUICK_S)
    return done.out.partition(">")[0].strip() + ">" if done.code == 0 else ""


def _folder(path: Path) -> Folder:
    there = next(p for p in (path, *path.parents) if p.is_dir())
    others = there == path and bool(there.stat().st_mode & stat.S_IWOTH)
    free = shutil.disk_usage(there).free / 1e9
    return Folder(str(path), os.access(there, os.W_OK | os.X_OK), free, others)


def _loose(project: Project) -> Iterator[str]:
    """Files with a login that others than their owner may read."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (there may be no home)
    docker, local = project.docker_config / "config.json", project.root / ".dvc" / "config.local"
    named = [home / name for name in LOGINS]
    for path, words in ((docker, ('"auth"',)), (local, SECRET_KEYS)):
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            named += [path] if any(word in text for word in words) else []
    for path in named:
        with contextlib.suppress(OSError):
            if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
                yield str(path)


def _ports(project: Project) -> Iterator[tuple[str, Port]]:
    for name, settings in project.config.environments.items():
        if not settings.port or settings.docker_host:  # none, or on another machine
            continue
        free, ours = _free(settings.port), False
        if not free:
            with contextlib.suppress(SlipwayError):
                ours = engines.engine_of(project, name).live() is not None
        holder = "" if free or ours else daemons.listener(settings.port)
        yield name, Port(settings.port, free, ours, holder)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _driver(project: Project) -> str:
    """The NVIDIA driver's version, as the kernel or its tool has it."""
    with contextlib.suppress(OSError):
        return Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    with contextlib.suppress(SlipwayError):
        done = run(ask, cwd=project.root, timeout_s=QUICK_S)
        return done.out.strip().partition("\n")[0] if done.code == 0 else ""
    return ""


def _runtime(project: Project) -> bool:
    host = project.docker_host
    if not docker_host.answers(host):
        return False
    with contextlib.suppress(SlipwayError), docker_host.explained("", host, ""):
        return "nvidia" in (docker_host.connect(host).info().get("Runtimes") or {})
    return False


def _future_s(project: Project) -> float:
    done = run(["git", "log", "-1", "--format=%ct"], cwd=project.root, timeout_s=QUICK_S)
    said = done.out.strip()
    return float(said) - time.time() if said.isdigit() else 0.0
