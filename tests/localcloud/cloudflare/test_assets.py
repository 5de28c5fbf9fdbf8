"""Asset upload sessions and the sites made from them."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from artifacts.sites.types import with_content_types
from localcloud.cloudflare.blobs import Blobs
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


def test_a_site_is_uploaded_and_served(api: Client) -> None:
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


def test_redirect_rules_are_applied(api: Client) -> None:
    api.put_site("moved", FILES, _redirects="/old /sub/app.js 302\n")
    answer = api.get(api.enable("moved"), "/old")
    assert (answer.status_code, answer.headers["location"]) == (302, "/sub/app.js")


def test_rule_files_in_the_manifest_are_ignored(api: Client) -> None:
    api.put_site("plain", {**FILES, "/_headers": b"/*\n  X-A: b\n"}, not_found_handling="404-page")
    assert "x-a" not in api.get(api.enable("plain")).headers


def test_a_known_file_is_not_requested_again(api: Client) -> None:
    api.upload_assets("first", {"/only.html": b"only here"})
    again = api("POST", SESSION.format("second"), json={"manifest": manifest({"/x.html": b"only here"})})
    assert (again.status_code, again.json()["result"]["buckets"]) == (200, [])
    assert again.json()["result"]["jwt"]


def test_equal_files_are_requested_once(api: Client) -> None:
    found = api.result("POST", SESSION.format("twins"), json={"manifest": manifest({"/1": b"twin", "/2": b"twin"})})
    assert found["buckets"] == [[asset_hash(b"twin")]]
    assert send(api, found["jwt"], [b"twin", b"twin"]).status_code == 201


def test_an_empty_site_answers_404(api: Client) -> None:
    found = api.result("POST", SESSION.format("empty"), json={"manifest": {}})
    assert found["buckets"] == []
    metadata = {"assets": {"jwt": found["jwt"]}, "compatibility_date": "2025-06-01"}
    api.result("PUT", "~/workers/scripts/empty", files={"metadata": (None, json.dumps(metadata))})
    assert api.get(api.enable("empty")).status_code == 404


def test_an_upload_in_parts_is_complete_after_the_last_part(api: Client) -> None:
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


def test_the_assets_of_the_former_version_can_be_retained(api: Client) -> None:
    api.put_site("kept", FILES)
    host = api.enable("kept")
    code = "export default { fetch: () => new Response('worker') }"
    api.put("kept", code, keep_assets=True)
    assert (api.get(host, "/sub/app.js").text, api.get(host, "/other").text) == ("1\n", "worker")
    api.put("kept", code)
    assert api.get(host, "/sub/app.js").text == "worker"


def test_an_asset_binding_works_with_run_worker_first(api: Client) -> None:
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


def upload_typed(api: Client, name: str, files: dict[str, bytes], kinds: dict[bytes, str]) -> str:
    """A whole upload session with these content types by content; its token."""
    session = api.result("POST", SESSION.format(name), json={"manifest": manifest(files)})
    by_hash = {asset_hash(content): content for content in files.values()}
    wanted = [each for bucket in session["buckets"] for each in bucket]
    parts = [(each, (each, base64.b64encode(by_hash[each]), kinds[by_hash[each]])) for each in wanted]
    answer = api("POST", "~/workers/assets/upload?base64=true", files=parts, headers=bearer(session["jwt"]))
    return str(answer.json()["result"]["jwt"])


def put_typed(api: Client, name: str, files: dict[str, bytes], kinds: dict[bytes, str], **config: Any) -> str:
    """A site of such an upload; its host."""
    assets = {"jwt": upload_typed(api, name, files, kinds), "config": config}
    form = [("metadata", (None, json.dumps({"assets": assets, "compatibility_date": "2025-06-01"}), None))]
    api.result("PUT", f"~/workers/scripts/{name}", files=form)
    return api.enable(name)


def test_a_file_has_the_content_type_of_its_upload(api: Client) -> None:
    files = {"/typed.css": b"typed", "/typed.txt": b"typed", "/none.js": b"none", "/null.js": b"null"}
    kinds = {b"typed": "image/x-odd", b"none": "", b"null": "application/null"}
    host = put_typed(api, "typed", files, kinds)
    found = {path: api.get(host, path).headers.get("content-type") for path in files}
    assert found == {"/typed.css": "image/x-odd", "/typed.txt": "image/x-odd", "/none.js": None, "/null.js": None}


def test_the_first_upload_of_equal_bytes_sets_the_content_type(api: Client) -> None:
    put_typed(api, "early", {"/a.txt": b"shared"}, {b"shared": "text/plain"})
    again = api("POST", SESSION.format("late"), json={"manifest": manifest({"/a.js": b"shared", "/b": b"own"})})
    parts = [
        (asset_hash(content), ("x", base64.b64encode(content), "text/javascript")) for content in (b"shared", b"own")
    ]
    headers = bearer(again.json()["result"]["jwt"])
    token = api("POST", "~/workers/assets/upload?base64=true", files=parts, headers=headers).json()["result"]["jwt"]
    form = [("metadata", (None, json.dumps({"assets": {"jwt": token}, "compatibility_date": "2025-06-01"}), None))]
    api.result("PUT", "~/workers/scripts/late", files=form)
    host = api.enable("late")
    assert api.get(host, "/a.js").headers["content-type"] == "text/plain"
    assert api.get(host, "/b").headers["content-type"] == "text/javascript"


def test_a_header_rule_overrides_the_content_type_of_the_upload(api: Client) -> None:
    """The program sends such rules, so that neither equal bytes nor the uploading machine matter."""
    files = {"/one.json": b"equal", "/two.txt": b"equal", "/three.odd": b"equal"}
    headers = with_content_types({path[1:]: "equal" for path in files}, None)
    host = put_typed(api, "ruled", files, {b"equal": "text/wrong"}, _headers=headers)
    found = {path: api.get(host, path).headers.get("content-type") for path in files}
    assert found == {"/one.json": "application/json", "/two.txt": "text/plain; charset=utf-8", "/three.odd": None}


@pytest.mark.parametrize(
    "paths, status_and_code, text",
    [
        (["/lone%20copy.txt", "/lone copy.txt"], (400, 10021), "/lone%20copy.txt and /lone copy.txt are the same path"),
        (["/a", "/a/b"], (400, 10021), "/a/b is below the file /a"),
        (["/x%2Fy.txt"], (400, 10021), "is no path of a file"),
        (["/100%.txt"], (400, 10304), "Manifest path must be URI encoded"),
        (["/caf%e9.txt"], (400, 10304), "Manifest path must be URI encoded"),
        (["/" + "n" * 256], (400, 10021), "has a name of more than 255 bytes"),
        (["/n" * 2000], (400, 10021), "has more than 3000 bytes"),
    ],
)
def test_paths_that_no_folder_can_have_are_refused_and_leave_nothing(
    api: Client, paths: list[str], status_and_code: tuple[int, int], text: str
) -> None:
    sites = api.running.cloud.root / "cloudflare" / "sites"
    before = sorted(path.name for path in sites.iterdir())
    asked = {path: {"hash": "0" * 32, "size": 1} for path in paths}
    status, code, message = api.refusal("POST", SESSION.format("odd"), json={"manifest": asked})
    assert ((status, code), text in message) == (status_and_code, True), message
    assert sorted(path.name for path in sites.iterdir()) == before


def test_a_site_that_cannot_be_built_leaves_no_folder(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    name = blobs.keep_manifest({"/gone.txt": {"hash": "0" * 32, "size": 1}})
    with pytest.raises(FileNotFoundError):
        blobs.site(name, {})
    assert not list((tmp_path / "sites").iterdir())


def test_files_of_an_older_local_cloud_have_the_type_of_their_suffix(api: Client) -> None:
    host = put_typed(api, "older", {"/old.css": b"from before"}, {b"from before": "image/x-odd"})
    (api.running.cloud.root / "cloudflare" / "types" / asset_hash(b"from before")).unlink()
    token = api.upload_assets("older", {"/old.css": b"from before", "/new.txt": b"and now"})
    form = {"metadata": (None, json.dumps({"assets": {"jwt": token}}))}
    api.result("PUT", "~/workers/scripts/older", files=form)
    assert api.get(host, "/old.css").headers["content-type"] == "text/css; charset=utf-8"


def test_an_escaped_file_name_is_served_at_its_decoded_path(api: Client) -> None:
    host = put_typed(api, "escaped", {"/lone%20copy.txt": b"escaped"}, {b"escaped": "text/plain"})
    assert api.get(host, "/lone%20copy.txt").text == "escaped"


@pytest.mark.parametrize(
    "config, text",
    [
        ({"_redirects": "# all\n/* /index.html 200\n"}, "Invalid _redirects configuration:\nLine 2: this rule is an"),
        ({"_redirects": "/ /index.html\n"}, "Line 1: this rule is an infinite loop"),
        (
            {"_headers": "".join(f"/{number}\n  X: y\n" for number in range(101))},
            "Invalid _headers configuration:\nLine 201: this is one rule more than the 100",
        ),
    ],
)
def test_invalid_rules_are_refused(api: Client, config: Any, text: str) -> None:
    token = api.upload_assets("rules", FILES)
    form = {"metadata": (None, json.dumps({"assets": {"jwt": token, "config": config}}))}
    status, code, message = api.refusal("PUT", "~/workers/scripts/rules", files=form)
    assert (status, code, text in message) == (400, 100324, True), message


def test_a_redirect_to_a_page_is_accepted_without_html_handling(api: Client) -> None:
    api.put_site("verbatim", FILES, html_handling="none", _redirects="/ /index.html 200\n")
    assert api.get(api.enable("verbatim"), "/").content == FILES["/index.html"]


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
def test_invalid_manifests_are_refused(api: Client, files: Any, text: str) -> None:
    status, code, message = api.refusal("POST", SESSION.format("bad"), json={"manifest": files})
    assert (status, code, text in message) == (400, 10021, True), message


def test_invalid_uploads_are_refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_invalid_asset_configurations_are_refused(api: Client, config: Any, text: str) -> None:
    token = api.upload_assets("config", FILES)
    form = {"metadata": (None, json.dumps({"assets": {"jwt": token, "config": config or [1]}}))}
    status, code, message = api.refusal("PUT", "~/workers/scripts/config", files=form)
    assert (status, code, text in message) == (400, 10021, True), message


def test_serve_directly_is_the_opposite_of_worker_first(api: Client) -> None:
    token = api.upload_assets("direct", FILES)
    code = "export default { fetch: () => new Response('worker') }"
    api.put("direct", code, assets={"jwt": token, "config": {"serve_directly": False}})
    assert api.get(api.enable("direct"), "/sub/app.js").text == "worker"
