"""The beta API of Workers: a Worker as an object with an id, created, deployed and deleted as the provider does it."""

from __future__ import annotations

import base64
from typing import Any

from tests.localcloud.cloudflare.service import ESM, Client

WORKERS = "~/workers/workers"
CODE = 'export default { fetch: (request, env) => new Response("WORD " + env.VAR) };'


def version(word: str, **more: Any) -> Any:
    module = {
        "name": "worker.js",
        "content_type": ESM,
        "content_base64": base64.b64encode(CODE.replace("WORD", word).encode()).decode(),
    }
    bindings = [{"name": "VAR", "text": "v", "type": "plain_text"}, {"name": "S", "text": "s", "type": "secret_text"}]
    base = {"main_module": "worker.js", "modules": [module], "bindings": bindings, "compatibility_date": "2025-06-01"}
    return base | more


def test_a_worker_gets_versions_and_a_deployment(api: Client) -> None:
    wanted = {"name": "object", "logpush": False, "tags": ["a"], "subdomain": {"enabled": True}, "tail_consumers": []}
    made = api.result("POST", WORKERS, json=wanted)
    assert (made["name"], made["tags"], made["deployed_on"], made["subdomain"]["enabled"]) == (
        "object",
        ["a"],
        None,
        True,
    )
    assert api.result("GET", f"{WORKERS}/{made['id']}") == api.result("GET", f"{WORKERS}/object") == made
    assert api.get("object.oracle.workers.localhost").status_code == 503
    first = api.result("POST", f"{WORKERS}/{made['id']}/versions", json=version("one"))
    assert (first["number"], first["bindings"][0]) == (1, {"name": "S", "type": "secret_text"})
    second = api.result("POST", f"{WORKERS}/object/versions", json=version("two"))
    read = api.result("GET", f"{WORKERS}/{made['id']}/versions/{second['id']}?include=modules")
    assert read == second
    assert base64.b64decode(read["modules"][0]["content_base64"]).decode() == CODE.replace("WORD", "two")
    assert [entry["number"] for entry in api.result("GET", f"{WORKERS}/object/versions")] == [2, 1]
    shares = [{"version_id": first["id"], "percentage": 100}]
    api.result("POST", "~/workers/scripts/object/deployments", json={"strategy": "percentage", "versions": shares})
    assert api.get("object.oracle.workers.localhost").text == "one v"
    changed = api.result("PUT", f"{WORKERS}/{made['id']}", json=wanted | {"subdomain": {"enabled": False}})
    assert (changed["subdomain"]["enabled"], changed["deployed_on"] is None) == (False, False)
    api.result("DELETE", f"{WORKERS}/{made['id']}")
    assert api.refusal("GET", f"{WORKERS}/{made['id']}")[:2] == (404, 10007)


def test_invalid_requests_are_refused(api: Client) -> None:
    api.result("POST", WORKERS, json={"name": "strict"})
    assert api.refusal("POST", WORKERS, json={"name": "strict"})[:2] == (400, 10021)
    assert api.refusal("POST", WORKERS, json={"name": "Strict"})[:2] == (400, 10016)
    assert api.refusal("POST", WORKERS, json={"name": "x", "colour": 1})[:2] == (400, 10026)
    assert api.refusal("PUT", f"{WORKERS}/strict", json={"name": "renamed"})[:2] == (400, 10021)
    assert api.refusal("POST", f"{WORKERS}/none/versions", json=version("x"))[:2] == (404, 10007)
    path = f"{WORKERS}/strict/versions"
    assert api.refusal("POST", path, json=version("x", main_module="y.js"))[:2] == (400, 10021)
    assert api.refusal("POST", path, json=version("x", modules=[{"name": "worker.js"}]))[:2] == (400, 10026)
    assert api.refusal("GET", f"{path}/00000000-0000-4000-8000-000000000000")[:2] == (404, 100146)
    assert api.refusal("GET", "~/workers/scripts/strict/settings")[:2] == (404, 10222)
    assert "strict" in [script["id"] for script in api.result("GET", "~/workers/scripts")]
