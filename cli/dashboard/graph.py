"""What depends on what: the components of a stack's state, laid out in layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

SWEEPS = 8
STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"


@dataclass(frozen=True)
class Node:
    """A component, or a resource that belongs to none."""

    name: str
    kind: str
    resources: int = 1


@dataclass(frozen=True)
class Graph:
    """`needs`: (who, whom), by name; no cycles."""

    nodes: Sequence[Node] = ()
    needs: frozenset[tuple[str, str]] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Place:
    """Somewhere in a layer: a node, or (node None) a bend of a line that passes through."""

    key: str
    node: Node | None = None


@dataclass(frozen=True)
class Layout:
    """Layers from what needs nothing downwards, and lines as keys from the needed one to the one that needs it."""

    layers: list[list[Place]]
    lines: list[list[str]]


def from_state(exported: Mapping[str, Any]) -> Graph:
    """The graph of an exported state (`pulumi stack export`). What it does not hold, or not rightly, is left out."""
    resources = {
        urn: each
        for each in (exported.get("deployment") or {}).get("resources") or []
        if isinstance(urn := each.get("urn"), str) and not _hidden(str(each.get("type", ""))) and not each.get("delete")
    }
    owner = {urn: _owner(urn, resources) for urn in resources}
    members = Counter(owner.values())
    names = _names(list(members))
    needs = {
        (names[owner[urn]], names[owner[other]])
        for urn, each in resources.items()
        for other in each.get("dependencies") or []
        if other in owner and owner[other] != owner[urn]
    }
    # A component is no resource itself, only what is in it.
    nodes = [Node(names[top], _kind(str(resources[top]["type"])), max(count - 1, 1)) for top, count in members.items()]
    return Graph(nodes, frozenset(_without_shortcuts(_without_cycles(needs))))


def layout(graph: Graph) -> Layout:
    """Every node below all that it needs; long lines bend in each layer they pass, so that they cross no box."""
    nodes = {node.name: node for node in graph.nodes}
    needs = {(who, whom) for who, whom in graph.needs if who in nodes and whom in nodes}
    depth = _depths(nodes, needs)
    layers: list[list[Place]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, node in nodes.items():
        layers[depth[name]].append(Place(name, node))
    lines = []
    for who, whom in sorted(needs):
        bends = [Place(f"{whom}\n{who}\n{level}") for level in range(depth[whom] + 1, depth[who])]
        for level, bend in enumerate(bends, depth[whom] + 1):
            layers[level].append(bend)
        lines.append([whom, *(bend.key for bend in bends), who])
    return Layout(_ordered(layers, lines), lines)


def _hidden(kind: str) -> bool:
    return kind == STACK or kind.startswith(PROVIDER)


def _owner(urn: str, resources: Mapping[str, Any]) -> str:
    """The outermost resource that this one is part of."""
    seen = {urn}
    while (parent := resources[urn].get("parent")) in resources and parent not in seen:
        urn = parent
        seen.add(urn)
    return urn


def _names(urns: list[str]) -> dict[str, str]:
    """A name for each: the last part of the URN, the whole URN where that is taken."""
    names: dict[str, str] = {}
    for urn in urns:
        short = urn.rsplit("::", 1)[-1]
        names[urn] = urn if short in names.values() else short
    return names


def _kind(kind: str) -> str:
    return kind.rsplit(":", 1)[-1].rsplit("/", 1)[-1]


def _without_cycles(needs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Two components may need parts of one another; the line that closes a circle is not drawn."""
    kept: set[tuple[str, str]] = set()
    for who, whom in sorted(needs):
        if who not in _reached(whom, kept):
            kept.add((who, whom))
    return kept


def _without_shortcuts(needs: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Only what is not said by the other lines already."""
    for who, whom in needs:
        others = needs - {(who, whom)}
        if whom not in _reached(who, others):
            yield who, whom


def _reached(start: str, needs: set[tuple[str, str]]) -> set[str]:
    """All that `start` needs, itself included."""
    found, todo = {start}, [start]
    while todo:
        at = todo.pop()
        new = {whom for who, whom in needs if who == at} - found
        found |= new
        todo.extend(new)
    return found


def _depths(nodes: Mapping[str, Node], needs: set[tuple[str, str]]) -> dict[str, int]:
    depth: dict[str, int] = {}
    while len(depth) < len(nodes):
        for name in nodes:
            before = [whom for who, whom in needs if who == name]
            if name not in depth and all(whom in depth for whom in before):
                depth[name] = max((depth[whom] + 1 for whom in before), default=0)
    return depth


def _ordered(layers: list[list[Place]], lines: list[list[str]]) -> list[list[Place]]:
    """Each layer sorted by the middle of what it is tied to above, then below, some times: fewer lines cross."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for line in lines:
        for upper, lower in pairwise(line):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    best, fewest = layers, _crossings(layers, above)
    for sweep in range(SWEEPS):
        ties, way = (above, 1) if sweep % 2 == 0 else (below, -1)
        layers = [list(layer) for layer in layers]
        for level in range(len(layers))[::way]:
            near = level - way
            if 0 <= near < len(layers):
                middle = _middles(layers[near], layers[level], ties)
                layers[level].sort(key=lambda place: middle[place.key])
        if (found := _crossings(layers, above)) < fewest:
            best, fewest = layers, found
    return best


def _middles(near: list[Place], layer: list[Place], ties: Mapping[str, list[str]]) -> dict[str, float]:
    """Places as shares of the layer's width, so that layers of different lengths compare."""
    at = {place.key: (number + 0.5) / len(near) for number, place in enumerate(near)}
    found = {}
    for number, place in enumerate(layer):
        tied = [at[key] for key in ties.get(place.key, []) if key in at]
        found[place.key] = sum(tied) / len(tied) if tied else (number + 0.5) / len(layer)
    return found


def _crossings(layers: list[list[Place]], above: Mapping[str, list[str]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        at = {place.key: number for number, place in enumerate(upper)}
        ties = [
            (at[key], number) for number, place in enumerate(lower) for key in above.get(place.key, []) if key in at
        ]
        count += sum(1 for a, b in ties for c, d in ties if a < c and b > d)
    return count
