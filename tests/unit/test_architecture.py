"""The house style that has to hold: directions of imports, edges, sizes."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "ci"
HEAVY = {
    "tensorflow",
    "great_expectations",
    "ibis",
    "duckdb",
    "pyspark",
    "dvc",
    "pandas",
    "pyarrow",
    "numpy",
    "docker",
    "requests",
    "jinja2",
    "rich",
    "psutil",
    "aiohttp",
    "onnxruntime",
}
LAYERS = {  # which layers a layer may use besides itself
    "__main__": {"stages", "config", "errors"},
    "stages": {"gates", "tools", "report", "config", "settings", "records", "typed", "errors"},
    "gates": {"config", "settings", "records", "typed", "errors"},
    "tools": {"config", "settings", "records", "typed", "errors"},
    "report": {"config", "settings", "records", "typed", "errors"},
    "config": {"settings", "typed", "errors"},
    "settings": {"typed", "errors"},
    "records": {"content", "typed", "errors"},
    "content": {"typed", "errors"},
    "typed": {"errors"},
    "errors": set(),
    "__init__": set(),
}


def modules(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def layer(path: Path) -> str:
    return path.relative_to(CI).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[ast.stmt, str, int]]:
    """Each import statement of a file: the node, the module it names, its level of dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, 0
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or "", node.level


def targets(path: Path) -> set[str]:
    """The layers of `ci` that a file uses."""
    found = set()
    for node, name, level in imports(path):
        if not level:
            continue
        base = path.relative_to(CI).parent.parts
        up = base[: len(base) - (level - 1)]
        names = (
            [name] if name else [alias.name for alias in node.names]  # type: ignore[attr-defined]
        )
        for target in names:
            parts = (*up, *target.split("."))
            found.add(parts[0] if parts else "__init__")
    return found


@pytest.mark.parametrize("path", modules(CI), ids=lambda p: p.relative_to(CI).as_posix())
def test_arrows_between_layers_never_turn_back(path: Path) -> None:
    own = layer(path)
    known = {t for t in targets(path) if t in LAYERS}
    assert known - {own} <= LAYERS[own], f"{own} may not use {known - {own} - LAYERS[own]}"


@pytest.mark.parametrize("path", modules(CI), ids=lambda p: p.relative_to(CI).as_posix())
def test_ci_imports_itself_relatively_and_never_ml(path: Path) -> None:
    absolute = {name.split(".")[0] for _, name, level in imports(path) if not level}
    assert not absolute & {"ci", "slipway", "ml", "tests"}


@pytest.mark.parametrize("path", modules(ROOT / "ml"), ids=lambda p: p.name)
def test_ml_never_imports_ci(path: Path) -> None:
    absolute = {name.split(".")[0] for _, name, level in imports(path) if not level}
    assert not absolute & {"ci", "slipway"}


@pytest.mark.parametrize("path", modules(CI), ids=lambda p: p.relative_to(CI).as_posix())
def test_heavy_imports_stand_inside_functions(path: Path) -> None:
    if path.name == "front.py":  # a program of its own, started by path
        return
    top = ast.parse(path.read_text()).body
    named = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in top
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for alias in node.names
    }
    assert not {name.split(".")[0] for name in named} & HEAVY


def test_there_is_no_import_cycle_in_ci() -> None:
    graph: dict[str, set[str]] = {}
    files = {p.relative_to(CI).with_suffix("").as_posix().replace("/", "."): p for p in modules(CI)}
    for name, path in files.items():
        body = ast.parse(path.read_text()).body
        base = path.relative_to(CI).parent.parts
        graph[name] = set()
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.level:
                up = base[: len(base) - (node.level - 1)]
                prefix = ".".join((*up, *filter(None, (node.module or "").split("."))))
                for alias in node.names:
                    full = f"{prefix}.{alias.name}" if prefix else alias.name
                    graph[name] |= {c for c in (full, prefix) if c in files}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"cycle: {' → '.join((*path, name))}"
        if name not in done:
            for target in graph[name]:
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


EDGES = {"subprocess": "tools", "requests": "tools", "docker": "tools", "socket": "tools"}


@pytest.mark.parametrize("path", modules(CI), ids=lambda p: p.relative_to(CI).as_posix())
def test_edges_live_in_tools_alone(path: Path) -> None:
    used = {name.split(".")[0] for _, name, level in imports(path) if not level}
    outside = {edge for edge, home in EDGES.items() if edge in used and layer(path) != home}
    assert not outside


@pytest.mark.parametrize("path", modules(CI), ids=lambda p: p.relative_to(CI).as_posix())
def test_only_the_entry_exits_and_only_config_reads_the_environment(path: Path) -> None:
    entry = path.name in ("__main__.py", "guard.py", "front.py")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            what = f"{node.value.id}.{node.attr}"
            assert entry or what not in ("sys.exit", "os._exit"), what
            if path.name not in ("__main__.py", "config.py"):
                assert what not in ("os.environ", "os.getenv"), f"{what} line {node.lineno}"


@pytest.mark.parametrize(
    "path", [*modules(CI), *modules(ROOT / "ml")], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 60, node.name


@pytest.mark.parametrize(
    "path", [*modules(CI), *modules(ROOT / "ml")], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_every_module_and_public_function_says_what_it_gives(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "no module docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_help_imports_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    from slipway import stages

    before = set(sys.modules)
    stages.execute(["--help"])
    loaded = {name.split(".")[0] for name in set(sys.modules) - before}
    assert not loaded & HEAVY
    assert "usage: slipway COMMAND" in capsys.readouterr().out


def test_every_command_has_a_module_that_declares_its_arguments() -> None:
    from slipway import stages

    for command in stages.COMMANDS:
        module = stages.module_of(command)
        assert callable(module.add_arguments)
        assert callable(module.run)


def test_nothing_in_docker_is_a_python_package() -> None:
    assert not (ROOT / "docker" / "__init__.py").exists()


def test_dependency_pins_carry_hashes_and_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "index" not in text.replace("--index", "index") or "-index" not in text
        assert text.count("==") <= text.count("--hash=sha256:")


def test_the_wheel_ships_ci_under_the_name_slipway() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert wheel["targets"]["wheel"]["sources"] == {"ci": "slipway"}
