"""R2 buckets: the API's rules, and objects that Workers put there."""

from __future__ import annotations

from tests.localcloud.cloudflare.service import Client

PATH = "~/r2/buckets"
CODE = """
export default {
  async fetch(request, env) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (request.method === "PUT") await env.FILES.put(key, request.body, { customMetadata: { a: "b" } });
    if (request.method === "DELETE") await env.FILES.delete(key);
    if (!key) return Response.json((await env.FILES.list()).objects.map((object) => object.key));
    const found = await env.FILES.get(key, { range: { offset: 1 } });
    if (!found) return new Response("none", { status: 404 });
    return Response.json([await found.text(), found.size, found.customMetadata]);
  },
};
"""


def bind(bucket: str) -> dict[str, str]:
    return {"type": "r2_bucket", "name": "FILES", "bucket_name": bucket}


def test_a_bucket_is_created_changed_and_deleted(api: Client) -> None:
    made = api.result("POST", PATH, json={"name": "life", "locationHint": "enam"})
    assert (made["name"], made["location"], made["storage_class"], made["jurisdiction"]) == (
        "life", "ENAM", "Standard", "default",
    )  # fmt: skip
    assert api.result("GET", f"{PATH}/life") == made
    assert made in api.result("GET", PATH)["buckets"]
    cold = api.result("PATCH", f"{PATH}/life", headers={"cf-r2-storage-class": "InfrequentAccess"})
    assert cold == made | {"storage_class": "InfrequentAccess"}
    assert api.refusal("POST", PATH, json={"name": "life"})[:2] == (409, 10004)
    assert api.refusal("POST", PATH, json={"name": "No_Good"})[:2] == (400, 10005)
    assert api.refusal("GET", f"{PATH}/life", headers={"cf-r2-jurisdiction": "eu"})[:2] == (404, 10006)
    api.result("DELETE", f"{PATH}/life")
    for method in ("GET", "DELETE"):
        assert api.refusal(method, f"{PATH}/life")[:2] == (404, 10006)


def test_workers_write_read_and_delete_objects(api: Client) -> None:
    for name in ("files", "other-files"):
        api.result("POST", PATH, json={"name": name})
    api.put("r2", CODE, bindings=[bind("files")])
    host = api.enable("r2")
    large = b"x" * 3_000_000
    assert api.get(host, "/a%2Fb", "PUT", content=b"hello").json() == ["ello", 5, {"a": "b"}]
    assert api.get(host, "/large", "PUT", content=large).json()[1] == len(large)
    assert api.get(host).json() == ["a/b", "large"]
    assert api.refusal("DELETE", f"{PATH}/files")[:2] == (409, 10008)

    api.put("r2", CODE, bindings=[bind("other-files")])
    assert api.get(host).json() == []
    api.put("r2", CODE, bindings=[bind("files")])
    for key in ("a%2Fb", "large"):
        assert api.get(host, f"/{key}", "DELETE").status_code == 404
    api.result("DELETE", f"{PATH}/files")
    assert api.put("r2", CODE, refused=True, bindings=[bind("files")])[:2] == (400, 10085)


def test_the_official_sdk_works_with_buckets(api: Client) -> None:
    account = api.running.cloud.tokens.account_id
    from cloudflare import Cloudflare

    with Cloudflare(api_token=api.token, base_url=api.base, max_retries=0) as sdk:
        made = sdk.r2.buckets.create(account_id=account, name="sdk-bucket")
        assert sdk.r2.buckets.get("sdk-bucket", account_id=account) == made
        listed = sdk.r2.buckets.list(account_id=account).buckets or []
        assert "sdk-bucket" in [bucket.name for bucket in listed]
        sdk.r2.buckets.delete("sdk-bucket", account_id=account)
