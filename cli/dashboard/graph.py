"""The dependency graph of the components in a stack's state, laid out in layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from cli.engine.pulumi import resources_in

SWEEPS = 8
STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"


@dataclass(frozen=True)
class Node:
    """A component, or a resource outside of components."""

    name: str
    kind: str
    resources: int = 1


@dataclass(frozen=True)
class Graph:
    """Nodes and their dependencies. `needs` has pairs of names, (dependent, dependency), without cycles."""

    nodes: Sequence[Node] = ()
    needs: frozenset[tuple[str, str]] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Place:
    """A place in a layer: a node, or the bend of a line that passes through (node None)."""

    key: str
    node: Node | None = None


@dataclass(frozen=True)
class Layout:
    """Layers, from nodes without dependencies downwards, and lines as keys from a dependency to its dependent."""

    layers: list[list[Place]]
    lines: list[list[str]]


def from_state(exported: Mapping[str, Any]) -> Graph:
    """Return the graph of an exported state (`pulumi stack export`). Missing or invalid parts are left out."""
    resources = {
        urn: each
        for each in resources_in(exported)
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
    # A component does not count as a resource, only its children do.
    nodes = [Node(names[top], _kind(str(resources[top]["type"])), max(count - 1, 1)) for top, count in members.items()]
    return Graph(nodes, frozenset(_without_shortcuts(_without_cycles(needs))))


def layout(graph: Graph) -> Layout:
    """Place each node below its dependencies. Lines bend in each layer that they pass, so that they cross no box."""
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
    """Return the outermost parent of a resource."""
    visited = {urn}
    while (parent := resources[urn].get("parent")) in resources and parent not in visited:
        urn = parent
        visited.add(urn)
    return urn


def _names(urns: list[str]) -> dict[str, str]:
    """Return a name for each URN: its last part, or the whole URN if that name is taken."""
    names: dict[str, str] = {}
    for urn in urns:
        short = urn.rsplit("::", 1)[-1]
        names[urn] = urn if short in names.values() else short
    return names


def _kind(kind: str) -> str:
    return kind.rsplit(":", 1)[-1].rsplit("/", 1)[-1]


def _without_cycles(needs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Remove the edges that close a cycle, because two components may need parts of each other."""
    acyclic: set[tuple[str, str]] = set()
    for who, whom in sorted(needs):
        if who not in _reached(whom, acyclic):
            acyclic.add((who, whom))
    return acyclic


def _without_shortcuts(needs: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the edges that do not follow from other edges."""
    for who, whom in needs:
        others = needs - {(who, whom)}
        if whom not in _reached(who, others):
            yield who, whom


def _reached(start: str, needs: set[tuple[str, str]]) -> set[str]:
    """Return `start` and all its direct and indirect dependencies."""
    reached, todo = {start}, [start]
    while todo:
        at = todo.pop()
        new = {whom for who, whom in needs if who == at} - reached
        reached |= new
        todo.extend(new)
    return reached


def _depths(nodes: Mapping[str, Node], needs: set[tuple[str, str]]) -> dict[str, int]:
    depth: dict[str, int] = {}
    while len(depth) < len(nodes):
        for name in nodes:
            before = [whom for who, whom in needs if who == name]
            if name not in depth and all(whom in depth for whom in before):
                depth[name] = max((depth[whom] + 1 for whom in before), default=0)
    return depth


def _ordered(layers: list[list[Place]], lines: list[list[str]]) -> list[list[Place]]:
    """Sort each layer by the middle of its neighbours above, then below, repeatedly, so that fewer lines cross."""
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
        if (crossings := _crossings(layers, above)) < fewest:
            best, fewest = layers, crossings
    return best


def _middles(near: list[Place], layer: list[Place], ties: Mapping[str, list[str]]) -> dict[str, float]:
    """Return positions as shares of the layer's width, so that layers of different lengths are comparable."""
    at = {place.key: (number + 0.5) / len(near) for number, place in enumerate(near)}
    middles = {}
    for number, place in enumerate(layer):
        tied = [at[key] for key in ties.get(place.key, []) if key in at]
        middles[place.key] = sum(tied) / len(tied) if tied else (number + 0.5) / len(layer)
    return middles


def _crossings(layers: list[list[Place]], above: Mapping[str, list[str]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        at = {place.key: number for number, place in enumerate(upper)}
        ties = [
            (at[key], number) for number, place in enumerate(lower) for key in above.get(place.key, []) if key in at
        ]
        count += sum(1 for a, b in ties for c, d in ties if a < c and b > d)
    return count
