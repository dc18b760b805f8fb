"""S3 servers on loopback: moto's, started as a process of its own, and one that never answers."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BUCKET = "models"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[Mapping[str, str]]:
    """The environment that reaches a new S3 server with one bucket; it ends with the block."""
    port = _free_port()
    program = str(Path(sys.executable).parent / "moto_server")
    with (folder / "s3.log").open("wb") as log:
        server = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    env = _reaching(port)
    try:
        _made(env)
        yield env
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def deaf() -> Iterator[Mapping[str, str]]:
    """The environment that reaches a server which takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield _reaching(server.getsockname()[1])


def _reaching(port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "a secret of the tests",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def client(env: Mapping[str, str]) -> Any:
    """A client of the server, beside DVC's."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_DEFAULT_REGION"],
    )


def _made(env: Mapping[str, str]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    until = time.monotonic() + 60
    while True:
        try:
            client(env).create_bucket(Bucket=BUCKET)
        except (BotoCoreError, ClientError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def keys(env: Mapping[str, str]) -> list[str]:
    """What the bucket holds."""
    pages = client(env).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))
