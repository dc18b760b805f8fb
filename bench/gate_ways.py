"""Three ways to ask the raw suite's expectations of a folder, each in a process of its own.

`python -m bench.gate_ways plain|ours|spark|scan FOLDER OUT` writes what each expectation got to
OUT: {place: success}. The imports count: they are part of what a gate costs.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SUITE = "raw"
Answers = dict[str, bool]


def plain(folder: Path) -> Answers:
    """Great Expectations as its own documents show it: a pandas frame, one validation."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("bench")
    whole = source.add_dataframe_asset("raw").add_batch_definition_whole_dataframe("whole")
    batch = whole.get_batch({"dataframe": _frame(folder)})
    suite = gx.ExpectationSuite(name=SUITE)
    for place, entry in _entries():
        kwargs = entry["kwargs"]
        kind = gx.expectations.expectation.ExpectationConfiguration  # type: ignore[attr-defined]
        suite.add_expectation(
            kind(type=entry["type"], kwargs=kwargs, meta={"place": place}).to_domain_obj()
        )
    results = batch.validate(suite).results
    return {r.expectation_config.meta["place"]: bool(r.success) for r in results}


def _frame(folder: Path) -> Any:
    """Every file by `read_csv`, typed as declared."""
    import pandas as pd

    types = {"text": "str", "integer": "int64", "number": "float64"}
    columns = _columns()
    dates = {n: kind.removeprefix("date ") for n, kind in columns.items() if kind not in types}
    options: dict[str, Any] = {
        "dtype": {n: types[kind] for n, kind in columns.items() if kind in types},
        "parse_dates": list(dates),
        "date_format": dates,
        "keep_default_na": False,
        "na_values": [""],
    }
    return pd.concat([pd.read_csv(p, **options) for p in _files(folder)], ignore_index=True)


def ours(folder: Path, engine: str = "pandas") -> Answers:
    """The gate `expectations`, with its own reading of the files."""
    from dataclasses import replace

    from slipway import config
    from slipway.gates.data import DataEvidence, Reading, expectations
    from slipway.stages.subjects import data
    from slipway.tools import frames, spark

    project = config.load(ROOT)
    settings = replace(project.config.data, engine=engine)
    project = replace(project, config=replace(project.config, data=settings))
    held = frames.engine(project)
    parts = [held.csv(path, settings.columns) for path in _files(folder)]
    table = held.raw(parts, settings.columns)
    suite = data.suite_of(project, SUITE)
    evidence = DataEvidence(lambda: Reading((), table, {}), "", "", settings.columns, suite)
    given = list(expectations.judge(evidence, expectations.Settings(1)))
    spark.end()
    findings = [getattr(answer, "finding", answer) for answer in given]
    return {
        f.where.removeprefix(f"{SUITE} "): f.outcome == "pass"
        for f in findings
        if f.where.startswith(f"{SUITE} ")
    }


def on_spark(folder: Path) -> Answers:
    """The same, asked on Spark."""
    return ours(folder, "spark")


def scan(folder: Path) -> Answers:
    """One query of DuckDB over the files, with all that the expectations ask: the limit."""
    import duckdb

    names = list(_columns())
    asked = [sql for _, entry in _entries() for sql in _asked(entry["type"], entry["kwargs"])]
    files = [str(path) for path in _files(folder)]
    query = f"SELECT count(*), {', '.join(asked)} FROM read_csv({files}, columns = {_types()})"  # noqa: S608
    row = duckdb.connect().execute(query).fetchone()
    assert row is not None
    found = iter(row[1:])
    return {
        place: _met(entry["type"], entry["kwargs"], row[0], found, names)
        for place, entry in _entries()
    }


def _types() -> str:
    known = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE"}
    pairs = [f"'{n}': '{known.get(kind, 'VARCHAR')}'" for n, kind in _columns().items()]
    return "{" + ", ".join(pairs) + "}"


def _asked(kind: str, kwargs: Mapping[str, Any]) -> list[str]:
    """What an expectation needs to know, as SQL aggregates."""
    if kind.startswith("expect_table_"):
        return []
    if "column_A" in kwargs:
        one, other = _column(kwargs["column_A"]), _column(kwargs["column_B"])
        equal = "=" if kwargs.get("or_equal") else ""
        return [f"sum(({one} >{equal} {other})::INT)", f"count({one} + {other})"]
    name, count = _column(kwargs["column"]), f"count({_column(kwargs['column'])})"
    if "quantile" in kind:
        return [f"quantile_disc({name}, {kwargs['quantile_ranges']['quantiles']})"]
    if "unique_value_count" in kind:
        return [f"count(DISTINCT {name})"]
    if kind.endswith("to_not_be_null"):
        return [count]
    if "_min_" in kind or "_max_" in kind:
        return [f"{'min' if '_min_' in kind else 'max'}({name})"]
    return [f"sum(({_condition(kind, kwargs, name)})::INT)", count]


def _condition(kind: str, kwargs: Mapping[str, Any], name: str) -> str:
    if "match_regex" in kind:
        return f"regexp_matches({name}, '{kwargs['regex']}')"
    if "in_set" in kind:
        values = ", ".join(f"'{value}'" for value in kwargs["value_set"])
        return f"{name} {'NOT ' if 'not_be' in kind else ''}IN ({values})"
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    bounds = [f"{name} >= {low}"] if low is not None else []
    return " AND ".join(bounds + ([f"{name} <= {high}"] if high is not None else []))


def _column(name: str) -> str:
    kind = _columns()[name]
    return f"strptime({name}, '{kind[5:]}')" if kind.startswith("date ") else name


def _met(
    kind: str, kwargs: Mapping[str, Any], rows: int, found: Iterator[Any], names: list[str]
) -> bool:
    """Whether what the query found is as expected."""
    if kind == "expect_table_columns_to_match_ordered_list":
        return bool(kwargs["column_list"] == names)
    if kind == "expect_table_row_count_to_be_between":
        return _between(rows, kwargs)
    value = next(found)
    if "quantile" in kind:
        ranges = kwargs["quantile_ranges"]["value_ranges"]
        return all(low <= v <= high for v, (low, high) in zip(value, ranges, strict=True))
    if kind.endswith("_to_be_between") and not kind.startswith("expect_column_values"):
        return _between(value, kwargs)
    counted = rows if kind.endswith("to_not_be_null") else next(found)
    return bool(value / counted >= kwargs.get("mostly", 1))


def _between(value: Any, kwargs: Mapping[str, Any]) -> bool:
    from datetime import datetime

    limits = [kwargs.get("min_value"), kwargs.get("max_value")]
    low, high = (datetime.fromisoformat(x) if isinstance(x, str) else x for x in limits)
    return (low is None or low <= value) and (high is None or value <= high)


def _entries() -> list[tuple[str, dict[str, Any]]]:
    """Place, as our findings name it, and entry of every expectation."""
    from slipway.gates.suites import parse

    path = ROOT / "ml" / "expectations" / f"{SUITE}.json"
    content = path.read_bytes()
    places = parse(SUITE, content, str(path)).places
    return list(zip(places, json.loads(content)["expectations"], strict=True))


def _columns() -> dict[str, str]:
    from slipway import config

    return config.load(ROOT).config.data.columns


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.csv"))


WAYS: dict[str, Callable[[Path], Answers]] = {
    "plain": plain,
    "ours": ours,
    "scan": scan,
    "spark": on_spark,
}

if __name__ == "__main__":
    way, folder, out = sys.argv[1:]
    Path(out).write_text(json.dumps(WAYS[way](Path(folder)), indent=1, sort_keys=True))
