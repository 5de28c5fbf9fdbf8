"""Build HTML and SVG from values. Everything is escaped, except the results of `tag`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

# Control characters that would reorder or hide text, and lone surrogates, which no encoding can represent.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
VOID = frozenset({"meta", "br", "img", "link", "wbr"})


class Html(str):
    """Markup that needs no escaping."""

    __slots__ = ()


Child: TypeAlias = "str | Html | Iterable[Child] | None"


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Return an element. None and False attributes are left out; `class_` is class, `data_label` is data-label."""
    shown = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    if name in VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Html:
    """Concatenate the children, each escaped unless it is markup."""
    return Html("".join(_child(child) for child in children))


def text(value: str) -> str:
    """Return the value escaped, after `plain`."""
    return html.escape(plain(value), quote=True)


def plain(value: str) -> str:
    """Remove terminal colours, and replace invisible characters with U+FFFD."""
    return INVISIBLE.sub("\ufffd", ANSI.sub("", value))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    return text(child) if isinstance(child, str) else join(child)


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'
