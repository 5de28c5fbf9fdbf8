"""A wipe, restore or restart: the update does exactly what the preview showed, and includes no other change."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from cli.commands import wipe as command
from cli.deploy import config_change
from cli.deploy.config_change import DATA_ONLY, OtherData, replace_data
from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.runs.recorder import RunRecorder
from cli.runs.store import Runs
from cli.ui.errors import CommandError
from errors import Fix
from stack_outputs import PINNED_VARIABLE, Outputs
from tests.support.errors import refused
from tests.support.owners import owner
from tests.unit.test_service_plan import OLD, outputs, settings

PROJECT = Path(__file__).parents[2]
STATE = {
    "deployment": {
        "resources": [
            {"urn": "u::p::t::api-script", "type": "", "inputs": {"content": "the module that runs"}, "outputs": {}},
            {"urn": "u::p::t::backend-data", "type": "", "inputs": {}, "outputs": {"restart": 3}},
        ]
    }
}


def step(name: str, op: str, **changed: str) -> dict[str, Any]:
    old, new = ({"inputs": {key: f"{side} {key}" for key in changed}} for side in ("old", "new"))
    return {"resourcePreEvent": {"metadata": {"urn": f"u::p::t::{name}", "op": op, "old": old, "new": new}}}


class Asked:
    """An engine that foresees some steps, and a run that is handed over."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, steps: list[dict[str, Any]]) -> None:
        self.stack = Stack("local", folder)
        self.stack.file.write_text((PROJECT / "Pulumi.staging.yaml").read_text())
        self.previewed: list[str] = []
        self.handed: dict[str, Any] = {}
        self.engine = Mock(Engine, stack=self.stack, owner=owner(), environment={})
        self.engine.outputs.return_value = outputs()
        self.engine.export.return_value = STATE
        monkeypatch.setattr(RunRecorder, "preview", lambda _, *options: self._preview(steps, options))
        monkeypatch.setattr(config_change, "start_detached", self._hand_over)
        monkeypatch.setattr(config_change, "run_in_view", lambda run: run.info)

    def wipe(self, agree: Any = lambda _: None) -> None:
        values = {"oracle-net:generation": "2", "oracle-net:restoreFrom": None}
        replace_data(self.engine, OtherData(kind="wipe", values=values, retry_command="oracle wipe local"), agree)

    def _preview(self, steps: list[dict[str, Any]], options: tuple[str, ...]) -> list[dict[str, Any]]:
        self.previewed = list(options)
        self.kept = json.loads(Path(self.engine.environment[PINNED_VARIABLE]).read_text())
        return steps

    def _hand_over(self, run: Any, _stack: Stack, task: Any, environment: Any) -> None:
        self.handed = {**task, "environment": environment}
        run.end()


WIPE = [step("backend-app", "replace", spec=""), step("api-script", "update", bindings="")]


def test_preview_and_update_have_the_same_restrictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, lines = Asked(tmp_path, monkeypatch, WIPE), list[str]()
    asked.wipe(lines.extend)
    assert asked.kept["services"] == ["backend", "api", "universe", "web"]
    assert asked.kept["release"] == OLD
    targets = asked.previewed[2:]
    assert targets == [word for name in DATA_ONLY for word in ("--target", f"**::{name}")]
    assert asked.handed["only"] == list(DATA_ONLY)
    assert asked.handed["values"] == {"oracle-net:generation": "2", "oracle-net:restoreFrom": None}
    assert asked.previewed[0] == "--config-file"
    assert lines[0].startswith("backend: a new app takes over from")
    assert lines[-1] == "Not touched: universe, web."


def test_the_stack_file_is_not_changed_before_the_confirmation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tmp_path, monkeypatch, WIPE)
    before = asked.stack.file.read_bytes()

    def refuse(_: object) -> None:
        raise CommandError("Nobody agrees.")

    with pytest.raises(CommandError, match="Nobody agrees"):
        asked.wipe(refuse)
    assert asked.stack.file.read_bytes() == before
    assert not asked.handed
    assert not Runs(asked.stack.runs).list()


def test_other_changes_of_the_api_prevent_a_wipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = [*WIPE, step("api-script", "update", compatibilityFlags="")]
    asked = Asked(tmp_path, monkeypatch, other)
    with pytest.raises(CommandError, match=r"api has undeployed changes \(compatibilityFlags\)\.$") as caught:
        asked.wipe()
    assert caught.value.helps == (Fix("oracle deploy backend api --stack <stack>", "to deploy both"),)
    assert not asked.handed


@pytest.mark.parametrize(
    "declared, runs, restore_from, wanted",
    [(1, 1, None, "2"), (1, 2, None, "3"), (2, 1, None, "2"), (2, 1, "app-g1-20260101T000000Z-0000", "3")],
)
def test_a_wipe_is_a_generation_of_its_own_unless_it_continues_one(
    declared: int, runs: int, restore_from: str | None, wanted: str
) -> None:
    """One that did not end is not started once more: that would be another generation, emptied again."""
    declaration = settings(generation=declared, restore_from=restore_from)
    assert command._wiped(declaration, outputs(generation=runs))["oracle-net:generation"] == wanted


@pytest.mark.parametrize("declared, wanted", [(3, "4"), (4, "4")])
def test_an_unfinished_restart_is_continued(declared: int, wanted: str) -> None:
    engine = Mock(Engine)
    engine.export.return_value = STATE
    assert command._restarted(engine, settings(restart=declared)) == {"oracle-net:restart": wanted}


@pytest.mark.parametrize("runs, on", [(1, "oracle wipe local"), (2, "pulumi up --stack local")])
def test_the_advice_after_a_failure_depends_on_whether_the_traffic_moved(
    tmp_path: Path, runs: int, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(tmp_path, monkeypatch, [])
    gate = {"urn": "u::p::t::backend-generation", "type": config_change.GATE, "outputs": {"generation": 2}}
    asked.engine.export.return_value = {"deployment": {"resources": [*STATE["deployment"]["resources"], gate]}}
    asked.engine.outputs.return_value = Mock(Outputs, generation=runs, release=OLD)
    asked.engine.failure.side_effect = lambda done, *texts: Engine.failure(asked.engine, done, *texts)
    with Runs(asked.stack.runs).start("wipe", owner()) as run:
        recording = Mock(engine=asked.engine, run=run)
        recording.update.return_value = SimpleNamespace(status=1, output="error: broke")
        with refused(rf"^The update failed: .*\. Nothing is lost\. To go on, run `{on}`\.$"):
            config_change.run_config_change(
                recording, {"oracle-net:generation": "2"}, only=DATA_ONLY, retry_command="oracle wipe local"
            )
        run.end()
