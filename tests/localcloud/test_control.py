"""The local cloud's own endpoints: faults, request log, image store."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import httpx
import pytest

from tests.localcloud.account import REPOSITORY, Account, image


def test_every_endpoint_except_health_needs_the_token(account: Account) -> None:
    base = account.cloud.url
    assert account.edge.get(base + "/_cloud/health").status_code == 200
    for method, path in (
        ("GET", "faults"),
        ("POST", "faults"),
        ("GET", "requests"),
        ("PUT", "images/sha256:0"),
        ("POST", "workers/x/scheduled"),
    ):
        answer = account.edge.request(method, f"{base}/_cloud/{path}")
        assert answer.status_code == 401
        assert "tokens.json" in answer.json()["error"]


@pytest.mark.parametrize(
    "status, identifier", [(429, "too_many_requests"), (500, "server_error"), (503, "service_unavailable")]
)
def test_a_fault_fails_the_requested_number_of_answers(account: Account, status: int, identifier: str) -> None:
    account.fault(method="GET", path="/v2/apps*", count=2, status=status)
    for _ in range(2):
        answer = account.http.get("/v2/apps")
        assert (answer.status_code, answer.json()["id"]) == (status, identifier)
        assert account.http.post("/v2/apps", json={}).status_code == 400
    assert account.http.get("/v2/apps").status_code == 200
    assert account.http.get("/_cloud/faults").json() == {"requests": [], "steps": [], "latencies": []}


def test_a_fault_can_skip_the_first_requests(account: Account) -> None:
    account.fault(method="GET", path="/v2/account", skip=2, count=2, status=503)
    assert account.http.get("/v2/apps").status_code == 200
    assert account.http.request("HEAD", "/v2/account").status_code != 503
    seen = [account.http.get("/v2/account").status_code for _ in range(5)]
    assert seen == [200, 200, 503, 503, 200]


def test_faults_for_the_same_request_are_counted_separately(account: Account) -> None:
    account.fault(path="/v2/account", skip=2, status=503)
    account.fault(path="/v2/account", skip=1, status=429)
    assert account.http.get("/_cloud/faults").json()["requests"][0]["skip"] == 2
    seen = [account.http.get("/v2/account").status_code for _ in range(4)]
    assert seen == [200, 429, 503, 200]


def test_a_fault_can_have_a_body_and_headers(account: Account) -> None:
    account.fault(path="/v2/account", status=429, body={"id": "mine"}, headers={"retry-after": "7"})
    answer = account.http.get("/v2/account")
    assert answer.json() == {"id": "mine"}
    assert answer.headers["retry-after"] == "7"


def test_a_fault_of_the_cloudflare_api_has_its_envelope(account: Account) -> None:
    account.fault(path="/client/v4/*", status=500)
    answer = account.http.get("/client/v4/accounts")
    assert answer.status_code == 500
    assert answer.json()["success"] is False
    assert answer.json()["errors"][0]["code"] == 10500


def test_a_fault_can_drop_the_connection(account: Account) -> None:
    account.fault(path="/v2/account", drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        account.http.get("/v2/account")
    assert account.http.get("/v2/account").status_code == 200


def test_answers_are_sent_without_delay(account: Account) -> None:
    """Header and body are two writes; with Nagle's algorithm the second would wait 40 ms for an acknowledgement."""
    spent = []
    for _ in range(60):  # a new connection is acknowledged at once for its first few packets
        started = time.perf_counter()
        account.http.get("/v2/account")
        spent.append(time.perf_counter() - started)
    assert sorted(spent)[40] < 0.03


def test_a_delayed_answer_is_the_real_one(account: Account) -> None:
    account.fault(path="/v2/account", delay=0.4)
    started = time.monotonic()
    assert account.http.get("/v2/account").status_code == 200
    assert time.monotonic() - started >= 0.4


def test_a_latency_lasts_until_it_is_cleared(account: Account) -> None:
    account.fault(latency={"path": "/v2/*", "seconds": 0.2})
    for _ in range(2):
        started = time.monotonic()
        account.http.get("/v2/account")
        assert time.monotonic() - started >= 0.2
    account.clear_faults()
    assert account.http.get("/_cloud/faults").json()["latencies"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonsense": 1},
        {"app": "x", "step": "nonsense"},
        {"app": "x", "step": "build", "colour": 1},
        {"step": "build"},
        {"latency": {"path": "/x"}},
        {"latency": {"path": "/x", "seconds": "slow"}},
        {"path": "/x", "status": "500"},
        {"path": "/x", "count": 0},
        {"path": "/x", "skip": -1},
        {"path": "/x", "skip": True},
        {"path": "/x", "skip": 0.0},
        {"path": "/x", "delay": -1},
        {"path": 5},
        5,
    ],
)
def test_an_invalid_fault_is_refused(account: Account, wrong: Any) -> None:
    answer = account.http.post("/_cloud/faults", json=wrong)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert account.http.get("/_cloud/faults").json() == {"requests": [], "steps": [], "latencies": []}


def test_several_faults_are_accepted_all_or_none(account: Account) -> None:
    good = {"path": "/v2/nothing", "status": 500}
    assert account.http.post("/_cloud/faults", json=[good, {"nonsense": 1}]).status_code == 400
    assert account.http.get("/_cloud/faults").json()["requests"] == []
    account.http.post("/_cloud/faults", json=[good, good])
    assert len(account.http.get("/_cloud/faults").json()["requests"]) == 2


def test_the_request_log_has_no_bodies_queries_or_tokens(account: Account) -> None:
    account.http.delete("/_cloud/requests")
    account.http.get("/v2/apps?page=7")
    account.http.post("/v2/apps", json={"spec": {"name": "log-me"}})
    account.fault(path="/v2/account", drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        account.http.get("/v2/account")
    answer = account.http.get("/_cloud/requests")
    seen = [(each["method"], each["path"], each["status"]) for each in answer.json()["requests"]]
    assert seen == [("GET", "/v2/apps", 200), ("POST", "/v2/apps", 400), ("GET", "/v2/account", 0)]
    assert "page=7" not in answer.text
    assert "log-me" not in answer.text
    assert all(each["ms"] >= 0 for each in answer.json()["requests"])


def put(account: Account, digest: str, content: bytes, **query: str) -> httpx.Response:
    return account.http.put(f"/_cloud/images/{digest}", params=query, content=content)


def test_a_cron_trigger_can_be_run_on_request(account: Account) -> None:
    base = f"/client/v4/accounts/{account.cloud.tokens.account_id}/workers/scripts/by-hand"
    own = {"authorization": f"Bearer {account.cloud.tokens.cloudflare}"}
    code = """export default { scheduled(controller) {
      if (controller.cron !== "1 2 * * *" || controller.scheduledTime !== 1750000000000) throw new Error("other");
    } };"""
    form: dict[str, Any] = {
        "metadata": (None, json.dumps({"main_module": "w.js", "compatibility_date": "2025-06-01"})),
        "w.js": ("w.js", code, "application/javascript+module"),
    }
    assert account.http.put(base, files=form, headers=own).status_code == 200
    path = "/_cloud/workers/by-hand/scheduled"
    good = account.http.post(path, params={"cron": "1 2 * * *", "time": "1750000000000"})
    assert (good.status_code, good.json()) == (200, {"outcome": "ok"})
    assert account.http.post(path, params={"cron": "3 4 * * *"}).json() == {"outcome": "exception"}
    assert account.http.post(path, params={"time": "noon"}).status_code == 400
    missing = account.http.post("/_cloud/workers/nobody/scheduled")
    assert (missing.status_code, "nobody" in missing.json()["error"]) == (404, True)
    assert account.http.delete(base, headers=own).status_code == 200


def test_an_image_is_stored_once_and_found_by_digest_and_repository(account: Account) -> None:
    digest, packed = image({"run.sh": "#!/bin/sh\n"}, ["./run.sh"])
    path = f"/_cloud/images/{digest}"
    assert account.http.head(path).status_code == 404
    for _ in range(2):
        answer = put(account, digest, packed, repository=REPOSITORY)
        assert answer.json() == {"digest": digest, "repository": REPOSITORY, "size": len(packed)}
    assert account.http.head(path).status_code == 200
    assert account.http.head(path, params={"repository": REPOSITORY}).status_code == 200
    assert account.http.head(path, params={"repository": "other"}).status_code == 404


def test_an_invalid_image_is_refused_and_not_stored(account: Account) -> None:
    before = sorted((account.cloud.root / "images").iterdir())
    digest, packed = image({"a": "1"}, ["./a"])
    without, empty = image({"a": "1"}, [])
    junk = b"not a tar"
    wrong = [
        (digest, packed + b"x", 422),
        ("sha256:12", packed, 422),
        ("sha256:" + hashlib.sha256(junk).hexdigest(), junk, 422),
        (without, empty, 422),
    ]
    for name, content, status in wrong:
        answer = put(account, name, content, repository=REPOSITORY)
        assert answer.status_code == status
        assert answer.json()["error"]
    assert put(account, digest, packed).status_code == 400
    assert sorted((account.cloud.root / "images").iterdir()) == before


def test_an_image_with_paths_outside_of_it_is_not_run(account: Account) -> None:
    digest = account.push({"../../escaped.txt": "x", "run.sh": "#!/bin/sh\n"}, ["./run.sh"])
    app = account.create(account.spec("escape", digest=digest))
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert "cannot be unpacked" in account.log(app["id"], failed["id"], "DEPLOY")
    assert not list(account.cloud.root.rglob("escaped.txt"))


def test_a_command_that_cannot_run_fails_the_deployment(account: Account) -> None:
    digest = account.push({"run.sh": "#!/nowhere/sh\n"}, ["./run.sh"])
    app = account.create(account.spec("no-shell", digest=digest))
    failed = account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    assert "cannot run './run.sh'" in account.log(app["id"], failed["id"], "DEPLOY")
