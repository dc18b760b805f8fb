"""`dvc.yaml` names every module that a command of its stages imports."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

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
