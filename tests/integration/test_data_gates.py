"""Faults planted in real data, one row each, and the finding that stops it; good data passes."""

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml.prepare import SCHEMAS, load_settings, prepare
from slipway import config, stages
from slipway.config import Project
from slipway.errors import ConfigError
from tests.datasets import ENOUGH, LAST, change, data_project, put, real_months, small_months
from tests.projects import ROOT

Lines = list[bytes]
GATES = {"completeness", "duplicates", "expectations", "files", "freshness", "integrity"}
GATES |= {"schema", "tamper"}
HEADER = b'"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PIN_CODE","PRODUCT_SUBCLASS",' + (
    b'"PRODUCT_ID","AMOUNT","ASSET","SALES_PRICE"\r\n'
)
DAY, CUSTOMER, AGE, POSTCODE, SUBCLASS, PRODUCT, AMOUNT, ASSET, PRICE = range(9)
NULL = "expect_column_values_to_not_be_null"
SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"
BETWEEN = "expect_column_values_to_be_between"
QUANTILES = "expect_column_quantile_values_to_be_between"
UNIQUE = "expect_column_unique_value_count_to_be_between"
PAIR = "expect_column_pair_values_a_to_be_greater_than_b"


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


def every(place: int, value: bytes, *, share: int = 1) -> Callable[[Path], None]:
    """A fault: one column's value in every `share`-th line of the last month."""

    def fault(data: Path) -> None:
        change(
            data / LAST,
            lambda lines: [
                cell(line, place, value) if number % share == 0 else line
                for number, line in enumerate(lines)
            ],
        )

    return fault


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


def header_alone(data: Path) -> None:
    for path in data.iterdir():
        change(path, lambda _: [])


def column_lost_everywhere(data: Path) -> None:
    for path in data.iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(line.rsplit(b",", 1)[0] + b"\r\n" for line in lines))


def a_folder(data: Path) -> None:
    (data / LAST).unlink()
    (data / LAST).mkdir()


def a_dangling_link(data: Path) -> None:
    (data / LAST).unlink()
    (data / LAST).symlink_to(data / "nowhere")


def a_pipe(data: Path) -> None:
    (data / LAST).unlink()
    os.mkfifo(data / LAST)


def twice(data: Path) -> None:
    change(data / LAST, lambda lines: [*lines, lines[7]])


def a_week_missing(data: Path) -> None:
    days = tuple(f'"1/{day}/2001"'.encode() for day in range(8, 15))
    change(data / "2001-01.csv", lambda lines: [x for x in lines if not x.startswith(days)])


def months_swapped(data: Path) -> None:
    (data / LAST).rename(data / "x")
    (data / "2001-01.csv").rename(data / LAST)
    (data / "x").rename(data / "2001-01.csv")


def prices_in_cents(data: Path) -> None:
    for path in data.iterdir():
        change(path, lambda lines: [line[:-3] + b'00"\r\n' for line in lines])


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
    "a file is empty": (content(lambda _: b""), {f"files: {LAST}"}),
    "a file is a folder": (a_folder, {f"files: {LAST}"}),
    "a file is a dangling link": (a_dangling_link, {f"files: {LAST}"}),
    "a file is a pipe": (a_pipe, {f"files: {LAST}"}),
    "a file is noise": (content(lambda _: os.urandom(100_000)), {f"files: {LAST}"}),
    "a file is zeros": (content(lambda b: b"\0" * len(b)), {f"files: {LAST}"}),
    "a file is in UTF-16": (
        content(lambda b: b.decode().encode("utf-16")),
        {f"files: {LAST}", f"schema: header {LAST}"},
    ),
    "a file is cut off in a line": (content(lambda b: b[: len(b) // 2 - 7]), {f"files: {LAST}"}),
    "a file is cut off in its last value": (content(lambda b: b[:-3]), {f"files: {LAST}"}),
    "a line is huge": (
        content(lambda b: b + b'"' + b"x" * 5_000_000 + b'"\r\n'),
        {f"files: {LAST}"},
    ),
    # schema
    "a file begins with a mark": (
        content(lambda b: b"\xef\xbb\xbf" + b),
        {f"schema: header {LAST}"},
    ),
    "a header is lost": (content(lambda b: b.split(b"\r\n", 1)[1]), {f"schema: header {LAST}"}),
    "a column is lost in one file": (
        content(
            lambda b: b"".join(x.split(b",", 1)[1] for x in b.splitlines(keepends=True)),
        ),
        {
            f"schema: header {LAST}",
            "completeness: nulls TRANSACTION_DT",
            f"expectations: raw TRANSACTION_DT: {NULL}",
        },
    ),
    "a number is NaN": (every(PRICE, b"NaN", share=50), {"schema: values of SALES_PRICE"}),
    "a number is infinite": (every(ASSET, b"inf", share=50), {"schema: values of ASSET"}),
    "pieces are halves": (every(AMOUNT, b"1.5", share=50), {"schema: values of AMOUNT"}),
    "dates are of another form": (
        every(DAY, b"2001-02-01"),
        {"schema: values of TRANSACTION_DT", f"completeness: months in {LAST}"},
    ),
    # completeness
    "no file holds a line": (
        header_alone,
        {
            f"files: {LAST}",
            "completeness: rows",
            "completeness: days",
            "completeness: column CUSTOMER_ID",
            "freshness: last day",
            "duplicates: exact",
            "integrity: unknown PRODUCT_ID",
            "expectations: raw rows",
        },
    ),
    "a column is lost everywhere": (
        column_lost_everywhere,
        {
            f"schema: header {LAST}",
            "completeness: column SALES_PRICE",
            f"expectations: raw SALES_PRICE: {NULL}",
            "expectations: raw table: expect_table_columns_to_match_ordered_list",
        },
    ),
    "a column is all null": (
        all_months(AGE, b""),
        {
            "completeness: column AGE_GROUP",
            "completeness: nulls AGE_GROUP",
            f"expectations: raw AGE_GROUP: {SET}",
        },
    ),
    "a week is missing": (a_week_missing, {"completeness: missing days"}),
    "a month is nearly empty": (
        lambda d: change(d / LAST, lambda lines: lines[::9]),
        {f"completeness: month {LAST[:7]}", f"completeness: usual month {LAST[:7]}"},
    ),
    "half of a month is lost": (
        lambda d: change(d / LAST, lambda lines: lines[::2]),
        {f"completeness: usual month {LAST[:7]}"},
    ),
    "months are in each other's files": (months_swapped, {f"completeness: months in {LAST}"}),
    # freshness, duplicates, integrity
    "a date is in the future": (
        every(DAY, b"2/1/2011", share=900),
        {
            "freshness: after the cut",
            "expectations: raw TRANSACTION_DT: expect_column_max_to_be_between",
        },
    ),
    "a line stands twice": (twice, {"duplicates: exact", "duplicates: keyed"}),
    "a month stands under another name": (
        lambda d: void(shutil.copy2(d / LAST, d / "2001-03.csv")),
        {"duplicates: same file", "duplicates: exact"},
    ),
    "the customers of a month are one": (
        every(CUSTOMER, b"00000001"),
        {"integrity: PIN_CODE of CUSTOMER_ID", "duplicates: keyed"},
    ),
    # values
    "customer ids are no ids": (
        every(CUSTOMER, b"somebody"),
        {"schema: pattern CUSTOMER_ID", f"expectations: raw CUSTOMER_ID: {REGEX}"},
    ),
    "customer ids cannot exist": (
        every(CUSTOMER, b"20002000"),
        {f"expectations: raw CUSTOMER_ID: {REGEX} #2"},
    ),
    "all customers are one": (
        all_months(CUSTOMER, b"00000001"),
        {"duplicates: keyed", f"expectations: raw CUSTOMER_ID: {UNIQUE}"},
    ),
    "customers are missing": (
        every(CUSTOMER, b"", share=900),
        {"completeness: nulls CUSTOMER_ID", f"expectations: raw CUSTOMER_ID: {NULL}"},
    ),
    "many ages are missing": (
        every(AGE, b"", share=2),
        {"completeness: nulls AGE_GROUP by month", f"expectations: raw AGE_GROUP: {NULL}"},
    ),
    "an age is no group": (
        every(AGE, b"37", share=900),
        {"schema: allowed AGE_GROUP", f"expectations: raw AGE_GROUP: {SET}"},
    ),
    "a postcode is far away": (
        every(POSTCODE, b"999", share=900),
        {"schema: allowed PIN_CODE", f"expectations: raw PIN_CODE: {SET}"},
    ),
    "a subclass has letters": (
        every(SUBCLASS, b"ABCDEF", share=900),
        {"schema: pattern PRODUCT_SUBCLASS", f"expectations: raw PRODUCT_SUBCLASS: {REGEX}"},
    ),
    "a product id is too short": (
        every(PRODUCT, b"471019900", share=900),
        {"schema: pattern PRODUCT_ID", f"expectations: raw PRODUCT_ID: {REGEX}"},
    ),
    "few products are left": (
        all_months(PRODUCT, b"4710199010372"),
        {"integrity: PRODUCT_SUBCLASS of PRODUCT_ID", f"expectations: raw PRODUCT_ID: {UNIQUE}"},
    ),
    "nothing was bought": (
        every(AMOUNT, b"0", share=900),
        {"schema: range AMOUNT", f"expectations: raw AMOUNT: {BETWEEN}"},
    ),
    "everybody buys a dozen": (
        all_months(AMOUNT, b"12"),
        {"schema: median AMOUNT", f"expectations: raw AMOUNT: {QUANTILES}"},
    ),
    "a cost is negative": (
        every(ASSET, b"-1", share=900),
        {"schema: range ASSET", f"expectations: raw ASSET: {BETWEEN}"},
    ),
    "costs are nothing": (
        every(ASSET, b"0", share=9),
        {"schema: usual ASSET", f"expectations: raw ASSET: {BETWEEN} #2"},
    ),
    "a price is negative": (
        every(PRICE, b"-1", share=900),
        {"schema: range SALES_PRICE", f"expectations: raw SALES_PRICE: {BETWEEN}"},
    ),
    "prices are absurd": (
        every(PRICE, b"99999", share=90),
        {"schema: usual SALES_PRICE", f"expectations: raw SALES_PRICE: {BETWEEN} #2"},
    ),
    "prices are in cents": (
        prices_in_cents,
        {"schema: median SALES_PRICE", f"expectations: raw SALES_PRICE: {QUANTILES}"},
    ),
    "all is sold below cost": (
        every(PRICE, b"1"),
        {"schema: median SALES_PRICE", f"expectations: raw SALES_PRICE, ASSET: {PAIR}"},
    ),
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


def test_all_real_data_passes(tmp_path: Path) -> None:
    checkout = data_project(tmp_path, None, settings={})
    put(checkout.root / "data", real_months())
    project = config.load(checkout.root)
    assert judged(project, "data")["outcome"] == "pass"
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


def test_a_missing_suite_blocks(suites: Project) -> None:
    (suites.root / "ml/expectations/raw.json").unlink()
    assert blocked(judged(suites, "data")) == {"raw"}


def test_an_empty_suite_blocks(suites: Project) -> None:
    suite_with(suites, [])
    assert blocked(judged(suites, "data")) == {"raw"}


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


def table(name: str, change_it: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    """A fault: another table in the place of one."""

    def fault(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        pq.write_table(change_it(pq.ParquetFile(path).read()), path)

    return fault


def column(name: str, values: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    return lambda found: found.set_column(found.column_names.index(name), name, values(found[name]))


def first(value: Any) -> Callable[[Any], Any]:
    """A column with another value in its first row."""

    def put_first(found: Any) -> Any:
        return pa.chunked_array([pa.array([value], found.type), *found.slice(1).chunks])

    return put_first


def cleaning(**changes: Any) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        path = folder / "cleaning.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return fault


def cut(name: str) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:1000])

    return fault


BASKET_KEYS = "lines → baskets: customer, date"
PREPARED_FAULTS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "there is no folder": (lambda f: shutil.rmtree(f), {"lines rows", "cleaning.json"}),
    "a table is missing": (
        lambda f: (f / "baskets.parquet").unlink(),
        {"baskets rows", "lines → baskets", "baskets → customers"},
    ),
    "a table is cut off": (cut("lines.parquet"), {"lines.parquet", "lines rows"}),
    "a table is noise": (
        lambda f: void((f / "lines.parquet").write_bytes(os.urandom(5000))),
        {"lines.parquet", "lines rows"},
    ),
    "a table nobody asked for": (
        lambda f: void(shutil.copy2(f / "products.parquet", f / "extra.parquet")),
        {"extra", "extra rows"},
    ),
    "a table is empty": (table("products", lambda t: t.slice(0, 0)), {"products rows"}),
    "the cleaning report is missing": (
        lambda f: (f / "cleaning.json").unlink(),
        {"cleaning.json", "lines rows"},
    ),
    "the cleaning report is malformed": (cleaning(rows=[]), {"cleaning.json"}),
    "another version was prepared": (cleaning(dataset="md5:" + "1" * 32 + ".dir"), {"dataset"}),
    "a rule touched most lines": (
        cleaning(rules=[{"rule": "impossible_prices", "rows": 40_000, "says": ""}]),
        {"rule impossible_prices"},
    ),
    "a column is lost": (
        table("lines", lambda t: t.drop_columns(["subclass"])),
        {"lines → products", f"lines subclass: {REGEX}"},
    ),
    "a column is all null": (
        table("customers", column("age_group", lambda c: pa.nulls(len(c), c.type))),
        {"customers column age_group", f"customers age_group: {SET}"},
    ),
    "a price is NaN": (
        table("lines", column("sales_price", first(math.nan))),
        {"lines column sales_price", "lines → baskets: sales_price = sum sales_price"},
    ),
    "a price is infinite": (
        table("products", column("unit_price", first(math.inf))),
        {"products column unit_price", f"products unit_price: {BETWEEN}"},
    ),
    "lines were lost on the way": (
        table("lines", lambda t: t.slice(10)),
        {"lines rows", "lines → baskets: products = rows"},
    ),
    "a customer is unknown": (
        table("customers", lambda t: t.slice(1)),
        {"lines → customers: customer of lines that customers does not know"},
    ),
    "a product nobody bought": (
        table("products", column("product", first("0000000000000"))),
        {"lines → products: product of products without lines"},
    ),
    "a basket stands twice": (
        table("baskets", lambda t: pa.concat_tables([t, t.slice(0, 1)])),
        {
            "lines → baskets: one row a key",
            "baskets customer, date: expect_compound_columns_to_be_unique",
        },
    ),
    "a basket is of another day": (
        table("baskets", column("date", first(date(2000, 10, 1)))),
        {f"{BASKET_KEYS} of baskets without lines"},
    ),
    "a sum is wrong": (
        table("baskets", column("sales_price", lambda c: pc.add(c, 1.0))),
        {"lines → baskets: sales_price = sum sales_price"},
    ),
    "a price is nothing": (
        table("lines", column("sales_price", first(0.0))),
        {f"lines sales_price: {BETWEEN}"},
    ),
    "a trader's amount is left": (
        table("lines", column("amount", first(1200))),
        {f"lines amount: {BETWEEN}"},
    ),
    "a customer left before coming": (
        table("customers", column("last_day", first(date(2000, 1, 1)))),
        {f"customers last_day, first_day: {PAIR}"},
    ),
}


@pytest.mark.parametrize("name", PREPARED_FAULTS)
def test_the_prepared_gate_stops(project: Project, prepared: Path, name: str) -> None:
    fault, findings = PREPARED_FAULTS[name]
    fault(prepared)
    verdict = judged(project, "prepared")
    assert findings <= blocked(verdict)
    gates = {f["gate"] for f in verdict["findings"]}
    assert {"completeness", "expectations", "integrity"} == gates


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
