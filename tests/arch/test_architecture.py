"""The layer table of the design, kept true: who imports whom, and one door to each heavy library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import velostream_nb

PACKAGE = Path(velostream_nb.__file__).parent
ROOT = PACKAGE.parent

ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "sql": {"core"},
    "brokers": {"core"},
    "codecs": {"core"},
    "engine": {"sql", "core"},
    "sinks": {"brokers", "codecs", "core"},
    "jobs": {"sql", "brokers", "codecs", "engine", "sinks", "core"},
    "widgets": {"sinks", "core"},
    "dashboards": {"widgets", "sinks", "core"},
    "notebook": {"jobs", "widgets", "sql", "core"},
    "server": {"jobs", "sql", "core", "dashboards"},
    "client": {"core"},
    "cli": {"jobs", "client", "server", "sql", "core"},
}
"""`server` reaches `dashboards` for the dashboards it serves; `cli` reaches `server` to start it."""

DOORS = {"duckdb": {"engine"}, "sqlglot": {"sql"}, "streamz": {"jobs"}, "confluent_kafka": {"brokers"}}
FORBIDDEN_CALLS = {"engine": {"threading", "socket", "asyncio", "requests", "httpx"}}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "_files" not in p.parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module imported anywhere in the file, those inside functions and under TYPE_CHECKING as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module, node.lineno


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _modules_of(node: ast.ImportFrom, known: set[str]) -> Iterator[str]:
    """The modules of ours that a ``from m import a, b`` runs: m.a where that is a module, else m."""
    if node.module in known:
        yield from (
            f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in known else node.module for a in node.names
        )


def layer_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else ""


def test_every_folder_is_in_the_table():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert folders <= set(ALLOWED)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_layer_imports_only_those_below_it(path):
    layer = layer_of(path)
    if not layer:
        return
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "velostream_nb" and len(parts) > 1:
            assert parts[1] in ALLOWED[layer] | {layer}, f"{path}:{line}: {layer} must not import {name}"
        if parts[0] == "velostream_generator":
            assert layer in ("cli", "notebook"), f"{path}:{line}: {layer} must not import the generator"


@pytest.mark.parametrize("library", DOORS)
def test_each_heavy_library_has_one_door(library):
    users = {layer_of(p) for p in modules() for name, _ in imports(p) if name.split(".")[0] == library}
    assert users <= DOORS[library]


def test_duckdb_is_opened_in_one_module_only():
    users = {p.name for p in modules() for name, _ in imports(p) if name.split(".")[0] == "duckdb"}
    assert users <= {"duck.py", "pull.py"}


def test_the_engine_is_pure():
    for path in modules():
        if layer_of(path) == "engine":
            used = {name.split(".")[0] for name, _ in imports(path)} & FORBIDDEN_CALLS["engine"]
            assert not used, f"{path} imports {used}"
            assert "time.time(" not in path.read_text()
            assert "sleep(" not in path.read_text()


def test_the_generator_knows_nothing_of_the_engine():
    for path in (ROOT / "generator").rglob("*.py"):
        assert not any(name.startswith("velostream_nb") for name, _ in imports(path)), path


def test_no_import_cycles():
    graph: dict[str, set[str]] = {}
    known = {module_name(path) for path in modules()}
    for path in modules():
        name = module_name(path)
        tree = ast.parse(path.read_text())
        guarded = {
            id(n)
            for guard in ast.walk(tree)
            if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.dump(guard.test)
            for n in ast.walk(guard)
        }
        top = [n for n in tree.body if id(n) not in guarded and isinstance(n, ast.ImportFrom) and n.module]
        graph[name] = {target for n in top for target in _modules_of(n, known)}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join([*trail[trail.index(name) :], name])}"
        if name not in done:
            for target in graph.get(name, ()):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_importing_the_package_loads_nothing_heavy():
    heavy = "duckdb sqlglot pandas pyarrow jupyter_server ipywidgets bqplot streamz voila confluent_kafka numpy"
    code = f"import sys, velostream_nb; print([m for m in {heavy.split()!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "word", ["/work" + "/", "/root" + "/", "pypi" + ".org", "registry.npmjs" + ".org", "maven" + ".org"]
)
def test_no_machine_path_or_registry_host_in_the_tree(word):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in (".png", ".parquet"):
            assert word not in path.read_text(errors="replace"), name
