"""What `slipway gate` says of files that are none, of suites and of personal values.

Faults in readable files are in tests/faults.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ml.prepare import SCHEMAS, load_settings, prepare
from slipway import config, stages
from slipway.config import Project
from slipway.errors import ConfigError
from tests.datasets import ENOUGH, LAST, change, data_project, put, real_months, small_months
from tests.projects import ROOT

GATES = {"completeness", "duplicates", "expectations", "files", "freshness", "integrity"}
GATES |= {"schema", "tamper"}
HEADER = b'"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PIN_CODE","PRODUCT_SUBCLASS",' + (
    b'"PRODUCT_ID","AMOUNT","ASSET","SALES_PRICE"\r\n'
)
DAY, CUSTOMER, AGE, POSTCODE, SUBCLASS, PRODUCT, AMOUNT, ASSET, PRICE = range(9)
NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose data version is a few customers' real purchases."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    settings = {**ENOUGH, "gates/data/freshness/as_of": "2001-02-28"}
    folder = tmp_path_factory.mktemp("gates")
    return config.load(data_project(folder, small_months(), settings).root)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of its data that the test may spoil."""
    put(tmp_path / "data", small_months())
    return tmp_path / "data"


def judged(project: Project, *words: str) -> dict[str, Any]:
    """The bare verdict of a gate command, which must agree with its exit code."""
    out = project.scratch / "judged.json"
    done = stages.execute(["gate", *words, "--out", str(out)], project)
    verdict: dict[str, Any] = json.loads(out.read_bytes())
    assert done.code == (3 if verdict["outcome"] == "block" else 0)
    return verdict


def blocked(verdict: Mapping[str, Any], outcome: str = "block") -> set[str]:
    return {f["where"] for f in verdict["findings"] if f["outcome"] == outcome}


def stopped(verdict: Mapping[str, Any]) -> set[str]:
    """What blocks, each with its gate."""
    return {f"{f['gate']}: {f['where']}" for f in verdict["findings"] if f["outcome"] == "block"}


def cell(line: bytes, place: int, value: bytes) -> bytes:
    cells = line.rstrip(b"\r\n").split(b",")
    cells[place] = b'"' + value + b'"'
    return b",".join(cells) + b"\r\n"


def all_months(place: int, value: bytes) -> Callable[[Path], None]:
    """A fault: one column's value in every line of every month."""

    def fault(data: Path) -> None:
        for path in data.iterdir():
            change(path, lambda lines: [cell(line, place, value) for line in lines])

    return fault


def content(make: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A fault: other bytes in the last month's file."""
    return lambda data: void((data / LAST).write_bytes(make((data / LAST).read_bytes())))


def void(_: object) -> None:
    return


def a_folder(data: Path) -> None:
    (data / LAST).unlink()
    (data / LAST).mkdir()


def a_dangling_link(data: Path) -> None:
    (data / LAST).unlink()
    (data / LAST).symlink_to(data / "nowhere")


def a_pipe(data: Path) -> None:
    (data / LAST).unlink()
    os.mkfifo(data / LAST)


DATA_FAULTS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    # files, tamper
    "a byte is changed": (
        content(lambda b: b[:-4] + b"0" + b[-3:]),
        {"tamper: version", f"tamper: {LAST}"},
    ),
    "there is no folder": (
        lambda d: shutil.rmtree(d),
        {"tamper: version", "files: number of files", f"files: {LAST}"},
    ),
    "a file is missing": (
        lambda d: (d / LAST).unlink(),
        {"tamper: version", f"tamper: {LAST}", f"files: {LAST}", "freshness: last day"},
    ),
    "a file is too many": (
        lambda d: void((d / "x.csv").write_bytes(HEADER)),
        {"tamper: x.csv", "files: x.csv"},
    ),
    "a file is a folder": (a_folder, {f"files: {LAST}"}),
    "a file is a dangling link": (a_dangling_link, {f"files: {LAST}"}),
    "a file is a pipe": (a_pipe, {f"files: {LAST}"}),
    "a file is noise": (content(lambda _: os.urandom(100_000)), {f"files: {LAST}"}),
    "a line is huge": (
        content(lambda b: b + b'"' + b"x" * 5_000_000 + b'"\r\n'),
        {f"files: {LAST}"},
    ),
    # values
}


@pytest.mark.parametrize("name", DATA_FAULTS)
def test_the_data_gate_stops(project: Project, data: Path, name: str) -> None:
    fault, findings = DATA_FAULTS[name]
    fault(data)
    verdict = judged(project, "data", "--data", str(data))
    assert findings <= stopped(verdict)
    assert {f["gate"] for f in verdict["findings"]} >= GATES


def test_the_same_bytes_in_another_folder_pass(project: Project, data: Path) -> None:
    verdict = judged(project, "data", "--data", str(data))
    assert verdict["outcome"] == "pass"
    assert len(verdict["findings"]) > 60
    assert verdict["evidence"].keys() == {
        *(f"{data}/{name}" for name in small_months()),
        "ml/expectations/raw.json",
    }
    assert verdict == judged(project, "data", "--data", str(data))


def test_an_expectation_of_severity_warning_warns(project: Project, data: Path) -> None:
    all_months(POSTCODE, b"Unknown")(data)
    verdict = judged(project, "data", "--data", str(data))
    assert "raw PIN_CODE: expect_column_values_to_not_be_in_set" in blocked(verdict, "warn")


def test_values_of_personal_columns_are_not_shown(project: Project, data: Path) -> None:
    change(
        data / LAST,
        lambda lines: [
            *(cell(line, CUSTOMER, b"Li Mei") for line in lines[:40]),
            *(cell(line, AGE, b"37 years") for line in lines[40:80]),
            *(cell(line, PRODUCT, b"tofu") for line in lines[80:]),
            b'"2/1/2001","Wang Wei"\r\n',
        ],
    )
    text = json.dumps(judged(project, "data", "--data", str(data)))
    change(data / LAST, lambda lines: lines[:-1])
    text += json.dumps(judged(project, "data", "--data", str(data)))
    assert "tofu" in text
    assert not any(secret in text for secret in ("Li Mei", "37 years", "Wang Wei"))


def test_all_real_data_passes_and_the_days_before_christmas_warn(tmp_path: Path) -> None:
    checkout = data_project(tmp_path, None, settings={})
    put(checkout.root / "data", real_months())
    project = config.load(checkout.root)
    verdict = judged(project, "data")
    assert (verdict["outcome"], blocked(verdict, "warn")) == ("warn", {"usual days"})
    prepare(project.root / "data", project.root / "prepared", SETTINGS, project.root / "data.dvc")
    assert judged(project, "prepared")["outcome"] == "pass"


# Suites.


def suite_with(project: Project, entries: Any) -> Path:
    path = project.root / "ml/expectations/raw.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps({"expectations": entries}))
    return path


@pytest.fixture
def suites(project: Project) -> Project:
    """The project, its suites put back afterwards."""
    yield project
    for path in (ROOT / "ml/expectations").glob("*.json"):
        shutil.copy2(path, project.root / "ml/expectations" / path.name)


def entries_of(name: str = "raw") -> list[dict[str, Any]]:
    text = (ROOT / f"ml/expectations/{name}.json").read_bytes()
    return json.loads(text)["expectations"]  # type: ignore[no-any-return]


def test_a_weakened_suite_blocks(suites: Project) -> None:
    entries = entries_of()
    suite_with(suites, [*entries[1:], entries[1]])
    assert blocked(judged(suites, "data")) == {"raw"}


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "it raises": (
        {"type": BETWEEN, "kwargs": {"column": "PRODUCT_ID", "min_value": 1}},
        "no answer",
    ),
    "its condition picks nothing": (
        {
            "type": BETWEEN,
            "kwargs": {
                "column": "AMOUNT",
                "min_value": 1,
                "row_condition": 'PIN_CODE=="nowhere"',
                "condition_parser": "pandas",
            },
        },
        "picks no row",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_expectation_that_gives_no_answer_blocks_where(suites: Project, name: str) -> None:
    entry, message = ODD[name]
    suite_with(suites, [*entries_of(), entry])
    (found,) = [f for f in judged(suites, "data")["findings"] if f["outcome"] == "block"]
    assert message in found["message"]


def test_what_was_raised_about_a_personal_column_is_not_quoted(suites: Project) -> None:
    entry = {"type": BETWEEN, "kwargs": {"column": "CUSTOMER_ID", "min_value": 1}}
    suite_with(suites, [*entries_of(), entry])
    (found,) = [f for f in judged(suites, "data")["findings"] if f["outcome"] == "block"]
    assert not any(line.split(b",")[1].decode().strip('"') in found["message"] for line in SAMPLE)


SAMPLE = next(iter(small_months().values())).splitlines()[1:200]
WRONG = {
    "it is no JSON": "{",
    "a type is unknown": [{"type": "expect_all_to_be_well", "kwargs": {}}],
    "an argument is unknown": [{"type": BETWEEN, "kwargs": {"column": "AMOUNT", "least": 1}}],
    "limits are missing": [{"type": BETWEEN, "kwargs": {"column": "AMOUNT"}}],
    "the severity is unknown": [{"type": NULL, "kwargs": {"column": "AMOUNT"}, "severity": "x"}],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_suite_is_a_wrong_configuration_where(suites: Project, name: str) -> None:
    suite_with(suites, WRONG[name])
    with pytest.raises(ConfigError):
        judged(suites, "data")


# Prepared data.

SETTINGS = load_settings(ROOT / "params.yaml")


@pytest.fixture(scope="module")
def template(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared tables of the small version."""
    folder = tmp_path_factory.mktemp("prepared") / "prepared"
    prepare(project.root / "data", folder, SETTINGS, project.root / "data.dvc")
    return folder


@pytest.fixture
def prepared(project: Project, template: Path) -> Path:
    """A copy of them in the project, for the test to spoil."""
    folder = project.root / "prepared"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    return folder


def cleaning(**changes: Any) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        path = folder / "cleaning.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return fault


PREPARED_FAULTS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "there is no folder": (lambda f: shutil.rmtree(f), {"lines rows", "cleaning.json"}),
    "a table is noise": (
        lambda f: void((f / "lines.parquet").write_bytes(os.urandom(5000))),
        {"lines.parquet", "lines rows"},
    ),
    "the cleaning report is malformed": (cleaning(rows=[]), {"cleaning.json"}),
}


@pytest.mark.parametrize("name", PREPARED_FAULTS)
def test_the_prepared_gate_stops(project: Project, prepared: Path, name: str) -> None:
    fault, findings = PREPARED_FAULTS[name]
    fault(prepared)
    verdict = judged(project, "prepared")
    assert findings <= blocked(verdict)
    gates = {f["gate"] for f in verdict["findings"]}
    assert gates == {"completeness", "expectations", "integrity", "leakage", "suites"}


def test_good_prepared_data_passes(project: Project, prepared: Path) -> None:
    verdict = judged(project, "prepared")
    assert verdict["outcome"] == "pass"
    assert verdict["evidence"].keys() == {
        *(f"prepared/{p.name}" for p in prepared.iterdir()),
        *(f"ml/expectations/{name}.json" for name in SCHEMAS),
    }


def test_the_suites_hold_many_expectations_and_none_is_demanded_in_vain() -> None:
    demanded = config.load(ROOT).config.gates
    least = {
        "raw": demanded["data"]["expectations"]["at_least"],
        **demanded["prepared"]["expectations"]["at_least"],
    }
    assert {name: len(entries_of(name)) for name in least} == least
    assert sum(least.values()) >= 25
    assert ENOUGH.keys() <= {
        f"gates/{s}/{g}/{k}"
        for s, t in demanded.items()
        for g, settings in t.items()
        for k in settings
    }
