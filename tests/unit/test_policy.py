"""Rules for every resource of every committed stack.

Every secret there is is configured, so that one in a wrong place shows.
"""

from __future__ import annotations

import ast
import base64
import json
import pickle
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import settings
from lifecycle.naming import app_name
from tests.support.stacks import stack_file
from tests.unit import program
from tests.unit.test_program import APP, DOMAIN, SCRIPT, STACKS, SUBDOMAIN, checkouts

__all__ = ["checkouts"]

SECRETS = {
    "oracle-net:adminPassword": "planted-password-1f",
    "oracle-net:githubToken": "planted-token-2e",
    "oracle-net:backupKey": f"AGE-SECRET-KEY-1{'Q' * 58}",
}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")  # DigitalOcean's app spec
SCRIPT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a workers.dev name is a DNS label
BINDINGS = frozenset({"assets", "plain_text", "secret_text"})
UPTIME = re.compile(r"digitalocean:index/uptime(Check|Alert):")


@cache
def declared(stack: str) -> program.Run:
    """Read by the tests and changed by none."""
    return program.run(program.config_of(stack) | SECRETS, list(SECRETS))


@pytest.fixture(params=STACKS)
def run(request: pytest.FixtureRequest) -> program.Run:
    return declared(request.param)


def is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(program.SIGNATURE) == program.SECRET


def opened(value: Any) -> Any:
    """A wire value whose outermost mark is taken off: one secret inside makes a whole list one."""
    return value["value"] if is_secret(value) else value


def bindings(run: program.Run) -> Iterator[tuple[str, dict[str, Any]]]:
    for script in run.of(SCRIPT):
        for binding in program.plain(script.inputs["bindings"]):
            yield script.name, binding


def variables(run: program.Run) -> Iterator[tuple[str, dict[str, Any]]]:
    for app in run.of(APP):
        spec = program.plain(app.inputs["spec"])
        for component in [spec, *spec["services"]]:
            yield from ((component["name"], env) for env in component["envs"])


def test_no_secret_is_in_a_plain_binding(run: program.Run) -> None:
    texts = {f"{script} {each['name']}": each.get("text", "") for script, each in bindings(run)
             if each["type"] != "secret_text"}  # fmt: skip
    assert texts
    assert not [place for place, text in texts.items() if any(secret in text for secret in SECRETS.values())]
    assert {each["type"] for _, each in bindings(run)} <= BINDINGS


def test_every_secret_of_the_api_is_a_secret_binding(run: program.Run) -> None:
    kinds = {each["name"]: each["type"] for script, each in bindings(run) if script == "api-script"}
    for name in ("POCKETBASE_URL", "PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "GITHUB_TOKEN"):
        assert kinds[name] == "secret_text"


def test_no_secret_is_in_a_general_variable(run: program.Run) -> None:
    general = [(place, env) for place, env in variables(run) if env["type"] != "SECRET"]
    assert general
    assert not [env["key"] for _, env in general if any(secret in env["value"] for secret in SECRETS.values())]
    assert not [env["key"] for _, env in general if re.search("PASSWORD|TOKEN|SECRET|KEY", env["key"])]


def test_secret_variables_are_at_the_level_of_the_app(run: program.Run) -> None:
    """After a refresh the provider knows only ciphertext; at the app's level it ignores the difference."""
    for app in run.of(APP):
        spec = program.plain(app.inputs["spec"])
        assert {env["type"] for env in spec["envs"]} == {"SECRET"}
        assert {env["type"] for service in spec["services"] for env in service["envs"]} == {"GENERAL"}


@pytest.mark.parametrize("admin", ["configured", "generated"])
@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_is_anywhere_outside_a_secret(stack: str, admin: str) -> None:
    if admin == "configured":
        run = declared(stack)
    else:
        others = {key: secret for key, secret in SECRETS.items() if key != "oracle-net:adminPassword"}
        run = program.run(program.config_of(stack) | others, list(others))
    assert run.resources
    for resource in run.resources:
        shown = json.dumps(program.hidden(resource.inputs), default=str)
        secrets = {**SECRETS, "generated": program.MADE_PASSWORD}
        assert not [name for name, secret in secrets.items() if secret in shown], resource.name


def test_every_image_is_named_by_its_digest(run: program.Run) -> None:
    for app in run.of(APP):
        for service in program.plain(app.inputs["spec"])["services"]:
            assert DIGEST.fullmatch(service["image"]["digest"])
            assert not {"tag", "deployOnPushes"} & set(service["image"])
            assert not {"git", "github", "gitlab", "dockerfilePath"} & set(service)


def test_settings_that_a_refresh_would_find_are_declared(run: program.Run) -> None:
    scripts = {resource.inputs["scriptName"] for resource in run.of(SCRIPT)}
    for script in run.of(SCRIPT):
        assert program.plain(script.inputs["observability"]) == {"enabled": True, "headSamplingRate": 1}
        names = [each["name"] for each in program.plain(script.inputs["bindings"])]
        assert names == sorted(names)
        assert len(set(names)) == len(names)
    switched = {each.inputs["scriptName"]: (each.inputs["enabled"], each.inputs["previewsEnabled"])
                for each in run.of(SUBDOMAIN)}  # fmt: skip
    assert set(switched) == scripts
    assert all(isinstance(switch, bool) for switches in switched.values() for switch in switches)


def test_only_the_stack_enables_previews_of_its_workers(run: program.Run) -> None:
    assert not [each.name for each in run.of(SUBDOMAIN) if each.inputs["previewsEnabled"]]


def test_names_are_within_the_limits_of_the_clouds(run: program.Run) -> None:
    for app in run.of(APP):
        assert APP_NAME.fullmatch(program.plain(app.inputs["spec"])["name"])
    for script in run.of(SCRIPT):
        assert SCRIPT_NAME.fullmatch(script.inputs["scriptName"])


@pytest.mark.parametrize("stack", STACKS)
def test_the_name_of_the_highest_possible_revision_is_valid(stack: str) -> None:
    found = settings.from_file(stack_file(stack))
    assert APP_NAME.fullmatch(app_name(found.backend.app_name, 999, 999))


@pytest.mark.parametrize("stack", STACKS)
def test_protection_is_switched_by_configuration(stack: str) -> None:
    """It covers everything that serves and its monitoring; the app has a hook, since each successor replaces it."""
    config = program.config_of(stack)
    for wanted in ("true", "false"):
        run = program.run(config | {"oracle-net:protect": wanted})
        serving = {each.name for each in run.resources if each.type in (SCRIPT, SUBDOMAIN, DOMAIN)}
        serving |= {f"{service}-declared" for service in ("api", "web", "universe")}
        watched = {each.name for each in run.resources if UPTIME.match(each.type)}
        kept = {each.name for each in run.resources if each.protected and not each.type.startswith("oracle-net:")}
        assert kept == (serving | watched | {"release-archive"} if wanted == "true" else set())


def test_production_is_protected_and_not_unlocked() -> None:
    found = settings.from_file(program.PROJECT / "Pulumi.prod.yaml")
    assert found.protect
    assert found.unlocked_until is None


@pytest.mark.parametrize("stack", STACKS)
def test_the_same_configuration_declares_the_same_network_in_every_stack(stack: str) -> None:
    """Stacks differ in their configuration and in the owner of their resources."""
    first, second = (listed(program.run(program.config_of(stack), stack=name), name) for name in ("prod", "another"))
    assert first == second


def listed(run: program.Run, stack: str) -> list[str]:
    """What was declared, without its owner."""
    found = (json.dumps([each.type, each.name, inputs(each), each.protected], default=str) for each in run.resources)
    return sorted(each.replace(f"organization/oracle-net/{stack}", "OWNER") for each in found)


def inputs(resource: program.Declared) -> dict[str, Any]:
    """The inputs, with the provider's class in place of its pickle, which holds the stack's name."""
    found = dict(resource.inputs)
    if pickled := found.pop("__provider", None):
        provider = pickle.loads(base64.b64decode(pickled))
        assert list(vars(provider)) == ["stack"]
        found["__provider"] = str(type(provider))
    return found


def test_no_module_refers_to_a_stack_by_name() -> None:
    """No module asks for the stack's name, except one for the owner, or compares anything with it."""
    read = [
        path
        for folder in ("settings", "components", "lifecycle", "sources")
        for path in sorted((program.PROJECT / folder).rglob("*.py"))
    ]
    for path in [Path("__main__.py"), *read]:
        for node in ast.walk(ast.parse((program.PROJECT / path).read_text())):
            if isinstance(node, ast.Constant):
                assert node.value not in ("staging", "prod", "production"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute | ast.Name) and path.stem != "naming":
                assert not re.search(r"get_stack|PULUMI_STACK|StackReference", ast.unparse(node)), (
                    f"{path}:{node.lineno}"
                )


def test_the_envrc_example_lists_every_variable_without_a_value() -> None:
    """The variables that the program, the engine and the commands read from the environment."""
    text = (program.PROJECT / ".envrc.example").read_text()
    named = dict(re.findall(r"^#? ?export ([A-Z_]+)=(\S*)", text, re.MULTILINE))
    for name in (
        "DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "PULUMI_BACKEND_URL",
        "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    ):  # fmt: skip
        assert name in named
        assert not named[name] or name == "PULUMI_BACKEND_URL", f"{name} has a value"
    assert "\n.envrc\n" in (program.PROJECT / ".gitignore").read_text()


def test_the_page_about_secrets_lists_every_secret() -> None:
    page = (program.PROJECT / "docs/how-to/secrets.md").read_text()
    for key in settings.SECRET_KEYS:
        assert f"oracle-net:{key}" in page
    example = (program.PROJECT / ".envrc.example").read_text()
    for name in re.findall(r"export ([A-Z_]*(?:TOKEN|SECRET|PASSPHRASE|KEY)[A-Z_]*)=", example):
        assert name in page, name
