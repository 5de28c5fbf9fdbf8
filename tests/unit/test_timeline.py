"""Timelines: bars, the critical path, the chart."""

from __future__ import annotations

from xml.etree import ElementTree

from cli.engine.events import Step
from cli.runs.timeline import critical, rows, svg, text

SVG = "{http://www.w3.org/2000/svg}"


def step(name: str, began: float, ended: float | None, *needs: str, op: str = "update", ok: bool = True) -> Step:
    return Step(name, "a:b:C", op, began, ended, ok, needs)


# A deploy as it goes: two builds, a look at what runs, the backend, the api behind it, the front ends side by side.
DEPLOY = [
    step("build web", 0, 4, op="build"),
    step("build api", 0, 6, op="build"),
    step("preview", 6, 10, op="preview"),
    Step("web-script", "x", "refresh", 12, 13),
    Step("api-script", "x", "refresh", 12, 12.5),
    step("backend-image", 14, 14.2),
    step("backend-generation", 14, 14.5),
    step("backend-app", 14.6, 30, "backend-generation", "backend-image", op="create-replacement"),
    step("backend-ready", 30, 31, "backend-app", "backend-generation"),
    step("admin-password", 14, 29.9),
    step("api-script", 31, 32, "backend-ready", "backend-app", "backend-generation"),
    step("web-script", 32.1, 35, "api-script", "backend-ready"),
    step("universe-script", 32.1, 34, "api-script", "backend-ready"),
    step("backend-app", 35.1, 40, op="delete-replaced"),
    Step("oracle-net-local", "pulumi:pulumi:Stack", "update", 14, 35),
    Step("backend", "oracle-net:index:Backend", "update", 14, 35),
]


def test_the_critical_path_follows_the_dependencies() -> None:
    assert [(each.name, each.op) for each in critical(rows(DEPLOY))] == [
        ("build api", "build"),
        ("preview", "preview"),
        ("look at 2", "refresh"),
        ("backend-generation", "update"),
        ("backend-app", "create-replacement"),
        ("backend-ready", "update"),
        ("api-script", "update"),
        ("web-script", "update"),
        ("backend-app", "delete-replaced"),
    ]


def test_a_step_without_dependencies_follows_the_previous_phase() -> None:
    alone = [step("preview", 0, 2, op="preview"), step("a", 3, 4), step("b", 4.5, 6)]
    assert [each.name for each in critical(alone)] == ["preview", "b"]


def test_an_empty_run_has_no_path_and_no_text() -> None:
    assert critical([]) == []
    assert text([]) == ""
    assert rows([Step("oracle-net-local", "pulumi:pulumi:Stack", "update", 14, 35)]) == []


def test_all_refreshes_are_one_row_and_components_have_none() -> None:
    shown = rows(DEPLOY)
    assert [(each.began, each.ended) for each in shown if each.op == "refresh"] == [(12, 13)]
    assert not {"oracle-net-local", "backend"} & {each.name for each in shown}
    going_on = rows([Step("a", "x", "refresh", 1, 2), Step("b", "x", "refresh", 1, None)])
    assert going_on[0].ended is None


def test_the_text_shows_parallel_steps_as_bars() -> None:
    lines = text(DEPLOY, 120).splitlines()
    bars = {tuple(line[2:].split()[:2]): line for line in lines if "#" in line or "=" in line}
    web, universe = bars["web-script", "update"], bars["universe-script", "update"]
    assert web.index("#") == universe.index("=")
    assert web.startswith("* web-script")
    assert universe.startswith("  universe-script")
    assert bars["backend-app", "delete-replaced"].index("#") > web.rindex("#")
    assert lines[-2].split() == ["whole", "40.0", "s"]
    assert lines[-1].endswith("api-script > web-script > backend-app")
    assert all(len(line) <= 120 for line in lines[:-1])


def test_the_text_marks_failed_and_unfinished_steps() -> None:
    lines = text([step("a", 0, 5), step("b", 0, 3, ok=False), step("c", 1, None)], 80).splitlines()
    assert [line[:3] for line in lines[:3]] == ["! b", "* a", "  c"]
    assert "…" in lines[2]


def test_the_chart_is_self_contained_and_has_every_row() -> None:
    chart = svg(DEPLOY, 'deploy <local> & "more"')
    root = ElementTree.fromstring(chart)
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") != "paper"]
    assert len(bars) == len(rows(DEPLOY))
    assert [rect.get("class") for rect in bars].count("path") == 9
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "web-script: update, 2.9 s, from 32.1 s" in titles
    assert root.find(f"{SVG}text[@class='title']") is not None
    assert 'deploy <local> & "more"' in [each.text for each in root.iter(f"{SVG}text")]
    assert "prefers-color-scheme: dark" in chart
    assert not any(word in chart for word in ("<script", "href", "url(", "@import"))
    assert len(list(root.iter(f"{SVG}path"))) == 8


def test_the_bars_are_at_their_times() -> None:
    root = ElementTree.fromstring(svg([step("a", 10, 20), step("b", 20, 30, "a")], "t"))
    first, second = (rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "path")
    assert float(first.get("width", 0)) == float(second.get("width", 0))
    assert first.get("x") == next(each.get("x1") for each in root.iter(f"{SVG}line"))
    assert [each.text for each in root.iter(f"{SVG}text") if each.get("class") == "tick"][::5] == [
        "0 s",
        "10 s",
        "20 s",
    ]
    assert [each.get("x1") for each in root.iter(f"{SVG}line")][5] == second.get("x")
    assert float(second.get("x", 0)) == float(first.get("x", 0)) + float(first.get("width", 0))


def test_bars_and_labels_stay_inside_the_chart() -> None:
    root = ElementTree.fromstring(svg([step("a" * 80, 0, 0.01), step("b", 0, 4000), step("c", 3, None, ok=False)], "t"))
    _, _, width, height = (float(each) for each in root.get("viewBox", "").split())
    for rect in root.iter(f"{SVG}rect"):
        assert float(rect.get("x", 0)) + float(rect.get("width", 0)) <= width
        assert float(rect.get("y", 0)) + float(rect.get("height", 0)) <= height
    assert all(len(each.text or "") <= 60 for each in root.iter(f"{SVG}text") if each.get("text-anchor") == "end")
    ElementTree.fromstring(svg([], "an empty run"))
