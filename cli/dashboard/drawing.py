"""The drawing of the dependency graph, in two sizes: for a wide window and for a phone."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.dashboard.graph import Graph, Layout, Node, layout

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


@dataclass(frozen=True)
class Words:
    """A line of text; `x` is its middle, `y` its base line."""

    kind: str
    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A node with its level and its left upper corner."""

    node: Node
    level: str
    left: float
    top: float
    words: Sequence[Words]


@dataclass(frozen=True)
class Picture:
    """A drawing in one size. `lines` are paths of SVG."""

    scale: Scale
    width: float
    height: float
    lines: Sequence[str]
    boxes: Sequence[Box]


def draw(graph: Graph, levels: Mapping[str, str]) -> list[Picture]:
    """Return both sizes; the style sheet shows the one that fits. `levels` has the level of each service, by name."""
    placed = layout(graph)
    return [_picture(placed, scale, levels) for scale in (WIDE, NARROW)]


def _picture(placed: Layout, scale: Scale, levels: Mapping[str, str]) -> Picture:
    widths = [sum(_width(place.node, scale) + scale.gap for place in layer) - scale.gap for layer in placed.layers]
    width = max(widths, default=0) + 2 * MARGIN
    height = len(placed.layers) * (scale.height + scale.between) - scale.between + 2 * MARGIN
    points: dict[str, tuple[float, float]] = {}
    boxes: list[Box] = []
    for number, layer in enumerate(placed.layers):
        left, top = (width - widths[number]) / 2, MARGIN + number * (scale.height + scale.between)
        for place in layer:
            own = _width(place.node, scale)
            points[place.key] = left + own / 2, top
            if place.node:
                boxes.append(_box(place.node, levels.get(place.node.name, ""), left, top, scale))
            left += own + scale.gap
    lines = [_line([points[key] for key in line], scale) for line in placed.lines]
    return Picture(scale, width, height, lines, boxes)


def _width(node: Node | None, scale: Scale) -> int:
    return scale.width if node else scale.bend


def _box(node: Node, level: str, left: float, top: float, scale: Scale) -> Box:
    words = _wide_words if scale is WIDE else _narrow_words
    return Box(node, level, left, top, words(node, left + scale.width / 2, top, scale))


def _wide_words(node: Node, middle: float, top: float, scale: Scale) -> list[Words]:
    """Return the node's name and kind."""
    more = f" · {node.resources} resources" if node.resources > 1 else ""
    return [
        Words("name", _cut(node.name, scale.font, scale), middle, top + scale.height * 0.43),
        Words("kind", _cut(node.kind + more, scale.font - 2, scale), middle, top + scale.height * 0.8),
    ]


def _narrow_words(node: Node, middle: float, top: float, scale: Scale) -> list[Words]:
    """Return the node's name only, on two lines if it does not fit on one."""
    first, dash, second = node.name.rpartition("-")
    lines = [first + dash, second] if first and _cut(node.name, scale.font, scale) != node.name else [node.name]
    start = scale.height / 2 + scale.font * 0.35 - (len(lines) - 1) * scale.font * 0.65
    return [
        Words("name", _cut(line, scale.font, scale), middle, top + start + number * scale.font * 1.3)
        for number, line in enumerate(lines)
    ]


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


def _line(points: list[tuple[float, float]], scale: Scale) -> str:
    """Return the path of a line from below the first box to above the last, straight through the layers between."""
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
    return " ".join(path)
