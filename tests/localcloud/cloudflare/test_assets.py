"""Asset upload sessions and the sites that are made of them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from localcloud.cloudflare.sessions import LARGEST_ASSET
from tests.localcloud.cloudflare.service import Client, asset_hash, bearer

FILES = {"/index.html": b"<h1>one</h1>\n", "/copy.html": b"<h1>one</h1>\n", "/sub/app.js": b"1\n", "/a%20b.txt": b"ab"}
SESSION = "~/workers/scripts/{}/assets-upload-session"


def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    return {path: {"hash": asset_hash(content), "size": len(content)} for path, content in files.items()}


def send(api: Client, token: str, contents: list[bytes], **more: Any) -> Any:
    """The upload's answer; file names are absolute paths and content types empty, as the official provider's."""
    parts = [
        (asset_hash(content), (f"/home/somebody/site/{n}", base64.b64encode(content), ""))
        for n, content in enumerate(contents)
    ]
    return api("POST", "~/workers/assets/upload?base64=true", files=parts, headers=bearer(token), **more)


def test_a_site(api: Client) -> None:
    made = api.put_site("site", FILES, not_found_handling="single-page-application", _headers="/*\n  X-A: b\n")
    assert (made["has_assets"], made["has_modules"], made["handlers"]) == (True, False, [])
    host = api.enable("site")
    answer = api.get(host, "/deep/link")
    assert (answer.status_code, answer.content, answer.headers["x-a"]) == (200, FILES["/index.html"], "b")
    assert api.get(host, "/sub/app.js").text == "1\n"
    assert api.get(host, "/a%20b.txt").text == "ab"
    content = api("GET", "~/workers/scripts/site/content/v2")
    assert (content.status_code, content.content) == (204, b"")
    assert api.result("GET", "~/workers/scripts/site/settings")["bindings"] == []


def test_redirects(api: Client) -> None:
    api.put_site("moved", FILES, _redirects="/old /sub/app.js 302\n")
    answer = api.get(api.enable("moved"), "/old")
    assert (answer.status_code, answer.headers["location"]) == (302, "/sub/app.js")


def test_rule_files_of_the_manifest_are_no_rules(api: Client) -> None:
    api.put_site("plain", {**FILES, "/_headers": b"/*\n  X-A: b\n"}, not_found_handling="404-page")
    assert "x-a" not in api.get(api.enable("plain")).headers


def test_files_are_asked_for_once(api: Client) -> None:
    api.upload_assets("first", {"/only.html": b"only here"})
    again = api("POST", SESSION.format("second"), json={"manifest": manifest({"/x.html": b"only here"})})
    assert (again.status_code, again.json()["result"]["buckets"]) == (200, [])
    assert again.json()["result"]["jwt"]


def test_equal_files_are_asked_for_once(api: Client) -> None:
    found = api.result("POST", SESSION.format("twins"), json={"manifest": manifest({"/1": b"twin", "/2": b"twin"})})
    assert found["buckets"] == [[asset_hash(b"twin")]]
    assert send(api, found["jwt"], [b"twin", b"twin"]).status_code == 201


def test_empty_site(api: Client) -> None:
    found = api.result("POST", SESSION.format("empty"), json={"manifest": {}})
    assert found["buckets"] == []
    metadata = {"assets": {"jwt": found["jwt"]}, "compatibility_date": "2025-06-01"}
    api.result("PUT", "~/workers/scripts/empty", files={"metadata": (None, json.dumps(metadata))})
    assert api.get(api.enable("empty")).status_code == 404


def test_an_upload_in_parts_is_complete_with_the_last(api: Client) -> None:
    files = {f"/{n}.txt": f"part {n}".encode() for n in range(120)}
    found = api.result("POST", SESSION.format("parts"), json={"manifest": manifest(files)})
    assert [len(bucket) for bucket in found["buckets"]] == [50, 50, 20]
    contents = list(files.values())
    first = send(api, found["jwt"], contents[:100])
    assert (first.status_code, first.json()["result"]) == (202, {})
    metadata = {"assets": {"jwt": found["jwt"]}, "compatibility_date": "2025-06-01"}
    form = {"metadata": (None, json.dumps(metadata))}
    status, code, message = api.refusal("PUT", "~/workers/scripts/parts", files=form)
    assert (status, code, "20 files are missing" in message) == (400, 10021, True)
    last = send(api, found["jwt"], contents[100:])
    assert (last.status_code, bool(last.json()["result"]["jwt"])) == (201, True)
    api.result("PUT", "~/workers/scripts/parts", files=form)
    assert api.get(api.enable("parts"), "/119.txt").text == "part 119"


def test_assets_can_be_kept(api: Client) -> None:
    api.put_site("kept", FILES)
    host = api.enable("kept")
    code = "export default { fetch: () => new Response('worker') }"
    api.put("kept", code, keep_assets=True)
    assert (api.get(host, "/sub/app.js").text, api.get(host, "/other").text) == ("1\n", "worker")
    api.put("kept", code)
    assert api.get(host, "/sub/app.js").text == "worker"


def test_binding_and_worker_first(api: Client) -> None:
    code = """export default { async fetch(request, env) {
      if (new URL(request.url).pathname.startsWith("/api/")) return new Response("api");
      return env.ASSETS.fetch(request); } }"""
    token = api.upload_assets("both", FILES)
    api.put(
        "both", code, bindings=[{"type": "assets", "name": "ASSETS"}],
        assets={"jwt": token, "config": {"run_worker_first": ["/api/*"]}},
    )  # fmt: skip
    host = api.enable("both")
    assert (api.get(host, "/api/x").text, api.get(host, "/sub/app.js").text) == ("api", "1\n")


@pytest.mark.parametrize(
    "files, text",
    [
        ({"index.html": {"hash": "0" * 32, "size": 1}}, "index.html does not begin with /"),
        ({"/../x": {"hash": "0" * 32, "size": 1}}, "is no path of a file"),
        ({"/%2e%2e/x": {"hash": "0" * 32, "size": 1}}, "is no path of a file"),
        ({"/x": {"hash": "../../etc/passwd", "size": 1}}, "needs a hash of 32 hexadecimal characters"),
        ({"/x": {"hash": "0" * 32}}, "and a size"),
        ({"/big.bin": {"hash": "0" * 32, "size": LARGEST_ASSET + 1}}, "/big.bin has 26214401 bytes, more than"),
        ([], "must be an object"),
    ],
)
def test_manifests_that_are_refused(api: Client, files: Any, text: str) -> None:
    status, code, message = api.refusal("POST", SESSION.format("bad"), json={"manifest": files})
    assert (status, code, text in message) == (400, 10021, True), message


def test_uploads_that_are_refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    found = api.result("POST", SESSION.format("strict"), json={"manifest": manifest({"/s": b"strict"})})
    token = found["jwt"]
    assert send(api, token, [b"another"]).json()["errors"][0]["code"] == 10021
    wrong = [(asset_hash(b"strict"), ("x", base64.b64encode(b"longer than said"), ""))]
    upload = "~/workers/assets/upload?base64=true"
    assert "has 16 bytes" in api.refusal("POST", upload, files=wrong, headers=bearer(token))[2]
    no_base64 = [(asset_hash(b"strict"), ("x", b"***", ""))]
    assert "is not base64" in api.refusal("POST", upload, files=no_base64, headers=bearer(token))[2]
    assert send(api, token + "x", [b"strict"]).status_code == 403
    assert send(api, api.token, [b"strict"]).status_code == 403
    other = {"metadata": (None, json.dumps({"assets": {"jwt": token}}))}
    assert "another Worker" in api.refusal("PUT", "~/workers/scripts/other", files=other)[2]
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert send(api, token, [b"strict"]).status_code == 401


@pytest.mark.parametrize(
    "config, text",
    [
        ({"html_handling": "sometimes"}, "html_handling must be one of"),
        ({"not_found_handling": "maybe"}, "not_found_handling must be one of"),
        ({"run_worker_first": "yes"}, "must be a boolean or a list"),
        ({"run_worker_first": ["api/*"]}, "rule 'api/*' must begin with / or !/"),
        ({"run_worker_first": ["!/x"]}, "at least one rule"),
        ({"colour": 1}, "unknown key in assets.config: colour"),
        ([], "must be an object"),
    ],
)
def test_configurations_that_are_refused(api: Client, config: Any, text: str) -> None:
    token = api.upload_assets("config", FILES)
    form = {"metadata": (None, json.dumps({"assets": {"jwt": token, "config": config or [1]}}))}
    status, code, message = api.refusal("PUT", "~/workers/scripts/config", files=form)
    assert (status, code, text in message) == (400, 10021, True), message


def test_serve_directly_is_the_opposite_of_worker_first(api: Client) -> None:
    token = api.upload_assets("direct", FILES)
    code = "export default { fetch: () => new Response('worker') }"
    api.put("direct", code, assets={"jwt": token, "config": {"serve_directly": False}})
    assert api.get(api.enable("direct"), "/sub/app.js").text == "worker"
