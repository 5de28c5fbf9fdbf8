"""The whole program under mocks, for each committed stack: the resources that it declares."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi
import pytest
import yaml

import stack_outputs
from settings import from_file
from tests.support.stacks import stack_file
from tests.unit import program

APP = "digitalocean:index/app:App"
SCRIPT = "cloudflare:index/workersScript:WorkersScript"
SUBDOMAIN = "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"
DOMAIN = "cloudflare:index/workersCustomDomain:WorkersCustomDomain"
CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"
ALERT = "digitalocean:index/uptimeAlert:UptimeAlert"
STACKS = ["local", "staging", "prod"]
MONITORED = ["local", "prod"]


@pytest.fixture(autouse=True)
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with the built checkouts of the team beside it, as the templates name them."""
    project = tmp_path / "oracle"
    project.mkdir()
    for name in ("services", "components", "lifecycle", "sources"):
        (project / name).symlink_to(program.PROJECT / name)
    write(tmp_path / "oracle-universe-api" / "dist" / "worker.js", "export default {}\n")
    for name in ("oracle-net-web", "oracle-universe-web"):
        write(tmp_path / name / "dist" / "index.html", f"<title>{name}</title>\n")
        write(tmp_path / name / "dist" / "_headers", "/*\n  X-Frame-Options: DENY\n")
    monkeypatch.chdir(project)
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID", raising=False)
    return project


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@cache
def declared(stack: str) -> program.Run:
    """A stack as it is committed, with the checkouts as they are; read by the tests and changed by none."""
    return program.run(program.config_of(stack))


def bindings(run: program.Run, service: str) -> dict[str, tuple[str, Any]]:
    listed = program.plain(run.one(f"{service}-script").inputs["bindings"])
    return {binding["name"]: (binding["type"], binding.get("text")) for binding in listed}


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_declares_the_same_resources(stack: str) -> None:
    run = declared(stack)
    assert {*run.outputs} == {*stack_outputs.OUTPUTS, "backendUrl", "apiUrl", "webUrl", "universeUrl"}
    assert [resource.name for resource in run.of(APP)] == ["backend-app"]
    assert sorted(resource.name for resource in run.of(SCRIPT)) == ["api-script", "universe-script", "web-script"]
    assert len(run.of(SUBDOMAIN)) == 3


@pytest.mark.parametrize("stack", STACKS)
def test_the_api_gets_the_backend_by_secret_bindings(stack: str) -> None:
    run = declared(stack)
    found = bindings(run, "api")
    assert {name: kind for name, (kind, _) in found.items()} == {
        "BACKEND": "plain_text",
        "PB_ADMIN_EMAIL": "secret_text",
        "PB_ADMIN_PASSWORD": "secret_text",
        "POCKETBASE_URL": "secret_text",
        "RELEASE": "plain_text",
        "STACK": "plain_text",
    }
    assert found["POCKETBASE_URL"][1] == program.LIVE_URL
    assert found["PB_ADMIN_PASSWORD"][1] == program.MADE_PASSWORD


def test_a_github_token_is_an_additional_secret_binding() -> None:
    config = program.config_of("local") | {"oracle-net:githubToken": "planted-token"}
    found = bindings(program.run(config, ["oracle-net:githubToken"]), "api")
    assert found["GITHUB_TOKEN"] == ("secret_text", "planted-token")


def test_secrets_of_the_backend_are_secret_variables_of_the_app() -> None:
    config = program.config_of("local") | {"oracle-net:backendSecrets": json.dumps({"REPLICA_KEY": "planted-key"})}
    run = program.run(config, ["oracle-net:backendSecrets"])
    spec = program.plain(run.one("backend-app").inputs["spec"])
    secret = {each["key"]: each["value"] for each in spec["envs"] if each["type"] == "SECRET"}
    assert secret["REPLICA_KEY"] == "planted-key"
    for resource in run.resources:
        assert "planted-key" not in json.dumps(program.hidden(resource.inputs), default=str), resource.name


def test_an_app_knows_its_own_name() -> None:
    spec = program.plain(declared("local").one("backend-app").inputs["spec"])
    plain = {each["key"]: each["value"] for each in spec["services"][0]["envs"]}
    assert plain["BACKEND"] == spec["name"] == "jellyfish-app"


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_an_unfilled_template_is_refused(stack: str) -> None:
    document = yaml.safe_load(stack_file(stack).read_text())["config"]
    config = {key: json.dumps(each) if isinstance(each, dict) else str(each) for key, each in document.items()}
    with pytest.raises(pulumi.RunError) as caught:
        program.run(config, stack=stack)
    lines = str(caught.value).splitlines()
    assert [line.partition(" still has the template's value")[0] for line in lines][
        -1
    ] == "oracle-net:backend.image.digest"
    assert all(". Fix: run `pulumi config set " in line and f"--stack {stack}`." in line for line in lines)


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_that_can_have_an_owner_has_one(stack: str) -> None:
    run = program.run(program.config_of(stack), stack=stack)
    owner = f"organization/oracle-net/{stack}"
    for script in run.of(SCRIPT):
        assert bindings(run, script.name.removesuffix("-script"))["STACK"] == ("plain_text", owner)
        listed = {each["name"]: each for each in program.plain(script.inputs["bindings"])}
        assert stack_outputs.owner_of_worker(listed) == owner
    (app,) = run.of(APP)
    assert stack_outputs.owner_of_app(program.plain(app.inputs["spec"])) == owner
    assert run.declares(CHECK) == (stack in MONITORED)
    if stack in MONITORED:
        assert {stack_outputs.owner_of_check(check.inputs["name"]) for check in run.of(CHECK)} == {owner}
        asked = {check.inputs["name"].rpartition(" ")[2]: check.inputs["target"] for check in run.of(CHECK)}
        health = from_file(stack_file(stack)).health
        assert {name: urlsplit(target).path for name, target in asked.items()} == {
            name: each.path for name, each in health.items()
        }
        assert all(alert.inputs["name"].startswith(f"{owner} ") for alert in run.of(ALERT))


def test_sites_get_the_address_of_the_api_as_a_binding() -> None:
    run = declared("prod")
    for service in ("web", "universe"):
        assert bindings(run, service)["API_URL"] == ("plain_text", "https://api.oraclenet.org")
        assets = program.plain(run.one(f"{service}-script").inputs["assets"])
        assert assets["config"]["notFoundHandling"] == "single-page-application"
        assert not Path(assets["directory"]).is_absolute()


def test_rule_files_are_declared_as_configuration(checkouts: Path) -> None:
    assets = program.plain(program.run(program.config_of("prod")).one("web-script").inputs["assets"])
    assert assets["config"]["headers"] == "/*\n  X-Frame-Options: DENY\n"
    staged = sorted(path.name for path in (checkouts / assets["directory"]).iterdir())
    assert staged == ["index.html"]


def test_content_types_are_added_before_the_sites_own_rules(checkouts: Path) -> None:
    write(checkouts.parent / "oracle-net-web" / "dist" / "favicon.ico", "icon")
    assets = program.plain(program.run(program.config_of("prod")).one("web-script").inputs["assets"])
    kind = "  ! Content-Type\n  Content-Type: image/vnd.microsoft.icon\n"
    assert assets["config"]["headers"] == f"/favicon.ico\n{kind}/*\n  X-Frame-Options: DENY\n"


def test_files_that_are_left_out_of_a_site_are_reported(checkouts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    write(checkouts.parent / "oracle-net-web" / "dist" / ".DS_Store", "x")
    program.run(program.config_of("prod"))
    assert said == ["web is deployed without .DS_Store"]


@pytest.mark.parametrize(
    "place, sentence",
    [
        ("oracle-net-web/dist/odd", "oracle-net-web/dist/odd is a named pipe"),
        ("oracle-universe-api/dist/worker.js", "oracle-universe-api/dist/worker.js is a named pipe"),
    ],
)
def test_a_file_that_cannot_be_deployed_is_one_sentence(checkouts: Path, place: str, sentence: str) -> None:
    (checkouts.parent / place).unlink(missing_ok=True)
    os.mkfifo(checkouts.parent / place)
    with pytest.raises(pulumi.RunError) as caught:
        program.run(program.config_of("prod"))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_production_has_its_own_domains() -> None:
    run = declared("prod")
    assert {domain.inputs["hostname"]: domain.inputs["service"] for domain in run.of(DOMAIN)} == {
        "api.oraclenet.org": "oracle-universe-api",
        "oraclenet.org": "oracle-net",
    }
    assert run.outputs["webUrl"] == "https://oraclenet.org"
    assert run.outputs["universeUrl"] == "https://oracle-universe-web.team.workers.dev"


def test_workers_dev_is_switched_by_configuration() -> None:
    config = program.config_of("prod")
    workers = json.loads(config["oracle-net:workers"])
    workers["api"]["workersDev"] = False
    run = program.run({**config, "oracle-net:workers": json.dumps(workers)})
    assert run.one("api-subdomain").inputs["enabled"] is False
    assert run.one("web-subdomain").inputs["enabled"] is True


def test_a_later_generation_has_its_own_app_name() -> None:
    run = program.run({**program.config_of("prod"), "oracle-net:generation": "12"})
    assert program.plain(run.one("backend-app").inputs["spec"])["name"] == "jellyfish-app-g12"
    assert run.outputs["generation"] == 12


def test_monitoring_is_switched_by_configuration() -> None:
    config = program.config_of("local")
    assert declared("local").declares(CHECK)
    del config["oracle-net:monitoring"]
    assert not program.run(config).declares(CHECK)


def test_a_configured_password_is_used_and_none_is_generated() -> None:
    config = program.config_of("local") | {"oracle-net:adminPassword": "planted-password"}
    run = program.run(config, ["oracle-net:adminPassword"])
    made = run.of("random:index/randomPassword:RandomPassword")
    assert [each.name for each in made] == ["admin-operator"], "the operator's is always made"
    assert bindings(run, "api")["PB_ADMIN_PASSWORD"] == ("secret_text", "planted-password")


def test_a_higher_password_version_generates_a_new_password() -> None:
    config = program.config_of("local") | {"oracle-net:adminPasswordVersion": "2"}
    assert program.run(config).one("admin-password").inputs["keepers"] == {"version": "2"}


def test_the_receipt_names_every_digest() -> None:
    release = declared("local").outputs["release"]
    assert release["backend"].startswith("sha256:")
    assert set(release["workers"]) == {"api", "web", "universe"}
    assert set(release["assets"]) == {"web", "universe"}
    assert set(release["commits"]) == {"backend", "api", "web", "universe"}


def test_one_changed_source_changes_one_digest_of_the_receipt(checkouts: Path) -> None:
    before = program.run(program.config_of("prod")).outputs["release"]
    write(checkouts.parent / "oracle-net-web" / "dist" / "index.html", "<title>changed</title>\n")
    after = program.run(program.config_of("prod")).outputs["release"]
    assert before["assets"]["web"] != after["assets"]["web"]
    after["assets"]["web"] = before["assets"]["web"]
    assert before == after


@pytest.mark.parametrize(
    "gone, sentence",
    [
        ("oracle-universe-api/dist/worker.js", "dist/worker.js does not exist. Fix: run `oracle build --stack unit`."),
        ("oracle-net-web/dist", "oracle-net-web/dist does not exist. Fix: run `oracle build --stack unit`."),
    ],
)
def test_a_missing_build_is_one_sentence(checkouts: Path, gone: str, sentence: str) -> None:
    path = checkouts.parent / gone
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(pulumi.RunError) as caught:
        program.run(program.config_of("prod"))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_image_is_one_sentence(checkouts: Path) -> None:
    local_services(checkouts)
    shutil.rmtree(checkouts / "services/backend")
    fix = r"Fix: run `oracle build --stack unit`\.$"
    with pytest.raises(pulumi.RunError, match=rf"^The directory \S+backend does not exist\. {fix}"):
        program.run(program.config_of("local"))


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        (
            "web/public/large.bin",
            b"\0" * (26 * 2**20),
            r"The asset \S+large\.bin is larger than Cloudflare's limit of 25 MiB for one file",
        ),
        (
            "api/src/worker.js",
            b"//" + b"x" * (11 * 2**20),
            r"The Worker's module \S+worker\.js has 11\.0 MiB, but Cloudflare's limit is 10 MiB",
        ),
    ],
    ids=["asset", "script"],
)
def test_a_file_over_a_limit_is_one_sentence(checkouts: Path, name: str, content: bytes, sentence: str) -> None:
    (local_services(checkouts) / name).write_bytes(content)
    fix = r"Fix: reduce its size, then run `oracle build --stack unit`\.$"
    with pytest.raises(pulumi.RunError, match=rf"^{sentence}\. {fix}"):
        program.run(program.config_of("local"))


def local_services(checkouts: Path) -> Path:
    """The checkouts of the local stack, as copies that a test may change."""
    services = checkouts / "services"
    services.unlink()
    shutil.copytree(program.PROJECT / "services", services)
    return services


def test_an_invalid_configuration_is_a_run_error() -> None:
    with pytest.raises(pulumi.RunError, match="oracle-net:generation should be greater than or equal to 1"):
        program.run({**program.config_of("local"), "oracle-net:generation": "0"})


def test_a_secret_in_plain_configuration_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="stored in plain text"):
        program.run({**program.config_of("local"), "oracle-net:githubToken": "planted-token"})
