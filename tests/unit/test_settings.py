"""The configuration: every invalid key is named, with its consequence and the command that fixes it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import advice
import settings
from errors import Fix, RemoveKey, SetKey, UserError
from settings import SettingsError, errors, loading
from tests.support.stacks import LOCAL, stack_file

PROJECT = Path(__file__).parents[2]


def values(stack: str = "local") -> dict[str, Any]:
    config = yaml.safe_load(stack_file(stack).read_text())["config"]
    return {key.removeprefix("oracle-net:"): value for key, value in config.items() if key.startswith("oracle-net:")}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The local stack's values with one of them set, or removed when `value` is None."""
    found = copy.deepcopy(values())
    *parents, last = path.split(".")
    section = found
    for parent in parents:
        section = section[parent]
    if value is None:
        del section[last]
    else:
        section[last] = value
    return found


def shown(error: UserError) -> str:
    return advice.text(error, "local", "")


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_every_committed_stack_is_valid(stack: str) -> None:
    found = settings.from_file(stack_file(stack))
    assert found.generation == 1
    assert list(found.workers) == ["api", "universe", "web"]


def test_prod_has_the_live_names() -> None:
    found = settings.from_file(PROJECT / "Pulumi.prod.yaml")
    assert found.backend.app_name == "jellyfish-app"
    assert [worker.script for worker in found.workers.values()] == [
        "oracle-universe-api",
        "oracle-universe-web",
        "oracle-net",
    ]
    assert found.api.domain is not None
    assert found.api.domain.hostname == "api.oraclenet.org"
    assert found.sites["web"].domain is not None
    assert found.sites["web"].domain.hostname == "oraclenet.org"


def test_each_service_has_its_health_check() -> None:
    found = settings.from_file(PROJECT / "Pulumi.prod.yaml").health
    assert {name: (health.path, health.status) for name, health in found.items()} == {
        "backend": ("/api/health", 200),
        "api": ("/ping", 200),
        "web": ("/", 200),
        "universe": ("/", 200),
    }


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_placeholder_values_are_named(stack: str) -> None:
    domains = ("workers.api.domain.zoneId", "workers.web.domain.zoneId") if stack == "prod" else ()
    left = ("accountId", *domains, "workersUrl", "backend.image.digest")
    assert settings.from_file(stack_file(stack)).left_as_in_the_template == left
    assert settings.from_file(stack_file("local")).left_as_in_the_template == ()
    assert shown(settings.template_values("backend.image.digest")) == (
        "oracle-net:backend.image.digest still has the template's value; the backend could not be deployed. Fix: run "
        "`pulumi config set --path oracle-net:backend.image.digest sha256:DIGEST --stack local`."
    )


def test_staging_shares_no_name_with_prod() -> None:
    staging, prod = (settings.from_file(stack_file(stack)) for stack in ("staging", "prod"))
    assert staging.backend.app_name != prod.backend.app_name
    assert {w.script for w in staging.workers.values()}.isdisjoint(w.script for w in prod.workers.values())
    assert all(worker.domain is None for worker in staging.workers.values())


@pytest.mark.parametrize("key", ["adminEmail", "accountId", "workersUrl", "backend", "workers"])
def test_a_missing_key_is_named_with_its_consequence_and_remedy(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID", raising=False)
    with pytest.raises(SettingsError) as caught:
        settings.parse(changed(key, None))
    assert str(caught.value).startswith(f"oracle-net:{key} is missing; {errors.CONSEQUENCES[key]}.")
    assert f". Fix: run `pulumi config set oracle-net:{key} " in shown(caught.value)
    assert "\n" not in shown(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "backend.appName",
        "backend.service",
        "backend.image",
        "backend.image.repository",
        "workers.api.script",
        "workers.api.path",
        "workers.api.entry",
        "workers.api.compatibilityDate",
        "monitoring.emails",
    ],
)
def test_a_missing_key_of_a_section_is_named_by_its_path(path: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(changed(path, None))
    assert str(caught.value).startswith(f"oracle-net:{path} is missing")
    assert f". Fix: run `pulumi config set --path oracle-net:{path} " in shown(caught.value)


def test_a_worker_needs_an_entry_or_assets() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(changed("workers.web.assets", None))
    assert str(caught.value).startswith(
        "oracle-net:workers.web.entry is missing, and so is assets; the Worker web could"
    )


@pytest.mark.parametrize(
    "path, value",
    [
        ("generation", 0),
        ("generation", "two"),
        ("adminEmail", "nobody"),
        ("accountId", "0123"),
        ("workersUrl", "https://example.org"),
        ("workersUrl", "ftp://{script}.example.org"),
        ("backend.appName", "Jellyfish"),
        ("backend.appName", "j" * 40),
        ("backend.port", 70000),
        ("backend.instances", 2),
        ("backend.healthPath", "api/health"),
        ("backend.createTimeout", "soon"),
        ("backend.image.registryType", "ECR"),
        ("backend.image.store", "somewhere"),
        ("workers.api.script", "Oracle API"),
        ("workers.api.compatibilityDate", "yesterday"),
        ("workers.api.workersDev", "perhaps"),
        ("workers.api.health.path", "ping"),
        ("workers.api.health.status", 20),
        ("workers.web.notFound", "home"),
        ("monitoring.emails", []),
        ("monitoring.emails", ["nobody"]),
        ("monitoring.regions", ["moon"]),
        ("monitoring.latencyMs", 1),
    ],
)
def test_a_malformed_value_is_named_by_its_path(path: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(changed(path, value))
    line = shown(caught.value)
    assert line.startswith(f"oracle-net:{path}"), line
    assert ". Fix: run `pulumi config set " in line
    assert "\n" not in line


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse({**values(), "genertion": 2})
    assert shown(caught.value) == (
        "oracle-net:genertion is not a key that this program knows (did you mean generation?). "
        "Fix: run `pulumi config rm oracle-net:genertion --stack local`."
    )


def test_a_file_of_the_former_layout_gets_instructions_to_move_its_lines() -> None:
    """The usual advice, to remove the keys, would lose their values."""
    former = values()
    workers = former.pop("workers")
    with pytest.raises(SettingsError) as caught:
        settings.parse({**former, **workers})
    assert shown(caught.value).splitlines() == [
        f"oracle-net:{name} is a part of oracle-net:workers now. Fix: move its lines below oracle-net:workers in "
        f"Pulumi.local.yaml, as {name}, two spaces further in."
        for name in ("api", "web", "universe")
    ]


def test_an_unknown_key_of_a_section_is_named_by_its_path() -> None:
    with pytest.raises(SettingsError, match=r"oracle-net:backend\.colour is not a key that") as caught:
        settings.parse(changed("backend.colour", "blue"))
    assert caught.value.helps == (RemoveKey("oracle-net:backend.colour"),)


def test_the_suggestion_for_a_key_of_a_section_is_from_that_section() -> None:
    with pytest.raises(SettingsError, match=r"oracle-net:backend\.helthPath .*\(did you mean healthPath\?\)"):
        settings.parse(changed("backend.helthPath", "/"))


@pytest.mark.parametrize(
    "path",
    [
        "backend.appName",
        "backend.createTimeout",
        "adminEmail",
        "workers.api.script",
        "accountId",
        "workers.api.health.path",
    ],
)
def test_a_required_format_is_described_in_words(path: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(changed(path, "?"))
    assert f"oracle-net:{path} should be " in str(caught.value)
    assert "^" not in str(caught.value)


def test_all_problems_are_reported_at_once() -> None:
    found = changed("adminEmail", None)
    del found["workers"]["web"]["assets"]
    with pytest.raises(SettingsError) as caught:
        settings.parse(found)
    assert len(str(caught.value).splitlines()) == 2


def test_an_image_needs_exactly_one_source() -> None:
    image = values()["backend"]["image"]
    digest = "sha256:" + "0" * 64
    with pytest.raises(SettingsError, match="needs one of digest, build and path"):
        settings.parse(changed("backend.image", {**image, "digest": digest}))
    with pytest.raises(SettingsError, match="needs one of digest, build and path") as caught:
        settings.parse(changed("backend.image", {"repository": "backend"}))
    assert caught.value.helps[0] == SetKey("oracle-net:backend.image.digest", "sha256:DIGEST")
    with pytest.raises(SettingsError, match="needs the store") as caught:
        settings.parse(changed("backend.image", {"repository": "backend", "path": "services/backend"}))
    assert caught.value.helps == (SetKey("oracle-net:backend.image.store", "URL"),)


def test_a_worker_without_any_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="neither workersDev nor a domain"):
        settings.parse(changed("workers.api.workersDev", False))


def test_two_workers_with_one_script_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="The Workers api and web have the same script name") as caught:
        settings.parse(changed("workers.web.script", "oracle-universe-api"))
    assert caught.value.helps == (SetKey("oracle-net:workers.web.script", "NAME"),)


@pytest.mark.parametrize("key", ["adminPassword", "githubToken"])
def test_a_secret_in_plain_text_is_refused_without_being_shown(key: str, tmp_path: Path) -> None:
    document = yaml.safe_load(LOCAL.read_text())
    document["config"][f"oracle-net:{key}"] = "planted-secret-value"
    path = tmp_path / "Pulumi.planted.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SettingsError) as caught:
        settings.from_file(path)
    assert caught.value.helps == (SetKey(f"oracle-net:{key}", secret=True),)
    assert f"Fix: run `pulumi config set --secret oracle-net:{key} --stack local`." in shown(caught.value)
    assert "planted-secret-value" not in shown(caught.value)


@pytest.mark.parametrize("password", ["a" * 72, "\N{SNOWMAN}" * 25])
def test_a_password_that_pocketbase_would_refuse_is_refused_early(password: str) -> None:
    with pytest.raises(SettingsError, match="71 characters and 72 bytes at most") as caught:
        settings.parse({**values(), "adminPassword": password})
    assert password not in str(caught.value)
    settings.parse({**values(), "adminPassword": "a" * 71})


def test_secrets_are_not_in_the_repr_of_the_settings() -> None:
    found = settings.parse({**values(), "adminPassword": "planted-secret", "githubToken": "planted-token"})
    assert "planted" not in repr(found)
    assert "planted" not in str(found)
    assert settings.revealed(found.github_token) == "planted-token"


def test_a_key_of_a_list_is_quoted_for_the_shell() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(changed("monitoring.emails", ["nobody"]))
    assert "`pulumi config set --path 'oracle-net:monitoring.emails[0]' VALUE --stack local`" in shown(caught.value)


def test_settings_cannot_be_changed() -> None:
    found = settings.parse(values())
    with pytest.raises(ValueError, match="frozen"):
        found.generation = 2


def test_formatting_of_the_file_does_not_matter() -> None:
    written = yaml.safe_dump({"config": {f"oracle-net:{k}": v for k, v in reversed(values().items())}}, indent=8)
    again = yaml.safe_load(written)["config"]
    assert settings.parse({k.removeprefix("oracle-net:"): v for k, v in again.items()}) == settings.parse(values())


def test_a_missing_or_invalid_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Pulumi\.nowhere\.yaml does not exist") as caught:
        settings.from_file(tmp_path / "Pulumi.nowhere.yaml")
    assert caught.value.helps == (Fix("ls Pulumi.*.yaml", "to see the stacks that exist"),)
    (tmp_path / "Pulumi.odd.yaml").write_text("config: [")
    with pytest.raises(SettingsError, match=r"Pulumi\.odd\.yaml is not YAML"):
        settings.from_file(tmp_path / "Pulumi.odd.yaml")


def test_sections_are_decoded_from_the_engines_json() -> None:
    decoded = {key: loading.decoded(json.dumps(value)) for key, value in values().items() if isinstance(value, dict)}
    assert decoded == {key: value for key, value in values().items() if isinstance(value, dict)}


def test_secrets_of_the_backend_are_stored_separately(tmp_path: Path) -> None:
    found = settings.parse({**values(), "backendSecrets": {"MAIL_KEY": "planted-key"}})
    assert found.secret_variables == {"MAIL_KEY": "planted-key"}
    assert "planted" not in repr(found)
    document = yaml.safe_load(LOCAL.read_text())
    document["config"]["oracle-net:backendSecrets"] = {"A": {"secure": "x"}, "B": "planted-secret-value"}
    path = tmp_path / "Pulumi.planted.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SettingsError) as caught:
        settings.from_file(path)
    assert caught.value.helps == (SetKey("oracle-net:backendSecrets.NAME", secret=True),)
    assert "planted-secret-value" not in shown(caught.value)
    del document["config"]["oracle-net:backendSecrets"]["B"]
    path.write_text(yaml.safe_dump(document))
    assert settings.from_file(path).secret_variables == {"A": settings.PLACEHOLDER}


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"backendSecrets": {"GENERATION": "9"}}, "GENERATION is a variable of the backend twice"),
        ({"backendSecrets": {"not a name": "x"}}, "oracle-net:backendSecrets.not a name"),
    ],
)
def test_a_backend_variable_that_is_defined_twice_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings.parse({**values(), **changes})


@pytest.mark.parametrize("before", [None, "other"])
def test_pydantic_does_not_search_for_plugins(tmp_path: Path, before: str | None) -> None:
    """The search takes as long as building all models of the settings."""
    (tmp_path / "plugged.py").write_text("plugin = None\n")
    (tmp_path / "plugged-1.dist-info").mkdir()
    (tmp_path / "plugged-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (tmp_path / "plugged-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nplugged = plugged:plugin\n")
    code = "import os, sys, settings; print('plugged' in sys.modules, os.environ.get('PYDANTIC_DISABLE_PLUGINS'))"
    own = {"PYTHONPATH": str(tmp_path), **({"PYDANTIC_DISABLE_PLUGINS": before} if before else {})}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **own}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"False {before}"
