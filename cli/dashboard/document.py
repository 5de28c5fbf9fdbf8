"""The HTML document, with style and script inside and no external resources."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cli.dashboard.content import Content
from cli.dashboard.drawing import draw
from cli.dashboard.filters import FILTERS, level, visible

FOLDER = Path(__file__).parent


def render(content: Content, *, live: bool = False) -> str:
    """Return the page as HTML. `live` adds the script that refreshes an open page; a file has no script."""
    levels = {service.name: level(service.level) for service in content.services}
    template = environment().get_template("page.html.j2")
    page = template.render(
        content=content,
        pictures=draw(content.graph, levels),
        policy=policy(live=live),
        # Style and script are not escaped; neither contains its own end tag.
        style=Markup(_asset("page.css")),
        script=Markup(_asset("page.js")) if live else "",
    )
    return f"{page}\n"


@cache
def environment() -> Environment:
    """Return the environment of the templates. They escape every value, and an undefined name is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made


def policy(*, live: bool) -> str:
    """Return the Content-Security-Policy: our style and script by digest, images from the page itself."""
    rules = ["default-src 'none'", f"style-src {_digest(_asset('page.css'))}", "img-src data:"]
    if live:
        rules += [f"script-src {_digest(_asset('page.js'))}", "connect-src 'self'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


@cache
def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
