"""`slipway reference`: what production's data were like, out of a real ledger."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from slipway.config import Project
from slipway.errors import EvidenceError, ToolError
from slipway.gates.reference import Reference, render
from slipway.records import DataProfile, read, seal
from slipway.stages import profiled, reference
from slipway.typed import plain
from tests import deliveries
from tests.promotions import refuses, released, slipway

pytestmark = pytest.mark.usefixtures("light")


def found(project: Project) -> bytes:
    """What the stage writes now."""
    slipway(project, "reference")
    return profiled.path_of(project).read_bytes()


def asking(project: Project, window_days: int) -> Project:
    """The same project with another question to its data."""
    settings = replace(project.config.data, window_days=window_days)
    return replace(project, config=replace(project.config, data=settings))


def test_before_the_first_release_there_is_none(project: Project) -> None:
    assert slipway(project, "reference").answer == "none"
    assert profiled.path_of(project).read_bytes() == b"null\n"
    assert profiled.standing(project) is None


def test_new_data_meet_the_release_and_the_same_data_what_they_met_before(
    project: Project,
) -> None:
    released(project)
    slipway(project, "verify")
    assert found(project) == b"null\n"  # as v1.0.0 was judged
    other = asking(project, 14)
    first = found(other)
    met = profiled.standing(other)
    assert met is not None
    assert (met.version, met.profile) == ("v1.0.0", deliveries.PROFILE)
    assert released(other, weight=2.0).version == "v1.1.0"
    kept = read(other.delivery, "data-profile", DataProfile).reference
    assert kept == plain(met)
    assert found(other) == first
    found(asking(project, 7))
    third = profiled.standing(project)
    assert third is not None
    assert third.version == "v1.1.0"


def test_a_release_of_an_older_slipway_kept_no_profile(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries.profiled, "record", lambda *_: None)
    released(project)
    slipway(project, "verify")
    assert found(asking(project, 14)) == b"null\n"


def test_a_profile_that_was_altered_is_no_evidence(project: Project) -> None:
    released(project)
    path = project.delivery / "data-profile.json"
    content = json.loads(path.read_bytes())
    content["profile"]["rows"] = 4
    content["seal"] = seal({k: v for k, v in content.items() if k != "seal"})
    path.write_text(json.dumps(content))
    refuses(project, "verify", match="names data-profile by digest")


def test_no_commit_brings_a_reference_of_its_own(project: Project) -> None:
    path = profiled.path_of(project)
    path.unlink(missing_ok=True)
    reference.check(project)  # nothing was released, and none is there
    released(project)
    other = asking(project, 14)
    found(other)
    reference.check(other)
    for forged in (b"null\n", path.read_bytes().replace(b"v1.0.0", b"v1.0.1"), None):
        path.unlink()
        if forged:
            path.write_bytes(forged)
        with pytest.raises(EvidenceError, match=r"not what the ledger says: the data of v1\.0\.0"):
            reference.check(other)
        reference.bring(other)
    with pytest.raises(EvidenceError, match="none: nothing was released"):
        reference.check(project)  # it asks what v1.0.0 asked, which had nothing to compare with


def test_a_suite_in_the_ledger_that_is_none_is_named(project: Project) -> None:
    wrong = Reference("v1.0.0", deliveries.PROFILE, {"raw": ({"kwargs": {}},)})
    profiled.path_of(project).parent.mkdir(parents=True, exist_ok=True)
    profiled.path_of(project).write_bytes(render(wrong))
    with pytest.raises(EvidenceError, match="suite raw is malformed"):
        profiled.standing(project)


def test_a_ledger_out_of_reach_is_a_tool_failure(project: Project) -> None:
    with pytest.raises(ToolError, match="cannot be reached"):
        slipway(replace(project, ledger_remote="file:///nowhere/ledger.git"), "reference")
    assert not profiled.path_of(project).exists()


def test_the_stage_is_light(project: Project) -> None:
    script = "import sys; from slipway.__main__ import main; main(['reference']); "
    script += "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.root,
        env={**os.environ, **deliveries.environment(project.home.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"ibis", "duckdb", "pyarrow", "pandas", "great_expectations", "dvc"}
