"""The local cloud's web page: access to it, its contents, and their live updates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.requests import Request

from localcloud.console_page.entrance import Entrance
from localcloud.vault import Vault
from tests.localcloud.account import Account
from tests.support.browser import Scheme, Visit, expect, visit
from tests.support.cloud import RunningCloud
from tests.support.http import NO_TLS, ask
from tests.support.looks import overflow, overlaps
from tests.support.waiting import until

if TYPE_CHECKING:  # importing it takes a while, in every process that collects the tests
    from playwright.sync_api import Browser, Page

Json = Any
PASSWORD, TOKEN = "app-secret-9f2c", "worker-secret-77ab"
WORKER = """export default { async fetch(request, env) {
  console.log(`asked for ${new URL(request.url).pathname} with ${env.TOKEN}`);
  console.error("<img src=x onerror=alert(1)>");
  return new Response("ok");
} };"""


@pytest.fixture(scope="module")
def network(account: Account) -> Json:
    """An app and a Worker with secrets, and an app whose name is as odd as names may be and that does not start."""
    envs = [
        {"key": "GREETING", "value": "</script><b>hello", "type": "GENERAL"},
        {"key": "PASSWORD", "value": PASSWORD, "type": "SECRET"},
    ]
    app = account.up("console-app", app_envs=envs)
    broken = account.create(account.spec("broken-app", app_envs=[{"key": "BROKEN", "value": "start"}]))
    account.wait(broken["id"], broken["pending_deployment"]["id"], "ERROR")
    upload_worker(account.cloud, "console-worker")
    return app


def upload_worker(cloud: RunningCloud, name: str) -> None:
    tokens = cloud.tokens
    script = f"{cloud.url}/client/v4/accounts/{tokens.account_id}/workers/scripts/{name}"
    bindings = [
        {"type": "plain_text", "name": "API_URL", "text": "http://api.localhost"},
        {"type": "secret_text", "name": "TOKEN", "text": TOKEN},
        {"type": "json", "name": "LIMITS", "json": {"posts": 3}},
    ]
    metadata = {"main_module": "w.js", "compatibility_date": "2025-06-01", "bindings": bindings}
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "w.js": ("w.js", WORKER, "application/javascript+module"),
    }
    assert ask("PUT", script, token=tokens.cloudflare, files=files).status_code == 200
    assert ask("POST", f"{script}/subdomain", token=tokens.cloudflare, json={"enabled": True}).status_code == 200


@pytest.fixture
def code(account: Account) -> str:
    return way_in(account).partition("#")[2]


def way_in(account: Account) -> str:
    answer = account.http.post("/_cloud/page/codes")
    assert answer.status_code == 201
    return str(answer.json()["address"])


def exchange(cloud: RunningCloud, code: str, **headers: str) -> httpx.Response:
    return ask("POST", f"{cloud.url}/_cloud/page/sessions", content=code, headers=headers)


@pytest.fixture
def session(account: Account) -> str:
    return str(exchange(account.cloud, way_in(account).partition("#")[2]).json()["session"])


def state(cloud: RunningCloud, session: str, **headers: str) -> httpx.Response:
    return ask("GET", f"{cloud.url}/_cloud/page/state", token=session, headers=headers)


# --- who is let in


def test_an_access_code_works_only_once(cloud: RunningCloud, code: str) -> None:
    first = exchange(cloud, code)
    assert first.status_code == 201
    assert state(cloud, first.json()["session"]).status_code == 200
    again = exchange(cloud, code)
    assert again.status_code == 401
    assert "oracle cloud console" in again.json()["error"]


def test_codes_and_sessions_expire(tmp_path: Path) -> None:
    now = [1000.0]
    entrance = Entrance(Vault.at(tmp_path / "key"), 8400, lambda: now[0])
    early, late = entrance.code(), entrance.code()
    now[0] += 119
    session = entrance.session(early)
    now[0] += 2
    assert session is not None
    assert entrance.session(late) is None
    request = Request({"type": "http", "headers": [(b"authorization", f"Bearer {session}".encode())]})
    assert entrance.admits(request)
    now[0] += 12 * 3600
    assert not entrance.admits(request)


@pytest.mark.parametrize("wrong", ["", "x", "x" * 100_000, "\x00", "é"])
def test_an_invalid_code_is_refused(cloud: RunningCloud, wrong: str) -> None:
    assert exchange(cloud, wrong).status_code == 401


def test_codes_are_issued_only_to_holders_of_the_token(cloud: RunningCloud, session: str) -> None:
    for token in ("", "wrong", session, cloud.tokens.cloudflare):
        assert ask("POST", f"{cloud.url}/_cloud/page/codes", token=token).status_code == 401


def test_a_session_opens_only_the_page(account: Account, cloud: RunningCloud, session: str) -> None:
    for method, path in (
        ("GET", "/v2/apps"),
        ("GET", "/_cloud/faults"),
        ("GET", "/_cloud/requests"),
        ("GET", "/client/v4/accounts"),
        ("POST", "/_cloud/page/codes"),
    ):
        assert ask(method, f"{cloud.url}{path}", token=session).status_code in (401, 403), path
    assert state(cloud, cloud.tokens.digitalocean).status_code == 401
    assert state(cloud, "").status_code == 401
    assert state(cloud, session[:-2] + "AA").status_code == 401


def test_the_token_of_a_log_address_is_not_a_session(account: Account, cloud: RunningCloud, network: Json) -> None:
    """The same key seals both, for different purposes."""
    active = network["active_deployment"]["id"]
    answer = account.http.get(f"/v2/apps/{network['id']}/deployments/{active}/logs", params={"type": "RUN"}).json()
    assert state(cloud, answer["live_url"].partition("token=")[2]).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.evil.example:{port}"])
def test_a_request_with_a_foreign_host_name_is_refused(cloud: RunningCloud, session: str, code: str, host: str) -> None:
    there = host.format(port=cloud.port)
    assert state(cloud, session, host=there).status_code == 403
    assert exchange(cloud, code, host=there).status_code == 403
    assert ask("GET", f"{cloud.url}/", headers={"host": there}).status_code == 403
    assert exchange(cloud, code).status_code == 201  # a refused try has not spent it


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_request_from_another_origin_is_refused(
    cloud: RunningCloud, session: str, code: str, headers: dict[str, str]
) -> None:
    assert state(cloud, session, **headers).status_code == 403
    assert exchange(cloud, code, **headers).status_code == 403


def test_a_request_from_the_page_itself_is_accepted(cloud: RunningCloud, session: str) -> None:
    own = {"origin": cloud.url, "sec-fetch-site": "same-origin"}
    assert state(cloud, session, **own).status_code == 200
    assert state(cloud, session, host=f"localhost:{cloud.port}").status_code == 200


def test_the_page_contains_no_data_and_loads_nothing_from_elsewhere(cloud: RunningCloud, network: Json) -> None:
    answer = ask("GET", f"{cloud.url}/")
    assert answer.status_code == 200
    assert "console-app" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "/* page" not in answer.text


# --- what is shown


def test_secrets_are_never_shown(account: Account, cloud: RunningCloud, network: Json, session: str) -> None:
    account.edge.get("/x", headers={"host": f"console-worker.oracle.workers.localhost:{cloud.edge_port}"})
    shown = state(cloud, session)
    assert "EV[" not in shown.text
    (worker,) = [each for each in shown.json()["workers"] if each["name"] == "console-worker"]
    assert worker["bindings"] == [
        {"name": "API_URL", "kind": "plain_text", "secret": False, "value": "http://api.localhost"},
        {"name": "LIMITS", "kind": "json", "secret": False, "value": '{"posts": 3}'},
        {"name": "TOKEN", "kind": "secret_text", "secret": True, "value": ""},
    ]
    (app,) = [each for each in shown.json()["apps"] if each["name"] == "console-app"]
    assert app["envs"][1] == {"name": "PASSWORD", "kind": "", "secret": True, "value": ""}
    account.get(network, f"/print?{PASSWORD}")
    logs = log_until(cloud, session, "workers/console-worker", "asked for /x with ********")
    logs += log_until(cloud, session, f"apps/{app['id']}/{app['deployments'][0]['id']}/run", "********")
    for secret in (PASSWORD, TOKEN):
        assert secret not in shown.text
        assert secret not in logs


def log_until(cloud: RunningCloud, session: str, path: str, words: str) -> str:
    """What the log shows up to where the words have come; it is followed, so it has no end."""
    text = ""
    headers = {"authorization": f"Bearer {session}"}
    with (
        httpx.Client(trust_env=False, timeout=20, verify=NO_TLS) as http,
        http.stream("GET", f"{cloud.url}/_cloud/page/logs/{path}", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        for piece in answer.iter_text():
            text += piece
            if words in text:
                return text
    raise AssertionError(f"the log ended without {words}: {text}")


def test_a_failed_deployment_is_shown_with_its_error_and_logs(cloud: RunningCloud, network: Json, session: str) -> None:
    (app,) = [each for each in state(cloud, session).json()["apps"] if each["name"] == "broken-app"]
    (deployment,) = app["deployments"]
    assert (app["serves"], app["addresses"], deployment["phase"]) == (False, [], "ERROR")
    assert "status 7" in deployment["error"]
    assert not any(deployment["logs"].values())


@pytest.mark.parametrize(
    "path",
    ["apps/x/y/run", "apps/{app}/y/run", "apps/{app}/{deployment}/..", "apps/{app}/{deployment}/nonsense", "workers/x"],
)
def test_a_missing_log_answers_404(cloud: RunningCloud, network: Json, session: str, path: str) -> None:
    there = path.format(app=network["id"], deployment=network["active_deployment"]["id"])
    answer = ask("GET", f"{cloud.url}/_cloud/page/logs/{there}", token=session)
    assert answer.status_code == 404


def test_requests_are_listed_once_and_without_queries(
    account: Account, cloud: RunningCloud, network: Json, session: str
) -> None:
    def since(before: Json) -> Json:
        after = f"?requests={before['requests']['last']}&edge={before['edge']['last']}" if before else ""
        return ask("GET", f"{cloud.url}/_cloud/page/state{after}", token=session).json()

    before = since(None)
    account.http.get("/v2/account?secret=query")
    account.get(network, "/hello?secret=query")
    fresh = until(lambda: found if (found := since(before))["edge"]["entries"] else None, "the edge has told")
    assert [(each["method"], each["path"], each["status"]) for each in fresh["requests"]["entries"]] == [
        ("GET", "/v2/account", 200)
    ]
    (passed,) = fresh["edge"]["entries"]
    assert (passed["method"], passed["path"], passed["status"]) == ("GET", "/hello", 200)
    assert "console-app" in passed["host"]
    assert "query" not in json.dumps(fresh)
    again = since(fresh)
    assert again["requests"]["entries"] == again["edge"]["entries"] == []
    assert since({"requests": {"last": 10**9}, "edge": {"last": 10**9}})["requests"]["entries"]  # of another start


# --- as a person sees it


@pytest.fixture
def seen(request: pytest.FixtureRequest, browser: Browser, account: Account, network: Json) -> Iterator[Visit]:
    size: str
    scheme: Scheme
    size, scheme = getattr(request, "param", ("desktop", "light"))
    with visit(browser, size, scheme) as opened:
        asked: list[str] = []
        opened.page.on("request", lambda request: asked.append(request.url))
        opened.page.goto(way_in(account))
        expect(opened.page.locator("#apps article")).to_have_count(2)
        yield opened
        assert [url for url in asked if not url.startswith((account.cloud.url, "data:"))] == []


def follow(page: Page, card: str, button: str) -> None:
    page.locator("article", has_text=card).get_by_role("button", name=button, exact=True).first.click()


@pytest.mark.browser
@pytest.mark.parametrize("seen", [("desktop", "light"), ("phone", "dark")], indirect=True, ids=["desktop", "phone"])
def test_the_page_is_readable_on_desktop_and_phone(seen: Visit, account: Account) -> None:
    page = seen.page
    for each in page.locator("details").all():
        each.locator("summary").click()
    expect(page.locator("#log")).to_contain_text("starting </script><b>hello")
    expect(page.locator("#lines tr").first).to_be_visible()
    expect(page.get_by_text("•••••• secret")).to_have_count(2)
    expect(page.locator("article", has_text="broken-app")).to_contain_text("ended with status 7")
    seen.screenshot(f"cloud-{page.viewport_size['width'] if page.viewport_size else ''}")
    assert overflow(page) <= 0
    assert overlaps(page) == []
    assert seen.problems == []
    assert page.url == f"{account.cloud.url}/"  # the code has left the address


@pytest.mark.browser
@pytest.mark.slow
def test_new_events_appear_on_the_open_page(seen: Visit, account: Account, network: Json) -> None:
    page = seen.page
    follow(page, "console-app", "run")
    expect(page.locator("#log")).to_contain_text("starting")
    account.get(network, "/print?it-came-while-we-looked")
    expect(page.locator("#log")).to_contain_text("it-came-while-we-looked")
    expect(page.locator("#lines")).to_contain_text("/print")
    follow(page, "console-worker", "console")
    account.edge.get("/live", headers={"host": f"console-worker.oracle.workers.localhost:{account.cloud.edge_port}"})
    expect(page.locator("#log")).to_contain_text("asked for /live with ********")
    expect(page.locator("#log")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#log img").count() == 0
    again = account.http.post(f"/v2/apps/{network['id']}/deployments", json={}).json()["deployment"]
    card = page.locator("article", has_text="console-app")
    expect(card.locator(".deployments li")).to_have_count(2)
    account.wait(network["id"], again["id"], "ACTIVE")
    expect(card.locator(".deployments li").first.locator(".badge")).to_have_text("ACTIVE")
    expect(card.locator(".deployments li").nth(1).locator(".badge")).to_have_text("SUPERSEDED")
    assert seen.problems == []


@pytest.mark.browser
def test_without_a_code_the_page_shows_how_to_get_one(browser: Browser, cloud: RunningCloud) -> None:
    with visit(browser, "phone") as seen:
        seen.page.goto(f"{cloud.url}/")
        expect(seen.page.get_by_text("oracle cloud console")).to_be_visible()
        assert seen.problems == []
        assert overflow(seen.page) <= 0


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_reconnects_after_a_restart(browser: Browser, own_cloud: RunningCloud) -> None:
    with Account(own_cloud) as account, visit(browser, "phone") as seen:
        seen.page.goto(way_in(account))
        expect(seen.page.get_by_text("No app runs.")).to_be_visible()
        own_cloud.stop()
        expect(seen.page.locator("#trouble")).to_contain_text("oracle cloud start")
        assert overlaps(seen.page) == []
        own_cloud.start()
        expect(seen.page.locator("#trouble")).to_be_hidden()
        account.http.get("/v2/account")
        expect(seen.page.locator("#lines")).to_contain_text("/account")
        seen.page.reload()
        expect(seen.page.get_by_text("No app runs.")).to_be_visible()  # the same session
