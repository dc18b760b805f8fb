"""A memo of hashes: what has not moved is not read again, and whatever has moved is."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from slipway.errors import ToolError
from slipway.records import canonical, digest_of
from slipway.tools import folders, hashes


class Desk:
    """A folder of files, its memo, and which files were read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.memo = folder / "data", folder / "scratch" / hashes.FILE
        self.read: list[str] = []
        self.folder.mkdir()
        for name in ("one", "two"):
            self.write(name, name.encode())

    def write(self, name: str, content: bytes) -> Path:
        (self.folder / name).write_bytes(content)
        time.sleep(0.02)  # the clock of a file moves in ticks
        return self.folder / name

    def hashed(self) -> dict[str, str]:
        self.read.clear()
        with hashes.remembered(self.memo) as md5:
            return folders.hash_files(self.folder, md5)

    def right(self) -> dict[str, str]:
        return {
            path.name: hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            for path in self.folder.iterdir()
        }


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Both files hashed once; files count as settled at once."""
    made, md5 = Desk(tmp_path), folders.md5

    def noted(path: Path) -> str:
        made.read.append(path.name)
        return md5(path)

    monkeypatch.setattr(folders, "md5", noted)
    monkeypatch.setattr(hashes, "SETTLED_NS", 0)
    assert made.hashed() == made.right()
    assert made.read == ["one", "two"]
    return made


def as_before(path: Path, before: os.stat_result) -> None:
    """Gives a file the size and time back that it had."""
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    now = path.stat()
    assert (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_what_has_not_moved_is_not_read_again(desk: Desk) -> None:
    assert (desk.hashed(), desk.read) == (desk.right(), [])


def test_other_bytes_under_the_same_size_and_time_are_seen(desk: Desk) -> None:
    before = (desk.folder / "one").stat()
    as_before(desk.write("one", b"eno"), before)
    assert (desk.hashed(), desk.read) == (desk.right(), ["one"])


def test_what_is_written_through_another_name_is_seen(desk: Desk) -> None:
    other = desk.folder.parent / "cache"
    os.link(desk.folder / "one", other)
    desk.hashed()
    before = other.stat()
    with other.open("r+b") as stream:
        stream.write(b"eno")
    as_before(other, before)
    assert (desk.hashed(), desk.read) == (desk.right(), ["one"])


def test_another_file_in_its_place_is_seen(desk: Desk) -> None:
    before = (desk.folder / "one").stat()
    other = desk.write("other", b"eno")
    as_before(other, before)
    other.replace(desk.folder / "one")
    assert (desk.hashed(), desk.read) == (desk.right(), ["one"])


def test_a_link_that_leads_elsewhere_is_seen(desk: Desk) -> None:
    (desk.folder / "link").symlink_to("one")
    assert desk.hashed()["link"] == desk.right()["one"]
    (desk.folder / "link").unlink()
    (desk.folder / "link").symlink_to("two")
    assert desk.hashed()["link"] == desk.right()["two"]


def test_what_changed_a_moment_ago_is_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SETTLED_NS", 2_000_000_000)
    desk.write("one", b"new")
    for _ in range(2):
        assert (desk.hashed(), desk.read) == (desk.right(), ["one"])


def test_what_changes_while_it_is_read_is_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = folders.md5

    def disturbed(path: Path) -> str:
        value = md5(path)
        desk.write(path.name, b"and then")
        return value

    desk.write("one", b"at first")
    with monkeypatch.context() as patched:
        patched.setattr(folders, "md5", disturbed)
        desk.hashed()
    assert (desk.hashed(), desk.read) == (desk.right(), ["one"])


def test_a_file_of_the_future_is_read_each_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3_600_000_000_000)  # a clock set back
    desk.write("one", b"new")
    for _ in range(2):
        assert (desk.hashed(), desk.read) == (desk.right(), ["one"])


def sealed(content: bytes) -> bytes:
    return digest_of(content).encode() + b"\n" + content


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", b"no memo at all", sealed(b""), sealed(b"[]"), sealed(b"[" * 100_000)),
        *(sealed(canonical({"files": 1})), sealed(canonical({"files": {"a": {"md5": 1}}}))),
        sealed(canonical({"files": {"a": {"md5": "", "inode": ["1"]}}})),
    ],
)
def test_a_memo_that_is_none_is_not_used_and_replaced(desk: Desk, content: bytes) -> None:
    desk.memo.write_bytes(content)
    assert (desk.hashed(), desk.read) == (desk.right(), ["one", "two"])
    assert (desk.hashed(), desk.read) == (desk.right(), [])


def test_a_memo_with_one_other_byte_is_not_used(desk: Desk) -> None:
    whole = desk.memo.read_bytes()
    digest = desk.right()["one"].encode()
    desk.memo.write_bytes(whole.replace(digest, digest[::-1]))
    assert (desk.hashed(), desk.read) == (desk.right(), ["one", "two"])
    desk.memo.write_bytes(whole[:-20])
    assert (desk.hashed(), desk.read) == (desk.right(), ["one", "two"])


def test_without_a_place_for_the_memo_all_is_read(desk: Desk) -> None:
    desk.memo.unlink()
    desk.memo.mkdir()
    for _ in range(2):
        assert (desk.hashed(), desk.read) == (desk.right(), ["one", "two"])
    desk.memo = desk.folder.parent / "file" / hashes.FILE
    desk.memo.parent.write_bytes(b"no folder")
    assert desk.hashed() == desk.right()


def test_what_is_gone_is_forgotten(desk: Desk) -> None:
    (desk.folder / "one").unlink()
    desk.write("three", b"three")
    desk.hashed()
    assert b"/one" not in desk.memo.read_bytes()


def test_what_another_process_has_written_meanwhile_is_kept(desk: Desk) -> None:
    desk.write("one", b"new")
    with hashes.remembered(desk.memo) as md5:
        md5(desk.folder / "one")
        desk.write("two", b"new too")
        desk.hashed()
    assert (desk.hashed(), desk.read) == (desk.right(), [])


def test_a_name_that_is_no_text_is_hashed_all_the_same(desk: Desk) -> None:
    desk.write(os.fsdecode(b"\xff"), b"odd")
    assert desk.hashed() == desk.right()


def test_a_file_that_cannot_be_read_is_a_failure(desk: Desk) -> None:
    with hashes.remembered(desk.memo) as md5, pytest.raises(ToolError):
        md5(desk.folder / "nowhere")
