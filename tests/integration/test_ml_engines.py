"""DuckDB and Spark prepare the same bytes, and say the same of what cannot be prepared."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ml import prepare
from ml.errors import exit_code
from tests import shop
from tests.datasets import put, real_months
from tests.needs import needs
from tests.projects import few_customers
from tests.shop import ROOT

needs("java")  # Spark is one of the two

DIRT = [  # one or two lines for each rule, of a month before the test window and of one in it
    *["11/5/2000,00000001,,Unknown,100001,4710000000001,1,10.105,15.335"] * 3,
    "11/05/2000,00000001,<25,115,100001,4710000000001,2,10.2,15.2",
    "11/6/2000,00000001,25-29,115,100002,4710000000001,7,10.3,15.3",
    "11/6/2000,00000002,25-29,106,100001,4710000000002,300,3333.33,4444.44",
    "11/7/2000,00000002,30-34,115,,4710000000002,3,0,0",
    "11/8/2000,00000002,30-34,115,100003,4710000000001,3,-1,999999",
    "2/29/2001,00000002,30-34,115,100003,4710000000001,3,1,9",
    "11/9/2000,20002000,30-34,115,100003,4710000000001,3,1,9",
    "11/9/2000,00000003,30-34,115,100003,47100000000010,3,1,9",
    "11/9/2000,00000003,30-34,115,100003,4710000000001,0.5,1,9",
    "11/9/2000,00000003,30-34,115,100003,4710000000001,3,1d,9",
    "2/20/2001,00000004,,Unknown,100009,4710000000009,1,10,15",
    "2/21/2001,00000004,>65,221,100001,4710000000001,101,10,15",
    "2/21/2001,00000004,>65,221,100007,4710000000009,1,0,0",
]


def ragged(folder: Path) -> None:
    with (folder / "data/2001-02.csv").open("ab") as stream:
        stream.write(b'"2/28/2001","0000')


def longer(folder: Path) -> None:
    path = folder / "data/2000-11.csv"
    path.write_bytes(path.read_bytes().replace(b"\r\n", b',"1"\r\n', 2))


def no_text(folder: Path) -> None:
    path = folder / "data/2001-01.csv"
    path.write_bytes(path.read_bytes().replace(b"115", b"\xff\xfe", 1))


def under_a_strange_master(folder: Path) -> None:
    shop.write_params(folder / "params.yaml", {"name": "spark", "spark_master": "nonsense"})


SPOILED: Mapping[str, tuple[Callable[[Path], None], int, str]] = {
    "ragged": (ragged, 2, "not a table of purchases"),
    "longer": (longer, 2, "not a table of purchases"),
    "no text": (no_text, 2, "not a table of purchases: it is not UTF-8"),
    "master": (under_a_strange_master, 4, "Spark does not start: "),
}
COMMANDS = """
import json, os, sys
from ml.errors import exit_code
from ml.prepare import main
codes = []
for folder in sys.argv[1:]:
    os.chdir(folder)
    codes.append(exit_code(main))
    print("end of this one", file=sys.stderr, flush=True)
print(json.dumps(codes))
"""
Answer = tuple[int, list[str]]  # exit code, and the lines of the error


@pytest.fixture(scope="module")
def months() -> dict[str, bytes]:
    """Real purchases of a few customers, with dirt."""
    found = few_customers(real_months(), percent=1)
    dirt = "".join(",".join(f'"{cell}"' for cell in line.split(",")) + "\r\n" for line in DIRT)
    return {**found, "2001-02.csv": found["2001-02.csv"] + dirt.encode()}


def project(folder: Path, engine: str, months: Mapping[str, bytes]) -> Path:
    """A folder to prepare in."""
    put(folder / "data", months)
    return shop.write_params(folder / "params.yaml", {"name": engine}).parent


@pytest.fixture(scope="module")
def on_duckdb(tmp_path_factory: pytest.TempPathFactory, months: dict[str, bytes]) -> Path:
    """What DuckDB prepared."""
    folder = project(tmp_path_factory.mktemp("duckdb"), "duckdb", months)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert exit_code(prepare.main) == 0
    return folder / "prepared"


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory, months: dict[str, bytes]) -> Path:
    """What Spark prepared, and beside it projects that it cannot prepare; `answers.json`."""
    root = tmp_path_factory.mktemp("spark")
    names = ["good", *SPOILED]
    for name in names:
        (root / name).mkdir()
        project(root / name, "spark", months)
    for name, (spoil, _, _) in SPOILED.items():
        spoil(root / name)
    done = subprocess.run(  # all by one Java: its start is what costs
        [sys.executable, "-c", COMMANDS, *(str(root / name) for name in names)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    errors = [part.splitlines() for part in done.stderr.split("end of this one\n")]
    answers = dict(zip(names, zip(codes, errors[:-1], strict=True), strict=True))
    (root / "answers.json").write_text(json.dumps(answers))
    return root


def answer(root: Path, name: str) -> Answer:
    """What Spark said of a project."""
    code, lines = json.loads((root / "answers.json").read_bytes())[name]
    return code, lines


def test_both_engines_prepare_the_same_bytes_and_every_rule_is_touched(
    on_duckdb: Path, on_spark: Path
) -> None:
    assert answer(on_spark, "good") == (0, [])
    rules = json.loads((on_duckdb / "cleaning.json").read_bytes())["rules"]
    assert [rule["rule"] for rule in rules if not rule["rows"]] == []
    theirs = {path.name: path.read_bytes() for path in (on_spark / "good/prepared").iterdir()}
    ours = {path.name: path.read_bytes() for path in on_duckdb.iterdir()}
    assert theirs.keys() == ours.keys() == {*files_of_the_contract()}
    assert [name for name, content in ours.items() if theirs[name] != content] == []


def files_of_the_contract() -> list[str]:
    """What preparing leaves."""
    return [*(f"{name}.parquet" for name in prepare.SCHEMAS), "window.json", "cleaning.json"]


@pytest.mark.parametrize("name", SPOILED)
def test_what_spark_cannot_prepare_is_said_in_three_lines(on_spark: Path, name: str) -> None:
    _, expected, what = SPOILED[name]
    code, lines = answer(on_spark, name)
    assert code == expected
    assert lines[0].startswith(what)
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["where", "to do"]
    assert not (on_spark / name / "prepared").exists()
