"""From the state to the diagnosis; the state and the network are test data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.engine import local_cloud
from cli.engine.workspace import Stack
from cli.status import Status, gather, snapshot
from cli.status.clouds import CloudTrouble
from cli.status.declared import Declared, Undeclared
from cli.status.snapshot import StatusReader
from errors import Fix
from tests.unit.status import scene

Arranged = Callable[[Declared | Undeclared], Callable[[], Status]]


@pytest.fixture
def arranged(monkeypatch: pytest.MonkeyPatch) -> Arranged:
    """A look at a healthy network whose state says this."""

    def arrange(said: Declared | Undeclared) -> Callable[[], Status]:
        def read(*_: object) -> Declared:
            if isinstance(said, Undeclared):
                raise said
            return said

        monkeypatch.setattr(local_cloud, "health", lambda _: {"pid": 1})
        monkeypatch.setattr(snapshot, "Engine", lambda _: None)
        monkeypatch.setattr(snapshot, "read", read)
        new = replace(scene.sight().backups, at=datetime.now(UTC).isoformat())  # an old one would be a finding
        monkeypatch.setattr(snapshot, "collect", lambda *_: scene.sight(backups=new))
        return lambda: gather(Stack("local"))

    return arrange


def test_a_healthy_stack_has_no_findings(arranged: Arranged) -> None:
    found = arranged(scene.declared())()
    assert (found.level, found.exit_status, found.findings) == ("healthy", 0, ())
    assert [each.name for each in found.services] == ["backend", "api", "universe", "web"]
    assert found.to_json()["services"][0]["secrets"][0]["name"] == "PB_ADMIN_EMAIL"
    assert scene.PASSWORD not in str(found.to_json())


def test_a_stack_that_is_not_deployed_is_the_only_finding(arranged: Arranged) -> None:
    found = arranged(Undeclared("The stack local is not deployed."))()
    assert (found.level, found.services) == ("down", ())
    assert [(each.about, each.what, each.next) for each in found.findings] == [
        ("state", "The stack local is not deployed.", "oracle up local")
    ]


def test_with_an_unreadable_state_the_reachable_services_are_shown(arranged: Arranged) -> None:
    found = arranged(Undeclared("Nobody is logged in to a state backend.", Fix("pulumi login")))()
    assert (found.level, found.exit_status) == ("degraded", 1)
    assert [(each.about, each.what, each.next) for each in found.findings] == [
        ("state", "Nobody is logged in to a state backend.", "pulumi login")
    ]
    assert [each.name for each in found.services] == ["api", "universe", "web"]


def test_without_a_network_the_state_is_not_blamed(arranged: Arranged, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = arranged(Undeclared("The state backend did not answer within 20 s.", Fix("pulumi whoami --verbose")))
    silent = CloudTrouble(why="unreachable", text="does not answer")
    health_answers = dict.fromkeys(scene.sight().health_answers, scene.REFUSED)
    seen = scene.sight(app=silent, workers=dict.fromkeys(scene.NAMES, silent), health_answers=health_answers)
    monkeypatch.setattr(snapshot, "collect", lambda *_: seen)
    assert [each.about for each in gathered().findings] == ["network"]


def test_a_wrong_passphrase_is_one_finding(arranged: Arranged) -> None:
    found = arranged(replace(scene.declared(), sealed="The passphrase does not fit", password=None))()
    assert [(each.about, each.next) for each in found.findings] == [("state", 'eval "$(oracle env local)"')]
    assert "The passphrase does not fit, so" in found.findings[0].what


def test_a_stopped_local_cloud_is_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_cloud, "health", lambda _: None)
    found = gather(Stack("local"))
    assert (found.level, [each.next for each in found.findings]) == ("down", ["oracle cloud start --stack local"])


def test_the_state_is_read_again_only_after_its_age_limit(arranged: Arranged, monkeypatch: pytest.MonkeyPatch) -> None:
    arranged(scene.declared())
    reads: list[object] = []

    def read(engine: object, _: float) -> Declared:
        reads.append(engine)
        return scene.declared()

    monkeypatch.setattr(snapshot, "read", read)
    once, always = StatusReader(Stack("local"), 3600), StatusReader(Stack("local"))
    for look in (once, once, always, always):
        look.gather()
    assert len(reads) == 3
