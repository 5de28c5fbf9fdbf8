"""What an update that ended halfway has made, and how the state gets to know of it."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from cli.engine import recover
from cli.engine.pulumi import Engine

URN = "urn:pulumi:local::oracle-net::oracle-net:index:Backend$digitalocean:index/app:App::backend-app"


def app(name: str, id: str = "", **more: Any) -> dict[str, Any]:
    return {"urn": URN, "type": recover.APP, "id": id, "inputs": {"spec": {"name": name, "region": "sgp"}}, **more}


def generation(name: str) -> dict[str, Any]:
    return {"urn": "generation", "type": recover.GENERATION, "outputs": {"app": name, "trigger": "2.1.abc"}}


def state(*resources: dict[str, Any], pending: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"deployment": {"resources": list(resources), "pending_operations": pending or []}}


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The states that were imported; the cloud has the app `new` with the id `made`."""
    states: list[dict[str, Any]] = []

    def existing(_: Engine, resource: dict[str, Any]) -> str | None:
        return "made" if resource["inputs"]["spec"]["name"] == "new" else None

    monkeypatch.setattr(recover, "import_state", lambda _, given: states.append(given))
    monkeypatch.setattr(recover, "_existing", existing)
    monkeypatch.setattr(recover, "_has_generation", lambda *_: True)
    monkeypatch.setattr(recover, "_free_locks", lambda _: iter(()))
    return states


def recovered(given: dict[str, Any]) -> list[str]:
    engine = Mock(Engine)
    engine.export.return_value = given
    return recover.recover(engine)


def creating(name: str) -> dict[str, Any]:
    return {"type": "creating", "resource": app(name)}


def listed(given: dict[str, Any]) -> list[tuple[str, bool]]:
    apps = [each for each in given["deployment"]["resources"] if each["type"] == recover.APP]
    return [(each["id"], each.get("delete", False)) for each in apps]


def test_a_replacement_that_was_made_is_taken_over_and_the_one_before_it_waits_to_be_deleted(
    imported: list[dict[str, Any]],
) -> None:
    recovered(state(generation("new"), app("old", "old"), {"urn": "after", "type": "x"}, pending=[creating("new")]))
    assert listed(imported[0]) == [("made", False), ("old", True)]
    assert [each["urn"] for each in imported[0]["deployment"]["resources"]] == ["generation", URN, URN, "after"]
    assert imported[0]["deployment"]["pending_operations"] == []
    # The provider reads no setting that no cloud has: without it the next plan would be an update of the app.
    assert imported[0]["deployment"]["resources"][1]["outputs"]["spec"] == {"name": "new", "region": "sgp"}


def test_a_replacement_that_was_never_made_leaves_the_one_before_it(imported: list[dict[str, Any]]) -> None:
    recovered(state(app("old", "old"), pending=[creating("never")]))
    assert listed(imported[0]) == [("old", False)]


def test_what_the_state_has_already_is_not_taken_over_twice(imported: list[dict[str, Any]]) -> None:
    recovered(state(app("new", "made"), app("old", "old", delete=True), pending=[creating("new")]))
    assert listed(imported[0]) == [("made", False), ("old", True)]


def test_an_app_whose_creation_was_never_answered_is_taken_over(imported: list[dict[str, Any]]) -> None:
    (line,) = recovered(state(generation("new"), app("old", "old", replacementTrigger="old")))
    assert "made" in line
    assert listed(imported[0]) == [("made", False), ("old", True)]
    made = imported[0]["deployment"]["resources"][1]
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
def test_a_state_that_misses_nothing_is_left_alone(
    imported: list[dict[str, Any]], resources: list[dict[str, Any]]
) -> None:
    assert recovered(state(*resources)) == []
    assert imported == []


def test_somebody_elses_app_of_that_name_is_left_alone(
    imported: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "_has_generation", lambda *_: False)
    assert recovered(state(generation("new"), app("old", "old"))) == []
    assert imported == []


@pytest.mark.parametrize(
    "mark, taken", [("organization/oracle-net/x", True), ("organization/oracle-net/other", False), (None, False)]
)
def test_only_an_app_with_our_mark_is_taken_over(
    monkeypatch: pytest.MonkeyPatch, mark: str | None, taken: bool
) -> None:
    envs = [{"key": "STACK", "value": mark}] if mark else []
    platform = MagicMock()
    platform.return_value.__enter__.return_value.find.return_value = {
        "id": "made",
        "spec": {"name": "new", "services": [{"name": "service", "envs": envs}]},
    }
    monkeypatch.setattr(recover, "AppPlatform", platform)
    engine = Mock(Engine, environment={}, stack=Mock(digitalocean="d"), owner="organization/oracle-net/x")
    assert recover._existing(engine, app("new")) == ("made" if taken else None)
