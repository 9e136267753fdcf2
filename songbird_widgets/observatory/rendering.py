"""The templates' environment, and the static files that pages refer to."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from songbird_widgets.budget import checkpoint

from . import formatting

HERE = Path(__file__).parent
STATIC = HERE / "static"


_PIECES = 256  # of a page that are rendered before other threads have a turn


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["clip"] = formatting.clipped
    return environment


def prepare() -> None:
    """Compile every template, so that the first page need not wait for it."""
    for name in _templates().list_templates():
        _templates().get_template(name)


@lru_cache(maxsize=32)
def _stamp(name: str) -> str:
    """Tell versions of a static file apart, so that browsers may keep each for long."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def render(template: str, root: str, **context: Any) -> str:
    """Render a template.

    Parameters
    ----------
    template
        File name.
    root
        The relative URL of the observatory's root as seen from the page, such as ``../../``.
    context
        What the template shows.
    """
    context.setdefault("theme", "")
    context.setdefault("home", root)
    parts = []
    pieces = (
        _templates()
        .get_template(template)
        .generate(root=root, static=lambda name: f"{root}static/{name}?v={_stamp(name)}", **context)
    )
    for number, piece in enumerate(pieces):
        if number % _PIECES == 0:
            checkpoint()
        parts.append(piece)
    return "".join(parts)


def part(template: str, **context: Any) -> Markup:
    """Render what is a part of pages and refers to no other file."""
    return Markup(_templates().get_template(template).render(**context))  # noqa: S704 - templates escape
