"""What git knows about the checkout."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import ToolError
from ..records import digest_file, digest_of
from .process import check, run


def commit(root: Path) -> str:
    """The checkout's commit, with `-dirty` behind it where files differ from it.

    `dvc.lock` may differ: every training writes it anew, from what is in the commit.
    """
    head = run(["git", "rev-parse", "HEAD"], cwd=root)
    if head.code:
        raise ToolError("this is not a git checkout with a commit", str(root), "git init, commit")
    changed = check(["git", "status", "--porcelain", "--", ":/", ":!dvc.lock"], cwd=root)
    return head.out.strip() + ("-dirty" if changed.strip() else "")


def branch(root: Path) -> str:
    """The branch that is checked out; empty where none is."""
    named = run(["git", "symbolic-ref", "--quiet", "--short", "HEAD"], cwd=root)
    return named.out.strip() if named.code == 0 else ""


def files(root: Path, *paths: str) -> list[str]:
    """Tracked files and new ones that git does not ignore, sorted, below `paths`."""
    listed = check(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=root,
    )
    return sorted({name for name in listed.split("\0") if name and (root / name).is_file()})


def tree_digest(root: Path, paths: Sequence[str]) -> str:
    """One sha256 over the present content of all files below `paths` that git does not ignore."""
    lines = [f"{name}\0{digest_file(root / name)}\n" for name in files(root, *paths)]
    return digest_of("".join(lines).encode())


def has(root: Path, commit: str) -> bool:
    """Whether a commit is in this checkout."""
    return run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=root).code == 0


def people(root: Path, *, since: str) -> set[str]:
    """Names and mail addresses, in small letters, of whoever wrote the commits up to HEAD.

    Authors, committers and co-authors, after the commit `since`; where that is not in this
    checkout, of every commit that is. The last commit counts in any case.
    """
    after = since.removesuffix("-dirty")
    span = f"{after}..HEAD" if after and has(root, after) else "HEAD"
    form = "--format=%an%n%ae%n%cn%n%ce%n%(trailers:key=Co-authored-by,valueonly)"
    told = [
        check(["git", "log", form, *words], cwd=root) for words in (["-1", "HEAD"], [span, "--"])
    ]
    words = re.split(r"[\n<>]", "\n".join(told).lower())
    return {word.strip() for word in words} - {""}


def show(root: Path, commit: str, path: str) -> bytes | None:
    """A file as it was in a commit; None where it was not."""
    done = run(["git", "show", f"{commit}:{path}"], cwd=root)
    return done.raw if done.code == 0 else None
