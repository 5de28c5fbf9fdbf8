"""The offline random plugin, compared with recordings of the official one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import bcrypt
import pytest

from tests.parity.plugin import Plugin
from tests.parity.random_left_out import LEFT_OUT
from tests.parity.recordings import bare, case, changed, delta, load
from tests.parity.replaying import outcome, same

NAME = "random.RandomPassword"
TYPE = "random:index/randomPassword:RandomPassword"
_MADE = ("result", "bcryptHash")


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with Plugin("random") as running:
        running.configure({"version": "4.21.1"})
        yield running


def _cases(kind: str) -> list[Any]:
    names = [one["name"] for one in load(NAME)["cases"] if kind in one and one["name"] not in LEFT_OUT[NAME]]
    return [pytest.param(name, id=name) for name in names]


@pytest.mark.parametrize("name", _cases("steps"))
def test_the_case_is_answered_as_recorded(plugin: Plugin, name: str) -> None:
    replay = _Replay(plugin)
    steps = case(load(NAME), name)["steps"]
    assert steps
    for step in steps:
        answer = replay.step(step)
        expected = {"result": step["result"]} if "result" in step else outcome(step)
        assert _unmade(same(answer)) == _unmade(same(expected)), step["rpc"]
        assert replay.warnings() == step.get("log", []), step["rpc"]


class _Replay:
    """Makes the calls of one case's steps, from what the recorded ones before answered."""

    def __init__(self, plugin: Plugin) -> None:
        self.plugin = plugin
        self.checked: dict[str, Any] = {}
        self.state: dict[str, Any] = {}

    def warnings(self) -> list[Any]:
        found = list(self.plugin.engine.log)
        self.plugin.engine.log.clear()
        return found

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = getattr(self, step["rpc"].lower())(step.get("request", {}))
        response = step.get("response", {})
        if step["rpc"] == "Check":
            self.checked = response["inputs"]
        if response.get("id"):
            self.state = response["properties"]
        return made

    def handshake(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"result": self.plugin.handshake()}

    def checkconfig(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.check_config(request["news"])

    def configure(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.configure(request["args"])

    def check(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.check(TYPE, request["olds"], request["news"])

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.create(TYPE, self.checked, request.get("preview", False))

    def read(self, request: dict[str, Any]) -> dict[str, Any]:
        if "as" in request:
            return self.plugin.read(TYPE, request["id"], self.state, self.checked)
        return self.plugin.read(TYPE, request["id"], request["properties"], request["inputs"])

    def diff(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.diff(TYPE, "none", self.state, self.checked, self.checked)

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.delete(TYPE, request["id"], self.state)


def _unmade(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without the random values; that they are there, and secret, is kept."""
    shaped: dict[str, Any] = json.loads(json.dumps(answer))
    properties = shaped.get("response", {}).get("properties", {})
    for name in _MADE:
        if "$secret" in properties.get(name, {}):
            properties[name] = {"$secret": len(properties[name]["$secret"])}
    return shaped


def key(name: str, index: int) -> str:
    """How a row is named in lists."""
    return f"{name} / {case(load(NAME), name)['rows'][index]['change']}"


def _rows() -> list[Any]:
    return [
        pytest.param(one["name"], index, id=f"{one['name']}: {row['change']}")
        for one in load(NAME)["cases"]
        for index, row in enumerate(one.get("rows", []))
        if f"{one['name']} / {row['change']}" not in LEFT_OUT[NAME]
    ]


@pytest.mark.parametrize("name,index", _rows())
def test_the_row_is_answered_as_recorded(plugin: Plugin, name: str, index: int) -> None:
    matrix = case(load(NAME), name)
    row = matrix["rows"][index]
    base = case(load(NAME), "create, read, diff unchanged: " + name.split('"')[1])["steps"]
    inputs, state = base[0]["response"]["inputs"], base[2]["response"]["properties"]
    checked = plugin.check(TYPE, inputs, changed(matrix["inputs"], row))["response"]
    assert checked.get("failures", []) == row.get("checkFailures", [])
    if "checkFailures" in row:
        return
    news = checked["inputs"]
    assert same(plugin.diff(TYPE, "none", state, inputs, news)) == same({"response": row["diff"]})
    wanted = bare(row.get("previewUpdateDelta", row.get("previewCreateDelta", {})))
    if "previewCreateDelta" in row:
        assert _against(state, plugin.create(TYPE, news, preview=True)) == wanted
    if "update" in row:
        assert _against(state, plugin.update(TYPE, "none", state, inputs, news, preview=True)) == wanted
        assert _against(state, plugin.update(TYPE, "none", state, inputs, news)) == row["update"]["outputsDelta"]


def _against(state: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    return delta(bare(state), answer["response"]["properties"])


@pytest.mark.parametrize("name", _cases("results"))
def test_samples_have_the_recorded_length_and_characters(plugin: Plugin, name: str) -> None:
    """All samples differ from one another."""
    sample = case(load(NAME), name)
    news = plugin.check(TYPE, {}, sample["inputs"])["response"]["inputs"]
    made = [plugin.create(TYPE, news)["response"]["properties"]["result"]["$secret"] for _ in range(4)]
    allowed = _alphabet(sample["inputs"])
    assert all(set(value) <= allowed for value in [*made, *sample["results"]])
    assert {len(value) for value in made} == {len(sample["results"][0])}
    assert len(set(made)) == len(made)
    for value in made:
        kinds = Counter(_kind(letter) for letter in value)
        for kind in ("Upper", "Lower", "Numeric", "Special"):
            assert kinds[kind] >= sample["inputs"].get(f"min{kind}", 0)


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "Numeric"
    return ("Upper" if letter.isupper() else "Lower") if letter.isalpha() else "Special"


def _alphabet(inputs: dict[str, Any]) -> set[str]:
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    special = inputs.get("overrideSpecial") or "!@#$%&*()-_=+[]{}<>:?"
    return set(plain + (special if inputs.get("special", True) else ""))


def test_the_hash_matches_the_password(plugin: Plugin) -> None:
    made = plugin.create(TYPE, {"length": 20})["response"]["properties"]
    assert bcrypt.checkpw(made["result"]["$secret"].encode(), made["bcryptHash"]["$secret"].encode())


def test_other_resources_are_refused_by_name(plugin: Plugin) -> None:
    answer = plugin.check("random:index/randomPet:RandomPet", {}, {})
    assert answer["error"]["code"] == "UNIMPLEMENTED"
    assert "random:index/randomPet:RandomPet" in answer["error"]["details"]
