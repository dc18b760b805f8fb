"""`dvc.yaml` names every module that a stage imports, and every setting that it reads."""

import ast
import dataclasses
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from slipway.settings import Data

ROOT = Path(__file__).resolve().parents[2]


def imported(name: str, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """A module of `ml` and those of its siblings that it imports, directly or not."""
    found |= {name}
    tree = ast.parse((ROOT / f"ml/{name}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for sibling in [node.module] if node.module else [alias.name for alias in node.names]:
                found = found if sibling in found else imported(sibling, found)
    return found


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate"])
def test_a_stage_depends_on_all_that_it_imports_and_on_its_packages(stage: str) -> None:
    deps = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"][stage]["deps"]
    modules = {f"ml/{name}.py" for name in (*imported(stage), "__init__")}
    assert {path for path in deps if path.startswith("ml/")} == modules
    assert "requirements/project.txt" in deps
    assert deps == sorted(deps)


# Settings under [data] that decide no answer of a gate: where data are and who may see them, which
# files a stage depends on anyway, and what the gates ask.
DECIDE_NOTHING = {
    *("path", "pointer", "prepared", "remote", "cache", "source"),
    *("quarantine_mode", "remote_mode", "cache_mode"),
    *("engine", "spark", "spark_folder", "spark_master", "spark_memory", "spark_start_s"),
}


@pytest.mark.parametrize("stage", ["gate-data", "gate-prepared"])
def test_a_data_gate_depends_on_every_setting_that_decides_and_on_no_engine(stage: str) -> None:
    found = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"][stage]["params"]
    asked = {name for params in found for name in params["delivery.toml"]}
    deciding = {field.name for field in dataclasses.fields(Data)} - DECIDE_NOTHING
    assert asked == {*(f"data.{name}" for name in deciding), f"gates.{stage.removeprefix('gate-')}"}
    given = tomllib.loads((ROOT / "delivery.toml").read_text())["data"]
    assert deciding <= given.keys()  # DVC refuses to depend on what is not there
