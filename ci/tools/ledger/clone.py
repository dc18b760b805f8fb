"""The ledger's own bare clone: refreshed from its remote, written by one atomic push.

The user's repository is never touched. What is here is a copy that can be deleted at any time.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import EvidenceError, ToolError
from ..process import Finished, run

TIMEOUT_S = 60.0  # for one conversation with the remote
LOCK_S = 3.0  # a living git keeps a lock for moments
NEXT = "refs/slipway/next"
AUTHOR = "Slipway <slipway@localhost>"
# No hook, background job or signature of the user's own settings belongs in here.
OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "gc.autoDetach=false")
NO_EXTRAS = ("--no-follow-tags", "--no-signed", "--recurse-submodules=no", "--no-verify")


@dataclass(frozen=True)
class Clone:
    """Where the ledger is, and where its copy is."""

    folder: Path
    address: str
    branch: str

    @property
    def ref(self) -> str:
        """The branch's full name, the same here and at the remote."""
        return f"refs/heads/{self.branch}"


@dataclass(frozen=True)
class Seen:
    """What the remote has: the ledger's head ("" where it is empty), and tag → commit."""

    head: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Tag:
    """An annotated tag to be made; an empty commit stands for the entry's own."""

    commit: str
    message: str
    time: int


@dataclass(frozen=True)
class Entry:
    """What one commit adds: its message, its files, and tags on it or on earlier commits."""

    message: str
    files: Mapping[str, bytes]
    tags: Mapping[str, Tag]
    time: int


@contextlib.contextmanager
def held(clone: Clone) -> Iterator[None]:
    """The copy for this process alone; made where it is not there, or is of another remote."""
    lock = clone.folder.with_suffix(".lock")
    with contextlib.ExitStack() as stack:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(lock.open("w"))
            _wait_for(stream.fileno(), lock)
            _prepare(clone)
        except OSError as error:
            raise ToolError(
                f"cannot write the ledger's copy: {error.strerror}",
                str(error.filename or clone.folder),
                "free space or mend rights",
            ) from error
        yield


def refresh(clone: Clone) -> Seen:
    """Brings the copy up to date with the remote's branch and tells what the remote has.

    Raises:
        ToolError: the remote does not answer.
        EvidenceError: its history is not the one that was seen before, continued.
    """
    refs = _refs(_ask(clone, "ls-remote", clone.address, clone.ref, "refs/tags/*"))
    remote = refs.pop(clone.ref, "")
    seen = Seen(remote, {name.removeprefix("refs/tags/"): c for name, c in refs.items()})
    local = _git(clone, "rev-parse", "--verify", "--quiet", clone.ref).out.strip()
    if remote == local:
        return seen
    if remote:
        _ask(clone, "fetch", "--quiet", "--no-tags", clone.address, f"+{clone.ref}:{NEXT}")
        new = _check(clone, "rev-parse", NEXT).strip()
        if not local or _git(clone, "merge-base", "--is-ancestor", local, new).code == 0:
            _check(clone, "update-ref", clone.ref, new)
            return Seen(new, seen.tags)
    raise EvidenceError(
        f"the ledger was rewritten: {local[:12]} is not in its history any more",
        f"{clone.ref} of {clone.address}",
        f"find out who did it; to accept it, delete {clone.folder}",
    )


def read(clone: Clone, head: str, path: str) -> list[tuple[str, bytes]]:
    """Each commit up to `head`, oldest first, with the content of its file `path`."""
    if not head:
        return []
    commits = _check(clone, "rev-list", "--first-parent", "--reverse", head).split()
    contents = objects(clone, [f"{commit}:{path}" for commit in commits])
    return list(zip(commits, contents, strict=True))


def files(clone: Clone, commit: str, folder: str) -> dict[str, bytes]:
    """File name → content, for one folder of one commit."""
    listed = _check(clone, "ls-tree", "--name-only", "-z", f"{commit}", f"{folder}/")
    names = [name for name in listed.split("\0") if name]
    contents = objects(clone, [f"{commit}:{name}" for name in names])
    return {name.rpartition("/")[2]: text for name, text in zip(names, contents, strict=True)}


def objects(clone: Clone, names: Sequence[str]) -> list[bytes]:
    """The contents of some objects, by one process.

    Raises:
        EvidenceError: one is not there.
    """
    stdin = "".join(f"{name}\n" for name in names).encode()
    out = _git(clone, "cat-file", "--batch", stdin=stdin).raw
    contents, start = [], 0
    for name in names:
        end = out.find(b"\n", start)
        words = out[start:end].rsplit(b" ", 2) if end >= 0 else []
        if len(words) != 3 or words[1] != b"blob" or not words[2].isdigit():
            raise EvidenceError(
                f"the ledger has no {name}", clone.address, "restore it from another clone"
            )
        start = end + 1 + int(words[2]) + 1
        contents.append(out[end + 1 : start - 1])
    return contents


def _refs(listed: str) -> dict[str, str]:
    """Ref → the commit that it names, from the lines of `git ls-remote`."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        commit, _, ref = line.partition("\t")
        if ref.endswith("^{}") or ref not in found:
            found[ref.removesuffix("^{}")] = commit
    return found


def commit(clone: Clone, parent: str, entry: Entry) -> str:
    """A commit here, not at the remote yet, with its annotated tags."""
    stream = [b"feature done\n", _commit_stream(parent, entry)]
    for name, tag in entry.tags.items():
        where = f"tag {name}\nfrom {tag.commit or ':1'}\n"
        stream.append(f"{where}tagger {AUTHOR} {tag.time} +0000\n".encode())
        stream.append(_data(tag.message.encode()))
    stream.append(b"done\n")
    done = _git(clone, "fast-import", "--quiet", "--force", stdin=b"".join(stream))
    if done.code:
        raise ToolError(
            f"git fast-import failed: {_last(done)}", str(clone.folder), "free space or mend rights"
        )
    return done.out.strip()


def push(clone: Clone, new: str, old: str, tag_names: Sequence[str]) -> str:
    """Pushes a commit and its tags, all or nothing, never by force; gives git's complaint or "".

    A push that arrived although its answer was lost counts as done.
    """
    refs = [f"{new}:{clone.ref}", *(f"refs/tags/{name}:refs/tags/{name}" for name in tag_names)]
    done = _git(clone, "push", "--quiet", "--atomic", *NO_EXTRAS, clone.address, *refs)
    if done.code and refresh(clone).head != new:
        return _last(done)
    _check(clone, "update-ref", clone.ref, new, *([old] if old and not done.code else []))
    return ""


def create(folder: Path, branch: str) -> bool:
    """An empty bare repository, if there is none; whether it was made now."""
    if folder.exists():
        return False
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        _init(partial, branch)
        partial.rename(folder)
    except OSError as error:
        if folder.exists():  # another process was quicker
            return False
        raise ToolError(
            f"cannot make the ledger: {error.strerror}", str(folder), "free space or mend rights"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def unlocked(folder: Path) -> bool:
    """Waits until what is locked in a repository of slipway's own is free; False: nothing was.

    What stands unchanged for `LOCK_S` was left by a git that was killed, and is taken away.
    """
    before = _locks(folder)
    if before:
        time.sleep(LOCK_S)
    for path, mark in _locks(folder).items():
        if before.get(path) == mark:
            path.unlink(missing_ok=True)
    return bool(before)


def _init(folder: Path, branch: str) -> None:
    for words in (
        ("init", "--quiet", "--bare"),
        ("symbolic-ref", "HEAD", f"refs/heads/{branch}"),
        ("config", "gc.autoDetach", "false"),
    ):
        done = run(["git", "--git-dir", ".", *words], cwd=folder, timeout_s=TIMEOUT_S)
        if done.code:
            raise ToolError(f"git {words[0]} failed: {_last(done)}", str(folder), "mend it")


def _prepare(clone: Clone) -> None:
    marker = clone.folder / "slipway-remote"
    whole = all((clone.folder / name).exists() for name in ("HEAD", "objects", "refs"))
    known = marker.read_text(encoding="utf-8") if whole and marker.exists() else None
    if known != clone.address:
        shutil.rmtree(clone.folder, ignore_errors=True)
        clone.folder.mkdir(parents=True)
        _init(clone.folder, clone.branch)
        marker.write_text(clone.address, encoding="utf-8")
    for stale in _locks(clone.folder):
        stale.unlink(missing_ok=True)  # of a git that was killed: we hold the copy alone


def _locks(folder: Path) -> dict[Path, tuple[int, int]]:
    """What git keeps locked in a repository: path → which file it is, and since when."""
    found = dict[Path, tuple[int, int]]()
    for path in (*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock")):
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            found[path] = (stat.st_ino, stat.st_mtime_ns)
    return found


def _wait_for(descriptor: int, lock: Path) -> None:
    end = time.monotonic() + 2 * TIMEOUT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise ToolError(
                    "another slipway keeps the ledger's copy", str(lock), "end it, then try again"
                ) from error
            time.sleep(0.02)


def _ask(clone: Clone, *words: str) -> str:
    """One question to the remote, asked a second time if it fails."""
    done = _git(clone, *words)
    if done.code:
        time.sleep(1.0)
        done = _git(clone, *words)
    if done.code:
        raise ToolError(
            f"the ledger cannot be reached: {_last(done)}",
            clone.address,
            "check the address and the network, then run the same command again",
        )
    return done.out


def _git(clone: Clone, *words: str, stdin: bytes = b"") -> Finished:
    # Named, not found: a damaged copy would lead git to the user's repository around it.
    named: list[str | Path] = ["git", "--git-dir", clone.folder, *OPTIONS, *words]
    return run(named, cwd=clone.folder, timeout_s=TIMEOUT_S, stdin=stdin)


def _check(clone: Clone, *words: str) -> str:
    done = _git(clone, *words)
    if done.code:
        raise ToolError(
            f"git {words[0]} failed: {_last(done)}",
            str(clone.folder),
            "delete that folder (it is a copy), then run the same command again",
        )
    return done.out


def _last(done: Finished) -> str:
    lines = [line for line in done.err.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return (fatal or lines or [f"exit code {done.code}"])[0]


def _commit_stream(parent: str, entry: Entry) -> bytes:
    head = f"reset {NEXT}\n" + (f"from {parent}\n" if parent else "") + "\n"
    head += f"commit {NEXT}\nmark :1\ncommitter {AUTHOR} {entry.time} +0000\n"
    parts = [head.encode(), _data(entry.message.encode())]
    parts += [f"from {parent}\n".encode()] if parent else []
    parts.append(b"deleteall\n")
    for path, content in sorted(entry.files.items()):
        parts += [f"M 100644 inline {path}\n".encode(), _data(content)]
    return b"".join([*parts, b"\nget-mark :1\n"])


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
