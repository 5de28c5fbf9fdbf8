"""A deploy during another update of the stack: with --wait it waits, then prepares again from the new state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.deploy import deploy
from cli.deploy.deploy import Locked, Plan, run_deploy
from cli.engine.pulumi import Finished
from cli.runs.store import PINNED
from cli.ui.errors import CommandError, engine_failure, is_locked
from errors import Fix, Remedy

FOLDER_LOCKED = "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or …"
CLOUD_LOCKED = "error: [409] Conflict: Another update is currently in progress.\nTo learn more about possible reasons"
WELL = Finished(0, "")


class Recording:
    """A double of a run's recorder: its updates end with the given results, one after another."""

    def __init__(self, folder: Path, *updates: Finished) -> None:
        self.run = SimpleNamespace(folder=folder, info=SimpleNamespace(command="oracle deploy api --stack staging"))
        self.engine = SimpleNamespace(
            stack=SimpleNamespace(
                name="staging", settings=lambda: SimpleNamespace(adopted=(), services=("backend", "api", "web"))
            ),
            environment={},
            export=dict,
            failure=lambda done, go_on, then: engine_failure(done.output, "staging") or CommandError(then, go_on=go_on),
        )
        self.said: list[str] = []
        self._updates = [*updates]

    def say(self, text: str) -> None:
        self.said.append(text)

    def update(self, *_: str) -> Finished:
        return self._updates.pop(0)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Preparations are counted; nothing is built and nobody is asked."""
    counted: list[str] = []

    def prepare(recording: Any, services: Any) -> Plan:
        counted.append("prepared")
        return Plan(tuple(services), (), nothing=False)

    monkeypatch.setattr(deploy, "prepare", prepare)
    monkeypatch.setattr(deploy, "closing", lambda *_: {"done": True})
    monkeypatch.setattr(deploy, "WAIT_FIRST", 0.01)
    return counted


@pytest.mark.parametrize("output", [FOLDER_LOCKED, CLOUD_LOCKED])
def test_a_deploy_waits_for_the_other_update_and_prepares_again(
    prepared: list[str], tmp_path: Path, output: str
) -> None:
    recording = Recording(tmp_path, Finished(255, output), Finished(255, output), WELL)
    assert run_deploy(recording, ["api"], None, wait=20) == {"done": True}  # type: ignore[arg-type]
    assert len(prepared) == 3
    assert len(recording.said) == 2
    assert recording.said[0].startswith("Waiting for another update, then trying again. Another update of staging ")


def test_a_confirmed_plan_is_prepared_again_after_a_wait(prepared: list[str], tmp_path: Path) -> None:
    recording = Recording(tmp_path, Finished(255, FOLDER_LOCKED), WELL)
    plan = {"services": ("api",), "lines": (), "nothing": False}
    assert run_deploy(recording, ["api"], plan, wait=20) == {"done": True}  # type: ignore[arg-type]
    assert len(prepared) == 1


@pytest.mark.parametrize("output", [FOLDER_LOCKED, CLOUD_LOCKED])
def test_without_wait_a_lock_fails_the_deploy(prepared: list[str], tmp_path: Path, output: str) -> None:
    recording = Recording(tmp_path, Finished(255, output))
    with pytest.raises(Locked, match=r"Another update of staging holds the lock, or was killed\.$") as locked:
        run_deploy(recording, ["api"], None)  # type: ignore[arg-type]
    assert locked.value.helps == (Fix(first="wait for it"), Fix("oracle recover staging", "if it was killed"))
    assert (len(prepared), recording.said) == (1, [])


def test_other_failures_are_not_waited_for(prepared: list[str], tmp_path: Path) -> None:
    said = "error: a cloud said no\napi | the stack is currently locked by 1 lock(s)"  # a service's own words
    recording = Recording(tmp_path, Finished(1, said))
    assert not is_locked(said)
    with pytest.raises(CommandError) as failed:
        run_deploy(recording, ["api"], None, wait=20)  # type: ignore[arg-type]
    assert not isinstance(failed.value, Locked)
    assert failed.value.go_on == "oracle deploy api --stack staging"
    assert len(prepared) == 1


def running(*releases: str) -> Callable[[Any], Any]:
    """What runs, one time after another."""
    left = [*releases]
    return lambda _state: SimpleNamespace(release=left.pop(0))


def test_a_deploy_prepared_before_another_update_is_never_run(
    prepared: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other update's release would be lost from the receipt."""
    (tmp_path / PINNED).write_text(json.dumps({"release": "old"}))
    monkeypatch.setattr(deploy, "outputs_or_none", running("new"))
    said = "Another update has changed the release of staging while this one was prepared, so nothing was changed."
    with pytest.raises(Locked, match=said) as stale:
        run_deploy(Recording(tmp_path), ["api"], None)  # type: ignore[arg-type]
    assert stale.value.helps == (Remedy.RETRY,)
    monkeypatch.setattr(deploy, "outputs_or_none", running("new", "old"))
    assert run_deploy(Recording(tmp_path, WELL), ["api"], None, wait=20) == {"done": True}  # type: ignore[arg-type]
    assert len(prepared) == 3
