"""This machine's own registry: one for all models of a user, started on demand, kept running."""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...config import Project, service_environment
from ...errors import ToolError
from ...records import write_atomically
from .. import daemons, locks
from ..daemons import Daemon
from ..process import check

HOST = "127.0.0.1"  # engines take plain HTTP from loopback
PORT = 5000  # preferred
PROGRAMS = ("docker-registry", "registry")  # Debian's name and the project's own
MARK = "X-Slipway-Registry"  # a header of every answer: whose registry this is
START_S = 20.0
STOP_S = 10.0
ANSWER_S = 3.0
RELEASE_S = 2.0
PURGING = {"enabled": True, "age": "24h", "interval": "1h", "dryrun": False}  # it needs all four
LOG_BYTES = 4 << 20  # a log that is larger is put aside at the next start


@dataclass(frozen=True)
class Facts:
    """What is kept about the registry of one folder."""

    id: str
    secret: str  # signs the state of uploads: with the same one they survive a restart
    port: int = 0


def available() -> bool:
    """Whether a registry could be started here."""
    return _program() is not None


def ensure(project: Project) -> str:
    """The address of this user's own registry, started where it does not run.

    Raises:
        ToolError: it is not installed, or does not start.
    """
    folder = folder_of(project)
    known = _facts(folder)
    if known and _answers(known):
        return _address(known)
    with locks.held(folder / "registry.lock"):
        known = _facts(folder) or Facts(secrets.token_hex(8), secrets.token_hex(32))
        if known.port and _answers(known):
            return _address(known)  # another command was quicker
        _end(find(folder), known.port)  # it runs, and does not answer
        return _address(_start(folder, known))


def running(project: Project) -> str:
    """The address of this user's own registry, or nothing where it does not answer."""
    known = _facts(folder_of(project))
    return _address(known) if known and _answers(known) else ""


def stop(project: Project) -> bool:
    """Ends this user's own registry; what it stores stays. Whether there was one."""
    folder = folder_of(project)
    if not folder.exists():
        return False
    with locks.held(folder / "registry.lock"):
        known, found = _facts(folder), find(folder)
        _end(found, known.port if known else 0)
        return bool(found)


@contextlib.contextmanager
def paused(project: Project) -> Iterator[Path]:
    """The folder of this user's own registry while nobody can reach it; then it runs as before.

    Its garbage can be collected in the block: a push that it cut short is tried again.
    """
    folder = folder_of(project)
    with locks.held(folder / "registry.lock"):
        known, found = _facts(folder), find(folder)
        _end(found, known.port if known else 0)
        try:
            yield folder
        finally:
            if found and known:
                _start(folder, known)


def collect_garbage(folder: Path) -> None:
    """Frees the space of what no manifest names; the registry has to be paused.

    Raises:
        ToolError: the registry's own program fails.
    """
    settings = folder / "config.yml"
    program = _program() or PROGRAMS[0]
    check([program, "garbage-collect", settings], cwd=folder, env=service_environment())


def find(folder: Path) -> list[Daemon]:
    """The registry processes of a folder; more than one only after a crash."""
    settings = str(folder / "config.yml")
    return daemons.find(lambda argv: len(argv) == 3 and argv[1:] == ("serve", settings))


def _end(found: list[Daemon], port: int) -> None:
    """Ends processes, and waits until the kernel has taken their port from them."""
    for daemon in found:
        daemons.end(daemon, STOP_S)
    until = time.monotonic() + RELEASE_S
    while found and port and _taken(port) and time.monotonic() < until:
        time.sleep(0.01)


def _start(folder: Path, known: Facts) -> Facts:
    program = _program()
    if program is None:
        raise ToolError(
            "there is no docker-registry on this machine",
            "image.registry in delivery.toml is empty: a registry of this machine is wanted",
            "apt-get install docker-registry, or name a registry there",
        )
    for port in dict.fromkeys((known.port or PORT, PORT, daemons.free_port(HOST))):
        if _taken(port):
            continue
        started = replace(known, port=port)
        _write(folder, started)
        if _serve(folder, program, started):
            return started
    raise ToolError(
        "the registry does not start",
        str(folder / "registry.log"),
        "read the log; mend what it says",
    )


def _serve(folder: Path, program: str, known: Facts) -> bool:
    """Whether a registry now answers at the port; False where somebody else took that first."""
    log = folder / "registry.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    end = log.stat().st_size if log.exists() else 0
    daemon = daemons.start(
        [program, "serve", folder / "config.yml"], cwd=folder, env=service_environment(), log=log
    )
    until = time.monotonic() + START_S
    while not _answers(known):
        if not daemons.alive(daemon) or time.monotonic() > until:
            ended = "did not answer in time" if daemons.alive(daemon) else "ended"
            daemons.end(daemon, 0.0)
            said = _last_words(log, end)
            if "address already in use" in said:
                return False
            todo = "read the log; mend what it says"
            raise ToolError(f"the registry {ended}: {said}", str(log), todo)
        time.sleep(0.01)
    return True


def _write(folder: Path, known: Facts) -> None:
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            # what broken uploads left, else kept for a week
            "maintenance": {"uploadpurging": PURGING},
        },
        "http": {
            "addr": f"{HOST}:{known.port}",
            "secret": known.secret,
            "headers": {MARK: [known.id]},
        },
    }
    mask = os.umask(0o077)  # the secret is this user's
    try:
        for name, content in (("config.yml", settings), ("registry.json", asdict(known))):
            # JSON is YAML: nothing has to be quoted by hand
            text = json.dumps(content, indent=1, sort_keys=True)
            write_atomically(folder / name, text.encode() + b"\n")
    finally:
        os.umask(mask)


def _answers(known: Facts) -> bool:
    """Whether the registry of this very folder answers at its port."""
    connection = http.client.HTTPConnection(HOST, known.port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/v2/")
        answer = connection.getresponse()
        return answer.status == 200 and answer.headers.get(MARK) == known.id
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            return False
        except OSError:
            return True


def _facts(folder: Path) -> Facts | None:
    try:
        content = json.loads((folder / "registry.json").read_bytes())
        return Facts(str(content["id"]), str(content["secret"]), int(content["port"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None  # a crash may have left nothing of it; the storage is what counts


def _last_words(log: Path, start: int) -> str:
    with log.open("rb") as stream:
        stream.seek(start)
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    fatal = [line for line in lines if line.startswith("panic:") or "level=fatal" in line]
    return (fatal or lines or ["it says nothing"])[-1][:300]


def _program() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def folder_of(project: Project) -> Path:
    """Where this user's own registry has its settings and its storage."""
    return project.home.parent / "registry"


def _address(known: Facts) -> str:
    return f"{HOST}:{known.port}"
