"""The one Spark session of this process: quiet, started within bounds, gone at its end."""

import atexit
import contextlib
import fcntl
import functools
import logging
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from ..config import Project, java
from ..errors import ToolError
from ..settings import FILE, Data
from . import locks

T = TypeVar("T")
CONNECT_S = 10.0  # for a master to take a connection
THREAD = "spark-"
END_S = 10.0  # for Java to end by itself
NODE = re.compile(r"([^:,/]+):(\d+)")
SAID = re.compile(r"Reason: (.+)|Caused by: (.+)|Exception: (.+)|(Error: .+)")
ELSE = f'or set [data] engine = "pandas" in {FILE}'


@dataclass(frozen=True)
class Live:
    """A session, the Java process that it lives in, and the folder that goes with it."""

    session: Any
    gateway: Any
    folder: Path
    lease: IO[str]


_live: list[Live] = []  # none or one: Spark has one context a process


def session(project: Project) -> Any:
    """The session of this process, started now if there is none.

    Raises:
        ToolError: Java or pyspark is not here, or the master does not answer in time.
    """
    if not _live:
        _live.append(_started(project))
        atexit.register(end)
    return _live[0].session


def folder() -> Path:
    """A folder of this session alone, which its executors read too; it goes with the session."""
    return _live[0].folder


def end() -> None:
    """Ends the session, Java and what it kept on disk; does nothing where there is none."""
    while _live:
        live = _live.pop()
        with contextlib.suppress(Exception):  # it may be dead already
            bounded(live.session.stop, END_S, "end")
        _kill(live.gateway)
        live.lease.close()
        shutil.rmtree(live.folder, ignore_errors=True)


def explained(ask: Callable[..., T]) -> Callable[..., T]:
    """A way to ask Spark whose failures are those of a tool, and no gate's answer."""

    @functools.wraps(ask)
    def asking(*words: Any, **options: Any) -> T:
        from py4j.protocol import Py4JError

        try:
            return ask(*words, **options)
        except (Py4JError, OSError) as error:  # what Spark refuses to compute comes as another kind
            todo = f"give it more memory ([data] spark_memory), look at the cluster, {ELSE}"
            raise ToolError(f"Spark failed: {_said(error)}", FILE, todo) from error

    return asking


def _said(error: BaseException) -> str:
    """An error in one line: of a Java exception's many its own message."""
    lines = str(error).splitlines() or [type(error).__name__]
    own = [line.removeprefix(": ") for line in lines if line.startswith(": ")]
    return (own or lines)[0][:200]


def bounded(
    work: Callable[[], T], limit_s: float, name: str, undo: Callable[[T], object] = lambda _: None
) -> T:
    """What a call gives, or an error once its time is over; the call itself may hang on.

    Args:
        undo: takes what it gives all the same, later.

    Raises:
        TimeoutError: it took longer than `limit_s`.
    """
    answers: list[T] = []
    errors: list[BaseException] = []
    lock, late = threading.Lock(), threading.Event()

    def run() -> None:
        try:
            answer = work()
        except BaseException as error:
            errors.append(error)
            return
        with lock:
            answers.append(answer)
        if late.is_set():
            undo(answer)

    thread = threading.Thread(target=run, name=THREAD + name, daemon=True)
    thread.start()
    thread.join(limit_s)
    with lock:
        if not answers:
            late.set()
    if errors:
        raise errors[0]
    if late.is_set():
        raise TimeoutError(f"no answer within {limit_s:g} s")
    return answers[0]


def _join(name: str) -> None:
    """Lets a call that was given up end, once what it waited for is gone."""
    for thread in threading.enumerate():
        if thread.name == THREAD + name:
            thread.join(END_S)


def _started(project: Project) -> Live:
    data = project.config.data
    if not java():
        raise ToolError("Spark needs Java 17, and there is none", "PATH", f"install it, {ELSE}")
    _reach(data.spark_master)
    own, lease = _own_folder(project)
    gateway = None
    try:
        limit = data.spark_start_s
        gateway = bounded(lambda: _launched(data, own), limit, "launch", _kill)
        made = bounded(lambda: _session(data, own, gateway), limit, "start")
        return Live(made, gateway, own, lease)
    except ImportError as error:
        raise ToolError("pyspark is not installed", FILE, f"run 'make env', {ELSE}") from error
    except Exception as error:  # whatever Java, Py4J or Spark raise
        why = _reason(own, error)
        if gateway:
            _kill(gateway)
            _join("start")
        lease.close()
        shutil.rmtree(own, ignore_errors=True)
        todo = f"start the cluster, mend [data] spark_master, {ELSE}"
        raise ToolError(f"Spark did not start: {why}", data.spark_master, todo) from error


def _reach(master: str) -> None:
    """Asks the masters of a standalone cluster for a connection: Spark itself takes a minute."""
    if not master.startswith("spark://"):
        return
    said = "no host:port"
    for host, port in NODE.findall(master.removeprefix("spark://")):
        try:
            with socket.create_connection((host, int(port)), CONNECT_S):
                return
        except OSError as error:
            said = error.strerror or str(error)
    todo = f"start the cluster, mend [data] spark_master in {FILE}, {ELSE}"
    raise ToolError(f"no Spark master answers: {said}", master, todo)


def _own_folder(project: Project) -> tuple[Path, IO[str]]:
    """A new folder for this process; those of processes that were killed go."""
    named = project.config.data.spark_folder
    base = Path(named) if named else project.scratch / "spark"
    with locks.held(base / ".lock"):
        for left in base.iterdir():
            if left.is_dir():
                _sweep(left)
        own = Path(tempfile.mkdtemp(dir=base)).resolve()
        lease = (own / "lease").open("w")
        fcntl.flock(lease, fcntl.LOCK_EX)
    return own, lease


def _sweep(left: Path) -> None:
    with (left / "lease").open("a") as stream, contextlib.suppress(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)


def _launched(data: Data, own: Path) -> Any:
    """A Java process with Spark in it, and the way to it; what it writes goes into a log."""
    from pyspark import java_gateway

    launch: Any = java_gateway.launch_gateway
    with (own / "log").open("wb") as log:
        return launch(_conf(data, own), {"stdout": log, "stderr": log})


def _session(data: Data, own: Path, gateway: Any) -> Any:
    """A session that has answered once."""
    from pyspark import SparkContext
    from pyspark.logger import PySparkLogger
    from pyspark.sql import SparkSession

    # it prints what Spark refuses to compute, with the values at hand
    PySparkLogger.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    made = SparkSession(SparkContext(conf=_conf(data, own), gateway=gateway))
    _ask(made, own)
    return made


def _conf(data: Data, own: Path) -> Any:
    from pyspark import SparkConf

    return SparkConf(loadDefaults=False).setAll(list(_properties(data, own).items()))


def _ask(made: Any, own: Path) -> None:
    """A first answer: a master without workers gives none, nor workers without this folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"one": [1]}), own / "first.parquet")
    if made.read.parquet(str(own / "first.parquet")).where("one = 1").count() != 1:
        raise ValueError("the executors do not read what is written here")


def _properties(data: Data, own: Path) -> dict[str, str]:
    """Spark's own settings: nothing on the terminal, nothing to listen for strangers, UTC."""
    quiet = {
        "spark.app.name": "slipway",
        "spark.master": data.spark_master,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.maxResultSize": "0",  # its memory is the limit
        "spark.driver.memory": data.spark_memory,
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(own / "warehouse"),
    }
    if data.spark_master.startswith("local"):
        quiet["spark.driver.host"] = quiet["spark.driver.bindAddress"] = "127.0.0.1"
        quiet["spark.local.dir"] = str(own)
        quiet["spark.sql.shuffle.partitions"] = "8"  # 200 is for clusters
    return {**quiet, **data.spark}


def _kill(gateway: Any) -> None:
    """Ends Java: it goes when its input is closed, or else it is made to."""
    from pyspark import SparkContext

    if SparkContext._gateway is gateway:  # its own memory of the one that goes
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    with contextlib.suppress(Exception):
        gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(END_S)
    except Exception:
        gateway.proc.kill()
        gateway.proc.wait()


def _reason(own: Path, error: Exception) -> str:
    """Why there is no session, in one line: what Java wrote, else what Python says."""
    with contextlib.suppress(OSError):
        text = (own / "log").read_text(encoding="utf-8", errors="replace")
        if found := [word for groups in SAID.findall(text) for word in groups if word]:
            return str(found[-1]).strip()[:200]
    return _said(error)
