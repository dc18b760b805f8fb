"""A released model comes out of its commit again, with real training."""

from pathlib import Path

from tests.projects import Checkout


def test_a_real_release_is_reproduced_in_a_clone_that_has_none_of_it(
    delivered: Checkout, tmp_path: Path
) -> None:
    clone = delivered.clone(tmp_path / "clone")
    released = delivered.record("release")
    told = clone.slipway("reproduce")
    assert "v1.0.0 is reproduced" in told.out
    record = clone.record("reproduction")
    assert record["subject"] == record["found"] == released["model"]
    assert record["prepared"] == delivered.record("candidate")["prepared"]
    assert record["seconds"]["train"] > 1, "it was trained, not restored"
    listed = clone.run("git", "worktree", "list").out.splitlines()
    assert len(listed) == 1
    assert clone.run("git", "status", "--porcelain").out == ""
