"""Who may import whom: the rooms of the package keep their walls."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import songbird_widgets

ROOT = Path(songbird_widgets.__file__).parent

# What each room may import of ours, by prefix. __init__ and __main__ may import any room, and
# any room the other modules beside them.
MAY_IMPORT = {
    "profiles": {"profiles"},
    "local": {"local"},
    "client": {"client", "local"},
    "observatory": {"observatory", "profiles"},
    "session": {"session", "client", "profiles", "observatory", "local"},
    "panels": {"panels", "session", "client", "profiles", "observatory", "local"},
    "service": {"service", "observatory", "profiles", "client.models", "local.identity"},
    "jupyter": {"jupyter", "panels", "session", "service", "observatory", "client", "profiles", "local"},
    "commands": {"commands", "jupyter", "panels", "session", "service", "observatory", "client", "profiles", "local"},
}
# The rooms in which a library may be imported.
HOMES = {
    "httpx": {"client"},
    "httpcore": set(),
    "tornado": {"service", "jupyter"},
    "ipywidgets": {"panels"},
    "anywidget": {"panels"},
    "sqlalchemy": {"service"},
    "jinja2": {"observatory"},
}
ANY_MODULE = "a module whose name is made while it runs"


def imports(tree: ast.AST, package: list[str]) -> set[str]:
    """Every absolute module name that a module of `package` imports when it runs, at any depth and by any way."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.If, ast.Import, ast.ImportFrom, ast.Call))]
    for_types = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in nodes:
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = absolute("." * node.level + (node.module or ""), package)
            found.add(module)
            if module.startswith("songbird_widgets"):
                found |= {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
            name = node.args[0] if node.args else None
            literal = isinstance(name, ast.Constant) and isinstance(name.value, str)
            found.add(absolute(name.value, package) if literal else ANY_MODULE)
    return found


def called(node: ast.Call) -> str | None:
    """The last name of what is called: ``importlib.import_module(…)`` calls ``import_module``."""
    return getattr(node.func, "attr", getattr(node.func, "id", None))


def absolute(module: str, package: list[str]) -> str:
    name = module.lstrip(".")
    level = len(module) - len(name)
    base = package[: len(package) - level + 1] if level else []
    return ".".join([*base, *([name] if name else [])])


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imports_of_all() -> list[tuple[str, str]]:
    """(path, imported module) for every module of the package."""
    return [
        (path.relative_to(ROOT).as_posix(), module)
        for path in sorted(ROOT.rglob("*.py"))
        for module in imports(tree_of(path), ["songbird_widgets", *path.relative_to(ROOT).parent.parts])
    ]


def is_allowed(room: str, module: str) -> bool:
    if module == ANY_MODULE:
        return False
    inner = module.removeprefix("songbird_widgets.")
    if inner == module or inner.split(".")[0] not in MAY_IMPORT:
        return True  # a library, or a name of the package itself such as __version__
    below = any(inner == prefix or inner.startswith(f"{prefix}.") for prefix in MAY_IMPORT[room])
    # `from .. import client` names the room alone; `from ..client import models` is what the service may.
    return below or any(prefix.startswith(f"{inner}.") for prefix in MAY_IMPORT[room])


def test_modules_import_only_what_their_room_may():
    inside = [(path, module) for path, module in imports_of_all() if "/" in path]
    assert {path.partition("/")[0] for path, _ in inside} == set(MAY_IMPORT)
    assert not [f"{path} imports {module}" for path, module in inside if not is_allowed(path.partition("/")[0], module)]


def test_what_lies_beside_the_rooms_imports_nothing_of_ours():
    beside = [(path, module) for path, module in imports_of_all() if "/" not in path and not path.startswith("__")]
    assert beside
    assert not [f"{path} imports {module}" for path, module in beside if module.startswith("songbird_widgets")]


def test_libraries_are_imported_in_their_rooms_only():
    users = {library: set() for library in HOMES}
    for path, module in imports_of_all():
        users.get(module.partition(".")[0], set()).add(path)
    at_home = {library: {path.partition("/")[0] for path in paths} for library, paths in users.items()}
    assert not {library: users[library] for library, rooms in at_home.items() if rooms - HOMES[library]}
    assert not [library for library, rooms in at_home.items() if HOMES[library] and not rooms], "nobody imports these"


def test_the_walls_see_every_way_to_import():
    source = """
import songbird_widgets.a
from songbird_widgets import b
from ..c import d
from importlib import import_module
if TYPE_CHECKING:
    import songbird_widgets.types
def later():
    import_module("songbird_widgets.e")
    importlib.import_module(".f", __package__)
    __import__("songbird_widgets.g")
    importlib.import_module(name)
"""
    found = imports(ast.parse(source), ["songbird_widgets", "room"])
    of_ours = {module.removeprefix("songbird_widgets.") for module in found if module.startswith("songbird_widgets.")}
    assert of_ours == {"a", "b", "c", "c.d", "e", "room.f", "g"}
    assert ANY_MODULE in found


def test_importing_the_package_loads_no_room():
    code = (
        "import sys, songbird_widgets; "
        "print(*sorted(m for m in sys.modules if m.startswith(('songbird_widgets.', 'httpx', 'numpy', 'tornado'))))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert loaded == []


def test_every_public_name_is_there():
    for name in songbird_widgets.__all__:
        assert getattr(songbird_widgets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = songbird_widgets.nonsense


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_modules_of_a_room_import_each_other_in_no_circle(room):
    uses = {}
    for path in (ROOT / room).glob("[!_]*.py"):  # for types too: who reads one module reads those as well
        found = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
        uses[path.stem] = {
            (node.module or name.name).split(".")[0] for node in found if node.level == 1 for name in node.names
        }
    while free := {module for module, used in uses.items() if not used & set(uses)}:
        uses = {module: used for module, used in uses.items() if module not in free}
    assert not uses
