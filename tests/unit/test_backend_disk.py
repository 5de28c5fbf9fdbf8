"""An update goes on over an empty disk only where that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from clients.pocketbase import AdminError
from errors import RestoreBackup, UserError
from lifecycle import backend_disk, context
from lifecycle.backend_disk import DiskProvider
from lifecycle.backup_config import BackupConfig
from storage.backups import loss
from storage.backups.loss import Known, Loss
from tests.support.errors import shown_text
from tests.support.owners import owner

KNOWN = Known(records={"posts": 28}, at="2026-11-22T10:00:00Z", backup="kept")
NOTHING = Known(records={}, at="2026-11-22T10:00:00Z", backup=None)
LOST = Loss(app="app", since="2026-11-22T12:00:00Z", now={}, known=KNOWN)


def props(**changed: Any) -> dict[str, Any]:
    made = {
        **dict.fromkeys(("endpoint", "email", "password", "operator"), "x"),
        "service": "service",
        "generation": 1.0,
        "restart": 0.0,
        "restore_from": "",
        "traffic": {"endpoint": "e", "account": "a", "script": "s", "url": "u", "owner": "o/p/prod"},
        "backup_config": {},
    }
    return {**made, **changed}


class Platform:
    generation = "1"

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None: ...

    def find(self, name: str) -> dict[str, Any]:
        envs = [{"key": "GENERATION", "value": self.generation}]
        spec = {"name": name, "services": [{"name": "service", "envs": envs}]}
        return {"id": "id", "spec": spec, "active_deployment": {"id": "d", "phase": "ACTIVE", "spec": spec}}

    def url(self, _: str) -> str:
        return "http://backend"


class Store:
    owner = owner("prod")

    def audit_log(self) -> None: ...

    def catalog(self) -> None: ...


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backend_disk, context):
        monkeypatch.setattr(module, "AppPlatform", Platform)
        monkeypatch.setattr(module, "app_with_traffic", lambda _: "app")
    monkeypatch.setattr(BackupConfig, "of", classmethod(lambda *_: Store()))
    monkeypatch.setattr(loss, "find_loss", lambda *_: LOST)


@pytest.mark.usefixtures("lost")
def test_an_update_over_an_empty_disk_is_refused_with_both_ways_on() -> None:
    with pytest.raises(UserError) as refused:
        DiskProvider().check(props(), props())
    assert refused.value.problem.startswith("app is empty since 2026-11-22T12:00Z")
    assert shown_text(refused.value).endswith(
        "Nothing was changed. Fix: run `oracle restore kept prod` to restore its records; or run `oracle wipe prod` to "
        "go on with an empty backend."
    )


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize("begun", [{"generation": 2.0}, {"restart": 1.0}])
def test_a_wipe_a_restore_and_a_restart_go_on_and_are_remembered(begun: dict[str, Any]) -> None:
    provider = DiskProvider()
    assert provider.check(props(), props(**begun)).inputs == props(**begun)
    assert provider.diff("", provider.create(props()).outs or {}, props(**begun)).changes
    assert not provider.diff("", provider.update("", props(), props(**begun)).outs or {}, props(**begun)).changes


@pytest.mark.usefixtures("lost")
def test_a_wipe_that_ended_halfway_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traffic is still with the generation before, whose data is not wanted."""
    wiped = props(generation=2.0)
    assert DiskProvider().check(wiped, wiped).inputs == wiped


@pytest.mark.usefixtures("lost")
def test_an_app_that_is_gone_with_its_records_is_not_followed_by_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Platform, "find", lambda *_: None)
    monkeypatch.setattr(loss, "last_known", lambda *_: KNOWN)
    with pytest.raises(UserError, match=r"The app app was deleted with its data: 28 records ") as refused:
        DiskProvider().check(props(), props())
    assert refused.value.helps[0] == RestoreBackup("kept")
    for nothing in (None, NOTHING):
        monkeypatch.setattr(loss, "last_known", lambda *_, found=nothing: found)
        assert DiskProvider().check(props(), props()).inputs == props()


@pytest.mark.usefixtures("lost")
def test_a_first_update_and_a_refresh_look_at_nothing() -> None:
    assert DiskProvider().check({}, props()).inputs == props()
    assert not DiskProvider().diff("", {"generation": 1.0, "restart": 0.0}, props()).changes


@pytest.mark.usefixtures("lost")
def test_a_backend_that_does_not_answer_or_held_nothing_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any) -> Loss:
        raise AdminError("no answer")

    for found in (silent, lambda *_: None, lambda *_: Loss(app="app", since=None, now={}, known=NOTHING)):
        monkeypatch.setattr(loss, "find_loss", found)
        assert DiskProvider().check(props(), props()).inputs == props()


def test_passwords_are_not_kept() -> None:
    assert DiskProvider().create(props()).outs == {"generation": 1.0, "restart": 0.0}
