"""The upload, reading and deletion of scripts over plain HTTP, in the form that the official provider uses."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import localcloud
from tests.localcloud.cloudflare.service import ESM, Client
from toolchain.tools import locate

ONE = 'export default { fetch(request, env) { return new Response("one " + JSON.stringify(env)); } }'
TWO = ONE.replace("one", "two")
SCRIPT_KEYS = {
    "id", "tag", "tags", "etag", "handlers", "created_on", "modified_on", "usage_model", "logpush",
    "compatibility_date", "has_assets", "has_modules", "last_deployed_from", "startup_time_ms", "entry_point",
    "deployment_id",
}  # fmt: skip


def test_an_uploaded_script_runs_and_the_answer_is_as_recorded(api: Client) -> None:
    made = api.put("hello", ONE, bindings=[{"type": "plain_text", "name": "A", "text": "b"}])
    assert set(made) == SCRIPT_KEYS
    expected = {
        "id": "hello", "tags": None, "handlers": ["fetch"], "usage_model": "standard", "logpush": False,
        "compatibility_date": "2025-06-01", "has_assets": False, "has_modules": True, "last_deployed_from": "api",
        "entry_point": "worker.js",
    }  # fmt: skip
    assert {key: made[key] for key in expected} == expected
    assert len(made["etag"]) == 64
    assert len(made["deployment_id"]) == 32
    host = api.enable("hello")
    assert api.get(host).text == 'one {"A":"b"}'


def test_a_compatibility_date_unknown_to_workerd_runs_with_its_newest_date(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    newest, today = api.running.cloud.edge.newest_date, datetime.now(UTC).date().isoformat()
    assert newest < today
    made = api.put("early", ONE, compatibility_date=today)
    assert made["compatibility_date"] == today
    assert api.get(api.enable("early")).text == "one {}"
    assert f"Worker early asks for the compatibility date {today} and runs with {newest}" in caplog.text
    patch = {"compatibility_date": "2999-01-01"}
    status, code, message = api.refusal("PATCH", "~/workers/scripts/early/settings", json=patch)
    assert (status, code, "in the future: 2999-01-01" in message) == (400, 10021, True)


def test_the_update_strategy_that_wrangler_sends_is_accepted(api: Client) -> None:
    """wrangler sends it since 4.141 with the first upload of a Worker; it has no effect here."""
    api.put("current", ONE, code_update_strategy={"mode": "deferred", "max_delay": 300})
    assert api.get(api.enable("current")).text.startswith("one ")


def test_the_same_code_has_the_same_etag(api: Client) -> None:
    assert api.put("hello", ONE)["etag"] == api.put("hello", ONE)["etag"] != api.put("hello", TWO)["etag"]


def test_the_reads_of_the_provider_are_answered(api: Client) -> None:
    bindings = [
        {"name": "VAR", "text": "v1", "type": "plain_text"},
        {"name": "SECRET", "text": "s1", "type": "secret_text"},
        {"name": "DATA", "json": {"a": 1}, "type": "json"},
    ]
    observability = {"enabled": True, "head_sampling_rate": 1}
    notes = {"workers/message": "m1"}
    made = api.put(
        "read", ONE, bindings=bindings, observability=observability, annotations=notes, usage_model="standard",
        compatibility_flags=["nodejs_compat"], logpush=False, limits={"cpu_ms": 50},
    )  # fmt: skip
    service = api.result("GET", "~/workers/services/read")
    script = service["default_environment"]["script"]
    assert (service["id"], service["default_environment"]["environment"]) == ("read", "production")
    assert (script["etag"], script["modified_on"]) == (made["etag"], made["modified_on"])
    assert api.result("GET", "~/workers/scripts/read/settings") == {
        "bindings": [
            {"name": "DATA", "json": {"a": 1}, "type": "json"},
            {"name": "SECRET", "type": "secret_text"},
            {"name": "VAR", "text": "v1", "type": "plain_text"},
        ],
        "compatibility_date": "2025-06-01",
        "compatibility_flags": ["nodejs_compat"],
        "usage_model": "standard",
        "tags": [],
        "tail_consumers": None,
        "logpush": False,
        "placement": {},
        "observability": observability,
        "annotations": notes,
        "limits": {"cpu_ms": 50},
    }
    content = api("GET", "~/workers/scripts/read/content/v2")
    assert (content.text, content.headers["content-type"].split(";")[0]) == (ONE, ESM)
    assert content.headers["cf-entrypoint"] == "worker.js"


def test_settings_that_were_not_given_are_not_in_the_answer(api: Client) -> None:
    api.put("bare", ONE, compatibility_date="")
    settings = api.result("GET", "~/workers/scripts/bare/settings")
    assert not {"observability", "annotations", "limits"} & set(settings)
    assert settings["compatibility_date"] == ""


def test_a_script_of_several_modules_is_uploaded_and_read(api: Client) -> None:
    parts = [
        ("metadata", (None, json.dumps({"main_module": "index.js", "compatibility_date": "2025-06-01"}), None)),
        ("lib/words.js", ("lib/words.js", 'export const word = "hi";', ESM)),
        ("index.js", ("index.js", MODULES, ESM)),
        ("text.txt", ("text.txt", "some text", "text/plain")),
        ("data.bin", ("data.bin", b"\x00\x01\x02", "application/octet-stream")),
        ("index.js.map", ("index.js.map", "{}", "application/source-map")),
    ]
    api.result("PUT", "~/workers/scripts/modules", files=parts)
    assert api.get(api.enable("modules")).text == "hi some text 3"
    answer = api("GET", "~/workers/scripts/modules/content/v2")
    assert answer.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert answer.text.index('name="index.js"') < answer.text.index('name="lib/words.js"')
    assert answer.text.count("Content-Disposition") == 4


MODULES = """import { word } from "./lib/words.js";
import text from "./text.txt";
import data from "./data.bin";
export default { fetch() { return new Response([word, text, data.byteLength].join(" ")); } }"""


def test_service_worker_syntax_is_accepted(api: Client) -> None:
    code = 'addEventListener("fetch", (event) => event.respondWith(new Response("classic")));'
    metadata = (None, json.dumps({"body_part": "script", "compatibility_date": ""}), "application/json")
    parts = [("script", ("script", code, "application/javascript")), ("metadata", metadata)]
    made = api.result("PUT", "~/workers/scripts/classic", files=parts)
    assert (made["has_modules"], made["handlers"], made["entry_point"]) == (False, ["fetch"], None)
    assert api.get(api.enable("classic")).text == "classic"
    content = api("GET", "~/workers/scripts/classic/content/v2")
    assert (content.text, content.headers["content-type"].split(";")[0]) == (code, "application/javascript")


def test_an_upload_replaces_all_bindings(api: Client) -> None:
    first = [{"type": "plain_text", "name": "URL", "text": "x"}, {"type": "secret_text", "name": "KEY", "text": "k"}]
    api.put("replace", ONE, bindings=first)
    host = api.enable("replace")
    api.put("replace", ONE, bindings=[{"type": "secret_text", "name": "URL", "text": "now secret"}])
    assert api.get(host).text == 'one {"URL":"now secret"}'


def test_undeclared_secrets_are_retained_unless_others_are_declared(api: Client) -> None:
    """A deploy without secrets leaves them all; one with secrets has exactly those."""
    secret = {"type": "secret_text", "name": "KEY", "text": "k"}
    api.put("undeclared", ONE, bindings=[secret, {"type": "plain_text", "name": "OLD", "text": "x"}])
    host = api.enable("undeclared")
    api.put("undeclared", ONE)
    assert api.get(host).text == 'one {"KEY":"k"}'
    api.put("undeclared", ONE, bindings=[secret | {"name": "OTHER"}])
    assert api.get(host).text == 'one {"OTHER":"k"}'
    api.put("undeclared", ONE, keep_bindings=[])
    assert api.get(host).text == "one {}"


def test_keep_bindings_and_inherit_retain_bindings(api: Client) -> None:
    first = [{"type": "plain_text", "name": "URL", "text": "x"}, {"type": "secret_text", "name": "KEY", "text": "k"}]
    api.put("keep", ONE, bindings=first)
    host = api.enable("keep")
    api.put("keep", ONE, keep_bindings=["secret_text"])
    assert api.get(host).text == 'one {"KEY":"k"}'
    api.put("keep", ONE, bindings=[{"type": "inherit", "name": "KEY"}])
    assert api.get(host).text == 'one {"KEY":"k"}'
    refusal = api.put("keep", ONE, refused=True, bindings=[{"type": "inherit", "name": "NONE"}])
    assert refusal[:2] == (400, 10057)


def test_settings_can_be_patched(api: Client) -> None:
    api.put("patched", ONE, bindings=[{"type": "secret_text", "name": "KEY", "text": "k"}])
    host = api.enable("patched")
    wanted = {"bindings": [{"type": "inherit", "name": "KEY"}, {"type": "plain_text", "name": "V", "text": "1"}]}
    answer = api.result("PATCH", "~/workers/scripts/patched/settings", files={"settings": (None, json.dumps(wanted))})
    assert [binding["name"] for binding in answer["bindings"]] == ["KEY", "V"]
    assert json.loads(api.get(host).text.removeprefix("one ")) == {"KEY": "k", "V": "1"}
    changed = api.result("PATCH", "~/workers/scripts/patched/script-settings", json={"logpush": True, "tags": ["a"]})
    assert (changed["logpush"], changed["tags"]) == (True, ["a"])
    api.put("patched", ONE)
    assert api.result("GET", "~/workers/scripts/patched/script-settings")["tags"] == ["a"]


def test_unknown_metadata_keys_are_accepted_and_logged(api: Client, caplog: pytest.LogCaptureFixture) -> None:
    """A newer client may send some; wrangler's code_update_strategy was one."""
    api.put("newer", ONE, code_update_strategy={"mode": "deferred", "max_delay": 300}, colour="red")
    assert api.get(api.enable("newer")).text == "one {}"
    assert "keys that are not known here, and change nothing: colour" in caplog.text


@pytest.mark.slow
def test_code_that_never_ends_is_refused_and_delays_no_other_request(api: Client) -> None:
    api.put("beside", ONE)
    looping = "for (;;); export default { fetch() {} }"
    assert api.put("loops", looping, refused=True) == (400, 10021, "Script startup exceeded CPU time limit.")
    api.put("loops", ONE)
    for name in ("loops", "beside"):
        assert api.get(api.enable(name)).text == "one {}"


def test_the_time_limit_of_a_start_is_longer_on_a_busy_machine() -> None:
    workers = Path(localcloud.__file__).with_name("edge") / "workers.mjs"
    asked = f"import {{ patience }} from {json.dumps(workers.as_uri())}; "
    asked += "console.log(patience(0, 2), patience(2, 2), patience(9, 2), patience() >= 10000)"
    command = [str(locate().node), "--input-type=module", "--eval", asked]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["10000", "10000", "45000", "true"]


def test_a_worker_has_exactly_the_custom_domains_of_wranglers_list(api: Client) -> None:
    zone = api.result("POST", "/zones", json={"name": "listed.test"})["id"]
    api.put("listed", ONE)

    def have(*hosts: str) -> list[str]:
        origins = [{"hostname": host, "zone_id": zone} for host in hosts]
        changes = api.result("POST", "~/workers/scripts/listed/domains/changeset?replace_state=true", json=origins)
        api.result("PUT", "~/workers/scripts/listed/domains/records", json={"origins": origins})
        return [each["hostname"] for each in changes["removed"]]

    assert have("one.listed.test", "stays.listed.test") == []
    assert api.get("one.listed.test").text == "one {}"
    assert have("two.listed.test", "stays.listed.test") == ["one.listed.test"]
    found = api.result("GET", "~/workers/domains?service=listed")
    assert sorted(each["hostname"] for each in found) == ["stays.listed.test", "two.listed.test"]
    assert api.get("one.listed.test").status_code == 404
    assert api.get("two.listed.test").text == "one {}"


@pytest.mark.parametrize(
    "code, metadata, expected",
    [
        ("nope(); export default { fetch() {} }", {}, (400, 10021, "Uncaught ReferenceError: nope is not defined")),
        ("export default {", {}, (400, 10021, "Uncaught SyntaxError")),
        ("export default {}", {}, (400, 10068, "No event handlers were registered")),
        (ONE, {"main_module": "other.js"}, (400, 10021, "No such module: 'other.js'")),
        (ONE, {"compatibility_date": "2999-01-01"}, (400, 10021, "in the future: 2999-01-01")),
        (ONE, {"compatibility_date": "soon"}, (400, 10021, "Invalid compatibility date: 'soon'")),
        (ONE, {"compatibility_flags": ["no_such"]}, (400, 10021, "No such compatibility flag: no_such")),
        (ONE, {"containers": [{"class_name": "A"}]}, (400, 10021, "not supported here: containers")),
        (ONE, {"migrations": {"old_tag": "v1"}}, (412, 10079, "got tag 'v1' when expected tag is ''")),
        (ONE, {"migrations": {"new_sqlite_classes": ["A"]}}, (400, 10064, "does not export class 'A'")),
        (ONE, {"bindings": [{"type": "durable", "name": "A"}]}, (400, 10021, "binding A of type durable")),
        (ONE, {"bindings": [{"type": "plain_text", "name": "A"}]}, (400, 10021, "must have a valid `text`")),
        (ONE, {"bindings": [{"type": "plain_text", "text": "A"}]}, (400, 10052, "without a name")),
        (ONE, {"bindings": [{"type": "json", "name": "A", "json": 1}] * 2}, (400, 10053, "'A' already in use")),
        (ONE, {"bindings": [{"type": "plain_text", "name": "A", "text": "x" * 6000}]}, (400, 10054, "5 KB")),
        (ONE, {"bindings": [{"type": "service", "name": "S", "service": "gone"}]}, (400, 10144, "'gone' not found")),
        (ONE, {"bindings": [{"type": "assets", "name": "ASSETS"}]}, (400, 10021, "needs assets")),
        (ONE, {"assets": {"config": {}}}, (400, 10021, "need the jwt")),
    ],
)
def test_a_refused_upload_does_not_change_the_running_version(
    api: Client, code: str, metadata: Any, expected: tuple[int, int, str]
) -> None:
    api.put("stays", ONE)
    host = api.enable("stays")
    before = api.result("GET", "~/workers/services/stays")
    status, number, message = api.put("stays", code, refused=True, **metadata)
    assert (status, number) == expected[:2]
    assert expected[2] in message
    assert api.get(host).text == "one {}"
    assert api.result("GET", "~/workers/services/stays") == before


def test_invalid_bodies_are_refused(api: Client) -> None:
    url = "~/workers/scripts/none"
    assert api.refusal("PUT", url, json={})[:2] == (415, 10001)
    assert api.refusal("PUT", url, files={"worker.js": ("worker.js", ONE, ESM)})[:2] == (400, 10026)
    assert api.refusal("PUT", url, files={"metadata": (None, "")})[:2] == (400, 10026)
    assert api.refusal("PUT", url, files={"metadata": (None, "[]")})[:2] == (400, 10026)
    assert api.refusal("PUT", url, files={"metadata": (None, "{}")})[:2] == (400, 10021)
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert api.refusal("PUT", url, content=b"--y\r\nnothing", headers=broken)[0] == 400
    assert api.refusal("GET", "~/workers/scripts/none/settings")[:2] == (404, 10007)


def test_a_script_over_the_size_limit_is_refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud.cloudflare.uploads.LARGEST_SCRIPT", 1024**2)
    noise = "".join(chr(33 + (i * i * 7919 + i // 3) % 90) for i in range(3000))
    import secrets

    big = f"// {noise}\nconst x = '{secrets.token_hex(2 * 1024**2)}';\n{ONE}"
    status, code, message = api.put("big", big, refused=True)
    assert (status, code, message) == (413, 10027, "Your Worker exceeded the size limit of 1 MB.")


@pytest.mark.parametrize("name", ["Upper", "a" * 64, "-a", "a-", "a.b"])
def test_invalid_worker_names_are_refused(api: Client, name: str) -> None:
    status, code, message = api.refusal("PUT", f"~/workers/scripts/{name}", files=[
        ("metadata", (None, '{"main_module": "worker.js"}')), ("worker.js", ("worker.js", ONE, ESM))])  # fmt: skip
    assert (status, code, name in message) == (400, 10016, True)


def test_requests_for_a_missing_worker_are_refused(api: Client) -> None:
    expected = (404, 10007, "This Worker does not exist on your account.")
    for method, path in [
        ("GET", "services/gone"), ("GET", "scripts/gone"), ("GET", "scripts/gone/settings"),
        ("GET", "scripts/gone/content/v2"), ("GET", "scripts/gone/subdomain"), ("DELETE", "scripts/gone"),
        ("GET", "scripts/gone/secrets"), ("GET", "scripts/gone/versions"), ("GET", "scripts/gone/deployments"),
        ("DELETE", "scripts/gone/subdomain"), ("GET", "scripts/gone/script-settings"),
    ]:  # fmt: skip
        assert api.refusal(method, f"~/workers/{path}") == expected


def test_the_workers_dev_address_can_be_switched(api: Client) -> None:
    api.put("sub", ONE)
    host = "sub.oracle.workers.localhost"
    path = "~/workers/scripts/sub/subdomain"
    assert api.result("GET", path) == {"enabled": False, "previews_enabled": False}
    assert api.get(host).status_code == 404
    assert api.result("POST", path, json={"enabled": True}) == {"enabled": True, "previews_enabled": False}
    assert api.get(host).status_code == 200
    assert api.result("POST", path, json={"enabled": True, "previews_enabled": True})["previews_enabled"] is True
    assert api.result("DELETE", path) == {"enabled": False, "previews_enabled": False}
    assert api.get(host).status_code == 404


def test_a_deleted_worker_is_gone(api: Client) -> None:
    api.put("target", ONE)
    host = api.enable("target")
    api.put("caller", ONE.replace("JSON.stringify(env)", '""'), bindings=[
        {"type": "service", "name": "T", "service": "target", "environment": "production"}])  # fmt: skip
    status, code, message = api.refusal("DELETE", "~/workers/scripts/target")
    assert (status, code, "caller" in message) == (409, 10142, True)
    assert api.result("GET", "~/workers/scripts/target/references")["services"]["incoming"][0]["service"] == "caller"
    api.result("DELETE", "~/workers/scripts/target?force=true")
    assert api.get(host).status_code == 404
    api.result("DELETE", "~/workers/scripts/caller")
    assert "caller" not in {script["id"] for script in api.result("GET", "~/workers/scripts")}


def test_a_failed_first_upload_leaves_nothing(api: Client) -> None:
    api.put("never", "nope();", refused=True)
    assert api.refusal("GET", "~/workers/services/never")[:2] == (404, 10007)
