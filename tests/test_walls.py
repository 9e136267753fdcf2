"""Who may import whom: the rooms of the package keep their walls."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import songbird_widgets

ROOT = Path(songbird_widgets.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# What each room may import of ours, by prefix. The root modules (__init__, __main__) may import any room.
MAY_IMPORT = {
    "profiles": {"profiles"},
    "local": {"local"},
    "client": {"client", "local"},
    "observatory": {"observatory", "profiles"},
    "session": {"session", "client", "profiles", "local"},
    "panels": {"panels", "session", "client", "profiles", "local"},
    "service": {"service", "observatory", "profiles", "client.models", "local.identity"},
    "jupyter": {"jupyter", "panels", "session", "service", "observatory", "client", "profiles", "local"},
}
OUTSIDE = {
    "httpx": {"client"},
    "tornado": {"service", "jupyter"},
    "ipywidgets": {"panels"},
    "anywidget": {"panels"},
    "sqlalchemy": {"service"},
    "jinja2": {"observatory"},
}


def imports(path: Path) -> set[str]:
    """Every absolute module name that a file imports when it runs, at any depth, relative ones resolved."""
    package = ["songbird_widgets", *path.relative_to(ROOT).parent.parts]
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add(module)
            if module.startswith("songbird_widgets"):
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_its_room_may(path):
    name = path.relative_to(ROOT).as_posix()
    room = name.split("/", 1)[0] if "/" in name else None
    if room is None:
        return
    for module in imports(path):
        if not module.startswith("songbird_widgets."):
            continue
        inner = module.removeprefix("songbird_widgets.")
        if inner.split(".")[0] not in MAY_IMPORT:
            continue  # a name of the package itself, such as __version__
        allowed = any(inner == prefix or inner.startswith(f"{prefix}.") for prefix in MAY_IMPORT[room])
        # `from .. import client` names the room alone; `from ..client import models` is what the service may
        allowed |= any(prefix.startswith(f"{inner}.") for prefix in MAY_IMPORT[room])
        assert allowed, f"{name} imports {module}"


@pytest.mark.parametrize(("library", "homes"), OUTSIDE.items())
def test_a_library_is_imported_in_its_home_only(library, homes):
    users = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if any(module.split(".")[0] == library for module in imports(path))
    }
    strangers = {user for user in users if not any(user == home or user.startswith(f"{home}/") for home in homes)}
    assert users, f"nobody imports {library}: drop it"
    assert not strangers


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
