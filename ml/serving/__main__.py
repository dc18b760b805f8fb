"""The server's command line."""

import argparse
import asyncio
import errno
import gc
import logging
import os
import socket
import sys
from pathlib import Path

from .app import application
from .model import LoadError, load
from .server import serve
from .telemetry import Identity, Traffic


def main() -> int:
    """Serves until SIGTERM, then 0; 2 where the model cannot be loaded, 4 without its port."""
    parser = argparse.ArgumentParser(prog="python -m ml.serving", description=__doc__)
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--drain-s", type=float, default=10.0, help="time that SIGTERM leaves to open requests"
    )
    args = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    identity = Identity(
        os.environ.get("SLIPWAY_RELEASE", "none"), os.environ.get("SLIPWAY_DIGEST", "none")
    )
    try:
        served = load(args.model_dir)
        _check_free(args.host, args.port)
    except LoadError as error:
        return _fail(2, str(error), str(args.model_dir), "train the model again")
    except OSError as error:
        where = f"{args.host}:{args.port}"
        in_use = error.errno == errno.EADDRINUSE
        return _fail(4, str(error), where, "use another port" if in_use else "use another host")
    gc.freeze()  # what is loaded stays: no collection has to look at it again
    traffic = Traffic()
    app = application(served, identity, traffic)
    asyncio.run(serve(app, args.host, args.port, traffic, drain_s=args.drain_s))
    return 0


def _check_free(host: str, port: int) -> None:
    """Raises OSError where someone listens: the server itself shares ports without a word."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _fail(code: int, what: str, where: str, todo: str) -> int:
    print(f"{what}\n  where: {where}\n  to do: {todo}", file=sys.stderr)
    return code


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Every answer is out. The interpreter's own end may abort (SIGABRT, seen on a busy machine):
    # threads of the HTTP server's runtime are still there while it takes itself apart.
    os._exit(code)
