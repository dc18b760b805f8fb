"""What runs an ibis expression: DuckDB in this process, or Spark; the answers are the same.

`params.yaml` names the engine in a table of its own, which no DVC stage depends on: another engine
prepares the same bytes, so nothing is made again.
"""

import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .errors import EngineError, InputError
from .params import FILE, Engine

THREADS = 2  # of DuckDB: what a CI agent has; more do not help 800,000 rows
BATCH = 1 << 18  # rows that come from DuckDB at once
CHUNK = 1 << 22  # characters that are decoded at once
PATIENCE_S = 5.0  # for a Spark master to take a connection
ADDRESS = re.compile(r"([^,/]+):([0-9]{1,5})")
REASON = re.compile(r"^(?!\s+at ).*(Exception|Error|No such file|not found|not set).*$", re.M)
NO_TABLE = "not a table of purchases"
LOOK = "run 'slipway gate data': it says what is wrong"


class Connection(Protocol):
    """An engine at work."""

    def texts(self, path: Path, names: list[str]) -> Any:
        """The lines of a CSV file, every value a text; `names` is its header."""

    def hold(self, table: Any) -> Any:
        """The same table, worked out once and kept until the engine ends."""

    def arrow(self, table: Any) -> Iterator[Any]:
        """The rows in their order, as Arrow record batches."""


@contextmanager
def opened(settings: Engine) -> Iterator[Connection]:
    """The engine that is asked for, until the block ends.

    Raises:
        EngineError: it cannot be had, or fails at work.
    """
    if settings.name == "spark":
        with _spark(settings) as spark:
            yield spark
    else:
        with _duckdb(settings) as duckdb:
            yield duckdb


@dataclass(frozen=True)
class DuckDB:
    """DuckDB; what does not fit the memory goes to a folder that is gone afterwards."""

    backend: Any

    def texts(self, path: Path, names: list[str]) -> Any:
        """The lines of a CSV file."""
        dialect = {"delim": ",", "quote": '"', "escape": '"', "auto_detect": False}
        columns = dict.fromkeys(names, "VARCHAR")
        return self.backend.read_csv(str(path), columns=columns, header=True, **dialect)

    def hold(self, table: Any) -> Any:
        """The same table, worked out once."""
        from ibis.util import gen_name

        return self.backend.create_table(gen_name("held"), table, temp=True)

    def arrow(self, table: Any) -> Iterator[Any]:
        """The rows in their order."""
        yield from self.backend.con.sql(self.backend.compile(table)).to_arrow_reader(BATCH)


@contextmanager
def _duckdb(settings: Engine) -> Iterator[DuckDB]:
    import duckdb
    import ibis

    with tempfile.TemporaryDirectory(prefix="prepare-") as folder, ExitStack() as stack:
        memory = {"memory_limit": f"{settings.memory_mb}MiB", "temp_directory": folder}
        backend = ibis.duckdb.connect(threads=THREADS, **memory)
        stack.callback(backend.disconnect)
        backend.raw_sql("SET enable_progress_bar = false")
        try:
            yield DuckDB(backend)
        except duckdb.InvalidInputException as error:
            raise _no_table(str(error), r'file = (.+)|file "([^"]+)"') from error
        except duckdb.Error as error:
            where, todo = f"DuckDB, {FILE}: engine.memory_mb", "give it more memory or disk"
            raise EngineError(_first_line(error), where, todo) from error


@dataclass(frozen=True)
class Spark:
    """Spark, on this machine or a cluster."""

    backend: Any
    session: Any

    def texts(self, path: Path, names: list[str]) -> Any:
        """The lines of a CSV file."""
        _decode(path)
        strict = {"mode": "FAILFAST", "quote": '"', "escape": '"', "enforceSchema": True}
        schema = ", ".join(f"`{name.replace('`', '``')}` STRING" for name in names)
        where = path.resolve().as_uri()
        return self.backend.read_csv(where, inferSchema=False, schema=schema, **strict)

    def hold(self, table: Any) -> Any:
        """The same table, worked out once; how it came about is forgotten, so plans stay small."""
        from ibis.util import gen_name

        name = gen_name("held")
        self._frame(table).localCheckpoint().createOrReplaceTempView(name)
        return self.backend.table(name)

    def arrow(self, table: Any) -> Iterator[Any]:
        """The rows in their order."""
        yield from self._frame(table).toArrow().to_batches()

    def _frame(self, table: Any) -> Any:
        return self.session.sql(self.backend.compile(table))


@contextmanager
def _spark(settings: Engine) -> Iterator[Spark]:
    _reach(settings.spark_master)
    with tempfile.TemporaryDirectory(prefix="prepare-") as folder, ExitStack() as stack:
        session = _session(settings, Path(folder))
        stack.callback(session.stop)
        import ibis
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        backend = ibis.pyspark.connect(session)
        try:
            yield Spark(backend, session)
        except (PySparkException, Py4JError) as error:
            if "MALFORMED" in str(error) or "FAILED_READ_FILE" in str(error):
                raise _no_table("a line has not as many values as the header", "") from error
            where = f"Spark at {settings.spark_master}"
            raise EngineError(_first_line(error), where, "look at its log") from error


def _session(settings: Engine, folder: Path) -> Any:
    """A Spark session; what its Java says while it starts is kept for the message."""
    where = f"{FILE}: engine.spark_master {settings.spark_master}"
    log = folder / "spark.log"
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EngineError("pyspark is not installed", where, "run 'make env'") from error
    builder = SparkSession.builder.master(settings.spark_master).appName("prepare")
    for name, value in _configuration(settings, folder).items():
        builder = builder.config(name, value)
    try:
        with _errors_into(log):
            session = builder.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
    except Exception as error:  # of Py4J, PySpark or the system, as the case may be
        said = REASON.search(log.read_text(errors="replace"))
        reason = said[0].strip() if said else _first_line(error)
        todo = "install Java 17, and name a master that answers"
        raise EngineError(f"Spark does not start: {reason[:200]}", where, todo) from error
    return session


def _configuration(settings: Engine, folder: Path) -> dict[str, str]:
    local = settings.spark_master.startswith("local")
    alone = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "4",
    }
    return {
        "spark.driver.memory": f"{settings.memory_mb}m",
        "spark.driver.maxResultSize": "0",  # the tables come here as a whole
        "spark.local.dir": tempfile.gettempdir(),  # Spark clears up there when its Java ends
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.csv.parser.columnPruning.enabled": "false",  # a ragged line is seen
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **(alone if local else {}),
    }


def _reach(master: str) -> None:
    """Asks a standalone master for a connection: Spark itself would try for a minute and die.

    Raises:
        EngineError: no master takes it.
    """
    if not master.startswith("spark://"):
        return
    for host, port in ADDRESS.findall(master.removeprefix("spark://")):
        try:
            socket.create_connection((host, int(port)), PATIENCE_S).close()
            return
        except (OSError, OverflowError):
            continue
    where = f"{FILE}: engine.spark_master {master}"
    raise EngineError("no Spark master answers", where, "start it, or name one that runs")


@contextmanager
def _errors_into(path: Path) -> Iterator[None]:
    """Lets what is started here write its errors to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with path.open("wb") as stream:
            os.dup2(stream.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _decode(path: Path) -> None:
    """Looks that a file is UTF-8: Spark takes any bytes, and DuckDB does not.

    Raises:
        InputError: it is not.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            while stream.read(CHUNK):
                pass
    except UnicodeDecodeError as error:
        raise InputError(f"{NO_TABLE}: it is not UTF-8", str(path), LOOK) from error


def _no_table(said: str, file: str) -> InputError:
    found = re.search(file, said) if file else None
    where = next(filter(None, found.groups())) if found else "the raw data"
    return InputError(f"{NO_TABLE}: {said.splitlines()[0]}", where, LOOK)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
