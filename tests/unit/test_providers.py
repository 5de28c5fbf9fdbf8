"""Declarations that avoid known pitfalls of the engine and the providers; see docs/pitfalls.md.

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


def test_every_update_refreshes_first() -> None:
    """A refused update of the app and manual deletions are invisible without a refresh."""
    project = yaml.safe_load((program.PROJECT / "Pulumi.yaml").read_text())
    assert project["options"]["refresh"] == "always"


@pytest.mark.parametrize("stack", STACKS)
def test_encrypted_variables_are_not_compared(stack: str) -> None:
    requests = declared(stack).requests
    assert "spec.envs" in asked(requests, "backend-app").ignoreChanges


@pytest.mark.parametrize("stack", STACKS)
def test_alerts_found_by_a_refresh_are_not_compared(stack: str) -> None:
    """An alert from the dashboard would make the next update a deployment."""
    requests = declared(stack).requests
    ignored = list(asked(requests, "backend-app").ignoreChanges)
    assert ignored == ["spec.envs", "spec.alerts", "spec.services[0].alerts"]


def test_a_changed_app_name_replaces_the_app() -> None:
    requests = declared(generation="3").requests
    app = asked(requests, "backend-app")
    assert list(app.replaceOnChanges) == ["spec.name"]
    assert app.replacement_trigger.string_value == "jellyfish-app-g3"
    assert not app.deleteBeforeReplace


def test_the_creation_of_an_app_has_a_timeout() -> None:
    """The provider waits for steps and not for the phase, so a cancelled deployment would use up the time."""
    requests = declared().requests
    assert asked(requests, "backend-app").customTimeouts.create == "30m"


def test_the_delete_guard_is_a_hook_with_a_name() -> None:
    """An engine that has only the state finds the hook by its name; it refuses a plain function."""
    requests = declared().requests
    hooks = asked(requests, "backend-app").hooks
    assert list(hooks.before_delete) == ["backup-before-delete"]
    assert list(hooks.on_error) == ["backend-failed"]


def test_resources_are_checked_by_name_before_they_are_changed() -> None:
    """Also in previews; by their names the engine finds the hooks of resources that are no longer declared."""
    requests = declared("prod", monitoring=json.dumps({"emails": ["ada@example.org"]})).requests
    for request in requests:
        if request.type in (SCRIPT, SUBDOMAIN, DOMAIN, CHECK, ALERT):
            assert list(request.hooks.before_update) == ["owner-before-update"], request.name
            assert list(request.hooks.before_delete) == ["owner-before-delete"], request.name
            made = ["owner-before-create"] if request.type in (SCRIPT, DOMAIN) else []
            assert list(request.hooks.before_create) == made, request.name
    assert next(iter(asked(requests, "backend-app").hooks.before_create)) == "backend-before-create"


def test_workers_depend_on_the_generation_gate() -> None:
    requests = declared().requests
    for service in ("web", "universe"):
        depends = {each.rpartition("::")[2] for each in asked(requests, f"{service}-script").dependencies}
        assert "backend-generation" in depends


def test_the_traffic_depends_on_more_than_a_hook_of_the_app() -> None:
    """After a failed hook the engine counts the app as created; "backend ready" checks the admin at each update."""
    requests = declared().requests
    assert [each for each in asked(requests, "api-script").dependencies if each.endswith("::backend-ready")]
    ready = [each.rpartition("::")[2] for each in asked(requests, "backend-ready").dependencies]
    assert {"backend-app", "backend-data"} <= set(ready)


RESOURCES = {"backend_disk", "durable_object_migrations"}
"""Modules of lifecycle/ that declare a resource or read one of the SDKs' types; no hook runs in them."""


def test_hooks_declare_no_resource() -> None:
    """The engine hangs when a hook does."""
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


def test_pickled_providers_contain_no_code_and_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is pickled by the name of its class, so that new code of it is no change."""
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


def test_passwords_of_dynamic_resources_are_secret_in_the_state() -> None:
    """The engine marks no output of a dynamic provider as secret on its own."""
    requests = declared().requests
    marked = {each.name: set(each.additionalSecretOutputs) for each in requests if each.type.startswith(OURS)}
    assert "password" in marked["backend-data"] & marked["backend-ready"]
    assert "backup_config" in marked["backend-generation"] & marked["backend-data"]


@pytest.mark.parametrize("stack", STACKS)
def test_only_removable_parts_of_an_app_are_declared(stack: str) -> None:
    """The provider does not see the removal of domains, ingress, features and ports."""
    [app] = declared(stack).of(APP)
    spec = program.plain(app.inputs["spec"])
    assert set(app.inputs) == {"spec"}
    assert set(spec) == {"name", "region", "services", "envs"}
    for service in spec["services"]:
        assert set(service) == {
            "name", "httpPort", "instanceCount", "instanceSizeSlug", "image", "healthCheck", "envs",
        }  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
def test_no_empty_value_is_declared_for_the_app(stack: str) -> None:
    """False, 0 and empty text are left out of the request, and then differ from the answer."""
    [app] = declared(stack).of(APP)
    spec = program.plain(app.inputs["spec"])
    assert all(leaves(spec)), [key for key, value in spec.items() if not all(leaves(value))]


def test_no_resource_depends_on_wrongly_previewed_outputs_of_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address and deployment keep their old values in a preview; a new app has others."""
    poisoned(monkeypatch, APP, ("liveUrl", "liveDomain", "defaultIngress", "activeDeploymentId"))


def test_no_resource_depends_on_outputs_that_a_worker_change_makes_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_no_resource_depends_on_the_id_of_a_workers_dev_switch(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_only_resources_that_the_provider_really_manages_are_declared(stack: str) -> None:
    """Versions and deployments of Workers cannot be deleted or read; a bucket with data cannot be deleted."""
    kinds = {each.type for each in declared(stack).resources if ":index/" in each.type}
    assert kinds <= {APP, SCRIPT, SUBDOMAIN, DOMAIN, CHECK, ALERT, PASSWORD}


@pytest.mark.parametrize("stack", STACKS)
def test_a_worker_is_declared_as_text_with_a_module_name(stack: str) -> None:
    """The provider mistakes a module without a name for an old script, and never ends to update a site without code."""
    for script in declared(stack).of(SCRIPT):
        assert script.inputs["content"]
        assert script.inputs["mainModule"] == "worker.js"
        assert not {"contentFile", "contentSha256", "contentType", "keepBindings", "placement"} & set(script.inputs)


def test_removed_compatibility_flags_are_seen() -> None:
    """The provider does not see the removal of the list, so it is always declared."""
    module = json.loads(config()["oracle-net:workers"])["api"]
    for flags in (["nodejs_compat"], []):
        run = declared(workers=workers(api={**module, "compatibilityFlags": flags}))
        assert run.one("api-script").inputs["compatibilityFlags"] == flags
        assert run.one("web-script").inputs["compatibilityFlags"] == ["global_fetch_strictly_public"]


def test_a_site_always_has_the_flag_to_reach_an_api_on_workers_dev() -> None:
    """Cloudflare answers with error 1042 otherwise (workers-sdk#11215)."""
    site = json.loads(config()["oracle-net:workers"])["web"]
    for flags in (["nodejs_compat"], ["global_fetch_strictly_public"]):
        found = declared(workers=workers(web={**site, "compatibilityFlags": flags})).one("web-script")
        assert found.inputs["compatibilityFlags"] == list(dict.fromkeys([*flags, "global_fetch_strictly_public"]))


def test_run_worker_first_is_always_a_list() -> None:
    """The provider cannot compare true with a list."""
    for name in ("web", "universe"):
        assets = program.plain(declared().one(f"{name}-script").inputs["assets"])
        assert assets["config"]["runWorkerFirst"] == RUN_TIME_PATHS
        assert not Path(assets["directory"]).is_absolute()  # it is compared, and another laptop has another home


def test_no_worker_is_bound_to_another_worker() -> None:
    """A Worker that others are bound to cannot be deleted."""
    for script in declared().of(SCRIPT):
        bound = {each["type"] for each in program.plain(script.inputs["bindings"])}
        assert bound <= {"assets", "plain_text", "secret_text"}


def test_a_domain_declares_its_zone_and_no_environment() -> None:
    """A changed environment would be a replacement; a missing zone would have to be looked up."""
    domains = declared().of(DOMAIN)
    assert domains
    for domain in domains:
        assert set(domain.inputs) == {"accountId", "hostname", "service", "zoneId"}


def test_a_domain_is_deleted_before_it_is_replaced() -> None:
    """Every change of a domain is a replacement, and a later deletion would remove the new one."""
    run = declared()
    domains = run.of(DOMAIN)
    assert domains
    assert all(asked(run.requests, each.name).deleteBeforeReplace for each in domains)


def test_uptime_checks_and_alerts_have_declared_names() -> None:
    """The provider would invent a name and keep it."""
    run = declared("local")
    found = [*run.of(CHECK), *run.of(ALERT)]
    assert found
    for each in found:
        assert each.inputs["name"].startswith("organization/oracle-net/unit ")


def test_an_alert_without_recipients_is_refused() -> None:
    """The provider accepts an empty notification in its check, and fails at the update."""
    for alert in declared("local").of(ALERT):
        assert all(each["emails"] for each in program.plain(alert.inputs["notifications"]))
    nobody = values() | {"monitoring": {"emails": []}}
    with pytest.raises(SettingsError, match=r"oracle-net:monitoring\.emails"):
        parse(nobody)


def test_only_its_version_changes_the_generated_password() -> None:
    """Any other changed input would generate a new password by accident."""
    configured = program.config_of("local")
    inputs = program.run(configured).one("admin-password").inputs
    assert inputs == {"length": 32, "special": False, "keepers": {"version": "1"}}


@pytest.mark.parametrize("stack", STACKS)
def test_the_address_of_the_digitalocean_api_has_no_path(stack: str) -> None:
    """The provider drops the path for apps, and our own requests would not."""
    endpoint = program.config_of(stack).get("digitalocean:apiEndpoint", "https://api.digitalocean.com")
    assert endpoint.count("/") == 2


def test_the_provider_accepts_the_token_of_the_local_cloud(tmp_path: Path) -> None:
    """It must have 40 to 80 letters, digits, dashes and underscores; the provider refuses others before any request."""
    for number in range(20):
        made = Tokens.at(tmp_path / str(number))
        assert re.fullmatch(r"[0-9A-Za-z_-]{40,80}", made.cloudflare)


def test_the_engine_does_not_download_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run would try five times for every provider with an installed SDK."""
    monkeypatch.setattr(workspace, "located_tools", lambda: type("Tools", (), {"engine_bin": Path("/engine/bin")}))
    stack = workspace.Stack("local", tmp_path)
    stack.file.write_text(LOCAL.read_text())
    found = workspace.exports(stack)
    assert found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_engine_version_supports_hooks_and_r2() -> None:
    """Before 3.238 a failed hook failed nothing; 3.256.0 cannot write its state to R2."""
    assert (version(pins.ENGINE) or ()) > (3, 256, 0)
    assert (version(pins.ENGINE_MINIMUM) or ()) >= (3, 238, 0)
