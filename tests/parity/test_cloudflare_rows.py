"""Every row of the recorded diff matrices: check, diff, preview, and the update with its requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.parity.cloudflare import TOKEN, TWO, cases, created, lay_out, placeholders
from tests.parity.cloudflare_answers import Updates
from tests.parity.exchanges import differences, line, parts
from tests.parity.plugin import Plugin
from tests.parity.recordings import bare, case, changed, delta, load, localised
from tests.parity.stub import Stub, content


@pytest.fixture(scope="module")
def plugin(stub: Stub) -> Iterator[Plugin]:
    with Plugin("cloudflare") as running:
        running.configure({"apiToken": TOKEN, "baseUrl": f"http://127.0.0.1:{stub.port}/client/v4"})
        yield running


def rows() -> Iterator[tuple[str, str, int]]:
    for name, case_name in cases("rows"):
        for index in range(len(case(load(name), case_name)["rows"])):
            yield name, case_name, index


def _titled(row: tuple[str, str, int]) -> str:
    name, case_name, index = row
    return f"{name.split('.')[1]}: {case_name}: {case(load(name), case_name)['rows'][index]['change']}"


@dataclass
class Row:
    """One change against a base case."""

    plugin: Plugin
    stub: Stub
    recording: Mapping[str, Any]
    one: Mapping[str, Any]
    row: Mapping[str, Any]
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.token = self.recording["type"]
        self.id, outputs, self.inputs = created(self.recording, self.one["base"].removeprefix("create: "))
        self.outputs = bare(outputs)
        self.news = changed(self.one["inputs"], self.row)

    def expect(self, what: str, got: Any, wanted: Any) -> None:
        if got != wanted:
            self.found.append(f"{what}: {got} instead of {wanted}")

    def replay(self) -> None:
        if not self.check() or not self.diff():
            return
        self.preview()
        if "update" in self.row:
            self.update()

    def check(self) -> bool:
        """Whether the inputs pass."""
        self.plugin.engine.log.clear()
        answer = self.plugin.check(self.token, self.inputs, self.news)
        self.expect("check error", answer.get("error"), self.row.get("checkError"))
        failures = answer.get("response", {}).get("failures", [])
        self.expect("check failures", failures, self.row.get("checkFailures", []))
        self.expect("messages of check", self.plugin.engine.log, self.row.get("checkLog", []))
        return "error" not in answer and not failures

    def diff(self) -> bool:
        """Whether there is something to plan."""
        answer = self.plugin.diff(self.token, self.id, self.outputs, self.inputs, self.news)
        self.expect("diff", answer.get("response", answer), self.row["diff"])
        return "error" not in answer

    def preview(self) -> None:
        if "previewCreateDelta" in self.row:
            answer = self.plugin.create(self.token, self.news, preview=True)
            self._state("preview of a new one", answer, self.row["previewCreateDelta"])
        elif "previewUpdateDelta" in self.row:
            answer = self.plugin.update(self.token, self.id, self.outputs, self.inputs, self.news, preview=True)
            self._state("preview", answer, self.row["previewUpdateDelta"])

    def update(self) -> None:
        update = self.row["update"]
        put = case(self.recording, self.one["base"])["steps"][-1]["http"][-1]
        if "http" in update:
            self.stub.expect(update["http"])
        else:
            self.stub.answer_by(Updates(put["responseBody"], self.row))
        answer = self.plugin.update(self.token, self.id, self.outputs, self.inputs, self.news)
        self.expect("update error", answer.get("error"), update.get("error"))
        if "outputsDelta" in update:
            self._state("update", answer, update["outputsDelta"])
        if "http" in update:
            self.found += differences(update["http"], self.stub.requests)
            return
        self.expect("requests", [line(one.method, one.path) for one in self.stub.requests], update["requests"])
        before, after = parts(put["requestBody"]), parts(content(self.stub.requests[-1]))
        self.expect("upload", delta_of_leaves(before, after), update["putPartsDelta"])

    def _state(self, what: str, answer: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        if "response" not in answer:
            self.found.append(f"{what}: {answer}")
            return
        known = {path: value for path, value in wanted.items() if path != "__meta"}
        self.expect(what, delta(self.outputs, answer["response"]["properties"]), known)


def delta_of_leaves(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in after.items() if path not in before or before[path] != value} | {
        path: "$absent" for path in before if path not in after
    }


def change_files(root: Path, change: str) -> None:
    """What happened on disk before the rows that change no input."""
    if change.endswith("one file of the directory changed"):
        (root / "site/index.html").write_text("<h1>changed</h1>\n")
    elif change.endswith("only a file time changed"):
        (root / "site/index.html").touch()
    elif change.endswith("the file changed on disk"):
        (root / "dist/worker.js").write_text(TWO)


@pytest.mark.parametrize("row", [pytest.param(one, id=_titled(one)) for one in rows()])
def test_the_row_is_answered_as_recorded(
    row: tuple[str, str, int], plugin: Plugin, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, case_name, index = row
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    one = localised(case(load(name), case_name), placeholders(str(stub.port), tmp_path))
    change_files(tmp_path, one["rows"][index]["change"])
    replay = Row(plugin, stub, load(name), one, one["rows"][index])
    replay.replay()
    assert not replay.found, "\n".join(replay.found)
