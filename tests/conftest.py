"""What all tests share."""

import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts a job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test touches the user's own environments, ledger or store, or finds Docker by chance."""
    from tests import surroundings  # remembers what is hidden here

    os.environ["DOCKER_HOST"] = surroundings.NOWHERE
    os.environ["SLIPWAY_HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ.pop("SLIPWAY_LEDGER", None)
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        os.environ.setdefault(f"{name}_NAME", "Tester")
        os.environ.setdefault(f"{name}_EMAIL", "tester@example.com")
