"""The owner of a resource, and what is refused for resources of another owner."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

import advice
from errors import Fix, UserError
from lifecycle import ownership
from lifecycle.bootstrap import bootstrap
from lifecycle.context import Source, Traffic, app_with_traffic
from lifecycle.errors import guarded, in_thread
from lifecycle.migration import session_of
from lifecycle.ownership import ALERT, CHECK, DOMAIN, SCRIPT, SUBDOMAIN, Names, OwnerChecks, refuse_existing
from programs import Done
from stack_outputs import check_name, owner_of_app, owner_of_check, owner_of_worker
from tests.support.fake_pocketbase import FakePocketBase
from tests.support.fakes import FakeAccount, FakeAppPlatform, FakeWorkers, app, target, worker

OURS, THEIRS = "organization/oracle-net/x", "organization/oracle-net/local"
URN = "urn:pulumi:x::oracle-net::t::web-script"


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount()


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The resources in the state."""
    resources: list[dict[str, Any]] = []

    def export(command: list[str], **_: Any) -> Done:
        assert command[:5] == ["pulumi", "stack", "export", "--stack", OURS]
        return Done(0, json.dumps({"deployment": {"resources": resources}}).encode())

    monkeypatch.setattr(ownership, "run", export)
    return resources


def checks(account: FakeAccount) -> OwnerChecks:
    return OwnerChecks(account.clouds, "c", "a", "d", OURS)


def refuse(account: FakeAccount) -> None:
    refuse_existing(FakeAppPlatform(account), FakeWorkers(account), NAMES, OURS)


def args(type: str, name: str = "web-script", **inputs: Any) -> Any:
    return SimpleNamespace(type=type, name=name, urn=URN, id="id", new_inputs=inputs, old_inputs=inputs, old_outputs={})


def test_the_owner_is_read_from_the_resource_itself() -> None:
    assert owner_of_app(app("a", "a", owner=OURS)["spec"]) == OURS
    assert owner_of_app(app("a", "a", owner=None)["spec"]) is None
    assert owner_of_app({"name": "a"}) is None
    assert owner_of_worker({"STACK": {"text": OURS}}) == OURS
    assert owner_of_worker({"STACK": {"type": "secret_text"}}) is None
    assert owner_of_check(check_name(OURS, "web")) == OURS
    assert owner_of_check("oracle-web") is None
    assert owner_of_check("checks of a/b/c and others") is None


NAMES = Names(app="app", scripts={"web": "w", "api": "a"}, domains={"web": ("example.org", "w")})


@pytest.mark.parametrize(
    "there",
    [
        {},
        {"apps": {"another": THEIRS}, "scripts": {"another": None}},
        {"scripts": {"w": OURS}},
        {"scripts": {"w": OURS}, "domains": {"example.org": "w"}},
        {"scripts": {"w-before": OURS}, "domains": {"example.org": "w-before"}},
    ],
)
def test_a_stack_is_created_where_no_name_is_taken(there: dict[str, Any]) -> None:
    """A Worker of this stack was made by an interrupted update; its upload may be repeated."""
    refuse(FakeAccount.owned(**there))


@pytest.mark.parametrize(
    "there, words, command",
    [
        (
            {"apps": {"app": THEIRS}},
            f"The app app exists already and does not belong to {OURS}: it belongs to {THEIRS}. Fix: run `pulumi c",
            "appName NAME --stack x",
        ),
        (
            {"apps": {"app": None}},
            "it has no owner. Fix: run `oracle adopt x` to adopt it; or run `pulumi config set",
            "backend.appName NAME --stack x",
        ),
        ({"apps": {"app": OURS}}, f"The app app belongs to {OURS}, but it is not in its state.", "`oracle recover x`"),
        (
            {"scripts": {"w": THEIRS}},
            f"The Worker w exists already and does not belong to {OURS}",
            "web.script NAME --stack x",
        ),
        ({"scripts": {"a": None}}, "The Worker a exists already", "`oracle adopt x`"),
        (
            {"scripts": {"o": THEIRS}, "domains": {"example.org": "o"}},
            f"Worker o, exists already and does not belong to {OURS}",
            "web.domain.hostname",
        ),
        (
            {"scripts": {"o": None}, "domains": {"example.org": "o"}},
            "The domain example.org, which leads to the",
            "web.domain.hostname",
        ),
    ],
)  # fmt: skip
def test_existing_resources_of_other_owners_are_refused(there: dict[str, Any], words: str, command: str) -> None:
    with pytest.raises(UserError) as caught:
        refuse(FakeAccount.owned(**there))
    said = advice.text(caught.value, "x", "")
    assert words in said
    assert command in said


def test_several_taken_names_are_reported_in_one_sentence() -> None:
    with pytest.raises(UserError) as caught:
        refuse(FakeAccount.owned(apps={"app": THEIRS}, scripts={"w": None}))
    assert f"The app app (of {THEIRS}), The Worker w (no owner)" in str(caught.value)
    assert advice.text(caught.value, "x", "").endswith(
        "Fix: run `oracle doctor x` to see the keys of their names, and choose other names; or run `oracle adopt x` to "
        "adopt those without one."
    )


@pytest.mark.parametrize("mark", [THEIRS, None])
def test_a_worker_of_another_owner_is_not_uploaded_over(
    account: FakeAccount, state: list[dict[str, Any]], mark: str | None
) -> None:
    account.workers["w"] = worker("app", mark)
    with pytest.raises(UserError, match="The Worker w exists already"):
        checks(account).create(args(SCRIPT, scriptName="w"))


def test_a_worker_of_an_interrupted_update_is_uploaded_again(account: FakeAccount, state: list[dict[str, Any]]) -> None:
    account.workers["w"] = worker(owner=OURS)
    checks(account).create(args(SCRIPT, scriptName="w"))
    checks(account).create(args(SCRIPT, scriptName="free"))


def test_a_renamed_service_cannot_take_over_its_own_script(account: FakeAccount, state: list[dict[str, Any]]) -> None:
    """At its end the engine deletes the old resource, which would be the Worker that it has just uploaded."""
    account.workers["w"] = worker(owner=OURS)
    kind = URN.rpartition("::")[0]
    state.append({"urn": f"{kind}::universe-script", "outputs": {"scriptName": "w"}})
    with pytest.raises(UserError) as caught:
        checks(account).create(args(SCRIPT, scriptName="w"))
    assert advice.text(caught.value, "x", "") == (
        "The Worker w is the service universe of this stack, but the configuration calls it web. The update would "
        "delete it at its end. Fix: rename web to universe in Pulumi.x.yaml; or run `pulumi config set --path "
        "oracle-net:workers.web.script NAME --stack x`."
    )
    state[0]["urn"] = "urn:pulumi:x::oracle-net::another::universe-subdomain"
    checks(account).create(args(SCRIPT, scriptName="w"))


def test_an_adopted_site_gets_its_first_upload(account: FakeAccount, state: list[dict[str, Any]]) -> None:
    """The engine has only read the Worker, so its first release is a creation."""
    account.workers["w"] = worker(owner=None)
    state.append({"urn": URN, "external": True, "outputs": {"scriptName": "w"}})
    checks(account).create(args(SCRIPT, scriptName="w"))
    account.workers["other"] = worker(owner=None)
    with pytest.raises(UserError, match="The Worker other exists"):
        checks(account).create(args(SCRIPT, scriptName="other"))
    account.workers["w"] = worker(owner=THEIRS)
    with pytest.raises(UserError, match="does not belong to"):
        checks(account).create(args(SCRIPT, scriptName="w"))


@pytest.mark.parametrize(
    "leads_to, in_state, refused",
    [(None, False, False), ("w", False, False), ("o", False, True), ("o", True, False), ("theirs", True, True)],
)
def test_a_domain_is_not_taken_from_another_owner(
    state: list[dict[str, Any]], leads_to: str | None, in_state: bool, refused: bool
) -> None:
    """A domain that is in the state and leads to a Worker without an owner is drift, which an update repairs."""
    domains = {"example.org": leads_to} if leads_to else {}
    account = FakeAccount.owned(scripts={"w": OURS, "o": None, "theirs": THEIRS}, domains=domains)
    if in_state:
        state.append({"urn": URN, "outputs": {"hostname": "example.org"}})
    asked = args(DOMAIN, "web-domain", hostname="example.org", service="w")
    if refused:
        with pytest.raises(UserError, match=r"The domain example\.org, which leads to"):
            checks(account).create(asked)
    else:
        checks(account).create(asked)


@pytest.mark.parametrize("mark, refused", [(OURS, False), (None, False), (THEIRS, True)])
@pytest.mark.parametrize("type", [SCRIPT, SUBDOMAIN, DOMAIN, CHECK, ALERT])
def test_resources_of_another_stack_are_neither_updated_nor_deleted(
    account: FakeAccount, type: str, mark: str | None, refused: bool
) -> None:
    account.workers["w"] = worker("app", mark)
    account.domains["example.org"] = "w"
    account.checks["id"] = check_name(mark, "web") if mark else "by hand"
    asked = args(type, scriptName="w", hostname="example.org", service="w", checkId="id")
    if refused:
        with pytest.raises(UserError, match=f"belongs to {THEIRS}, not to {OURS}") as caught:
            checks(account).change(asked)
        forget = Fix(f"pulumi state delete '{URN}' --stack x", "to remove it from this stack's state")
        assert caught.value.helps == (forget,)
    else:
        checks(account).change(asked)


def test_a_missing_resource_may_be_deleted(account: FakeAccount) -> None:
    for type in (SCRIPT, SUBDOMAIN, DOMAIN, CHECK, ALERT):
        checks(account).change(args(type, scriptName="w", hostname="example.org", service="w", checkId="id"))


def test_a_refusal_is_an_error_of_the_run(account: FakeAccount) -> None:
    account.workers["w"] = worker(owner=THEIRS)

    async def called(asked: Any) -> None:
        await guarded(partial(in_thread, checks(account).create))(asked)

    with pytest.raises(pulumi.RunError, match="The Worker w exists already"):
        asyncio.run(called(args(SCRIPT, scriptName="w")))


def test_a_worker_of_another_stack_does_not_decide_about_our_traffic(account: FakeAccount) -> None:
    traffic = Traffic(endpoint="c", account="a", script="w", url="u", owner=OURS)
    assert app_with_traffic(account.clouds, traffic) is None
    for mark in (OURS, None):
        account.workers["w"] = worker("app", mark)
        assert app_with_traffic(account.clouds, traffic) == "app"
    account.workers["w"] = worker(owner=THEIRS)
    with pytest.raises(UserError, match=f"The Worker w belongs to {THEIRS}, not to {OURS}") as caught:
        app_with_traffic(account.clouds, traffic)
    assert caught.value.helps == (Fix("oracle doctor x", "to see which names are taken"),)


def test_an_app_of_another_stack_is_not_logged_in_to() -> None:
    """Neither to migrate its data nor to freeze it."""
    with FakePocketBase("old") as backend:
        account = FakeAccount({"id": app("id", "old", backend.url, owner=THEIRS)})
        platform = FakeAppPlatform(account)
        with pytest.raises(UserError, match=f"The app old belongs to {THEIRS}"):
            session_of(platform, Source.of(account.apps["id"], "service"), target("id", owner=OURS))
        with pytest.raises(UserError, match=f"The app old belongs to {THEIRS}"):
            bootstrap(platform, target("id", owner=OURS))
        assert (backend.requests, account.calls) == ([], [])
