"""What a gate leaves: which verdict is taken later, and what the next DVC stage sees."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from slipway.records import Finding, Verdict
from slipway.stages import gate
from slipway.tools import folders

GOOD = Verdict(
    subject="md5:x.dir",
    subject_kind="data",
    of="md5:x.dir",
    outcome="warn",
    findings=(Finding("g", "warn", 1, 2, "odd"),),
    evidence={},
    settings_digest="",
)


@pytest.fixture
def project(tmp_path: Path) -> Any:
    data = SimpleNamespace(path="data", prepared="prepared")
    (tmp_path / "checkout/data").mkdir(parents=True)
    (tmp_path / "checkout/data/2001-01.csv").write_bytes(b"a,b\n1,2\n")
    return SimpleNamespace(
        root=tmp_path / "checkout", home=tmp_path / "home", config=SimpleNamespace(data=data)
    )


def left(project: Any, verdict: Verdict) -> bytes:
    """The verdict that DVC's stage leaves."""
    path: Path = project.root / "verdicts/data.json"
    gate._write_bare(project, path, verdict, None)
    return path.read_bytes()


def test_a_verdict_is_known_where_it_was_given_by_the_same_code(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = left(project, GOOD)
    assert gate._marked(project, "data", content)
    assert gate._marked(project, "data", content + b" ") is None
    assert gate._marked(project, "prepared", content) is None
    elsewhere = SimpleNamespace(**{**vars(project), "root": project.root.parent / "other"})
    assert gate._marked(elsewhere, "data", content) is None
    monkeypatch.setattr(gate, "_code", lambda: "sha256:other")
    assert gate._marked(project, "data", content) is None


@pytest.mark.parametrize("odd", [b"", b"null", b"[]", b"{}", b"\xff"])
def test_a_marker_that_is_none_is_no_answer(project: Any, odd: bytes) -> None:
    content = left(project, GOOD)
    gate._marker(project, "data").write_bytes(odd)
    assert gate._marked(project, "data", content) is None


def test_the_stage_behind_sees_what_passed_and_nothing_of_how(project: Any) -> None:
    passed = project.root / "verdicts/data.passed"
    left(project, GOOD)
    first = passed.read_bytes()
    assert first.decode() == f"{folders.digest(folders.hash_files(project.root / 'data'))}\n"
    left(project, replace(GOOD, outcome="pass", settings_digest="sha256:other"))
    assert passed.read_bytes() == first
    left(project, replace(GOOD, outcome="block"))
    assert not passed.exists()
