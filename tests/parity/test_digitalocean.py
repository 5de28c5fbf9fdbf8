"""The offline digitalocean plugin, compared with recordings of the official one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.parity.digitalocean_left_out import IN_PART, LEFT_OUT
from tests.parity.digitalocean_scenes import TYPES, Scenes, platform, scenes
from tests.parity.plugin import Plugin
from tests.parity.recordings import bare, changed, delta, load
from tests.parity.replaying import asked, bearer, outcome, same, sent, serve
from tests.parity.stub import Stub, content

_SHORT = 0.3  # seconds, in place of recorded timeouts, which are waited for to the end


@pytest.fixture(scope="module")
def plugin(stub: Stub) -> Iterator[Plugin]:
    with Plugin("digitalocean") as running:
        config = {"token": "dop_v1_placeholder", "apiEndpoint": f"http://127.0.0.1:{stub.port}", "version": "4.76.0"}
        assert "response" in running.configure(config)
        yield running


def _cases() -> list[Any]:
    return [
        pytest.param(recording, case["name"], id=f"{recording}: {case['name']}")
        for recording in TYPES
        for case in load(recording)["cases"]
        if "steps" in case and case["name"] not in LEFT_OUT[recording]
    ]


def key(recording: str, name: str, index: int) -> str:
    """How a row is named in lists."""
    row = next(case for case in load(recording)["cases"] if case["name"] == name)["rows"][index]
    return f"{name} / {row['change']}"


def _rows() -> list[Any]:
    return [
        pytest.param(recording, case["name"], index, id=f"{recording}: {case['name']}: {row['change']}")
        for recording in TYPES
        for case in load(recording)["cases"]
        for index, row in enumerate(case.get("rows", []))
        if f"{case['name']} / {row['change']}" not in LEFT_OUT[recording]
    ]


@pytest.mark.parametrize("recording,name", _cases())
def test_the_case_is_answered_as_recorded(stub: Stub, plugin: Plugin, recording: str, name: str) -> None:
    found = scenes(recording, stub.port)
    case = found.case(name)
    replay = _Replay(plugin, found, name)
    for step in case["steps"]:
        exchanges = step.get("http", [])
        serve(stub, exchanges)
        assert same(replay.step(step)) == same(_expected(step)), step["rpc"]
        assert sent(stub.requests) == asked(exchanges), step["rpc"]
        assert {request.headers["authorization"] for request in stub.requests} == bearer(exchanges), step["rpc"]
    if "previewUpdateDelta" in case:
        state, news = found.before(name, case["steps"][0]), found.news(name, case["steps"][0])
        answer = plugin.update(found.type, state.id, state.outputs, state.inputs, news, preview=True)
        assert delta(bare(state.outputs), answer["response"]["properties"]) == bare(case["previewUpdateDelta"])


def _expected(step: dict[str, Any]) -> dict[str, Any]:
    return {"result": step["result"]} if "result" in step else outcome(step)


class _Replay:
    """Makes the calls of one case's steps; what one step answered in the recording is what the next one is given."""

    def __init__(self, plugin: Plugin, scenes: Scenes, name: str) -> None:
        self.plugin = plugin
        self.scenes = scenes
        self.name = name
        self.checked: dict[str, Any] = {}

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = getattr(self, step["rpc"].lower())(step.get("request", {}), step)
        return made

    def handshake(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        return {"result": self.plugin.handshake()}

    def checkconfig(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.check_config(request["news"])

    def configure(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.configure(request["args"])

    def check(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        self.checked = step.get("response", {}).get("inputs", {})
        return self.plugin.check(self.scenes.type, request["olds"], request["news"])

    def create(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        news = self.checked if isinstance(request["properties"], str) else request["properties"]
        timeout = _SHORT if "timeout" in request else 0
        return self.plugin.create(self.scenes.type, news, request.get("preview", False), timeout)

    def read(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        if isinstance(request["properties"], dict):
            return self.plugin.read(self.scenes.type, request["id"], request["properties"], request["inputs"])
        state = self.scenes.base(self.name)
        return self.plugin.read(self.scenes.type, request["id"], state.outputs, state.inputs)

    def diff(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        state, news = self.scenes.before(self.name, step), self.scenes.news(self.name, step)
        return self.plugin.diff(self.scenes.type, state.id, state.outputs, state.inputs, news)

    def update(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        state = self.scenes.before(self.name, step)
        id = request.get("id") or self._asked_id(step) or state.id
        if isinstance(request.get("news"), dict):
            news = self.plugin.check(self.scenes.type, state.inputs, request["news"])["response"]["inputs"]
        else:
            news = self.scenes.news(self.name, step)
        return self.plugin.update(self.scenes.type, id, {**state.outputs, "id": id}, state.inputs, news)

    def delete(self, request: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        state = self.scenes.base(self.name)
        return self.plugin.delete(self.scenes.type, request["id"], state.outputs)

    @staticmethod
    def _asked_id(step: dict[str, Any]) -> str:
        """The id in the path of the first request: one recorded case says it nowhere else."""
        exchanges = step.get("http", [])
        return exchanges[0]["path"].split("/")[3] if exchanges and exchanges[0]["path"].startswith("/v2/apps/") else ""


@pytest.mark.parametrize("recording,name,index", _rows())
def test_the_row_is_answered_as_recorded(stub: Stub, plugin: Plugin, recording: str, name: str, index: int) -> None:
    found = scenes(recording, stub.port)
    case = found.case(name)
    row = case["rows"][index]
    state = found.created(case["base"])
    checked = plugin.check(found.type, state.inputs, changed(case["inputs"], row))["response"]
    failures = {"failures": checked.get("failures", [])}
    assert same({"response": failures}) == same({"response": {"failures": row.get("checkFailures", [])}})
    if "checkFailures" in row:
        return
    news = checked["inputs"]
    diff = plugin.diff(found.type, state.id, state.outputs, state.inputs, news)
    assert same(diff) == same({"response": row["diff"]})
    _compare_previews(plugin, found.type, state, news, row)
    in_part = f"{name} / {row['change']}" in IN_PART.get(recording, {})
    if "update" in row and not in_part:
        _compare_update(stub, plugin, found, case, row, news)


def _compare_previews(plugin: Plugin, type: str, state: Any, news: Any, row: dict[str, Any]) -> None:
    old = bare(state.outputs)
    if "previewUpdateDelta" in row:
        answer = plugin.update(type, state.id, state.outputs, state.inputs, news, preview=True)
        assert delta(old, answer["response"]["properties"]) == bare(row["previewUpdateDelta"])
    if "previewCreateDelta" in row:
        answer = plugin.create(type, news, preview=True)
        assert delta(old, answer["response"]["properties"]) == bare(row["previewCreateDelta"])


def _compare_update(stub: Stub, plugin: Plugin, scenes: Scenes, case: Any, row: Any, news: Any) -> None:
    update, state = row["update"], scenes.created(case["base"])
    base = scenes.case(case["base"])["steps"][-1]["http"]
    if "http" in update:
        serve(stub, update["http"])
    else:
        stub.answer_by(platform(base, update))
    answer = plugin.update(scenes.type, state.id, state.outputs, state.inputs, news)
    if "http" in update:
        assert sent(stub.requests) == asked(update["http"])
    else:
        _compare_app_requests(stub, base, update)
    if "error" in update:
        assert same(answer) == same({"error": update["error"]})
    else:
        assert delta(bare(state.outputs), answer["response"]["properties"]) == update["outputsDelta"]


def _compare_app_requests(stub: Stub, base: Any, update: Any) -> None:
    """A row of the App's matrix says which requests there were, and how the PUT differs from the base case's POST."""
    app = base[0]["responseBody"]["app"]["id"]
    requests = [f"{request.method} {request.path}".replace(app, "{id}") for request in stub.requests]
    assert requests == update["requests"]
    if "putBodyDelta" in update:
        put = content(stub.requests[0])
        assert delta(base[0]["requestBody"]["spec"], put.pop("spec")) == update["putBodyDelta"]
        assert put == update["putBodyOther"]
