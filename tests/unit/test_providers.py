"""What the program declares so that it does not fall into what the engine and the providers do; see docs/pitfalls.md.

The whole program runs under mocks, with everything switched on that a stack may have; looked at is what it registers.
"""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.engine import workspace
from components.worker import RUN_TIME_PATHS
from localcloud.cloud import Tokens
from settings import SettingsError, parse
from tests.support.stacks import LOCAL
from tests.unit import program
from tests.unit.test_policy import SECRETS
from tests.unit.test_program import APP, DOMAIN, SCRIPT, STACKS, SUBDOMAIN, checkouts
from tests.unit.test_settings import values
from toolchain import pins
from toolchain.versions import parse as version

__all__ = ["checkouts"]

CHECK, ALERT = "digitalocean:index/uptimeCheck:UptimeCheck", "digitalocean:index/uptimeAlert:UptimeAlert"
PASSWORD = "random:index/randomPassword:RandomPassword"
OURS = "pulumi-python:dynamic:"
UNKNOWN_AFTER_ANY_CHANGE = (
    "etag", "handlers", "hasAssets", "hasModules", "lastDeployedFrom", "migrationTag", "modifiedOn", "namedHandlers",
    "placementMode", "placementStatus", "startupTimeMs",
)  # fmt: skip


def config(stack: str = "prod") -> dict[str, Any]:
    """A stack's configuration with its secrets."""
    return program.config_of(stack) | SECRETS


@cache
def declared(stack: str = "prod", **changed: str) -> program.Run:
    """Read by the tests and changed by none."""
    return declared_anew(stack, **changed)


def declared_anew(stack: str = "prod", **changed: str) -> program.Run:
    """For a test in whose surroundings something else is declared."""
    return program.run(config(stack) | {f"oracle-net:{key}": value for key, value in changed.items()}, list(SECRETS))


def workers(**changed: Any) -> str:
    return json.dumps({**json.loads(config()["oracle-net:workers"]), **changed})


def asked(requests: list[Any], name: str) -> Any:
    return next(request for request in requests if request.name == name)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def test_every_update_looks_at_the_clouds_first() -> None:
    """Neither a refused update of the app nor what somebody deleted by hand is seen without it."""
    project = yaml.safe_load((program.PROJECT / "Pulumi.yaml").read_text())
    assert project["options"]["refresh"] == "always"


@pytest.mark.parametrize("stack", STACKS)
def test_secrets_that_come_back_encrypted_are_not_compared(stack: str) -> None:
    requests = declared(stack).requests
    assert "spec.envs" in asked(requests, "backend-app").ignoreChanges


@pytest.mark.parametrize("stack", STACKS)
def test_alerts_that_a_refresh_found_are_not_compared(stack: str) -> None:
    """One from the dashboard would make the next update a deployment."""
    requests = declared(stack).requests
    ignored = list(asked(requests, "backend-app").ignoreChanges)
    assert ignored == ["spec.envs", "spec.alerts", "spec.services[0].alerts"]


def test_another_name_is_another_app_and_no_renaming() -> None:
    requests = declared(generation="3").requests
    app = asked(requests, "backend-app")
    assert list(app.replaceOnChanges) == ["spec.name"]
    assert app.replacement_trigger.string_value == "jellyfish-app-g3"
    assert not app.deleteBeforeReplace


def test_a_deployment_that_never_ends_is_given_up() -> None:
    """The provider waits for steps and not for the phase: a cancelled deployment is waited for until the time is up."""
    requests = declared().requests
    assert asked(requests, "backend-app").customTimeouts.create == "30m"


def test_the_hook_that_keeps_the_data_has_a_name() -> None:
    """By which an engine finds it that has only the state; a plain function is refused there."""
    requests = declared().requests
    hooks = asked(requests, "backend-app").hooks
    assert list(hooks.before_delete) == ["backup-before-delete"]
    assert list(hooks.on_error) == ["backend-failed"]


def test_what_the_clouds_know_by_a_name_is_looked_at_before_it_is_touched() -> None:
    """In previews too; and by hooks with names, which an engine finds that deletes what is declared no more."""
    requests = declared("prod", monitoring=json.dumps({"emails": ["ada@example.org"]})).requests
    for request in requests:
        if request.type in (SCRIPT, SUBDOMAIN, DOMAIN, CHECK, ALERT):
            assert list(request.hooks.before_update) == ["owner-before-update"], request.name
            assert list(request.hooks.before_delete) == ["owner-before-delete"], request.name
            made = ["owner-before-create"] if request.type in (SCRIPT, DOMAIN) else []
            assert list(request.hooks.before_create) == made, request.name
    assert next(iter(asked(requests, "backend-app").hooks.before_create)) == "backend-before-create"


def test_no_worker_is_touched_before_the_gate() -> None:
    requests = declared().requests
    for service in ("web", "universe"):
        depends = {each.rpartition("::")[2] for each in asked(requests, f"{service}-script").dependencies}
        assert "backend-generation" in depends


def test_a_failed_hook_is_not_all_that_stands_before_the_traffic() -> None:
    """The engine takes the app for made after a failed hook; what proves the admin is asked again at each update."""
    requests = declared().requests
    assert [each for each in asked(requests, "api-script").dependencies if each.endswith("::backend-ready")]
    ready = [each.rpartition("::")[2] for each in asked(requests, "backend-ready").dependencies]
    assert {"backend-app", "backend-data"} <= set(ready)


RESOURCES = {"backend_disk", "durable_object_migrations"}
"""Modules of lifecycle/ that declare a resource or read one of the SDKs' types; no hook runs in them."""


def test_hooks_make_no_resource() -> None:
    """The engine hangs when one does."""
    modules = [*(program.PROJECT / "lifecycle").glob("*.py")]
    assert modules
    for module in modules:
        if module.stem in RESOURCES:
            continue
        tree = ast.parse(module.read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert "provider_sdks" not in imported
        assert not {"pulumi.ComponentResource", "pulumi.CustomResource", "Resource"} & called


def test_no_code_and_no_token_of_ours_is_pickled_into_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is pickled by its class's name, so that another release of its code is no change."""
    for name in ("DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.setenv(name, "planted-token-of-a-laptop")
    requests = declared_anew().requests
    ours = [request for request in requests if request.type.startswith(OURS)]
    assert len(ours) >= 4
    for request in ours:
        pickled = base64.b64decode(request.object.fields["__provider"].string_value)
        assert len(pickled) < 100, request.name
        assert b"components." in pickled or b"lifecycle." in pickled
        assert "planted-token" not in str(request)


def test_passwords_of_our_own_resources_are_secret_in_the_state() -> None:
    """The engine marks no output of a dynamic provider by itself."""
    requests = declared().requests
    marked = {each.name: set(each.additionalSecretOutputs) for each in requests if each.type.startswith(OURS)}
    assert "password" in marked["backend-data"] & marked["backend-ready"]
    assert "backup_config" in marked["backend-generation"] & marked["backend-data"]


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_is_declared_that_could_not_be_taken_away_again(stack: str) -> None:
    """The provider sees no removal of domains, ingress, features, ports."""
    [app] = declared(stack).of(APP)
    spec = program.plain(app.inputs["spec"])
    assert set(app.inputs) == {"spec"}
    assert set(spec) == {"name", "region", "services", "envs"}
    for service in spec["services"]:
        assert set(service) == {
            "name", "httpPort", "instanceCount", "instanceSizeSlug", "image", "healthCheck", "envs",
        }  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
def test_no_value_is_declared_that_vanishes_on_its_way(stack: str) -> None:
    """False, 0 and empty text are left out of the request, and then differ from what comes back."""
    [app] = declared(stack).of(APP)
    spec = program.plain(app.inputs["spec"])
    assert all(leaves(spec)), [key for key, value in spec.items() if not all(leaves(value))]


def test_nothing_hangs_on_what_an_update_of_the_app_foretells_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address and its deployment keep their old values in a preview; a new app has others."""
    poisoned(monkeypatch, APP, ("liveUrl", "liveDomain", "defaultIngress", "activeDeploymentId"))


def test_nothing_hangs_on_what_any_change_of_a_worker_makes_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, SCRIPT, UNKNOWN_AFTER_ANY_CHANGE)


def poisoned(monkeypatch: pytest.MonkeyPatch, token: str, keys: tuple[str, ...]) -> None:
    """Runs the program where these outputs have a value that nothing may take over."""
    made = program.Run.new_resource

    def answered(run: program.Run, args: Any) -> tuple[str, dict[str, Any]]:
        id, outputs = made(run, args)
        return id, outputs | dict.fromkeys(keys, "poison") if args.typ == token else outputs

    monkeypatch.setattr(program.Run, "new_resource", answered)
    run = declared_anew()
    shown = {each.name: json.dumps(program.plain(each.inputs), default=str) for each in run.resources}
    hang = [name for name, inputs in shown.items() if "poison" in inputs]
    assert not [name for name in hang if not name.endswith("-declared")]  # which keep it, and nothing hangs on them
    assert "poison" not in json.dumps(run.outputs, default=str)


def test_two_switches_of_one_account_share_an_id_and_nothing_hangs_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = declared()
    made = program.Run.new_resource

    def answered(run: program.Run, args: Any) -> tuple[str, dict[str, Any]]:
        id, outputs = made(run, args)
        return ("the-account" if args.typ == SUBDOMAIN else id), outputs

    monkeypatch.setattr(program.Run, "new_resource", answered)
    after = declared_anew()
    assert after.outputs == before.outputs
    assert sorted(str(each) for each in after.resources) == sorted(str(each) for each in before.resources)


@pytest.mark.parametrize("stack", STACKS)
def test_no_kind_of_resource_is_declared_that_the_provider_only_seems_to_manage(stack: str) -> None:
    """Versions and deployments of Workers cannot be deleted, and read their own id; a bucket with data cannot go."""
    kinds = {each.type for each in declared(stack).resources if ":index/" in each.type}
    assert kinds <= {APP, SCRIPT, SUBDOMAIN, DOMAIN, CHECK, ALERT, PASSWORD}


@pytest.mark.parametrize("stack", STACKS)
def test_a_worker_is_one_text_with_its_modules_name(stack: str) -> None:
    """Content from a file wants its digest beside it; a module without a name is taken for an old kind of script; and
    a Worker of files alone is never quiet after a refresh.
    """
    for script in declared(stack).of(SCRIPT):
        assert script.inputs["content"]
        assert script.inputs["mainModule"] == "worker.js"
        assert not {"contentFile", "contentSha256", "contentType", "keepBindings", "placement"} & set(script.inputs)


def test_a_flag_that_is_taken_back_is_seen() -> None:
    """The provider sees no removal of the list, so that it is always there."""
    module = json.loads(config()["oracle-net:workers"])["api"]
    for flags in (["nodejs_compat"], []):
        run = declared(workers=workers(api={**module, "compatibilityFlags": flags}))
        assert run.one("api-script").inputs["compatibilityFlags"] == flags
        assert run.one("web-script").inputs["compatibilityFlags"] == ["global_fetch_strictly_public"]


def test_a_site_reaches_an_api_on_workers_dev_whatever_flags_it_has() -> None:
    """Else Cloudflare answers with error 1042 (workers-sdk#11215)."""
    site = json.loads(config()["oracle-net:workers"])["web"]
    for flags in (["nodejs_compat"], ["global_fetch_strictly_public"]):
        found = declared(workers=workers(web={**site, "compatibilityFlags": flags})).one("web-script")
        assert found.inputs["compatibilityFlags"] == list(dict.fromkeys([*flags, "global_fetch_strictly_public"]))


def test_what_runs_before_the_files_is_a_list_from_the_start() -> None:
    """From true to a list the provider cannot compare."""
    for name in ("web", "universe"):
        assets = program.plain(declared().one(f"{name}-script").inputs["assets"])
        assert assets["config"]["runWorkerFirst"] == RUN_TIME_PATHS
        assert not Path(assets["directory"]).is_absolute()  # it is compared, and another laptop has another home


def test_no_worker_is_bound_to_another() -> None:
    """One that others are bound to cannot be deleted."""
    for script in declared().of(SCRIPT):
        bound = {each["type"] for each in program.plain(script.inputs["bindings"])}
        assert bound <= {"assets", "plain_text", "secret_text"}


def test_a_domain_names_its_zone_and_no_environment() -> None:
    """An environment that comes back otherwise would be a replacement; the zone would have to be looked for."""
    domains = declared().of(DOMAIN)
    assert domains
    for domain in domains:
        assert set(domain.inputs) == {"accountId", "hostname", "service", "zoneId"}


def test_a_domain_is_let_go_before_it_is_made_anew() -> None:
    """Every change of one is a replacement, and the later deletion would take away the one just made."""
    run = declared()
    domains = run.of(DOMAIN)
    assert domains
    assert all(asked(run.requests, each.name).deleteBeforeReplace for each in domains)


def test_checks_and_alerts_have_names_of_ours() -> None:
    """Else the provider makes one up, and keeps it whatever is declared later."""
    run = declared("local")
    found = [*run.of(CHECK), *run.of(ALERT)]
    assert found
    for each in found:
        assert each.inputs["name"].startswith("organization/oracle-net/unit ")


def test_an_alert_that_tells_nobody_is_refused() -> None:
    """An empty notification passes the provider's check, and breaks it at the update."""
    for alert in declared("local").of(ALERT):
        assert all(each["emails"] for each in program.plain(alert.inputs["notifications"]))
    nobody = values() | {"monitoring": {"emails": []}}
    with pytest.raises(SettingsError, match=r"oracle-net:monitoring\.emails"):
        parse(nobody)


def test_the_password_is_made_anew_by_its_version_alone() -> None:
    """Any other changed input of it would make another password in passing."""
    configured = program.config_of("local")
    inputs = program.run(configured).one("admin-password").inputs
    assert inputs == {"length": 32, "special": False, "keepers": {"version": "1"}}


@pytest.mark.parametrize("stack", STACKS)
def test_an_address_of_digitaloceans_api_has_no_path(stack: str) -> None:
    """The provider drops it for apps, and our own requests would not."""
    endpoint = program.config_of(stack).get("digitalocean:apiEndpoint", "https://api.digitalocean.com")
    assert endpoint.count("/") == 2


def test_the_local_clouds_token_is_one_that_the_provider_takes(tmp_path: Path) -> None:
    """40 to 80 letters, digits, dashes and underscores; anything else is refused before any request."""
    for number in range(20):
        made = Tokens.at(tmp_path / str(number))
        assert re.fullmatch(r"[0-9A-Za-z_-]{40,80}", made.cloudflare)


def test_the_engine_looks_for_no_plugin_on_the_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run would try five times for every provider whose SDK is installed."""
    monkeypatch.setattr(workspace, "located_tools", lambda: type("Tools", (), {"engine_bin": Path("/engine/bin")}))
    stack = workspace.Stack("local", tmp_path)
    stack.file.write_text(LOCAL.read_text())
    found = workspace.exports(stack)
    assert found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_engine_is_one_that_heeds_hooks_and_writes_to_r2() -> None:
    """Before 3.238 a failed hook failed nothing; 3.256.0 cannot write its state to R2."""
    assert (version(pins.ENGINE) or ()) > (3, 256, 0)
    assert (version(pins.ENGINE_MINIMUM) or ()) >= (3, 238, 0)
