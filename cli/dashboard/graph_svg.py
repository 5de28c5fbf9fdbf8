"""Draw the dependency graph as SVG, in two sizes: for a wide window and for a phone."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from cli.dashboard.graph import Graph, Layout, Node, layout
from cli.dashboard.markup import Html, tag

MARGIN = 3
BEND = 0.5
CHARACTER = 0.62
"""Width of a character as a share of the font size, slightly above that of common fixed-width fonts."""


@dataclass(frozen=True)
class Scale:
    """The sizes of a drawing, in pixels."""

    name: str
    width: int
    height: int
    gap: int
    between: int
    bend: int
    font: int


WIDE = Scale("wide", width=196, height=46, gap=28, between=40, bend=24, font=13)
NARROW = Scale("narrow", width=102, height=42, gap=8, between=30, bend=8, font=11)


def draw(graph: Graph, levels: dict[str, str]) -> Html:
    """Return both sizes; the style sheet shows the one that fits. `levels` has the level of each service, by name."""
    placed = layout(graph)
    return Html("".join(_picture(placed, scale, levels) for scale in (WIDE, NARROW)))


def _picture(placed: Layout, scale: Scale, levels: dict[str, str]) -> Html:
    widths = [sum(_width(place.node, scale) + scale.gap for place in layer) - scale.gap for layer in placed.layers]
    width = max(widths, default=0) + 2 * MARGIN
    height = len(placed.layers) * (scale.height + scale.between) - scale.between + 2 * MARGIN
    centres: dict[str, float] = {}
    boxes: list[Html] = []
    tops: dict[str, float] = {}
    for level, layer in enumerate(placed.layers):
        left, top = (width - widths[level]) / 2, MARGIN + level * (scale.height + scale.between)
        for place in layer:
            own = _width(place.node, scale)
            centres[place.key], tops[place.key] = left + own / 2, top
            if place.node:
                boxes.append(_box(place.node, left, top, scale, levels.get(place.node.name, "")))
            left += own + scale.gap
    lines = [_line([(centres[key], tops[key]) for key in line], scale) for line in placed.lines]
    return tag(
        "svg",
        lines,
        boxes,
        class_=f"graph {scale.name}",
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        aria_label="What depends on what: each box needs those above it that lead to it.",
    )


def _width(node: Node | None, scale: Scale) -> int:
    return scale.width if node else scale.bend


def _box(node: Node, left: float, top: float, scale: Scale, level: str) -> Html:
    plural = "s" if node.resources > 1 else ""
    return tag(
        "g",
        tag("title", f"{node.name}: {node.kind}, {node.resources} resource{plural}"),
        tag("rect", x=f"{left:g}", y=f"{top:g}", width=scale.width, height=scale.height, rx=6),
        (_wide_words if scale is WIDE else _narrow_words)(node, left + scale.width / 2, top, scale),
        class_=f"node {level}".strip(),
    )


def _wide_words(node: Node, middle: float, top: float, scale: Scale) -> list[Html]:
    """Return the node's name and kind."""
    more = f" · {node.resources} resources" if node.resources > 1 else ""
    return [
        _words("name", _cut(node.name, scale.font, scale), middle, top + scale.height * 0.43),
        _words("kind", _cut(node.kind + more, scale.font - 2, scale), middle, top + scale.height * 0.8),
    ]


def _narrow_words(node: Node, middle: float, top: float, scale: Scale) -> list[Html]:
    """Return the node's name only, on two lines if it does not fit on one."""
    first, dash, second = node.name.rpartition("-")
    lines = [first + dash, second] if first and _cut(node.name, scale.font, scale) != node.name else [node.name]
    start = scale.height / 2 + scale.font * 0.35 - (len(lines) - 1) * scale.font * 0.65
    return [
        _words("name", _cut(line, scale.font, scale), middle, top + start + number * scale.font * 1.3)
        for number, line in enumerate(lines)
    ]


def _words(kind: str, words: str, x: float, y: float) -> Html:
    return tag("text", words, x=f"{x:g}", y=f"{y:g}", class_=kind)


def _cut(words: str, font: int, scale: Scale) -> str:
    room = (scale.width - 10) / (font * CHARACTER)
    if sum(map(_columns, words)) <= room:
        return words
    result = ""
    while sum(map(_columns, result)) + _columns(words[len(result)]) <= room - 1:
        result += words[len(result)]
    return result + "…"


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _line(points: list[tuple[float, float]], scale: Scale) -> Html:
    """Draw a line from below the first box to above the last, straight through the layers between."""
    (x, y), *rest = points
    path = [f"M{x:g},{y + scale.height:g}"]
    at = y + scale.height
    for number, (x2, top) in enumerate(rest, 1):
        middle = at + (top - at) * BEND
        path.append(f"C{x:g},{middle:g} {x2:g},{middle:g} {x2:g},{top:g}")
        x, at = x2, top
        if number < len(rest):
            at = top + scale.height
            path.append(f"L{x:g},{at:g}")
    return tag("path", d=" ".join(path), class_="line")
