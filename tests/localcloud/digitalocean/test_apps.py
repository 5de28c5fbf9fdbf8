"""Apps through DigitalOcean's own Python client, and what the API refuses."""

from __future__ import annotations

import copy
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.account import Account, Json
from tests.support.digitalocean import pydo_client

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from pydo import Client


@pytest.fixture(scope="module")
def pydo(account: Account) -> Client:
    return pydo_client(account.cloud.url, account.cloud.tokens.digitalocean)


def test_an_app_is_created_changed_and_deleted_with_the_official_client(account: Account, pydo: Client) -> None:
    from azure.core.exceptions import HttpResponseError

    spec = account.spec("through-pydo")
    app = pydo.apps.create({"spec": spec})["app"]
    account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
    shown = pydo.apps.get(app["id"])["app"]
    assert re.fullmatch(r"http://through-pydo-[a-z0-9]{5}\.ondigitalocean\.localhost:\d+", shown["live_url"])
    assert shown["region"]["slug"] == "nyc"
    assert shown["tier_slug"] == "basic"
    assert "through-pydo" in [each["spec"]["name"] for each in pydo.apps.list()["apps"]]
    renamed = pydo.apps.update(app["id"], {"spec": {**spec, "name": "renamed-pydo"}})["app"]
    account.wait(app["id"], renamed["pending_deployment"]["id"], "ACTIVE")
    assert pydo.apps.get(app["id"])["app"]["live_url"] == shown["live_url"]
    deployments = pydo.apps.list_deployments(app["id"])
    assert [each["cause"] for each in deployments["deployments"]] == ["app spec updated", "initial deployment"]
    assert pydo.apps.get_instances(app["id"])["instances"][0]["component_name"] == "web"
    assert pydo.apps.get_health(app["id"])["app_health"]["components"][0]["state"] == "HEALTHY"
    assert pydo.apps.delete(app["id"])["id"] == app["id"]
    assert pydo.apps.get(app["id"])["id"] == "not_found"
    account.create(spec)
    with pytest.raises(HttpResponseError, match="App name already exists"):
        pydo.apps.create({"spec": spec})


def test_regions_sizes_and_projects_are_read_with_the_official_client(pydo: Client) -> None:
    assert "nyc" in [region["slug"] for region in pydo.apps.list_regions()["regions"]]
    assert "basic-xxs" in [size["slug"] for size in pydo.apps.list_instance_sizes()["instance_sizes"]]
    assert pydo.apps.get_instance_size("basic-xxs")["instance_size"]["memory_bytes"] == str(512 * 1024 * 1024)
    assert pydo.account.get()["account"]["status"] == "active"
    assert pydo.projects.get_default()["project"]["is_default"]
    assert len(pydo.projects.list()["projects"]) == 1
    assert "nyc3" in [region["slug"] for region in pydo.regions.list()["regions"]]


def test_missing_spec_fields_get_their_defaults(account: Account) -> None:
    spec = account.spec("filled")
    del spec["region"], spec["services"][0]["http_port"]
    shown = account.create(spec)["spec"]
    assert shown["region"] == "nyc"
    assert shown["features"] == ["buildpack-stack=ubuntu-22"]
    assert shown["ingress"] == {"rules": [{"match": {"path": {"prefix": "/"}}, "component": {"name": "web"}}]}
    assert shown["services"][0]["http_port"] == 8080


def test_app_names_are_unique(account: Account) -> None:
    first = account.create(account.spec("taken"))
    answer = account.http.post("/v2/apps", json={"spec": account.spec("taken")})
    assert answer.status_code == 409
    assert answer.json()["id"] == "conflict"
    assert answer.json()["message"] == "App name already exists"
    other = account.create(account.spec("not-taken"))
    answer = account.http.put(f"/v2/apps/{other['id']}", json={"spec": account.spec("taken")})
    assert answer.status_code == 409
    assert account.app(other["id"])["spec"]["name"] == "not-taken"
    assert account.app(first["id"])["spec"]["name"] == "taken"


def test_apps_are_listed_in_pages(account: Account) -> None:
    digest = account.push_program()
    names = [f"page-{number}" for number in range(3)]
    for name in names:
        spec = account.spec(name, digest=digest, build_command="true")
        spec["services"][0]["image"]["repository"] = "missing"
        account.create(spec)
    total = len(account.http.get("/v2/apps?per_page=200").json()["apps"])
    first = account.http.get("/v2/apps?per_page=2").json()
    assert [app["spec"]["name"] for app in first["apps"]] == names[:0:-1]
    assert first["meta"]["total"] == total
    assert set(first["links"]["pages"]) == {"next", "last"}
    seen, answer = list(first["apps"]), first
    while following := answer["links"]["pages"].get("next"):
        answer = account.http.get(following).json()
        seen += answer["apps"]
    assert len({app["id"] for app in seen}) == total
    assert set(answer["links"]["pages"]) == {"first", "prev"}
    assert account.http.get("/v2/apps?page=999").json()["apps"] == []


def test_a_missing_or_wrong_token_is_refused(account: Account) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic Zm9v"}):
        for path in ("/v2/apps", "/v2/account", "/v2/nonsense", "/v2/uptime/checks"):
            answer = account.edge.get(account.cloud.url + path, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["id"] == "Unauthorized"
            assert answer.json()["message"] == "Unable to authenticate you"
            uuid.UUID(answer.json()["request_id"])


def test_every_answer_has_the_rate_limit_headers(account: Account) -> None:
    for path in ("/v2/apps", "/v2/nonsense"):
        headers = account.http.get(path).headers
        assert headers["ratelimit-limit"] == "5000"
        assert 0 < int(headers["ratelimit-remaining"]) < 5000
        assert int(headers["ratelimit-reset"]) > 0


def test_unknown_resources_answer_404(account: Account) -> None:
    nobody = str(uuid.uuid4())
    app = account.create(account.spec("lonely"))
    paths = [
        "/v2/nonsense",
        f"/v2/apps/{nobody}",
        f"/v2/apps/{nobody}/deployments",
        f"/v2/apps/{app['id']}/deployments/{nobody}",
        f"/v2/apps/{app['id']}/components/nothing/exec",
        f"/v2/apps/{app['id']}/logs?type=RUN&component_name=nothing",
        "/v2/apps/tiers/instance_sizes/huge",
        "/v2/projects/other",
    ]
    for path in paths:
        answer = account.http.get(path)
        assert (answer.status_code, answer.json()["id"]) == (404, "not_found"), path
    assert account.http.delete(f"/v2/apps/{nobody}").status_code == 404
    assert account.http.put(f"/v2/apps/{nobody}", json={"spec": account.spec("x1")}).status_code == 404


def change(spec: Json, path: str, value: Any) -> Json:
    """The spec with one value set; path like services.0.name."""
    changed = copy.deepcopy(spec)
    *way, last = path.split(".")
    inner = changed
    for name in way:
        inner = inner[int(name) if name.isdigit() else name]
    inner[last] = value
    return changed


REFUSED: list[tuple[str, Any, str]] = [
    ("name", "x", "name"),
    ("name", "a" * 33, "name"),
    ("name", "Upper", "name"),
    ("name", "1digit", "name"),
    ("name", "dash-", "name"),
    ("name", 5, "name"),
    ("name", None, "name"),
    ("region", "mars", "region"),
    ("nonsense", 1, "nonsense"),
    ("workers", [{"name": "w1"}], "workers"),
    ("databases", [{"name": "db"}], "databases"),
    ("maintenance", {"enabled": True}, "maintenance.enabled"),
    ("envs", [{"key": "1A", "value": ""}], "envs.key"),
    ("envs", [{"key": "A", "value": ""}, {"key": "A", "value": ""}], "envs.key"),
    ("envs", [{"key": "A", "value": "x", "type": "HIDDEN"}], "envs.type"),
    ("envs", [{"key": "A", "value": "x", "scope": "NEVER"}], "envs.scope"),
    ("envs", [{"key": "A", "value": "EV[1:abc:def]", "type": "SECRET"}], "envs.value"),
    ("envs", [{"key": "A", "value": "EV[1:abc:def]"}], "envs.value"),
    ("envs", [{"key": "A", "value": "a\u0000b"}], "envs.value"),
    ("domains", [{"domain": "not a name"}], "domains.domain"),
    ("ingress", {"rules": [{"component": {"name": "nobody"}}]}, "ingress.rules.component.name"),
    ("services.0.name", "", "services.name"),
    ("services.0.nonsense", 1, "services.nonsense"),
    ("services.0.instance_count", 2, "services.instance_count"),
    ("services.0.http_port", 70000, "services.http_port"),
    ("services.0.http_port", "80", "services.http_port"),
    ("services.0.git", {"repo_clone_url": "x", "branch": "y"}, "services"),
    ("services.0.git", {"repo_clone_url": "https://u:p@x.test/r", "branch": "y"}, "services.git.repo_clone_url"),
    ("services.0.image.digest", "sha256:12", "services.image.digest"),
    ("services.0.image.registry_type", "LOCAL", "services.image.registry_type"),
    ("services.0.image.tag", "v1", "services.image"),
    ("services.0.image.repository", "", "services.image.repository"),
    ("services.0.health_check.port", 9090, "services.health_check.port"),
    ("services.0.health_check.http_path", "health", "services.health_check.http_path"),
    ("services.0.health_check.nonsense", 1, "services.health_check.nonsense"),
    ("services.0.liveness_health_check", {"http_path": "/x"}, "services.liveness_health_check"),
    ("services.0.termination.drain_seconds", 0, "services.termination.drain_seconds"),
]


@pytest.mark.parametrize("path, value, field", REFUSED)
def test_an_invalid_spec_is_refused_and_its_field_named(account: Account, path: str, value: Any, field: str) -> None:
    wrong = change(account.spec("refused", digest="sha256:" + "0" * 64), path, value)
    answer = account.http.post("/v2/apps", json={"spec": wrong})
    assert answer.status_code == 400, answer.text
    assert answer.json()["id"] == "invalid_argument"
    assert answer.json()["message"].startswith(f'error validating app spec field "{field}": ')
    assert "refused" not in [app["spec"]["name"] for app in account.http.get("/v2/apps?per_page=200").json()["apps"]]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"spec": {"name": "ab"}}', "at least one component"),
        (b'{"spec": []}', "must be an object"),
        (b"{}", "must be an object"),
        (b'{"spec": {}, "extra": 1}', "unknown field"),
    ],
)
def test_an_invalid_body_is_refused(account: Account, content: bytes, message: str) -> None:
    answer = account.http.post("/v2/apps", content=content)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_a_refused_update_changes_nothing(account: Account) -> None:
    app = account.up("steady", envs=[{"key": "GREETING", "value": "one"}])
    wrong = change(account.spec("steady"), "services.0.http_port", 0)
    assert account.http.put(f"/v2/apps/{app['id']}", json={"spec": wrong}).status_code == 400
    after = account.app(app["id"])
    assert after["spec"] == app["spec"]
    assert after["updated_at"] == app["updated_at"]
    assert "pending_deployment" not in after


def test_a_proposal_changes_nothing_and_returns_the_price(account: Account) -> None:
    account.create(account.spec("proposed"))
    answer = account.http.post("/v2/apps/propose", json={"spec": account.spec("proposed")}).json()
    assert answer["app_name_available"] is False
    assert answer["app_name_suggestion"] == "proposed-2"
    assert answer["app_cost"] == 5.0
    answer = account.http.post("/v2/apps/propose", json={"spec": account.spec("unproposed")}).json()
    assert answer["app_name_available"] is True


def test_a_custom_domain_reaches_the_app_and_becomes_its_address(account: Account) -> None:
    spec = account.spec("domain")
    spec["domains"] = [{"domain": "shop.example.test", "type": "PRIMARY"}]
    app = account.create(spec)
    account.wait(app["id"], app["pending_deployment"]["id"], "ACTIVE")
    app = account.app(app["id"])
    assert app["live_url"] == f"http://shop.example.test:{account.cloud.edge_port}"
    assert app["domains"][0]["phase"] == "ACTIVE"
    assert account.get(app).status_code == 200
    assert account.edge.get("/", headers={"host": app["default_ingress"].split("//")[1]}).status_code == 200
    other = account.spec("domain-thief") | {"domains": spec["domains"]}
    assert account.http.post("/v2/apps", json={"spec": other}).status_code == 409
    account.update(app["id"], account.spec("domain"))
    assert account.get(app).status_code == 404


def test_alert_destinations_can_be_changed(account: Account) -> None:
    spec = account.spec("alerting", alerts=[{"rule": "CPU_UTILIZATION", "operator": "GREATER_THAN", "value": 75}])
    spec["alerts"] = [{"rule": "DEPLOYMENT_FAILED"}]
    app = account.create(spec)
    alerts = account.http.get(f"/v2/apps/{app['id']}/alerts").json()["alerts"]
    assert [(alert["spec"]["rule"], alert.get("component_name")) for alert in alerts] == [
        ("DEPLOYMENT_FAILED", None),
        ("CPU_UTILIZATION", "web"),
    ]
    path = f"/v2/apps/{app['id']}/alerts/{alerts[0]['id']}/destinations"
    answer = account.http.post(path, json={"emails": ["a@example.test"], "slack_webhooks": []})
    assert answer.json()["alert"]["emails"] == ["a@example.test"]
    assert account.http.get(f"/v2/apps/{app['id']}/alerts").json()["alerts"][0]["emails"] == ["a@example.test"]
    nobody = path.replace(alerts[0]["id"], str(uuid.uuid4()))
    assert account.http.post(nobody, json={"emails": []}).status_code == 404
