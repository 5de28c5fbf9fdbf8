"""The plan of a deploy of some services: its changes, refusals and words."""

from __future__ import annotations

from typing import Any

from cli.deploy import service_plan
from cli.deploy.service_plan import Change, PlannedChange
from settings import Settings, from_file
from stack_outputs import Outputs, Release
from tests.support.errors import refused
from tests.support.stacks import LOCAL

OLD = Release(
    backend="sha256:" + "a" * 64,
    workers={"api": "b" * 64, "web": "c" * 64, "universe": "c" * 64},
    assets={"web": "d" * 64, "universe": "e" * 64},
    commits={},
)
API = "http://api.example.org"
ALL = ("backend", "api", "universe", "web")


def outputs(**changed: Any) -> Outputs:
    known = {
        "addresses": {"backend": "http://b", "api": API, "universe": "http://u", "web": "http://w"},
        "backend_app": "jellyfish-app", "backend_app_id": "1", "generation": 1, "release": OLD,
        "admin_email": "a@b.org",
    }  # fmt: skip
    return Outputs(**{**known, **changed})


def settings(**changed: Any) -> Settings:
    return from_file(LOCAL).model_copy(update=changed)


def plan(*changes: Change, api: str = API, **release: Any) -> PlannedChange:
    return PlannedChange(changes, {"apiUrl": api, "release": {**OLD, **release}})


def change(name: str, op: str = "update", *inputs: str) -> Change:
    return Change(name, op, frozenset(inputs))


def said(services: tuple[str, ...], found: PlannedChange, **config: Any) -> list[str]:
    return list(service_plan.describe(services, found, outputs(), settings(**config), "prod"))


def test_services_are_sorted_and_unknown_ones_refused() -> None:
    assert service_plan.chosen([], settings()) == ALL
    assert service_plan.chosen(["web", "backend", "web"], settings()) == ("backend", "web")
    with refused(
        r"^There is no service wbe\. The services are backend, api, universe, web\. "
        r"Fix: run `oracle deploy SERVICE --stack prod` with one of these names\.$"
    ):
        service_plan.chosen(["web", "wbe"], settings())


def test_the_engine_is_limited_to_the_chosen_services() -> None:
    assert service_plan.options(ALL, settings()) == []
    targets = {
        "**::uptime",
        "**::release-archive",
        "**::storage",
        "**::storage-*",
        "**::web",
        "**::web-*",
        "**::uptime-web-*",
    }
    assert set(service_plan.options(("web",), settings())) == {"--target", *targets}
    with_backend = set(service_plan.options(("backend",), settings()))
    assert {"**::backend-*", "**::admin-*", "**::api-script"} <= with_backend
    assert not {"**::api", "**::api-*", "**::web-*"} & with_backend


def test_resources_are_assigned_to_their_services() -> None:
    assert service_plan.belongs_to_service("admin-password", "backend")
    assert service_plan.belongs_to_service("backend-data", "backend")
    assert service_plan.belongs_to_service("web-script", "web")
    assert not any(
        service_plan.belongs_to_service(name, each) for name in ("webhook", "uptime-web-check") for each in ALL
    )


def test_pinned_services_have_the_running_values_of_the_state() -> None:
    script = {"urn": "urn:pulumi:s::p::T::api-script", "inputs": {"content": "running"}}
    old = {**script, "inputs": {"content": "older"}, "delete": True}
    state = {"deployment": {"resources": [old, script]}}
    assert service_plan.pinned_services(("web",), settings(), state, OLD) == {
        "services": ["backend", "api", "universe"],
        "release": OLD,
        "api": "running",
    }
    assert service_plan.pinned_services(("api",), settings(), {}, OLD)["api"] == ""
    with refused(
        r"cannot be deployed unchanged\. Fix: run `oracle deploy backend api --stack prod` to deploy the api too"
    ):
        service_plan.pinned_services(("backend",), settings(), {}, OLD)


def test_a_deploy_never_wipes() -> None:
    state = {"deployment": {"resources": [{"urn": "u::p::t::backend-data", "outputs": {"restart": 1}}]}}
    service_plan.refuse_loss(ALL, settings(restart=1), outputs(), state, "local")
    service_plan.refuse_loss(("web",), settings(restart=2), outputs(), state, "local")
    finish = (
        r"^oracle-net:generation is 2, and 1 is deployed\. .* Fix: run `oracle wipe local` to finish it; or run "
        r"`pulumi "
        r"config set oracle-net:generation 1 --stack local` to give it up\.$"
    )
    with refused(finish):
        service_plan.refuse_loss(("web",), settings(generation=2, restart=1), outputs(), state, "local")
    with refused(
        r"^oracle-net:restart is 2, and 1 is deployed\. .* run `oracle wipe --restart local` to finish it; or"
    ):
        service_plan.refuse_loss(("backend",), settings(restart=2), outputs(), state, "local")


def test_the_preview_events_are_read() -> None:
    def seen(op: str, name: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        what = {"op": op, "urn": f"u::p::t::{name}", "type": "t", "old": {"inputs": old}, "new": {"inputs": new}}
        return {"resourcePreEvent": {"metadata": what}}

    stack = {"op": "same", "urn": "u::p::t::s", "type": "pulumi:pulumi:Stack", "new": {"outputs": {"apiUrl": API}}}
    found = service_plan.planned_changes(
        [
            {"preludeEvent": {"config": {}}},
            seen("refresh", "web-script", {}, {}),
            seen("same", "api-script", {}, {}),
            seen("update", "web-script", {"content": "a", "same": 1, "__defaults": []}, {"content": "b", "same": 1}),
            {"resOutputsEvent": {"metadata": stack}},
            {
                "resourcePreEvent": {
                    "metadata": {"op": "create", "urn": "u::p::t::web-domain", "type": "t", "old": None}
                }
            },
        ]
    )
    assert found.changes == (change("web-script", "update", "content"), change("web-domain", "create"))
    assert found.new == {"apiUrl": API}


def test_a_deploy_of_the_backend_updates_only_the_bindings_of_the_api() -> None:
    service_plan.refuse_unrelated_changes(
        ("backend",), plan(change("api-script", "update", "bindings")), outputs(), settings()
    )
    service_plan.refuse_unrelated_changes(
        ("backend", "api"), plan(change("api-script", "update", "content")), outputs(), settings()
    )
    with refused(
        r"api has undeployed changes \(compatibilityDate\)\. "
        r"Fix: run `oracle deploy backend api --stack prod` to deploy both\.$"
    ):
        service_plan.refuse_unrelated_changes(
            ("backend",), plan(change("api-script", "update", "bindings", "compatibilityDate")), outputs(), settings()
        )


def test_a_changed_api_address_must_be_deployed_with_the_sites() -> None:
    moved = plan(change("api-script"), api="http://elsewhere.example.org")
    with refused(
        rf"universe would still use {API}\. "
        r"Fix: run `oracle deploy api web universe --stack prod` to deploy them together\.$"
    ):
        service_plan.refuse_unrelated_changes(("api", "web"), moved, outputs(), settings())
    service_plan.refuse_unrelated_changes(("api", "web", "universe"), moved, outputs(), settings())
    service_plan.refuse_unrelated_changes(("web",), moved, outputs(), settings())
    service_plan.refuse_unrelated_changes(ALL, moved, None, settings())


def test_a_release_of_the_backend_is_described() -> None:
    found = plan(
        change("backend-app", "replace"), change("api-script", "update", "bindings"), backend="sha256:" + "f" * 64
    )
    backend, api, rest = said(("backend",), found)
    assert backend.startswith(
        "backend: a new app takes over from jellyfish-app, release aaaaaaaaaaaa > ffffffffffff, with"
    )
    assert "its data is migrated" in backend
    assert "then the old app is backed up, and deleted" in backend
    assert api == "api: keeps its code; POCKETBASE_URL and BACKEND follow the backend, without a restart."
    assert rest == "Not touched: universe, web."
    assert "its data is NOT migrated" in said(("backend",), found, data="ephemeral")[0]


def test_changes_of_workers_are_described() -> None:
    found = plan(
        change("api-script", "update", "content", "bindings"),
        change("web-script", "update", "bindings"),
        change("web-domain", "create"),
        change("uptime-web-check", "update"),
        *(change(name) for name in ("uptime", "release-archive", "default")),  # nobody asks for these
        workers={**OLD["workers"], "api": "9" * 64},
        assets={**OLD["assets"], "web": "8" * 64},
    )
    web = "web: another version, release dddddddddddd > 888888888888 (files), at once, no restart."
    assert said(ALL, found) == [
        "backend: unchanged.",
        "api: another version, release bbbbbbbbbbbb > 999999999999 (code), at once, no restart.",
        "universe: unchanged.",
        f"{web} Also: create web-domain.",
        "Also: update uptime-web-check.",
    ]


def test_a_change_of_bindings_only_is_described() -> None:
    (api, *_) = said(("api",), plan(change("api-script", "update", "bindings")))
    assert api == "api: another version, release bbbbbbbbbbbb as before (bindings), at once, no restart."


def test_a_first_deploy_and_repairs_are_described() -> None:
    first = PlannedChange((change("backend-app", "create"), change("web-script", "create")), {"release": OLD})
    assert list(service_plan.describe(("backend", "web"), first, None, settings(), "prod"))[:2] == [
        "backend: a new app, release aaaaaaaaaaaa, with no data.",
        "web: a new Worker, release dddddddddddd.",
    ]
    (repaired, *_) = said(("backend",), plan(change("backend-ready")))
    assert repaired == "backend: update backend-ready; no new app, no restart, the data stays."


def test_an_app_changed_by_hand_is_described_as_refused_with_its_fix() -> None:
    """Our own plan always replaces the app; an update in place comes only from a refresh."""
    (changed, *_) = said(("backend",), plan(change("backend-app", "update", "spec")))
    assert "was changed by hand, so the update would be REFUSED" in changed
    assert changed.endswith("run `oracle drift prod --repair` to replace it by another app with the same data.")
    assert "the data stays" not in changed


def test_the_remembered_declaration_of_the_api_may_change_with_the_backend() -> None:
    moved = plan(change("api-script", "update", "bindings"), change("api-declared", "update", "bindings", "etag"))
    service_plan.refuse_unrelated_changes(("backend",), moved, outputs(), settings())
    assert {"api-script", "api-declared", "backend-*"} <= set(service_plan.resources(("backend",)))
    assert "deleted and made again" in said(("web",), plan(change("web-script", "replace")))[0]
