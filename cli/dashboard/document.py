"""The HTML document, with style and script inside and no external resources."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from cli.dashboard import sections
from cli.dashboard.content import Content
from cli.dashboard.markup import Html, tag

FOLDER = Path(__file__).parent
NAMES = {"services": "Services", "runs": "Runs", "graph": "Dependencies", "backups": "Backups", "history": "History"}


def render(content: Content, *, live: bool = False) -> str:
    """Return the page as HTML. `live` adds the script that refreshes an open page; a file has no script."""
    script = _asset("page.js") if live else ""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(live=live)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{content.stack}: {content.level}"),
        _inside("style", _asset("page.css")),
    )
    body = tag("body", _header(content), tag("main", _main(content)), _inside("script", script) if script else None)
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def policy(*, live: bool) -> str:
    """Return the Content-Security-Policy: our style and script by digest, images from the page itself."""
    rules = ["default-src 'none'", f"style-src {_digest(_asset('page.css'))}", "img-src data:"]
    if live:
        rules += [f"script-src {_digest(_asset('page.js'))}", "connect-src 'self'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _header(content: Content) -> Html:
    links = [tag("a", name, href=f"#{key}") for key, name in NAMES.items()]
    title = tag("h1", tag("span", "Oracle network", class_="soft"), " ", content.stack)
    verdict = tag(
        "p",
        sections.badge(content.level),
        " ",
        tag("span", "as of ", sections.when(content.at), class_="soft"),
        id="now",
    )
    return tag("header", tag("div", title, verdict, class_="verdict"), tag("nav", links), class_="top")


def _main(content: Content) -> list[Html]:
    return [
        sections.services(content),
        sections.runs(content),
        sections.graph(content),
        sections.backups(content),
        sections.history(content),
    ]


def _inside(name: str, source: str) -> Html:
    """Return a style or script element, unescaped. Neither source contains its own end tag."""
    return Html(f"<{name}>{source}</{name}>")


@cache
def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
