"""Spark that cannot be had, hangs or dies is a tool that failed, soon, and leaves nothing."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slipway import config
from slipway.config import Project
from slipway.errors import ToolError
from slipway.tools import spark
from slipway.tools.frames_spark import Spark
from tests.needs import needs
from tests.projects import ROOT

needs("java")
LIMIT_S = 20.0  # to start Java, and again to get an answer


def asked(tmp_path: Path, **settings: Any) -> Project:
    """This project, its scratch elsewhere, with Spark as its engine."""
    (tmp_path / "delivery.toml").write_bytes((ROOT / "delivery.toml").read_bytes())
    project = config.load(tmp_path)
    given = {"engine": "spark", "spark_memory": "1g", "spark_start_s": 300.0, **settings}
    data = replace(project.config.data, **given)
    return replace(project, config=replace(project.config, data=data))


def running() -> list[str]:
    return [child.name() for child in psutil.Process().children(recursive=True)]


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path: Path) -> Iterator[None]:
    """After each test no Java runs, and no folder of a session is left."""
    yield
    spark.end()
    assert "java" not in running()
    assert not [path for path in (tmp_path / ".slipway/spark").glob("*") if path.is_dir()]


def test_a_master_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(ToolError, match="no Spark master answers: Connection refused"):
        spark.session(asked(tmp_path, spark_master=f"spark://127.0.0.1:{port}"))
    assert time.monotonic() - began < 5


def test_a_master_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        master = f"spark://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ToolError, match="Spark did not start"):
            spark.session(asked(tmp_path, spark_master=master, spark_start_s=LIMIT_S))
    assert time.monotonic() - began < 2 * LIMIT_S + 3 * spark.END_S
    with pytest.raises(ToolError, match="no Spark master answers"):  # and nothing stands in the way
        spark.session(asked(tmp_path, spark_master="spark://127.0.0.1:1"))
    assert Spark(asked(tmp_path)).raw([], {"a": "text"}).count().execute() == 0


def test_without_java_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ToolError, match="Spark needs Java 17, and there is none") as raised:
        spark.session(asked(tmp_path))
    assert len(str(raised.value).splitlines()) == 3
    assert raised.value.exit_code == 4


def test_a_session_that_dies_while_it_is_asked_gives_no_answer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"number": [1, 2, None]}), rows)
    table = Spark(asked(tmp_path)).parquet(rows)
    assert table.count().execute() == 3
    with pytest.raises(Exception, match="CAST_INVALID_INPUT") as refused:
        table.mutate(text="secret" + table.number.cast("string")).text.cast("int").max().execute()
    assert not isinstance(refused.value, ToolError)  # a gate's own mistake is no tool's failure
    (java,) = [c for c in psutil.Process().children(recursive=True) if c.name() == "java"]
    os.kill(java.pid, signal.SIGKILL)
    with pytest.raises(ToolError, match="Spark failed"):
        table.count().execute()
    said = capfd.readouterr()
    assert said.out + said.err == ""
