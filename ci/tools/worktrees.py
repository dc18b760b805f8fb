"""A commit in a folder of its own, beside the user's checkout, which it does not touch."""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import EvidenceError, ToolError
from . import git, locks
from .process import Finished, run

REMOTE = "origin"
# No hook of the user's own belongs in here.
GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
FETCH_S = 1800.0
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@contextlib.contextmanager
def of(root: Path, folder: Path, commit: str) -> Iterator[Path]:
    """The project as it was in a commit, below `folder`; gone when the block ends.

    What a killed command left there goes first.

    Args:
        root: the project's folder in the user's checkout.

    Raises:
        EvidenceError: the commit is not here, and the remote does not give it.
        ToolError: the disk is full, or git fails.
    """
    own = folder / str(os.getpid())
    with contextlib.ExitStack() as lease:
        with locks.held(folder / ".lock"):
            _sweep(root, folder)
            own.mkdir(parents=True, exist_ok=True)
            stream = lease.enter_context((own / "lease").open("w"))
            fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            fetch(root, commit)
            checkout = own / "checkout"
            _must(root, "worktree", "add", "--quiet", "--detach", str(checkout), commit)
            inside = _must(root, "rev-parse", "--show-prefix").strip()
            yield checkout / inside
        finally:
            _end(root, own)


def fetch(root: Path, commit: str) -> None:
    """Brings a commit that a shallow clone, or one of another branch, does not have.

    No branch, tag or file of the checkout moves.

    Raises:
        EvidenceError: the remote does not give it.
    """
    if not COMMIT.fullmatch(commit):
        what = f"'{commit}' is no commit"
        raise EvidenceError(what, "the release's event in the ledger", "see 'slipway verify'")
    if git.has(root, commit):
        return
    shallow = _git(root, "rev-parse", "--is-shallow-repository").out.strip() == "true"
    depth = ["--depth=1"] if shallow else []
    options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]
    done = _git(root, "fetch", *options, *depth, REMOTE, commit)
    if done.code or not git.has(root, commit):
        raise EvidenceError(
            f"the commit {commit[:12]} is not in this clone, and {REMOTE} does not give it: "
            f"{_last(done)}",
            f"git fetch {REMOTE} {commit} (in {root})",
            "fetch it from where it is, or run this in a clone that has it",
        )


def _sweep(root: Path, folder: Path) -> None:
    """Removes what commands left that are gone, and git's notes of it."""
    for own in sorted(path for path in folder.iterdir() if path.is_dir()):
        with (own / "lease").open("a") as stream, contextlib.suppress(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end(root, own)


def _end(root: Path, own: Path) -> None:
    checkout = own / "checkout"
    done = _git(root, "worktree", "remove", "--force", str(checkout))
    shutil.rmtree(own, ignore_errors=True)
    if done.code and str(checkout) in _git(root, "worktree", "list", "--porcelain").out:
        _git(root, "worktree", "prune")  # it was killed before its folder was whole


def _git(root: Path, *words: str) -> Finished:
    return run([*GIT, *words], cwd=root, timeout_s=FETCH_S)


def _must(root: Path, *words: str) -> str:
    done = _git(root, *words)
    if done.code:
        where = f"git {' '.join(words)} (in {root})"
        raise ToolError(f"git failed: {_last(done)}", where, "mend what it names")
    return done.out


def _last(done: Finished) -> str:
    lines = [line.strip() for line in done.err.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return (fatal or lines or [f"exit code {done.code}"])[0]
