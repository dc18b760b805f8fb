"""What the documents say is true of the code: commands, gates, settings, links."""

import re
import shlex
import sys
import tomllib
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from slipway import gates, settings, stages
from slipway.gates.model import ModelEvidence
from slipway.settings import Config
from slipway.typed import build
from tests import reference
from tests.meanings import MEANINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
INLINE = re.compile(r"`slipway ([a-z]+)\b[^`]*`")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(path.read_text()) if kind == language]


def typed() -> Iterator[tuple[str, str]]:
    """Every command that a page tells its reader to type."""
    for path in PAGES:
        for block in blocks(path, "console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield name_of(path), line.removeprefix("$ ")


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("page", "line"), sorted(set(typed())))
def test_every_command_that_is_to_be_typed_exists(page: str, line: str) -> None:
    words = shlex.split(line.split(" | ")[0], comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert {word for word in rest if "=" not in word} <= set(targets)
    elif program.endswith("slipway"):
        stages.parse(rest)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_mentioned_exists(page: Path) -> None:
    assert set(INLINE.findall(page.read_text())) <= set(stages.COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        leads_to = (page.parent / file).resolve() if file else page
        assert leads_to.exists(), target
        assert not anchor or anchor in anchors(leads_to), target


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "reference").glob("*.md")), ids=lambda p: p.name
)
def test_the_reference_is_as_the_code_has_it(page: Path) -> None:
    assert page.read_text() == reference.page(page), "run 'python -m tests.reference'"


def test_every_command_and_every_gate_has_a_chapter() -> None:
    commands = (reference.FOLDER / "commands.md").read_text()
    assert re.findall(r"^## (\w+)$", commands, re.M) == list(stages.COMMANDS)
    chapters = re.findall(r"^### ([\w.]+)$", (reference.FOLDER / "gates.md").read_text(), re.M)
    exist = [f"{subject}.{name}" for subject in gates.SUBJECTS for name in gates.available(subject)]
    assert chapters == exist


def test_every_setting_field_and_argument_is_explained() -> None:
    for page in reference.FOLDER.glob("*.md"):
        for line in page.read_text().splitlines():
            assert not re.match(r"\| `.*\|  \|$", line), f"{page.name}: {line} says nothing"


def test_every_meaning_that_is_given_beside_the_code_is_needed() -> None:
    pages = "".join(page.read_text() for page in reference.FOLDER.glob("*.md"))
    assert [key for key, text in MEANINGS.items() if text not in pages] == []


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The gate that a page writes, as if its file were there."""
    page = (ROOT / "docs" / "how-to" / "add-a-gate.md").read_text()
    found = re.search(r"`ci/gates/model/(\w+)\.py`:\n\n```python\n(.*?)^```", page, re.M | re.S)
    assert found
    module = types.ModuleType(f"slipway.gates.model.{found[1]}")
    module.__package__ = "slipway.gates.model"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(found[2], module.__name__, "exec"), module.__dict__)
    known = gates.available
    monkeypatch.setattr(
        gates, "available", lambda kind: [*known(kind), *([found[1]] if kind == "model" else [])]
    )
    return module


@pytest.mark.parametrize(
    ("average", "slice_", "rows", "outcomes"),
    [
        (0.2, 0.12, 100, ["pass"]),  # equal to the threshold
        (0.2, 0.1, 100, ["block"]),
        (0.2, None, 100, ["block"]),
        (None, 0.12, 100, ["block"]),
        (0.2, 0.1, 99, []),
    ],
)
def test_the_gate_of_the_example_does_what_its_page_says(
    example: types.ModuleType,
    average: float | None,
    slice_: float | None,
    rows: int,
    outcomes: list[str],
) -> None:
    slices = {"new": {"rows": rows, "candidate": {"m": slice_}}}
    evidence = ModelEvidence({"candidate": {"m": average}, "slices": slices}, None)
    findings = list(example.judge(evidence, example.Settings("m", 0.6)))
    assert [finding.outcome for finding in findings] == outcomes


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in more.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


@pytest.mark.parametrize(
    ("page", "text"), [(name_of(p), text) for p in PAGES for text in blocks(p, "toml")]
)
def test_every_settings_example_is_accepted(
    example: types.ModuleType, page: str, text: str
) -> None:
    ours = tomllib.loads((ROOT / settings.FILE).read_text())
    wanted = build(Config, merged(ours, tomllib.loads(text)))
    for subject, tables in wanted.gates.items():
        gates.configured(subject, tables)
