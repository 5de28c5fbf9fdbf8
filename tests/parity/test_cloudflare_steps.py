"""Every recorded sequence of calls to the cloudflare plugin: the recorded answers, messages and requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.parity.cloudflare import (
    MINIMAL,
    PREVIEWS,
    TOKEN,
    TWO,
    cases,
    created,
    lay_out,
    placeholders,
    state_before,
)
from tests.parity.exchanges import differences
from tests.parity.plugin import Plugin
from tests.parity.recordings import bare, case, delta, load, localised
from tests.parity.stub import Stub


@pytest.fixture(scope="module")
def plugin(stub: Stub) -> Iterator[Plugin]:
    with Plugin("cloudflare") as running:
        running.configure({"apiToken": TOKEN, "baseUrl": f"http://127.0.0.1:{stub.port}/client/v4"})
        yield running


@dataclass
class Replay:
    """One case on its way: what its earlier steps left behind for its later ones."""

    plugin: Plugin
    stub: Stub
    recording: Mapping[str, Any]
    name: str
    checked: Any = None
    read: Any = None
    found: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        return str(self.recording["type"])

    def step(self, step: Mapping[str, Any]) -> None:
        """Makes the call, and notes what is unlike the recording."""
        self.stub.expect(step.get("http", []))
        self.plugin.engine.log.clear()
        answer = getattr(self, f"call_{step['rpc'].lower()}")(step["request"])
        wanted = {key: bare(step[key]) for key in ("response", "error") if key in step}
        if answer != wanted:
            self.found.append(f"{step['rpc']}: unlike the recorded answer: {delta(wanted, answer)}")
        self.found += differences(step.get("http", []), self.stub.requests)
        # Errors are in the answer; as a message the plugin adds only its advice on a token or a cloud that is away.
        wanted_log, log = (
            [entry for entry in each if entry["severity"] != "error"]
            for each in (step.get("log", []), self.plugin.engine.log)
        )
        if log != wanted_log:
            self.found.append(f"{step['rpc']}: messages {log} instead of {wanted_log}")

    def call_check(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.plugin.check(self.token, request["olds"], request["news"])
        self.checked = answer.get("response", {}).get("inputs")
        return answer

    def call_create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        news = request["properties"]
        if not isinstance(news, dict):
            news = {**MINIMAL, **PREVIEWS[self.name]} if self.name in PREVIEWS else self.checked
        return self.plugin.create(self.token, news, preview=request.get("preview", False))

    def call_update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        id, outputs, inputs = created(self.recording, "minimal")
        news = request.get("news") or inputs | {"scriptName": "bad-400", "content": TWO}
        named = {key: news[key] for key in ("scriptName", "name") if key in news}
        return self.plugin.update(self.token, id, outputs | named, inputs | named, news)

    def call_read(self, request: Mapping[str, Any]) -> dict[str, Any]:
        id, outputs, inputs = state_before(self.recording, self.name, request)
        answer = self.plugin.read(self.token, id, outputs, inputs)
        self.read = answer.get("response")
        return answer

    def call_delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        id, outputs, _ = state_before(self.recording, self.name, {"id": request["id"]})
        return self.plugin.delete(self.token, id, outputs)

    def call_diff(self, request: Mapping[str, Any]) -> dict[str, Any]:
        base = self.name.removeprefix("diff: unchanged, ")
        id, outputs, inputs = created(self.recording, base)
        if request["as"].startswith("after the read"):
            read = case(self.recording, f"read: {base}, nothing changed")["steps"][0]["response"]
            outputs, old_inputs = read["properties"], read["inputs"]
        else:
            old_inputs = inputs
        return self.plugin.diff(self.token, id, outputs, old_inputs, inputs)

    def after_read(self, one: Mapping[str, Any]) -> None:
        """What a refresh leads to: what it changed, and what the next preview plans."""
        id, outputs, inputs = state_before(self.recording, self.name, one["steps"][0]["request"])
        assert self.read, self.found
        now, inputs_now = self.read["properties"], self.read["inputs"]
        answer = self.plugin.diff(self.token, id, now, inputs_now, inputs)
        previewed = self.plugin.update(self.token, id, now, inputs_now, inputs, preview=True)["response"]["properties"]
        seen = {
            "readChangedOutputs": delta(bare(outputs), now),
            "readChangedInputs": delta(bare(inputs), inputs_now),
            "diffAfter": answer["response"],
            "previewUpdateDelta": delta(now, previewed),
        }
        for key, got in seen.items():
            wanted = {path: value for path, value in one.get(key, got).items() if path != "__meta"}
            if got != wanted:
                self.found.append(f"{key}: {got} instead of {wanted}")


@pytest.mark.parametrize("name,case_name", list(cases("steps")))
def test_the_case_is_answered_as_recorded(
    name: str, case_name: str, plugin: Plugin, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    replay = Replay(plugin, stub, load(name), case_name)
    one = localised(case(load(name), case_name), placeholders(str(stub.port), tmp_path))
    for step in one["steps"]:
        replay.step(step)
    if "diffAfter" in one:
        replay.after_read(one)
    assert not replay.found, "\n".join(replay.found)
