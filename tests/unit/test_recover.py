"""Resources that an interrupted update has created, and how the state learns of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cli.engine import recover
from cli.engine.pulumi import Engine
from tests.support import fakes
from tests.support.fakes import FakeAccount

URN = "urn:pulumi:local::oracle-net::oracle-net:index:Backend$digitalocean:index/app:App::backend-app"


def app(name: str, id: str = "", **more: Any) -> dict[str, Any]:
    return {"urn": URN, "type": recover.APP, "id": id, "inputs": {"spec": {"name": name, "region": "sgp"}}, **more}


def generation(name: str) -> dict[str, Any]:
    outputs = {"app": name, "trigger": "2.1.abc", "generation": 2.0}
    return {"urn": "generation", "type": recover.GENERATION, "outputs": outputs}


def state(*resources: dict[str, Any], pending: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"deployment": {"resources": list(resources), "pending_operations": pending or []}}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> FakeAccount:
    """The cloud has the app `new` of generation 2 with the id `made`."""
    made = FakeAccount({"made": fakes.app("made", "new", generation=2)})
    monkeypatch.setattr(recover, "AppPlatform", made.clouds.app_platform)
    return made


@dataclass
class Recovery:
    """A stack without a lock, and the states that were imported."""

    folder: Path
    imported: list[dict[str, Any]] = field(default_factory=list)

    def of(self, given: dict[str, Any]) -> list[str]:
        engine = Mock(Engine, environment={"PULUMI_BACKEND_URL": f"file://{self.folder}"}, owner=fakes.OWNER)
        engine.stack = Mock(private=self.folder, digitalocean="d")
        engine.stack.name = "local"
        engine.stack.settings.return_value.backend.service = fakes.SERVICE
        engine.export.return_value = given
        engine.run_checked.side_effect = self._import
        return recover.recover(engine)

    def _import(self, *command: str) -> None:
        assert command[:-1] == ("stack", "import", "--stack", "local", "--file")
        self.imported.append(json.loads(Path(command[-1]).read_text()))


@pytest.fixture
def recovery(account: FakeAccount, tmp_path: Path) -> Recovery:
    return Recovery(tmp_path)


def creating(name: str) -> dict[str, Any]:
    return {"type": "creating", "resource": app(name)}


def listed(given: dict[str, Any]) -> list[tuple[str, bool]]:
    apps = [each for each in given["deployment"]["resources"] if each["type"] == recover.APP]
    return [(each["id"], each.get("delete", False)) for each in apps]


def test_a_created_replacement_is_imported_and_the_old_app_is_to_be_deleted(
    recovery: Recovery,
) -> None:
    recovery.of(state(generation("new"), app("old", "old"), {"urn": "after", "type": "x"}, pending=[creating("new")]))
    assert listed(recovery.imported[0]) == [("made", False), ("old", True)]
    assert [each["urn"] for each in recovery.imported[0]["deployment"]["resources"]] == [
        "generation",
        URN,
        URN,
        "after",
    ]
    assert recovery.imported[0]["deployment"]["pending_operations"] == []
    # The provider reads no setting that no cloud has: without it the next plan would be an update of the app.
    assert recovery.imported[0]["deployment"]["resources"][1]["outputs"]["spec"] == {"name": "new", "region": "sgp"}


def test_a_replacement_that_was_not_created_leaves_the_old_app(recovery: Recovery) -> None:
    recovery.of(state(app("old", "old"), pending=[creating("never")]))
    assert listed(recovery.imported[0]) == [("old", False)]


def test_a_resource_in_the_state_is_not_imported_twice(recovery: Recovery) -> None:
    recovery.of(state(app("new", "made"), app("old", "old", delete=True), pending=[creating("new")]))
    assert listed(recovery.imported[0]) == [("made", False), ("old", True)]


def test_an_app_whose_creation_got_no_answer_is_imported(recovery: Recovery) -> None:
    (line,) = recovery.of(state(generation("new"), app("old", "old", replacementTrigger="old")))
    assert "made" in line
    assert listed(recovery.imported[0]) == [("made", False), ("old", True)]
    made = recovery.imported[0]["deployment"]["resources"][1]
    assert made["inputs"] == {"spec": {"name": "new", "region": "sgp"}}
    assert made["replacementTrigger"] == "new"


@pytest.mark.parametrize(
    "resources",
    [
        [generation("new"), app("new", "made")],
        [generation("other"), app("old", "old")],
        [generation("new")],
        [app("old", "old")],
        [],
    ],
)
def test_a_complete_state_is_not_changed(recovery: Recovery, resources: list[dict[str, Any]]) -> None:
    assert recovery.of(state(*resources)) == []
    assert recovery.imported == []


def test_an_app_of_the_same_name_from_elsewhere_is_not_imported(recovery: Recovery, account: FakeAccount) -> None:
    account.apps["made"] = fakes.app("made", "new", generation=1)
    assert recovery.of(state(generation("new"), app("old", "old"))) == []
    assert recovery.imported == []


@pytest.mark.parametrize("mark, taken", [(fakes.OWNER, True), ("organization/oracle-net/other", False), (None, False)])
def test_only_an_app_of_this_owner_is_imported(
    recovery: Recovery, account: FakeAccount, mark: str | None, taken: bool
) -> None:
    account.apps["made"] = fakes.app("made", "new", generation=2, owner=mark)
    recovery.of(state(app("old", "old"), pending=[creating("new")]))
    expected = [("made", False), ("old", True)] if taken else [("old", False)]
    assert listed(recovery.imported[0]) == expected
