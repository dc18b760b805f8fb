"""The tables of docs/reference, from the code: `python -m tests.reference` writes them anew.

A page is prose with places `<!-- NAME -->` … `<!-- /NAME -->`; what stands between is made here.
"""

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from slipway import errors, gates, records, settings, stages
from tests.meanings import MEANINGS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
PLACE = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.S)
TYPES = {str: "text", float: "number", int: "whole number", bool: "true or false", Any: "any"}
VERDICTS = {  # what each of them is about
    "lint": "the code, as linters see it",
    "data-verdict": "the raw data",
    "prepared-verdict": "the prepared data",
    "tests-unit": "the unit tests",
    "tests-integration": "the integration tests",
    "tests-e2e": "the end-to-end tests",
    "model-verdict": "the candidate model",
    "image-verdict": "the artefact",
    "staging-verdict": "staging's service",
    "canary-verdict": "the canary beside what is live",
    "production-verdict": "production's service",
}
FILES = {
    "Deployment": ("staging", "canary", "production"),
    "Probe": ("image-probe", "staging-probe", "canary-probe", "production-probe"),
}


def page(path: Path) -> str:
    """A page as it should be: its prose, and the tables as the code has them now."""

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}\n{PLACES[match[2]]().strip()}\n\n{match[3]}"

    return PLACE.sub(fill, path.read_text(encoding="utf-8"))


def commands() -> str:
    """A chapter a command: what it does, how it is called, its arguments."""
    return "\n\n".join(_command(name, text) for name, text in stages.COMMANDS.items())


def _command(name: str, text: str) -> str:
    parser = stages.Parser(prog=f"slipway {name}", add_help=False)
    stages.module_of(name).add_arguments(parser)
    verbs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not verbs:
        return _arguments(f"## {name}\n\n{text}", f"slipway {name}", parser)
    chapters = [
        _arguments(f"### {name} {verb}\n\n{below.description}", f"slipway {name} {verb}", below)
        for verb, below in verbs[0].choices.items()
    ]
    return "\n\n".join([f"## {name}\n\n{text}", *chapters])


def _arguments(head: str, call: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.dest != "help"]
    usage = " ".join([call, *(_usage(action) for action in actions)])
    rows = [(f"`{_call(a)}`", _help(a)) for a in actions]
    chapter = f"{head}\n\n```text\n{usage}\n```"
    return f"{chapter}\n\n{_table(('argument', 'meaning'), rows)}" if rows else chapter


def _usage(action: argparse.Action) -> str:
    if action.option_strings:
        return _call(action) if action.required else f"[{_call(action)}]"
    many = {"*": f"[{_metavar(action)} …]", "+": f"{_metavar(action)} …"}
    optional = f"[{_metavar(action)}]" if action.nargs == "?" else _metavar(action)
    return many.get(str(action.nargs), optional)


def _call(action: argparse.Action) -> str:
    if not action.option_strings:
        return _metavar(action)
    flag = action.option_strings[-1]
    if action.nargs == 0:
        return flag
    return f"{flag} [{_metavar(action)}]" if action.nargs == "?" else f"{flag} {_metavar(action)}"


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _help(action: argparse.Action) -> str:
    choices = "one of " + ", ".join(f"`{c}`" for c in action.choices) if action.choices else ""
    default = action.default if isinstance(action.default, str | Path) else ""
    standard = (
        f"default: `{default}`" if str(default) and "default" not in (action.help or "") else ""
    )
    said = action.help or MEANINGS.get(f"argument.{_metavar(action)}", "")
    return "; ".join(
        filter(None, (said, "" if len(action.choices or ()) == 1 else choices, standard))
    )


def gate_pages() -> str:
    """A chapter a subject: each gate's question and settings."""
    return "\n\n".join(_subject(subject) for subject in gates.SUBJECTS)


def _subject(subject: str) -> str:
    chapters = [f"## {subject}"]
    for name in gates.available(subject):
        module = importlib.import_module(f"slipway.gates.{subject}.{name}")
        question, _, more = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
        head = f"### {subject}.{name}\n\n{_joined(question)}"
        chapters += [head, *([_joined(more)] if more else []), _settings(module.Settings)]
    return "\n\n".join(chapters)


def _settings(cls: type) -> str:
    rows = list(_rows(cls))
    if not rows:
        return "No settings."
    tables = [_table(("setting", "type", "default", "meaning"), rows)]
    for hint in typing.get_type_hints(cls).values():
        for inner in filter(dataclasses.is_dataclass, (hint, *typing.get_args(hint))):
            about = f"{inner.__name__}: {_summary(inner)[:1].lower()}{_summary(inner)[1:]}"
            tables += [about, _table(("key", "type", "default", "meaning"), _rows(inner))]
    return "\n\n".join(tables)


def toml() -> str:
    """A table a table of delivery.toml."""
    chapters = [
        ("[model]", settings.Model),
        ("[data]", settings.Data),
        ("[data.source]", settings.Source),
        ("[tests]", settings.Tests),
        ("[tests.unit], [tests.integration], [tests.e2e]", settings.Layer),
        ("[lint]", settings.Lint),
        ("[artefact]", settings.Artefact),
        ("[image]", settings.ImageSettings),
        ("[environments.NAME]", settings.Environment),
        ("[retention]", settings.Retention),
        ("[approval]", settings.ApprovalRules),
        ("[ledger]", settings.Ledger),
        ("[drill]", settings.DrillRules),
        ("[jenkins]", settings.Jenkins),
    ]
    return "\n\n".join(_chapter(f"## {title}", cls) for title, cls in chapters)


def _chapter(title: str, cls: type) -> str:
    skip = [name for name, hint in typing.get_type_hints(cls).items() if _inner(hint)]
    rows = [row for row in _rows(cls) if row[0].strip("`") not in skip]
    table = _table(("key", "type", "default", "meaning"), rows)
    return f"{title}\n\n{_summary(cls)}\n\n{table}"


def _inner(hint: Any) -> bool:
    """Whether a field is a table of its own."""
    return any(dataclasses.is_dataclass(h) for h in (hint, *typing.get_args(hint)))


def record_pages() -> str:
    """A chapter a record: its file, and its fields beside those that all have."""
    chapters = [_fields("## Every record", "", records.Record)]
    for cls in records.Record.__subclasses__():
        names = FILES.get(cls.__name__, (cls.__name__.lower(),))
        if cls is records.Verdict:
            names = tuple(VERDICTS)
        files = ", ".join(f"`{name}.json`" for name in names)
        chapters.append(_fields(f"## {cls.__name__}", files, cls))
    chapters.append(_fields("## Finding", "in every verdict", records.Finding))
    chapters.append(_fields("## DrillCase", "in `drill.json`", records.DrillCase))
    return "\n\n".join(chapters)


def _fields(title: str, files: str, cls: type) -> str:
    own = [row for row in _rows(cls) if not (row[0] == "`schema`" and cls is not records.Record)]
    table = _table(
        ("field", "type", "meaning"), [(name, kind, text) for name, kind, _, text in own]
    )
    about = " ".join(filter(None, (_summary(cls), f"File: {files}." if files else "")))
    return f"{title}\n\n{about}\n\n{table}"


def verdicts() -> str:
    """Which verdict is about what."""
    rows = [(f"`{name}.json`", f"`{name}.xml`", about) for name, about in VERDICTS.items()]
    return _table(("record", "JUnit", "about"), rows)


def failures() -> str:
    """The errors with an exit code of their own."""
    rows = [
        (str(cls.exit_code), f"`{cls.__name__}`", _joined(cls.__doc__ or ""))
        for cls in errors.SlipwayError.__subclasses__()
    ]
    return _table(("exit", "error", "when"), rows)


def _rows(cls: type) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and comment of each field that a dataclass declares itself."""
    comments, hints = _comments(cls), typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name in comments:
            kind, default = _type(hints[field.name]), _default(field)
            yield f"`{field.name}`", kind, default, comments[field.name]


def _comments(cls: type) -> dict[str, str]:
    """Field → the comment behind it, or on the lines above it."""
    source = textwrap.dedent(inspect.getsource(cls))
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            behind = lines[(node.end_lineno or 1) - 1][node.end_col_offset or 0 :]
            above = []
            for line in reversed(lines[: node.lineno - 1]):
                if not line.strip().startswith("#"):
                    break
                above.insert(0, line.strip().removeprefix("# "))
            name = node.target.id
            said = behind.strip().removeprefix("# ") or " ".join(above) or _attribute(cls, name)
            found[name] = said or MEANINGS.get(_key(cls, name)) or MEANINGS.get(name, "")
    return found


def _attribute(cls: type, name: str) -> str:
    """What the docstring's `Attributes` say about a field."""
    match = re.search(rf"^ +{name}: (.+?)(?=\n +\w+: |\n *\Z|\Z)", cls.__doc__ or "", re.M | re.S)
    return _joined(match[1]).removesuffix(".") if match else ""


def _key(cls: type, name: str) -> str:
    """`Class.field`, and with the gate's own name for its settings."""
    gate = re.fullmatch(r"slipway\.gates\.(\w+\.\w+)", cls.__module__)
    return f"{gate[1] if gate and cls.__name__ == 'Settings' else cls.__name__}.{name}"


def _summary(cls: type) -> str:
    return _joined((cls.__doc__ or "").partition("\n\n")[0])


def _type(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(a) for a in args if a is not type(None)) + ", or none"
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"table of {_type(args[1])}"
    return TYPES.get(hint, getattr(hint, "__name__", str(hint)))


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{_shown(field.default)}`"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{_shown(field.default_factory())}`"
    return "must be given"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def _joined(text: str) -> str:
    return " ".join(text.split())


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(header), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    lines.insert(1, tuple("---" for _ in lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PLACES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "gates": gate_pages,
    "toml": toml,
    "records": record_pages,
    "verdicts": verdicts,
    "failures": failures,
}


if __name__ == "__main__":
    for standing in sorted(FOLDER.glob("*.md")):
        standing.write_text(page(standing), encoding="utf-8")
