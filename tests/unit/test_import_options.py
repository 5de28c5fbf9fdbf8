"""Adopted resources: how they are declared, how a run imports them, and how the first release replaces them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

import advice
from cli.adopt import adoption_run
from cli.deploy import first_release
from cli.deploy.config_change import Refused
from errors import STACK, Fix
from lifecycle import import_options
from lifecycle.bootstrap import runs_declared_release
from lifecycle.context import Source
from settings import Settings, SettingsError, parse
from stack_outputs import ADOPTED
from tests.support.errors import refused
from tests.support.fakes import FakeAccount, FakeAppPlatform, target
from tests.unit import program

APP = {"app": "app-12345678", "deployment": "dep-12345678"}
WORKER = {"version": "version-12345678"}
ACCOUNT = "0ac1e0000000000000000000000000ce"


def config(**sections: Mapping[str, Any]) -> dict[str, str]:
    """The local stack's configuration with `adopted` in some sections."""
    found = program.config_of("local")
    backend, workers = (json.loads(found[f"oracle-net:{key}"]) for key in ("backend", "workers"))
    for name, section in sections.items():
        (backend if name == "backend" else workers[name])["adopted"] = section
    return {**found, "oracle-net:backend": json.dumps(backend), "oracle-net:workers": json.dumps(workers)}


def settings(**sections: Mapping[str, Any]) -> Settings:
    values = {key: value for key, value in config(**sections).items() if key.startswith("oracle-net:")}
    opened = {key.removeprefix("oracle-net:"): _opened(value) for key, value in values.items()}
    return parse(opened)


def _opened(value: str) -> Any:
    return json.loads(value) if value[:1] in "{[" else value


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[str, pulumi.ResourceOptions]:
    """The options of what was imported, by id."""
    found: dict[str, pulumi.ResourceOptions] = {}
    original = import_options.import_options

    def seen(own: pulumi.ResourceOptions, id: str | None, inputs: Any) -> pulumi.ResourceOptions:
        made = original(own, id, inputs)
        if id:
            found[f"{id} {len(found)}"] = made
        return made

    monkeypatch.setattr("components.backend.import_options", seen)
    monkeypatch.setattr("components.worker.import_options", seen)
    return found


def test_adopted_resources_are_imported_protected_and_not_changed(taken: dict[str, pulumi.ResourceOptions]) -> None:
    run = program.run(config(backend=APP, api=WORKER, web=WORKER))
    assert sorted(key.split()[0] for key in taken) == [
        f"{ACCOUNT}/oracle-net",
        f"{ACCOUNT}/oracle-universe-api",
        f"{ACCOUNT}/oracle-universe-api",
        "app-12345678",
    ]
    for options in taken.values():
        assert options.protect
        assert options.import_
        assert options.ignore_changes
    app = next(options for id, options in taken.items() if id.startswith("app-"))
    assert "spec" in (app.ignore_changes or [])
    assert app.hooks
    assert app.hooks.before_delete
    assert not app.hooks.before_update
    assert not [each for each in run.resources if each.name == "backend-image"]


def test_the_receipt_names_the_adopted_versions() -> None:
    release = program.run(config(backend=APP, api=WORKER, web=WORKER)).outputs["release"]
    version = ADOPTED + WORKER["version"]
    assert release["backend"] == ADOPTED + APP["deployment"]
    assert (release["workers"]["api"], release["assets"]["web"]) == (version, version)
    assert len(release["assets"]["universe"]) == 64
    assert (release["commits"]["backend"], release["commits"]["api"]) == ("", "")


def test_adopted_services_need_no_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("components", "lifecycle", "sources"):
        (tmp_path / name).symlink_to(program.PROJECT / name)
    run = program.run(config(backend=APP, api=WORKER, web=WORKER, universe=WORKER))
    assert run.outputs["release"]["backend"] == ADOPTED + APP["deployment"]


@pytest.mark.parametrize("key", ["generation", "replacement"])
def test_a_wipe_or_replacement_of_an_adopted_backend_is_refused(key: str) -> None:
    changed = config(backend=APP) | {f"oracle-net:{key}": "2"}
    values = {k.removeprefix("oracle-net:"): _opened(v) for k, v in changed.items() if "oracle-net:" in k}
    with pytest.raises(SettingsError, match=f"has {key}, but the backend was adopted and not released since") as caught:
        parse(values)
    assert advice.text(caught.value, "prod", "").endswith(
        f"Fix: run `pulumi config rm-all oracle-net:{key} --stack prod`, then run `oracle deploy backend --stack prod`."
    )


def test_a_domain_that_was_not_adopted_with_its_worker_is_refused() -> None:
    with pytest.raises(SettingsError, match="has a domain, or was adopted with one, but not both") as caught:
        settings(web={**WORKER, "domain": "domain-12345678"})
    assert caught.value.helps == (Fix(f"oracle adopt {STACK}", "to adopt it again"),)


def test_the_first_release_of_the_api_must_precede_the_backend() -> None:
    by_hand = settings(backend=APP, api=WORKER, web=WORKER, universe=WORKER)
    assert by_hand.adopted == ("backend", "api", "universe", "web")
    for services in (("backend",), ("backend", "api", "web", "universe")):
        with refused(
            r"Fix: run `oracle deploy api( web universe| universe web)? --stack prod`, then run `oracle deploy backend"
        ):
            first_release.refuse_order(by_hand, services, "prod")
    first_release.refuse_order(by_hand, ("api", "web"), "prod")
    first_release.refuse_order(settings(backend=APP), ("backend",), "prod")
    first_release.refuse_order(settings(api=WORKER), ("backend", "api"), "prod")


class Foretold:
    """Stands for a run whose preview says `events`."""

    class engine:
        class stack:
            name = "prod"

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)

    def preview(self, *_: str) -> list[dict[str, Any]]:
        return self.events


def step(op: str, name: str, diffs: list[str] | None = None) -> dict[str, Any]:
    urn = f"urn:pulumi:prod::oracle-net::a:b:C::{name}"
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": urn, "type": "a:b:C", "diffs": diffs}}}


FINE = [
    step("import", "backend-app"),
    step("create", "backend-data"),
    step("import", "api-script"),
    step("read", "web-script"),
]


def preview(*events: dict[str, Any]) -> None:
    adoption_run.refuse_changes(Foretold(*events), settings().services)  # type: ignore[arg-type]


def test_an_adoption_that_only_imports_is_accepted() -> None:
    preview(*FINE)
    preview(*FINE, step("update", "backend-app", ["deploymentPerPage"]))
    preview(*FINE, step("update", "backend-ready", ["release"]))


@pytest.mark.parametrize(
    "event, words",
    [
        (step("update", "backend-app", ["spec"]), "update backend-app"),
        (step("update", "backend-app", ["deploymentPerPage", "spec"]), "update backend-app"),
        (step("update", "api-script", ["deploymentPerPage"]), "update api-script"),
        (step("replace", "web-domain"), "replace web-domain"),
        (step("delete", "anything"), "delete anything"),
        (step("create", "backend-app"), "create backend-app"),
        (step("create", "web-script"), "create web-script"),
        (step("create", "universe-subdomain"), "create universe-subdomain"),
        (step("create", "web-domain"), "create web-domain"),
        (
            {"diagnosticEvent": {"message": f"warning: {adoption_run.MISMATCH}"}},
            "a resource differs from what the engine would import",
        ),
    ],
)
def test_an_adoption_that_would_change_a_resource_is_refused(event: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        preview(*FINE, event)


def by_hand(deployment: str = "dep-12345678") -> dict[str, Any]:
    """An app as its API shows it, whose deployment says nothing of itself."""
    spec = {"name": "jellyfish-app", "services": [{"name": "pb", "envs": [{"key": "LOG", "value": "x"}]}]}
    return {"id": "app-1", "spec": spec, "active_deployment": {"id": deployment, "phase": "ACTIVE", "spec": spec}}


def test_an_app_made_by_hand_is_of_the_first_generation() -> None:
    assert Source.of(by_hand(), "pb").generation == 1


@pytest.mark.parametrize("deployment, same", [("dep-12345678", True), ("another", False)])
def test_an_adopted_release_is_recognized_by_its_deployment(deployment: str, same: bool) -> None:
    platform = FakeAppPlatform(FakeAccount({"app-1": by_hand(deployment)}))
    adopted = target("app-1", service="pb", release=f"{ADOPTED}dep-12345678")
    assert runs_declared_release(platform, adopted) is same
