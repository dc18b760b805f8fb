"""Where DVC's objects are: what a place answers, takes and refuses."""

import hashlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import EvidenceError
from slipway.tools.dvc.places import (
    Cloud,
    Folder,
    Patience,
    Place,
    entries,
    path_of,
    runs_of,
    whole,
)
from slipway.tools.dvc.survey import recorded_outs

GOOD = b"the bytes of an object"
MD5 = hashlib.md5(GOOD, usedforsecurity=False).hexdigest()


def cloud(root: Path, patience_s: float = 30.0) -> Cloud:
    """A remote whose file system is DVC's own for disks: it puts files as SSH does."""
    from dvc_objects.fs.local import LocalFileSystem

    return Cloud("the remote", lambda: (LocalFileSystem(), str(root)), Patience(patience_s))


@pytest.fixture(params=["folder", "cloud"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of each kind, empty, over the same folder."""
    root = tmp_path / "place"
    root.mkdir()
    return Folder("the remote", root) if request.param == "folder" else cloud(root)


def put(place: Place, tmp_path: Path, content: bytes = GOOD, path: str = path_of(MD5)) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    place.put(source, path)


def test_what_is_put_is_there_and_nothing_half(place: Place, tmp_path: Path) -> None:
    assert place.has([MD5]) == set()
    put(place, tmp_path)
    assert place.has([MD5, "0" * 32]) == {MD5}
    assert place.read(path_of(MD5)) == GOOD
    assert place.read(path_of("0" * 32)) is None
    names = [p.name for p in (tmp_path / "place").rglob("*") if p.is_file()]
    assert names == [MD5[2:]]


def test_run_records_are_found_by_their_key(place: Place, tmp_path: Path) -> None:
    key, value = "a" * 64, "b" * 64
    assert place.records(key) == []
    record = f"outs:\n- {{path: model, md5: {MD5}.dir}}\n".encode()
    put(place, tmp_path, record, f"{runs_of(key)}/{value}")
    (path,) = place.records(key)
    assert path.endswith(value)
    assert recorded_outs(place.read(path)) == {"model": f"{MD5}.dir"}


def test_an_object_is_kept_only_if_its_bytes_are_its_name(place: Place, tmp_path: Path) -> None:
    cache = Folder("the cache", tmp_path / "cache")
    put(place, tmp_path, b"other bytes")
    with pytest.raises(EvidenceError, match="data/a has other bytes in the remote"):
        cache.keep(MD5, place, "data/a")
    assert not [p for p in cache.path.rglob("*") if p.is_file()]
    put(place, tmp_path)
    cache.keep(MD5, place, "data/a")
    kept = cache.path / path_of(MD5)
    assert whole(kept, MD5)
    assert kept.stat().st_mode & 0o777 == 0o444
    cache.drop(MD5)
    assert cache.has([MD5]) == set()


def test_a_remote_that_hangs_is_asked_once_and_no_longer_than_our_patience() -> None:
    hang = threading.Event()

    def opened() -> tuple[Any, str]:
        hang.wait(20)
        raise OSError("never")

    remote = Cloud("the remote", opened, Patience(0.05))
    started = time.monotonic()
    assert remote.has([MD5]) == set()
    assert remote.read(path_of(MD5)) is None
    assert remote.records("a") == []
    assert time.monotonic() - started < 5
    assert remote.silent == "the remote did not answer within 0.05 s"
    hang.set()


def test_patience_is_for_waiting_and_not_for_what_we_do_meanwhile(tmp_path: Path) -> None:
    remote = cloud(tmp_path, patience_s=0.5)
    assert remote.has([MD5]) == set()
    time.sleep(0.6)
    put(remote, tmp_path)
    assert remote.has([MD5]) == {MD5}
    assert remote.silent == ""


def opened_after(seconds: float, patience: Patience, root: Path) -> Cloud:
    """A remote that is quick once it is opened."""
    from dvc_objects.fs.local import LocalFileSystem

    def opened() -> tuple[Any, str]:
        time.sleep(seconds)
        return LocalFileSystem(), str(root)

    return Cloud("the remote", opened, patience)


def test_the_first_answer_has_a_patience_of_its_own(tmp_path: Path) -> None:
    slow = opened_after(5.0, Patience(20.0, first_s=0.1), tmp_path)
    assert slow.has([MD5]) == set()
    assert slow.silent == "the remote did not answer within 0.1 s"
    quick = opened_after(0.0, Patience(20.0, first_s=10.0), tmp_path)
    put(quick, tmp_path)
    assert quick.has([MD5]) == {MD5}
    assert quick.silent == ""


def test_our_own_work_is_no_silence_of_the_remote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cloud(tmp_path), tmp_path)
    monkeypatch.setattr(time, "process_time", time.monotonic)  # all of the time is work
    importing = opened_after(0.3, Patience(20.0, first_s=0.1), tmp_path)
    assert importing.has([MD5]) == {MD5}
    endless = opened_after(5.0, Patience(0.2, first_s=0.1), tmp_path)
    assert endless.has([MD5]) == set()
    assert endless.silent


def test_a_remote_that_refuses_says_why() -> None:
    def opened() -> tuple[Any, str]:
        raise PermissionError("no such\nkey")

    remote = Cloud("the remote", opened, Patience(5))
    assert remote.has([MD5]) == set()
    assert remote.silent == "the remote cannot be read: no such key"


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b'[{"md5": "1"}]', b"\xff"])
def test_what_is_no_listing_is_none(content: bytes | None) -> None:
    assert entries(content) is None
    assert entries(json.dumps([{"md5": MD5, "relpath": "a/b"}]).encode()) == {"a/b": MD5}


@pytest.mark.parametrize(
    ("md5", "name"), [(MD5, "../a"), (MD5, "a/../../b"), (MD5, "/a"), ("../" * 12, "a")]
)
def test_a_listing_that_leads_out_of_its_folder_is_none(md5: str, name: str) -> None:
    assert entries(json.dumps([{"md5": md5, "relpath": name}]).encode()) is None


@pytest.mark.parametrize("md5", ["", "12", "../../../../../etc/passwd", MD5.upper(), f"{MD5}.txt"])
def test_what_names_no_object_is_nowhere(md5: str) -> None:
    with pytest.raises(EvidenceError, match="is no name of an object"):
        path_of(md5)
    assert recorded_outs(f"outs:\n- {{path: model, md5: '{md5}'}}\n".encode()) == {}


@pytest.mark.parametrize("content", [None, b"", b"outs: [", b"outs: 3", b"[]", b"\xff\xfe"])
def test_what_is_no_run_record_names_nothing(content: bytes | None) -> None:
    assert recorded_outs(content) == {}
