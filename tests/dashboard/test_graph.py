"""The graph of resources: from a state to layers."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest

from cli.dashboard.drawing import draw
from cli.dashboard.graph import Graph, Layout, Node, from_state, layout
from tests.dashboard.scene import resource, state, urn


def needs(graph: Graph) -> set[str]:
    return {f"{who} > {whom}" for who, whom in graph.needs}


def test_a_component_is_one_node_and_only_direct_dependencies_are_lines() -> None:
    graph = from_state(state())
    assert needs(graph) == {
        "backend > admin",
        "backend > backend-image",
        "backend > backend-generation",
        "backend-data > backend",
        "backend-ready > backend-data",
        "api > backend-ready",
        "web > api",
        "universe > api",
        "uptime > web",
        "uptime > universe",
    }
    sizes = {node.name: (node.kind, node.resources) for node in graph.nodes}
    assert sizes["api"] == ("Worker", 2)
    assert sizes["uptime"] == ("Monitoring", 3)
    assert sizes["backend-ready"] == ("BackendReady", 1)
    assert not [name for name in sizes if "default" in name or "oracle-net-local" in name]


def test_two_components_that_depend_on_each_other_are_drawn() -> None:
    first, second = urn("a:b:C", "first"), urn("a:b:C", "second")
    found = [
        resource("a:b:C", "first"),
        resource("a:b:C", "second"),
        resource("a:b:D", "x", first, (urn("a:b:D", "y"),)),
        resource("a:b:D", "y", second),
        resource("a:b:D", "z", second, (urn("a:b:D", "x"),)),
    ]
    graph = from_state({"deployment": {"resources": found}})
    assert needs(graph) == {"first > second"}
    assert [[place.key for place in layer] for layer in layout(graph).layers] == [["second"], ["first"]]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"deployment": None},
        {"deployment": {"resources": None}},
        {"deployment": {"resources": [{}, {"urn": 7, "type": "a"}]}},
        {"deployment": {"resources": [{"urn": "u", "type": "a:b:C", "parent": "u", "dependencies": ["u", "gone"]}]}},
        {
            "deployment": {
                "resources": [{"urn": "u", "type": "a", "parent": "v"}, {"urn": "v", "type": "b", "parent": "u"}]
            }
        },
    ],
)
def test_an_invalid_state_is_drawn_as_far_as_possible(broken: dict[str, Any]) -> None:
    graph = from_state(broken)
    assert len(layout(graph).layers) <= 2
    assert not graph.needs


def test_a_resource_that_is_being_replaced_is_one_node() -> None:
    old = {**resource("a:b:C", "x"), "delete": True}
    graph = from_state({"deployment": {"resources": [resource("a:b:C", "x"), old]}})
    assert [node.name for node in graph.nodes] == ["x"]


def test_two_resources_with_one_name_are_distinguished() -> None:
    graph = from_state({"deployment": {"resources": [resource("a:b:C", "x"), resource("a:b:D", "x")]}})
    assert {node.name for node in graph.nodes} == {"x", urn("a:b:D", "x")}


def random_graph(seed: int) -> Graph:
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(chance.randint(1, 14))]
    pairs = [(later, earlier) for earlier, later in itertools.combinations(names, 2) if chance.random() < 0.3]
    chance.shuffle(names)
    return Graph([Node(name, "K") for name in names], frozenset(pairs))


@pytest.mark.parametrize("seed", range(40))
def test_each_node_is_below_its_dependencies_and_lines_pass_every_layer(seed: int) -> None:
    graph = random_graph(seed)
    placed = layout(graph)
    level = {place.key: number for number, layer in enumerate(placed.layers) for place in layer}
    assert sorted(place.node.name for layer in placed.layers for place in layer if place.node) == sorted(
        node.name for node in graph.nodes
    )
    assert {(line[-1], line[0]) for line in placed.lines} == set(graph.needs)
    for line in placed.lines:
        steps = [level[key] for key in line]
        assert steps == list(range(steps[0], steps[0] + len(steps)))


def crossings(placed: Layout) -> int:
    count = 0
    order = [{place.key: number for number, place in enumerate(layer)} for layer in placed.layers]
    ties = [(upper, lower) for line in placed.lines for upper, lower in itertools.pairwise(line)]
    for upper, lower in itertools.pairwise(order):
        here = [(upper[a], lower[b]) for a, b in ties if a in upper and b in lower]
        count += sum(1 for (a, b), (c, d) in itertools.combinations(here, 2) if (a - c) * (b - d) < 0)
    return count


def test_avoidable_line_crossings_are_avoided() -> None:
    nodes = [Node(name, "K") for name in ("a", "b", "c", "x", "y", "z")]
    assert crossings(layout(Graph(nodes, frozenset({("x", "c"), ("y", "b"), ("z", "a")})))) == 0
    assert crossings(layout(from_state(state()))) == 0


@pytest.mark.parametrize("seed", range(10))
def test_boxes_do_not_touch_and_no_line_crosses_a_box(seed: int) -> None:
    graph = random_graph(seed)
    pictures = draw(graph, {})
    assert pictures
    for picture in pictures:
        assert len(picture.boxes) == len(graph.nodes)
        assert len(picture.lines) == len(graph.needs)
        boxes = [(box.left, box.top, picture.scale.width, picture.scale.height) for box in picture.boxes]
        for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
            assert x + w < x2 or x2 + w2 < x or y + h < y2 or y2 + h2 < y
        for path in picture.lines:
            for x, y in straight(path):
                assert not [1 for left, top, w, h in boxes if left < x < left + w and top < y < top + h]


def straight(path: str) -> list[tuple[float, float]]:
    """The middles of a line's straight parts, which pass through layers."""
    found, at = [], (0.0, 0.0)
    for kind, points in re.findall(r"([MCL])([^MCL]+)", path):
        end = tuple(float(value) for value in points.split()[-1].split(","))
        if kind == "L":
            found.append((end[0], (at[1] + end[1]) / 2))
        at = (end[0], end[1])
    return found
