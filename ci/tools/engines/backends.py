"""The serving processes of one environment; the process table alone says which there are."""

import time
from dataclasses import dataclass
from pathlib import Path

from ...config import installer_environment, service_environment
from ...errors import EvidenceError, ToolError
from .. import daemons, environment, service, store
from ..artefacts import Artefact
from ..daemons import Daemon
from ..process import exit_code
from . import Instance, releases

HOST = "127.0.0.1"  # only the front process asks them
TRIES = 3  # another process may take the free port before ours does
NO_PORT = 4  # what a server ends with that did not get its port
REQUIREMENTS = "requirements/serve.txt"


@dataclass(frozen=True)
class Place:
    """Where and how an environment's processes run."""

    state: Path
    cache: Path
    module: str
    ready_s: float


@dataclass(frozen=True)
class Backend:
    """A serving process, what it serves and where it writes."""

    instance: Instance
    daemon: Daemon
    log: Path


def start(place: Place, artefact: Artefact, *, version: str) -> Backend:
    """A process that serves a bundle and answers.

    Raises:
        EvidenceError: it is no bundle, or its bytes are not those of its digest.
        ToolError: it did not get ready; it was ended, and the message holds its last words.
    """
    digest = artefact.digest
    if artefact.path is None:
        raise EvidenceError(
            f"the process engine runs bundles, this is a {artefact.kind}",
            artefact.reference,
            "run 'slipway image' again where no Docker engine is asked for",
        )
    folder = releases.unpacked(place.state, artefact.path, digest)
    python = environment.ensure(folder / REQUIREMENTS, place.cache, installer_environment())
    for _ in range(TRIES):
        backend = _spawn(place, folder, python / "bin" / "python", digest, version)
        try:
            refused = _await_ready(place, backend)
        except BaseException:
            daemons.end(backend.daemon, 0.0)
            raise
        if not refused:
            return backend
        daemons.end(backend.daemon, 0.0)
        if exit_code(backend.daemon.pid) != NO_PORT:
            break
    raise ToolError(
        f"the service did not get ready: {refused}",
        str(backend.log),
        "read the log; the environment was left as it was",
    )


def _spawn(place: Place, folder: Path, python: Path, digest: str, version: str) -> Backend:
    port = str(daemons.free_port(HOST))
    variables = {"SLIPWAY_RELEASE": version, "SLIPWAY_DIGEST": digest}
    daemon = daemons.start(
        [python, "-m", place.module, folder / store.MODEL, "--host", HOST, "--port", port],
        cwd=folder,
        env={**service_environment(), **variables},
        log=_log(place.state, digest, port),
    )
    return _backend(place.state, daemon, digest, port, version)


def _await_ready(place: Place, backend: Backend) -> str:
    """Nothing once the instance says that it is ready, else why it is not."""
    until = time.monotonic() + place.ready_s
    wanted = (200, backend.instance.digest, backend.instance.version)
    answer = service.Answer(0)
    while time.monotonic() < until:
        if not daemons.alive(backend.daemon):
            code = exit_code(backend.daemon.pid)
            last = _last_words(backend.log)
            return f"it ended with {code}: {last}"
        answer = service.ready(backend.instance.url, timeout_s=max(0.1, until - time.monotonic()))
        if (answer.status, answer.digest, answer.release) == wanted:
            return ""
        time.sleep(0.02)
    said = f"status {answer.status} of {answer.digest or 'nobody'}" if answer.status else "silence"
    return f"{said} after {place.ready_s:g} s"


def running(state: Path) -> list[Backend]:
    """The serving processes that run from a state folder, whoever started them."""
    mark = f"{state / releases.FOLDER}/"
    found = []
    for daemon in daemons.find(lambda argv: any(word.startswith(mark) for word in argv)):
        folder = next(word for word in daemon.argv if word.startswith(mark))
        digest = "sha256:" + folder.removeprefix(mark).partition("/")[0]
        version = daemons.variable(daemon, "SLIPWAY_RELEASE") or "unknown"
        found.append(_backend(state, daemon, digest, daemon.argv[-1], version))
    return found


def end(backend: Backend, drain_s: float) -> None:
    """Ends a process after its last answer, at the latest after `drain_s`; drops its log."""
    daemons.end(backend.daemon, drain_s)
    backend.log.unlink(missing_ok=True)


def _backend(state: Path, daemon: Daemon, digest: str, port: str, version: str) -> Backend:
    name = f"{_short(digest)}-{port}-{daemon.pid}"
    instance = Instance(name, digest, version, f"http://{HOST}:{port}")
    return Backend(instance, daemon, _log(state, digest, port))


def _log(state: Path, digest: str, port: str) -> Path:
    return state / "logs" / f"{_short(digest)}-{port}.log"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").split("\n")
    except OSError as error:
        return f"no log ({error.strerror})"
    return " / ".join([line.strip() for line in lines if line.strip()][-3:]) or "no word"
