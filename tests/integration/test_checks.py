"""`slipway lint` and the coverage of unit tests, with real linters and a real pytest."""

import json
import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from slipway import stages
from slipway.config import Project
from slipway.errors import ToolError
from slipway.records import Verdict, read
from tests import deliveries

TOOL = str(Path(sys.executable).parent / "ruff")
RUFF = f'[lint.tools]\nruff = ["{TOOL}", "check", "--isolated", "--output-format=sarif", "src"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return made(tmp_path, RUFF)


def made(folder: Path, more: str) -> Project:
    root = deliveries.checkout(folder / "project", more + deliveries.SETTINGS)
    (root / "src").mkdir()
    (root / "src" / "a b.py").write_text("import os\n")
    return deliveries.project_at(root, folder / "home")


def test_what_a_linter_finds_blocks_and_names_the_line(project: Project) -> None:
    done = stages.execute(["lint"], project)
    assert (done.answer, done.code) == ("block", 3)
    verdict = read(project.delivery, "lint", Verdict)
    assert [f.where for f in verdict.findings] == ["ruff", "ruff src/a%20b.py:1"]
    assert verdict.findings[1].measured == "F401"
    xml = ET.parse(project.delivery / "lint.xml").getroot()
    assert (xml.get("tests"), xml.get("failures")) == ("2", "2")


def test_the_sarif_file_holds_every_result_by_the_names_that_git_knows(project: Project) -> None:
    stages.execute(["lint"], project)
    text = (project.delivery / "lint.sarif").read_text()
    (run,) = json.loads(text)["runs"]
    assert len(run["results"]) == 1
    assert run["tool"]["driver"]["name"] == "ruff"
    assert str(project.root) not in text


def test_clean_code_passes_and_judging_it_again_changes_nothing(project: Project) -> None:
    (project.root / "src" / "a b.py").write_text("print(1)\n")
    assert stages.execute(["lint"], project).code == 0
    before = (project.delivery / "lint.json").read_bytes()
    assert stages.execute(["lint"], project).code == 0
    assert (project.delivery / "lint.json").read_bytes() == before


@pytest.mark.parametrize(
    "command", [f'["{TOOL}", "chek"]', '["true"]', '["false"]', '["echo", "no SARIF"]']
)
def test_a_linter_that_looks_at_nothing_blocks(tmp_path: Path, command: str) -> None:
    project = made(tmp_path, f"[lint.tools]\nodd = {command}\n")
    assert stages.execute(["lint"], project).code == 3
    assert json.loads((project.delivery / "lint.sarif").read_bytes())["runs"] == []


def test_a_linter_that_is_not_there_is_a_tools_failure(tmp_path: Path) -> None:
    project = made(tmp_path, '[lint.tools]\nnone = ["no-such-linter"]\n')
    with pytest.raises(ToolError, match="cannot start no-such-linter"):
        stages.execute(["lint"], project)
    assert not (project.delivery / "lint.json").exists()


def test_without_linters_nothing_is_judged_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = made(tmp_path, "")
    assert stages.execute(["lint"], project).code == 0
    assert "names no linter" in capsys.readouterr().out
    assert not project.delivery.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_unit_tests_leave_their_coverage_and_nothing_else(tmp_path: Path, workers: int) -> None:
    covered = deliveries.SETTINGS.replace("[tests]\n", '[tests]\ncoverage = ["covered"]\n')
    covered = covered.replace("[tests.unit]\n", f"[tests.unit]\nworkers = {workers}\n")
    root = deliveries.checkout(tmp_path / "project", covered)
    (root / "covered.py").write_text("def used():\n    return 1\n\n\ndef unused():\n    return 2\n")
    (root / "tests").mkdir()
    (root / "tests" / "test_a.py").write_text(
        "import covered\n\n\ndef test_it():\n    assert covered.used() == 1\n"
    )
    project = deliveries.project_at(root, tmp_path / "home")
    assert stages.execute(["test", "unit"], project).code == 0
    report = ET.parse(project.delivery / "coverage.xml").getroot()
    assert float(report.get("line-rate", 0)) == 0.75
    assert not (root / ".coverage").exists()
    (project.delivery / "coverage.xml").unlink()
    os.utime(root / "tests" / "test_a.py")
    assert stages.execute(["test", "integration"], project).code == 0
    assert not (project.delivery / "coverage.xml").exists()
