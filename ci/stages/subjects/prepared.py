"""The prepared tables, as their gates read them."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...config import Project
from ...gates.prepared import Cleaning, PreparedEvidence, Reading
from ...gates.suites import RAW
from ...records import digest_file, digest_tree
from ...tools import dvc, frames, tables
from .. import profiled
from . import Subject
from .data import custom, dataset_record, suite_files, suite_of

CLEANING = "cleaning.json"


def collect(project: Project, args: argparse.Namespace) -> Subject:
    """The folder of prepared tables, each beside its suite."""
    data = project.config.data
    folder = project.root / data.prepared
    least = project.config.gates.get("prepared", {}).get("expectations", {}).get("at_least", {})
    held = {path.stem for path in (project.root / profiled.SUITES).glob("*.json")}
    names = sorted({path.stem for path in folder.glob("*.parquet")} | set(least) | held - {RAW})
    suites = {name: suite_of(project, name) for name in names}
    return Subject(
        kind="prepared",
        of=digest_tree(folder),
        name="prepared-verdict",
        evidence=PreparedEvidence(
            read=lambda: _read_all(frames.engine(project), folder),
            dataset=dvc.pointer_md5(project.root / data.pointer),
            suites={name: suite for name, suite in suites.items() if suite is not None},
            personal=data.personal,
            custom=custom(project),
            reference=profiled.standing(project),
            gates=profiled.gates(project, "prepared"),
        ),
        files={
            **{
                f"{data.prepared}/{path.name}": digest_file(path)
                for path in sorted(folder.glob("*"))
                if path.is_file()
            },
            **suite_files(project, names),
            **profiled.code(project),
            **profiled.files(project),
        },
        on=dataset_record(project, args),
    )


def _read_all(engine: frames.Engine, folder: Path) -> Reading:
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for path in sorted(folder.glob("*.parquet")):
        try:
            found[path.stem] = engine.parquet(path)
        except tables.Unreadable as error:
            problems[path.name] = str(error)
    cleaning = None
    try:
        cleaning = _cleaning(json.loads((folder / CLEANING).read_bytes()))
    except FileNotFoundError:
        problems[CLEANING] = "it is missing"
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        problems[CLEANING] = "it does not say what was cleaned"
    return Reading(found, problems, cleaning)


def _cleaning(content: Mapping[str, Any]) -> Cleaning:
    return Cleaning(
        dataset=content["dataset"],
        rows={str(name): int(count) for name, count in content["rows"].items()},
        rules={str(rule["rule"]): int(rule["rows"]) for rule in content["rules"]},
    )
