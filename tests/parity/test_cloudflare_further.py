"""Behaviour of the offline cloudflare plugin that is not recorded: its refusals, and secrets."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_plugins.cloudflare import provider
from offline_plugins.cloudflare.assets import digest, manifest
from offline_plugins.cloudflare.multipart import Part, encode, first_part
from tests.parity.cloudflare import ACCOUNT, DOMAIN, MINIMAL, RESOURCES, SCRIPT, SUBDOMAIN, TOKEN, created, lay_out
from tests.parity.plugin import Plugin
from tests.parity.recordings import case, load
from tests.parity.stub import Stub, content

_SCRIPT = "cloudflare:index/workersScript:WorkersScript"
_PLANTED = "planted-secret-value"


@pytest.fixture(scope="module")
def plugin(stub: Stub) -> Iterator[Plugin]:
    with Plugin("cloudflare") as running:
        running.configure({"apiToken": TOKEN, "baseUrl": f"http://127.0.0.1:{stub.port}/client/v4"})
        yield running


def _reasons(answer: dict[str, Any]) -> list[str]:
    return [failure["reason"] for failure in answer["response"]["failures"]]


@pytest.mark.parametrize(
    "extra,named",
    [
        ({"nope": 1}, "nope"),
        ({"bodyPart": "script"}, "bodyPart"),
        ({"migrations": {"newTag": "v1", "nope": 1}}, "migrations.nope"),
        ({"bindings": [{"name": "A", "type": "vectorize", "indexName": "x"}]}, "bindings[0].indexName"),
        ({"observability": {"enabled": True, "logs": {"enabled": True, "invocationLogs": True, "nope": 1}}}, "nope"),
        ({"assets": {"directory": "site", "config": {"nope": 1}}}, "assets.config.nope"),
        ({"etag": "x"}, "etag"),
    ],
)
def test_an_unsupported_property_is_refused_by_name(extra: dict[str, Any], named: str, plugin: Plugin) -> None:
    (reason,) = _reasons(plugin.check(_SCRIPT, {}, MINIMAL | extra))
    assert f"{named}' is not supported by the offline plugin" in reason
    assert "--plugins official" in reason


@pytest.mark.parametrize("name", RESOURCES)
def test_an_unknown_property_that_the_official_plugin_drops_is_refused(name: str, plugin: Plugin) -> None:
    request = case(load(name), "create: minimal")["steps"][0]["request"]
    (reason,) = _reasons(plugin.check(load(name)["type"], {}, request["news"] | {"nope": 1}))
    assert reason.startswith("Property 'nope' is not supported")


@pytest.mark.parametrize(
    "extra,named",
    [
        ({"logpush": "yes"}, "logpush"),
        ({"content": 1}, "content"),
        ({"bindings": {"A": 1}}, "bindings"),
        ({"observability": {"enabled": True, "headSamplingRate": True}}, "observability.headSamplingRate"),
        ({"compatibilityFlags": ["a", 1]}, "compatibilityFlags"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_name(extra: dict[str, Any], named: str, plugin: Plugin) -> None:
    error = plugin.check(_SCRIPT, {}, MINIMAL | extra)["error"]
    assert f"Property '{named}' takes a" in error["details"]


@pytest.mark.parametrize(
    "url",
    ["https://api.cloudflare.com/client/v4", "http://10.0.0.1:8400/client/v4", "https://127.0.0.1:8400/client/v4", ""],
)
def test_an_endpoint_that_is_not_on_loopback_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLARE_BASE_URL", raising=False)
    with Plugin("cloudflare") as plugin:
        error = plugin.configure({"apiToken": TOKEN} | ({"baseUrl": url} if url else {}))["error"]
        assert error["details"].startswith("cloudflare:baseUrl is ")
        assert "127.0.0.1 only" in error["details"]
        assert TOKEN not in error["details"]


def test_a_malformed_token_is_refused_without_being_shown(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "short and wrong")
    with Plugin("cloudflare") as plugin:
        error = plugin.configure({"baseUrl": f"http://127.0.0.1:{stub.port}"})["error"]
    assert error["details"].startswith("CLOUDFLARE_API_TOKEN is no API token")
    assert "short and wrong" not in error["details"]


def test_no_error_or_message_shows_a_secret(plugin: Plugin, stub: Stub) -> None:
    bindings = [{"name": "S", "type": "secret_text", "text": _PLANTED}]
    plugin.engine.log.clear()
    stub.expect([{"status": 400, "responseBody": {"success": False, "errors": [{"code": 10021, "message": "no"}]}}])
    answer = plugin.create(_SCRIPT, MINIMAL | {"bindings": bindings})
    assert "400 Bad Request" in answer["error"]["details"]
    assert _PLANTED not in json.dumps([answer, plugin.engine.log])
    assert TOKEN not in json.dumps([answer, plugin.engine.log])


def test_every_binding_text_is_a_secret_in_every_answer(plugin: Plugin, stub: Stub) -> None:
    bindings = [{"name": kind, "type": kind, "text": _PLANTED} for kind in ("plain_text", "secret_text")]
    news = MINIMAL | {"bindings": bindings}
    wanted = [{"$secret": _PLANTED}] * 2
    put = case(load(SCRIPT), "create: minimal")["steps"][-1]["http"]
    answers = [plugin.check(_SCRIPT, {}, news)["response"]["inputs"]]
    answers.append(plugin.create(_SCRIPT, news, preview=True)["response"]["properties"])
    stub.expect(put)
    outputs = plugin.create(_SCRIPT, news)["response"]["properties"]
    stub.expect(case(load(SCRIPT), "read: minimal, nothing changed")["steps"][0]["http"])
    answers += [outputs, plugin.read(_SCRIPT, "w-min", outputs, news)["response"]["properties"]]
    texts = [[binding["text"] for binding in answer["bindings"]] for answer in answers[:3]]
    assert texts == [wanted] * 3
    assert [binding["text"] for binding in answers[3]["bindings"]] == wanted[:1]  # the API knows no such secret


def test_the_content_is_read_unchanged(plugin: Plugin, stub: Stub) -> None:
    """Line ends and non-ASCII text are unchanged, in a plain answer and in a multipart answer."""
    text = 'export default "ä—☃"\r\nlast line\n'
    id, outputs, inputs = created(load(SCRIPT), "minimal")
    exchanges = case(load(SCRIPT), "read: minimal, nothing changed")["steps"][0]["http"][:2]
    body, content_type = encode([Part("worker.js", text.encode(), "application/javascript+module", "worker.js")])
    for answer in (
        {"status": 200, "responseHeaders": {"content-type": "application/javascript+module"}, "responseBody": text},
        {"status": 200, "responseHeaders": {"content-type": content_type}, "responseBody": body.decode()},
    ):
        stub.expect([*exchanges, answer])
        read = plugin.read(_SCRIPT, id, outputs, inputs)
        assert read["response"]["properties"]["content"] == text


def test_the_order_of_flags_does_not_matter(plugin: Plugin, stub: Stub) -> None:
    id, outputs, _ = created(load(SCRIPT), "minimal")
    flags = {"compatibilityFlags": ["nodejs_compat", "global_navigator"]}
    exchanges = json.loads(json.dumps(case(load(SCRIPT), "read: minimal, nothing changed")["steps"][0]["http"]))
    exchanges[1]["responseBody"]["result"]["compatibility_flags"] = flags["compatibilityFlags"]
    stub.expect(exchanges)
    read = plugin.read(_SCRIPT, id, outputs | flags, MINIMAL | flags)["response"]
    assert read["properties"]["compatibilityFlags"] == ["global_navigator", "nodejs_compat"]
    again = plugin.diff(_SCRIPT, id, read["properties"], read["inputs"], MINIMAL | flags)
    assert again == {"response": {"changes": "DIFF_NONE"}}


def test_a_missing_asset_directory_is_named(plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    news = {"accountId": ACCOUNT, "scriptName": "w", "assets": {"directory": "nowhere"}}
    error = plugin.create(_SCRIPT, news, preview=True)["error"]
    assert error["details"].endswith(f"Error reading asset files: {tmp_path}/nowhere: no such file or directory")


def test_an_unreachable_api_is_one_sentence_with_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "_RETRIES", replace(provider._RETRIES, first=0.001, longest=0.002))
    with Plugin("cloudflare") as plugin:
        plugin.configure({"apiToken": TOKEN, "baseUrl": "http://127.0.0.1:1/client/v4"})
        error = plugin.delete(load(SUBDOMAIN)["type"], ACCOUNT, {"accountId": ACCOUNT, "scriptName": "w"})["error"]
    assert "make up" in error["details"]
    assert "Traceback" not in error["details"]


def test_a_missing_account_is_named(plugin: Plugin) -> None:
    error = plugin.create(load(DOMAIN)["type"], {"hostname": "a.test", "service": "w"})["error"]
    assert error["details"] == "failed to make http request: missing required account_id parameter"


def test_only_the_last_upload_must_return_the_completion_token(
    plugin: Plugin, stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    hashes = [asset.hash for asset in manifest("site").values()]
    put = case(load(SCRIPT), "create: assets")["steps"][-1]["http"][-1]
    session = {"jwt": "session", "buckets": [hashes[:1], hashes[1:2]]}
    stub.expect(
        [
            {"status": 201, "responseBody": {"success": True, "result": session}},
            {"status": 202, "responseBody": {"success": True, "result": {}}},
            {"status": 201, "responseBody": {"success": True, "result": {"jwt": "complete"}}},
            put,
        ]
    )
    plugin.create(_SCRIPT, {"accountId": ACCOUNT, "scriptName": "w", "assets": {"directory": "site"}})
    assert [request.headers["authorization"] for request in stub.requests[1:3]] == ["Bearer session"] * 2
    (part,) = content(stub.requests[3])["$multipart"]
    assert part["json"]["assets"] == {"jwt": "complete"}


def test_a_manifest_is_hashed_as_by_the_official_plugin(tmp_path: Path) -> None:
    """Keys are sorted by bytes, without spaces; `&`, `<` and `>` are escaped, other characters are not."""
    for name in ("b.txt", "a&b.txt", "ä.txt", "B.txt"):
        (tmp_path / name).write_text("x")
    one = f'{{"hash":"{hashlib.sha256(b"x").hexdigest()[:32]}","size":1}}'
    text = ",".join(f'"/{name}":{one}' for name in ("B.txt", "a\\u0026b.txt", "b.txt", "ä.txt"))
    assert digest(manifest(str(tmp_path))) == hashlib.sha256(f"{{{text}}}".encode()).hexdigest()


def test_a_name_cannot_add_headers_to_a_multipart_body() -> None:
    body, content_type = encode([Part('a"b\r\nX-Evil: 1', b"x", "text/plain", "c\\d")])
    assert b'name="a\\"b%0D%0AX-Evil: 1"; filename="c\\\\d"' in body
    assert first_part(body, content_type) == b"x"


def test_assets_are_read_in_alphabetical_order(tmp_path: Path) -> None:
    for name in ("z.txt", "m.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    os.utime(tmp_path / "a.txt", (1, 1))
    assert list(manifest(str(tmp_path))) == ["/a.txt", "/m.txt", "/z.txt"]
