"""Versions, gradual deployments, rollbacks and secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.cloudflare.service import ESM, Client

SECRET = "planted-secret-0815"


def code(word: str) -> str:
    return f'export default {{ fetch(request, env) {{ return new Response("{word} " + (env.KEY ?? "-")); }} }}'


def add(api: Client, name: str, text: str, refused: bool = False, **metadata: Any) -> Any:
    known = {"main_module": "worker.js", "compatibility_date": "2025-06-01"} | metadata
    form = [("metadata", (None, json.dumps(known))), ("worker.js", ("worker.js", text, ESM))]
    return (api.refusal if refused else api.result)("POST", f"~/workers/scripts/{name}/versions", files=form)


def test_a_version_is_uploaded_deployed_and_rolled_back(api: Client) -> None:
    path = "~/workers/scripts/gradual"
    first = api.put("gradual", code("one"))["deployment_id"]
    host = api.enable("gradual")
    second = add(api, "gradual", code("two"), annotations={"workers/message": "try", "workers/tag": "t"})
    assert (second["number"], second["resources"]["script"]["handlers"]) == (2, ["fetch"])
    assert second["annotations"]["workers/message"] == "try"
    assert api.get(host).text == "one -"
    versions = api.result("GET", f"{path}/versions")["items"]
    assert [version["number"] for version in versions] == [2, 1]
    assert versions[1]["id"].replace("-", "") == first
    assert api.result("GET", f"{path}/versions/{second['id']}") == second
    both = [{"version_id": versions[1]["id"], "percentage": 50}, {"version_id": second["id"], "percentage": 50}]
    made = api.result("POST", f"{path}/deployments", json={"strategy": "percentage", "versions": both})
    assert made["versions"] == both
    assert {api.get(host).text for _ in range(60)} == {"one -", "two -"}
    whole = {"strategy": "percentage", "versions": [{"version_id": second["id"], "percentage": 100}]}
    api.result("POST", f"{path}/deployments", json=whole)
    assert api.get(host).text == "two -"
    back = {"strategy": "percentage", "versions": [{"version_id": versions[1]["id"], "percentage": 100}]}
    rolled = api.result("POST", f"{path}/deployments", json=back | {"annotations": {"workers/message": "back"}})
    assert api.get(host).text == "one -"
    deployments = api.result("GET", f"{path}/deployments")["deployments"]
    assert deployments[0] == rolled
    assert len(deployments) == 4
    assert api.result("GET", f"{path}/deployments/{rolled['id']}") == rolled
    assert api.refusal("DELETE", f"{path}/deployments/{rolled['id']}")[:2] == (400, 10337)
    api.result("DELETE", f"{path}/deployments/{deployments[1]['id']}")
    assert api.refusal("GET", f"{path}/deployments/{deployments[1]['id']}")[:2] == (404, 10336)


def test_settings_are_those_of_the_serving_version(api: Client) -> None:
    api.put("serving", code("one"), bindings=[{"type": "plain_text", "name": "A", "text": "a"}])
    add(api, "serving", code("two"))
    assert len(api.result("GET", "~/workers/scripts/serving/settings")["bindings"]) == 1


def test_invalid_versions_are_refused(api: Client) -> None:
    assert add(api, "nobody", code("x"), refused=True)[:2] == (404, 10007)
    api.put("checked", code("one"))
    assert add(api, "checked", "nope()", refused=True)[:2] == (400, 10021)
    assert len(api.result("GET", "~/workers/scripts/checked/versions")["items"]) == 1
    missing = "~/workers/scripts/checked/versions/00000000-0000-4000-8000-000000000000"
    assert api.refusal("GET", missing)[:2] == (404, 100146)


@pytest.mark.parametrize(
    "versions, code",
    [
        ([], 10026),
        ([{"version_id": "x"}], 10026),
        ([{"version_id": "x", "percentage": 50}], 10021),
        ([{"version_id": "x", "percentage": 50}] * 2, 10021),
        ([{"version_id": "00000000-0000-4000-8000-000000000000", "percentage": 100}], 100146),
    ],
)
def test_invalid_deployments_are_refused(api: Client, versions: Any, code: int) -> None:
    api.put("refused", globals()["code"]("one"))
    assert api.refusal("POST", "~/workers/scripts/refused/deployments", json={"versions": versions})[1] == code


def test_secrets_are_created_listed_and_deleted(api: Client) -> None:
    path = "~/workers/scripts/secret/secrets"
    api.put("secret", code("one"), bindings=[{"type": "plain_text", "name": "VAR", "text": "v"}])
    host = api.enable("secret")
    made = api.result("PUT", path, json={"name": "KEY", "text": SECRET, "type": "secret_text"})
    assert made == {"name": "KEY", "type": "secret_text"}
    assert api.get(host).text == f"one {SECRET}"
    assert api.result("GET", path) == [made]
    assert api.result("GET", f"{path}/KEY") == made
    assert SECRET not in api("GET", "~/workers/scripts/secret/settings").text
    assert SECRET not in api("GET", "~/workers/scripts/secret/versions").text
    clash = api.refusal("PUT", path, json={"name": "VAR", "text": "x", "type": "secret_text"})
    assert clash == (400, 10053, "Binding name 'VAR' already in use. Please use a different name and try again.")
    api.result("DELETE", f"{path}/KEY")
    assert api.get(host).text == "one -"
    assert api.refusal("DELETE", f"{path}/KEY") == (404, 10056, "Binding 'KEY' not found.")
    assert api.refusal("GET", f"{path}/KEY")[:2] == (404, 10056)
    assert api.result("GET", "~/workers/scripts/secret/settings")["bindings"][0]["name"] == "VAR"


def test_secrets_are_changed_in_bulk(api: Client) -> None:
    path = "~/workers/scripts/bulk/secrets"
    api.put("bulk", code("one"))
    changes = {name: {"name": name, "type": "secret_text", "text": name.lower()} for name in ("KEY", "OTHER")}
    assert len(api.result("PATCH", f"{path}-bulk", json={"secrets": changes})) == 2
    api.result("PATCH", f"{path}-bulk", json={"secrets": {"OTHER": None}})
    assert [entry["name"] for entry in api.result("GET", path)] == ["KEY"]
    assert api.get(api.enable("bulk")).text == "one key"


def test_a_secret_is_refused_while_the_newest_version_is_not_deployed(api: Client) -> None:
    api.put("careful", code("one"))
    add(api, "careful", code("two"))
    wanted = {"name": "KEY", "text": "x", "type": "secret_text"}
    assert api.refusal("PUT", "~/workers/scripts/careful/secrets", json=wanted)[:2] == (400, 10215)


def test_a_rollback_over_changed_secrets_needs_force(api: Client) -> None:
    path = "~/workers/scripts/warned"
    api.put("warned", code("one"))
    first = api.result("GET", f"{path}/versions")["items"][0]["id"]
    api.result("PUT", f"{path}/secrets", json={"name": "KEY", "text": "x", "type": "secret_text"})
    back = {"strategy": "percentage", "versions": [{"version_id": first, "percentage": 100}]}
    status, number, message = api.refusal("POST", f"{path}/deployments", json=back)
    assert (status, number, message) == (400, 10220, "The following secrets have changed: KEY")
    api.result("POST", f"{path}/deployments?force=true", json=back)
    assert api.get(api.enable("warned")).text == "one -"


def test_invalid_secrets_are_refused(api: Client) -> None:
    api.put("strict", code("one"))
    path = "~/workers/scripts/strict/secrets"
    assert api.refusal("PUT", path, json={"text": "x"})[:2] == (400, 10026)
    assert api.refusal("PUT", path, json={"name": "A"})[:2] == (400, 10026)
    assert api.refusal("PUT", path, content=b"{")[:2] == (400, 10026)
    assert api.refusal("PUT", path, json={"name": "A", "text": "x" * 6000})[:2] == (400, 10054)
