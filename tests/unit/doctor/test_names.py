"""The check of resource names: free names, names of another stack, names without an owner."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.doctor import examination, names
from cli.engine.pulumi import Finished
from cli.engine.workspace import PROJECT, Stack
from clients.app_platform import AppPlatformError
from settings import DomainSettings, from_file
from tests.support.fakes import FakeAccount
from tests.support.stacks import configured_worker

OURS, THEIRS = "organization/oracle-net/x", "organization/oracle-net/local"
PROD = from_file(PROJECT / "Pulumi.prod.yaml")
APP = PROD.backend.app_name
NOWHERE = {"domain": None}
SETTINGS = PROD.model_copy(
    update={
        "workers": {
            **PROD.workers,
            "api": PROD.api.model_copy(update=NOWHERE),
            "web": PROD.workers["web"].model_copy(update=NOWHERE),
        }
    }
)
DOMAIN = DomainSettings(hostname="example.org", zone_id="1" * 32)


def found(
    monkeypatch: pytest.MonkeyPatch, account: FakeAccount, *known: str, domain: bool = False
) -> list[tuple[str, ...]]:
    resources = [{"urn": f"urn:pulumi:x::oracle-net::t::{name}"} for name in known]
    exported = Finished(0, json.dumps({"deployment": {"resources": resources}}))
    monkeypatch.setattr(names, "AppPlatform", account.clouds.app_platform)
    monkeypatch.setattr(names, "Workers", account.clouds.workers)
    monkeypatch.setattr(names, "Engine", lambda _: SimpleNamespace(owner=OURS))
    monkeypatch.setattr(names, "bounded", lambda *_: exported)
    settings = configured_worker(SETTINGS, "web", domain=DOMAIN)
    stack: Any = SimpleNamespace(name="x", digitalocean="d", cloudflare="c", project=Path())
    listed = names.owners(stack, settings if domain else SETTINGS, {})
    return [(each.level, each.what, each.remedy) for each in listed]


def test_free_names_and_names_of_this_stack_are_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = FakeAccount.owned({APP: OURS}, {"oracle-net": OURS}, {DOMAIN.hostname: "oracle-net"})
    for account in (FakeAccount(), ours):
        assert [level for level, *_ in found(monkeypatch, account, domain=True)] == ["ok"]


def test_a_name_of_another_stack_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds also when the state contains the resource, as a copied state does."""
    account = FakeAccount.owned({APP: THEIRS}, {"oracle-net": THEIRS})
    for known in ((), ("backend-app", "web-script")):
        assert found(monkeypatch, account, *known) == [
            (
                "fail",
                f"the app jellyfish-app exists and belongs to {THEIRS}, so an update is refused",
                "pulumi config set --path oracle-net:backend.appName NAME --stack x",
            ),
            (
                "fail",
                f"the Worker oracle-net exists and belongs to {THEIRS}, so an update is refused",
                "pulumi config set --path oracle-net:workers.web.script NAME --stack x",
            ),
        ]


def test_a_name_without_an_owner_can_be_adopted_unless_the_state_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource without an owner that is in the state is drift, which the next update repairs."""
    account = FakeAccount.owned({APP: None}, {"oracle-net": None, "o": None}, {DOMAIN.hostname: "o"})
    listed = found(monkeypatch, account, domain=True)
    assert [what.partition(" and ")[0] for _, what, _ in listed] == [
        "the app jellyfish-app exists",
        "the Worker oracle-net exists",
        "the domain example.org leads to the Worker o",
    ]
    assert {remedy for *_, remedy in listed} == {"oracle adopt x"}
    assert all("choose another name with `pulumi config set --path oracle-net:" in what for _, what, _ in listed)
    known = ("backend-app", "web-script", "web-domain")
    assert [level for level, *_ in found(monkeypatch, account, *known, domain=True)] == ["ok"]


def test_a_cloud_that_does_not_answer_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    account = FakeAccount(failures={"find": AppPlatformError("DigitalOcean does not answer")})
    [(level, what, _)] = found(monkeypatch, account)
    assert (level, what) == ("warn", "the names could not be checked: DigitalOcean does not answer")


def test_the_names_are_checked_for_every_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.engine.local_cloud.health", lambda _: {"pid": 1})
    assert "names" in examination._checks(Stack("prod"), SETTINGS, {})
