"""KV namespaces: the API's rules, and values that Workers and the API see alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.cloudflare import namespaces
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.service import Client, Running

PATH = "~/storage/kv/namespaces"
CODE = """
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const key = decodeURIComponent(pathname.slice(1));
    if (request.method === "PUT") await env.CACHE.put(key, request.body, { metadata: { by: "worker" } });
    if (request.method === "DELETE") await env.CACHE.delete(key);
    if (searchParams.has("list")) return Response.json(await env.CACHE.list({ prefix: searchParams.get("list") }));
    return Response.json(await env.CACHE.getWithMetadata(key));
  },
};
"""


def bind(namespace: str, name: str = "CACHE") -> dict[str, str]:
    return {"type": "kv_namespace", "name": name, "namespace_id": namespace}


def make(api: Client, title: str) -> str:
    identifier: str = api.result("POST", PATH, json={"title": title})["id"]
    return identifier


def test_a_namespace_is_created_renamed_and_deleted(api: Client) -> None:
    made = api.result("POST", PATH, json={"title": "life"})
    assert (made["title"], made["supports_url_encoding"], len(made["id"])) == ("life", True, 32)
    one = f"{PATH}/{made['id']}"
    assert api.result("GET", one) == made
    assert made in api.result("GET", PATH)
    assert api.refusal("POST", PATH, json={"title": "life"})[:2] == (400, 10014)
    assert api.refusal("POST", PATH, json={})[:2] == (400, 10019)
    assert api.result("PUT", one, json={"title": "life"})["title"] == "life"
    assert api.result("PUT", one, json={"title": "afterlife"})["title"] == "afterlife"
    assert api.result("DELETE", one) is None
    for method, path in (("GET", one), ("DELETE", one), ("GET", f"{one}/keys"), ("GET", f"{one}/values/x")):
        assert api.refusal(method, path)[:2] == (404, 10013)
    assert api.refusal("PUT", f"{one}/values/x", content=b"y")[:2] == (404, 10013)


def test_namespaces_are_listed_in_pages(api: Client) -> None:
    titles = [f"page-{number}" for number in range(3)]
    for title in titles:
        make(api, title)
    answer = api("GET", PATH, params={"per_page": 2, "page": 1, "order": "title", "direction": "desc"}).json()
    assert [each["title"] for each in answer["result"]] == ["page-2", "page-1"]
    assert answer["result_info"]["count"] == 2


def test_values_have_metadata_and_an_expiration(api: Client) -> None:
    one = f"{PATH}/{make(api, 'values')}"
    api.result("PUT", f"{one}/values/plain", content=b"\x00\xff")
    assert api("GET", f"{one}/values/plain").content == b"\x00\xff"
    form = {"value": (None, "text"), "metadata": (None, '{"a": [1]}')}
    api.result("PUT", f"{one}/values/folder%2Fa%20b", files=form, params={"expiration_ttl": 3600})
    answer = api("GET", f"{one}/values/folder%2Fa%20b")
    assert (answer.text, answer.headers["expiration"].isdigit()) == ("text", True)
    assert api.result("GET", f"{one}/metadata/folder%2Fa%20b") == {"a": [1]}
    assert api.result("GET", f"{one}/metadata/plain") is None
    listed = api.result("GET", f"{one}/keys", params={"prefix": "folder/"})
    assert [(key["name"], key["metadata"]) for key in listed] == [("folder/a b", {"a": [1]})]
    api.result("DELETE", f"{one}/values/plain")
    assert api.refusal("GET", f"{one}/values/plain") == (404, 10009, "get: 'key not found'")
    assert api.refusal("GET", f"{one}/metadata/plain")[:2] == (404, 10009)
    assert api.refusal("PUT", f"{one}/values/x", content=b"", params={"expiration_ttl": 5})[:2] == (400, 10034)


def test_many_keys_are_written_and_deleted_at_once(api: Client) -> None:
    one = f"{PATH}/{make(api, 'bulk')}"
    entries = [{"key": f"k{number}", "value": str(number), "metadata": {"n": number}} for number in range(3)]
    done = api.result("PUT", f"{one}/bulk", json=[*entries, {"key": "b", "value": "AP8=", "base64": True}])
    assert done["successful_key_count"] == 4
    assert api("GET", f"{one}/values/b").content == b"\x00\xff"
    read = api.result("POST", f"{one}/bulk/get", json={"keys": ["k1", "none"], "type": "json", "withMetadata": True})
    assert read["values"] == {"k1": {"value": 1, "metadata": {"n": 1}}, "none": None}
    first = api("GET", f"{one}/keys", params={"limit": 2}).json()
    assert [key["name"] for key in first["result"]] == ["b", "k0"]
    cursor = first["result_info"]["cursor"]
    rest = api("GET", f"{one}/keys", params={"limit": 2, "cursor": cursor}).json()
    assert ([key["name"] for key in rest["result"]], rest["result_info"]["cursor"]) == (["k1", "k2"], "")
    api.result("POST", f"{one}/bulk/delete", json=["k0", "k1", "b"])
    assert [key["name"] for key in api.result("GET", f"{one}/keys")] == ["k2"]
    assert api.refusal("PUT", f"{one}/bulk", json={"key": "x"})[:2] == (400, 10012)


def test_a_worker_and_the_api_see_the_same_values(api: Client) -> None:
    namespace, other = make(api, "shared"), make(api, "not-shared")
    api.put("kv", CODE, bindings=[bind(namespace)])
    host = api.enable("kv")
    api.result("PUT", f"{PATH}/{namespace}/values/from-api", content=b"one")
    assert api.get(host, "/from-api").json()["value"] == "one"
    assert api.get(host, "/a%2Fb", "PUT", content=b"two").json()["metadata"] == {"by": "worker"}
    assert api("GET", f"{PATH}/{namespace}/values/a%2Fb").text == "two"
    assert api.refusal("GET", f"{PATH}/{other}/values/a%2Fb")[:2] == (404, 10009)
    assert [key["name"] for key in api.get(host, "/?list=").json()["keys"]] == ["a/b", "from-api"]
    assert api.result("GET", "~/workers/scripts/kv/settings")["bindings"] == [bind(namespace)]

    api.put("kv-two", CODE, bindings=[bind(namespace)])  # another Worker, another process: the same values
    assert api.get(api.enable("kv-two"), "/a%2Fb").json()["value"] == "two"
    api.put("kv", CODE, bindings=[bind(other)])
    assert api.get(host, "/a%2Fb").json()["value"] is None


def test_a_worker_cannot_reach_a_namespace_that_it_is_not_bound_to(api: Client) -> None:
    namespace = make(api, "closed")
    api.result("PUT", f"{PATH}/{namespace}/values/key", content=b"hidden")
    code = f"""export default {{ fetch: () => fetch("http://storage.test/key?urlencoded=true",
      {{ headers: {{ "x-edge-storage": "{namespaces.KIND}/{namespace}" }} }}) }};"""
    api.put("prying", code)
    assert "hidden" not in api.get(api.enable("prying")).text


def test_an_upload_with_an_unknown_namespace_is_refused(api: Client) -> None:
    status, code, message = api.put("kv-none", CODE, refused=True, bindings=[bind("0" * 32)])
    assert (status, code) == (400, 10041)
    assert "0" * 32 in message
    unnamed = {"type": "kv_namespace", "name": "CACHE"}
    assert api.put("kv-none", CODE, refused=True, bindings=[unnamed])[:2] == (400, 10021)


def test_values_survive_a_restart(loop: Loop, tmp_path: Path, programs: Any) -> None:
    first = Running(tmp_path, programs)
    loop.run(first.start())
    client = Client(first, loop)
    namespace = make(client, "kept")
    client.put("kv", CODE, bindings=[bind(namespace)])
    client.get(client.enable("kv"), "/key", "PUT", content=b"kept")
    client.http.close()
    loop.run(first.stop())

    second = Running(tmp_path, programs)
    loop.run(second.start())
    client = Client(second, loop)
    try:
        assert client.get("kv.oracle.workers.localhost", "/key").json()["value"] == "kept"
        assert client("GET", f"{PATH}/{namespace}/values/key").text == "kept"
    finally:
        client.http.close()
        loop.run(second.stop())


def test_the_official_sdk_works_with_namespaces(api: Client) -> None:
    account = api.running.cloud.tokens.account_id
    from cloudflare import Cloudflare

    with Cloudflare(api_token=api.token, base_url=api.base, max_retries=0) as sdk:
        kv = sdk.kv.namespaces
        made = kv.create(account_id=account, title="sdk")
        assert made is not None
        kv.values.update("a/b", value=b"text", metadata={"a": 1}, account_id=account, namespace_id=made.id)
        assert kv.values.get("a/b", account_id=account, namespace_id=made.id).read() == b"text"
        assert [key.name for key in kv.keys.list(made.id, account_id=account)] == ["a/b"]
        assert kv.metadata.get("a/b", account_id=account, namespace_id=made.id) == {"a": 1}
        assert made.id in [each.id for each in kv.list(account_id=account)]
        kv.delete(made.id, account_id=account)
