"""Tokens, accounts, zones, custom domains and routes."""

from __future__ import annotations

import httpx
import pytest

from tests.localcloud.cloudflare.service import Client

CODE = "export default { fetch: () => new Response('NAME') }"
DOMAINS = "~/workers/domains"


def put(api: Client, name: str) -> None:
    api.put(name, CODE.replace("NAME", name))


def test_a_missing_or_wrong_token_is_refused(api: Client) -> None:
    assert api.result("GET", "/user/tokens/verify")["status"] == "active"
    verify = api.refusal("GET", "/user/tokens/verify", headers={"authorization": "Bearer wrong"})
    assert verify == (401, 1000, "Invalid API Token")
    wrong = api.refusal("GET", "~/workers/scripts", headers={"authorization": "Bearer wrong"})
    assert wrong == (403, 10000, "Authentication error")
    missing = httpx.get(f"{api.base}/accounts", trust_env=False)
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (400, 9106)


def test_another_account_is_refused(api: Client) -> None:
    assert api.refusal("GET", f"/accounts/{'0' * 32}/workers/scripts")[:2] == (403, 10000)


def test_unknown_paths_and_methods_are_refused(api: Client) -> None:
    status, code, message = api.refusal("GET", "~/workers/nothing/here")
    assert (status, code) == (404, 7003)
    assert message.startswith("Could not route to /client/v4/accounts/")
    assert api.refusal("PATCH", "/zones")[:2] == (405, 7001)


def test_the_account_and_its_members_are_listed(api: Client) -> None:
    accounts = api.result("GET", "/accounts")
    assert api.result("GET", "~") == accounts[0]
    assert api.result("GET", "/memberships")[0]["account"]["id"] == accounts[0]["id"]
    assert "@" in api.result("GET", "/user")["email"]


def test_lists_are_divided_into_pages(api: Client) -> None:
    for name in ("page-a.localhost", "page-b.localhost", "page-c.localhost"):
        api.result("POST", "/zones", json={"name": name, "account": {"id": "x"}})
    body = api("GET", "/zones?per_page=2&page=2").json()
    total = body["result_info"]["total_count"]
    assert body["result_info"] == {
        "page": 2, "per_page": 2, "count": min(2, total - 2), "total_count": total, "total_pages": -(-total // 2),
    }  # fmt: skip
    names = [zone["name"] for page in range(1, 4) for zone in api.result("GET", f"/zones?per_page=2&page={page}")]
    assert names == sorted(set(names))


def test_a_zone_is_created_read_and_deleted(api: Client) -> None:
    [zone] = api.result("GET", "/zones?name=oraclenet.localhost")
    assert (zone["status"], api.result("GET", f"/zones/{zone['id']}")) == ("active", zone)
    assert api.result("GET", "/zones?name=nobody.test") == []
    made = api.result("POST", "/zones", json={"name": "made.localhost"})
    assert api.refusal("POST", "/zones", json={"name": "made.localhost"})[:2] == (400, 1061)
    assert api.refusal("POST", "/zones", json={"name": "no domain"})[:2] == (400, 1049)
    api.result("DELETE", f"/zones/{made['id']}")
    assert api.refusal("GET", f"/zones/{made['id']}")[0] == 404


def test_the_accounts_subdomain_can_be_changed(api: Client) -> None:
    put(api, "named")
    host = api.enable("named")
    assert api.result("GET", "~/workers/subdomain") == {"subdomain": "oracle"}
    api.result("PUT", "~/workers/subdomain", json={"subdomain": "delphi"})
    assert (api.get(host).status_code, api.get("named.delphi.workers.localhost").text) == (404, "named")
    assert api.refusal("PUT", "~/workers/subdomain", json={"subdomain": "no good"})[:2] == (400, 10030)
    api.result("PUT", "~/workers/subdomain", json={"subdomain": "oracle"})
    assert api.get(host).text == "named"


def test_a_custom_domain_is_created_served_and_deleted(api: Client) -> None:
    put(api, "dom")
    [zone] = api.result("GET", "/zones?name=oraclenet.localhost")
    wanted = {"hostname": "www.oraclenet.localhost", "service": "dom"}
    made = api.result("PUT", DOMAINS, json=wanted)
    assert set(made) == {"id", "hostname", "service", "environment", "zone_id", "zone_name", "cert_id"}
    assert (made["environment"], made["zone_id"], made["zone_name"]) == ("production", zone["id"], zone["name"])
    assert api.result("PUT", DOMAINS, json=wanted | {"zone_id": zone["id"], "zone_name": zone["name"]}) == made
    assert api.result("GET", f"{DOMAINS}/{made['id']}") == made
    assert api.result("GET", f"{DOMAINS}?hostname=www.oraclenet.localhost") == [made]
    assert api.get("www.oraclenet.localhost").text == "dom"
    assert api.result("DELETE", f"{DOMAINS}/{made['id']}") is None
    assert api.get("www.oraclenet.localhost").status_code == 404
    for method in ("GET", "DELETE"):
        assert api.refusal(method, f"{DOMAINS}/{made['id']}")[:2] == (404, 100114)


def test_invalid_custom_domains_are_refused(api: Client) -> None:
    put(api, "one")
    put(api, "two")
    [zone] = api.result("GET", "/zones?name=oraclenet.localhost")
    wanted = {"hostname": "clash.oraclenet.localhost", "service": "one"}
    record = {"type": "A", "name": "clash.oraclenet.localhost", "content": "192.0.2.1"}
    kept = api.result("POST", f"/zones/{zone['id']}/dns_records", json=record)
    status, code, message = api.refusal("PUT", DOMAINS, json=wanted)
    assert (status, code, "externally managed DNS records" in message) == (409, 100117, True)
    api.result("DELETE", f"/zones/{zone['id']}/dns_records/{kept['id']}")
    api.result("PUT", DOMAINS, json=wanted)
    assert api.refusal("PUT", DOMAINS, json=wanted | {"service": "two"})[:2] == (409, 100116)
    moved = api.result("PUT", DOMAINS, json=wanted | {"service": "two", "override_existing_origin": True})
    assert (moved["service"], api.get("clash.oraclenet.localhost").text) == ("two", "two")
    assert api.refusal("PUT", DOMAINS, json=wanted | {"hostname": "www.elsewhere.test"})[:2] == (400, 100115)
    assert (
        api.refusal("PUT", DOMAINS, json=wanted | {"hostname": "x.oraclenet.localhost", "service": "gone"})[1] == 10007
    )


def test_the_domain_of_a_deleted_worker_is_free(api: Client) -> None:
    put(api, "leaving")
    api.result("PUT", DOMAINS, json={"hostname": "bye.oraclenet.localhost", "service": "leaving"})
    api.result("DELETE", "~/workers/scripts/leaving")
    assert api.result("GET", f"{DOMAINS}?hostname=bye.oraclenet.localhost") == []
    assert api.get("bye.oraclenet.localhost").status_code == 404


def test_a_route_is_created_served_and_deleted(api: Client) -> None:
    put(api, "routed")
    put(api, "other")
    [zone] = api.result("GET", "/zones?name=oraclenet.localhost")
    path = f"/zones/{zone['id']}/workers/routes"
    made = api.result("POST", path, json={"pattern": "route.oraclenet.localhost/*", "script": "routed"})
    assert set(made) == {"id", "pattern", "script"}
    assert api.get("route.oraclenet.localhost").text == "routed"
    assert api.refusal("POST", path, json={"pattern": made["pattern"], "script": "other"})[:2] == (409, 10020)
    changed = api.result("PUT", f"{path}/{made['id']}", json={"pattern": made["pattern"], "script": "other"})
    assert (changed["id"], api.get("route.oraclenet.localhost").text) == (made["id"], "other")
    api.result("DELETE", f"{path}/{made['id']}")
    assert api.get("route.oraclenet.localhost").status_code == 404
    assert api.refusal("GET", f"{path}/{made['id']}")[:2] == (404, 10009)


@pytest.mark.parametrize(
    "pattern, script, code",
    [
        ("*.oraclenet.localhost/*", "routed", 10022),
        ("a.oraclenet.localhost/part/*", "routed", 10022),
        ("a.elsewhere.test/*", "routed", 10022),
        ("a.oraclenet.localhost/*", "gone", 10019),
    ],
)
def test_invalid_routes_are_refused(api: Client, pattern: str, script: str, code: int) -> None:
    put(api, "routed")
    [zone] = api.result("GET", "/zones?name=oraclenet.localhost")
    wanted = {"pattern": pattern, "script": script}
    assert api.refusal("POST", f"/zones/{zone['id']}/workers/routes", json=wanted)[1] == code
